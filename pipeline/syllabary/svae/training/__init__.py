"""Train a prior and the networks.

A prior alone: ``durations`` (bouts, and the stickiness that gives them their length), ``stages``
and ``em`` (iterations, restarts, resuming), ``clamped`` (a prior whose states are held fixed).
Networks with a prior: ``gradients`` (through the optimum of inference), ``windows``, ``schedule``,
``state`` and ``joint`` (epochs).
"""

__all__ = ["clamped", "durations", "em", "gradients", "joint", "schedule", "stages", "state", "windows"]
