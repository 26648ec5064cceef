"""Find the syllables before the model is trained.

In reading order:

- ``teacher``: an autoregressive HMM on the latents, with redundant states merged
- ``classifier``: predicts the syllables from a window of latents
- ``labeler``: state probabilities of a recording, from the teacher or the classifier
- ``discovery``: the algorithm; teacher, merging, people's labels, self-training and choice

Notation: T ticks, J states of the teacher, K syllables, C features of a tick. Soft labels are
probabilities of the syllables, (T, K).
"""

__all__ = ["classifier", "discovery", "labeler", "teacher"]
