"""Training of a prior, and of the networks together with it.

A prior alone: ``durations`` (bouts, and the stickiness that gives them their length), ``stages``
(latents as points, then with noise), ``em`` (iterations, restarts, convergence), ``clamped`` (states
held at their evidence). Networks with a prior: ``gradients`` (through the optimum of inference),
``windows``, ``recordings`` (batches and whole recordings), ``schedule`` and ``joint`` (epochs).
Both: ``fitted`` (a trained prior and its history) and ``state`` (with its checkpoint file).
"""

__all__ = [
    "clamped",
    "durations",
    "em",
    "fitted",
    "gradients",
    "joint",
    "recordings",
    "schedule",
    "stages",
    "state",
    "windows",
]
