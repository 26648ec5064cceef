"""Find the syllables before the model is trained.

In reading order: ``classifier`` (states from a window of latents), ``labeler`` (the state
probabilities of a recording, from the teacher or the classifier) and ``discovery`` (teacher,
merging, people's labels, self-training).
"""

__all__ = ["classifier", "discovery", "labeler"]
