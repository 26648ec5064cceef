"""From crops to the posterior of every tick: reduction, training, segmentation.

In reading order: ``settings`` and ``choices`` (what lies behind a name in them); ``frames``
(training frames, drawn from the crops), ``outliers`` (pixels that are none of the animal's),
``registration`` (crops laid on a template), ``pca``
(principal components with missing pixels), ``kinematics`` (how the animal moves), ``latents``
(what is made of a recording), ``reduction`` (the whole way there), ``potentials`` (what frames say
of latents). A prior by itself: ``durations`` (bouts, and the stickiness that makes them last),
``stages`` and ``training`` (sweeps, restarts, resuming), ``checkpoint`` (tensors in a file).
Syllables before the model: ``recogniser`` (states from a stretch of latents), ``recognition``
(and from the teacher's autoregression), ``discovery`` (teacher, coarsening, people's labels,
self-training), ``settling`` (a prior on said states).
Networks with a prior: ``networks/`` and ``autoencoder``, ``objective`` (likelihood of pixels),
``gradients`` (through the optimum), ``pieces``, ``schedule``, ``joint_state`` and ``joint``
(epochs). ``foresight`` (dynamics of several lags, by which predictions are made) and ``noise`` (of
each pixel) are fitted last. All of it in one row: ``learning``. At last ``model`` (all that segmenting
needs, in one file), ``inference`` (a whole recording at once), ``clips`` (movies of what the model
believes) and ``scores`` (likelihoods of unseen animals).

Notation: B recordings, T ticks, D latent dimensions, K states; axes run (..., T, D) and
(..., T, K). Latents are whitened over the training frames, NaN where missing. Syllables are states
numbered by usage in training, 0 commonest.
"""

__all__ = [
    "autoencoder",
    "checkpoint",
    "choices",
    "clips",
    "discovery",
    "durations",
    "foresight",
    "frames",
    "gradients",
    "inference",
    "joint",
    "joint_state",
    "kinematics",
    "latents",
    "learning",
    "model",
    "networks",
    "noise",
    "objective",
    "outliers",
    "pca",
    "pieces",
    "potentials",
    "recogniser",
    "recognition",
    "reduction",
    "registration",
    "schedule",
    "scores",
    "settings",
    "settling",
    "stages",
    "training",
]
