"""From crops to the posterior of every tick: reduction, training, segmentation.

In reading order: ``settings`` and ``choices`` (what lies behind a name in them); ``frames``
(training frames, drawn from the crops), ``pca`` (principal components with missing pixels),
``latents`` (what they make of a recording); ``durations`` (bouts, and the stickiness that makes
them last), ``training`` (sweeps, restarts, resuming), ``checkpoint`` (tensors in a file),
``model`` (all that segmenting needs, in one file), ``inference`` (a whole recording at once).

Notation: B recordings, T ticks, D latent dimensions, K states; axes run (..., T, D) and
(..., T, K). Latents are whitened over the training frames, NaN where missing. Syllables are states
numbered by usage in training, 0 commonest.
"""

__all__ = [
    "checkpoint",
    "choices",
    "durations",
    "frames",
    "inference",
    "latents",
    "model",
    "pca",
    "settings",
    "training",
]
