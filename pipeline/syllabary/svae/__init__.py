"""From crops to the posterior of every tick: reduction, training, segmentation.

In reading order: ``settings`` and ``choices`` (what lies behind a name in them); ``frames``
(training frames, drawn from the crops), ``outliers`` (pixels that are none of the animal's),
``registration`` (crops laid on a template), ``pca``
(principal components with missing pixels), ``kinematics`` (how the animal moves), ``latents``
(what is made of a recording), ``reduction`` (the whole way there), ``potentials`` (what frames say
of latents). A prior by itself: ``durations`` (bouts, and the stickiness that makes them last),
``stages`` and ``training`` (sweeps, restarts, resuming), ``checkpoint`` (tensors in a file).
Networks with it: ``networks/`` and ``autoencoder``, ``objective`` (likelihood of pixels),
``gradients`` (through the optimum), ``pieces``, ``schedule`` and ``joint`` (epochs). At last
``model`` (all that segmenting needs, in one file), ``inference`` (a whole recording at once) and
``clips`` (movies of what the model believes).

Notation: B recordings, T ticks, D latent dimensions, K states; axes run (..., T, D) and
(..., T, K). Latents are whitened over the training frames, NaN where missing. Syllables are states
numbered by usage in training, 0 commonest.
"""

__all__ = [
    "autoencoder",
    "checkpoint",
    "choices",
    "clips",
    "durations",
    "frames",
    "gradients",
    "inference",
    "joint",
    "kinematics",
    "latents",
    "model",
    "networks",
    "objective",
    "outliers",
    "pca",
    "pieces",
    "potentials",
    "reduction",
    "registration",
    "schedule",
    "settings",
    "stages",
    "training",
]
