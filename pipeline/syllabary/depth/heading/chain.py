"""A chain of two states per frame, linked by how far a mouse can turn between frames.

The heading of frame t is ``axis[t] + pi * state[t]``. Its step from frame t - 1 is a small
turn (a wrapped normal), or, rarely, uniform on the circle. Where the axis jumps because the body
was round, both states explain the step about equally well, and evidence decides.
"""

import numpy as np
import numpy.typing as npt

__all__ = ["link", "marginals"]

Array = npt.NDArray[np.float64]


def link(axis_rad: Array, spread_rad: Array, switch_probability: float) -> Array:
    """Return the log potential of each step that keeps its state or changes it.

    Parameters
    ----------
    axis_rad : (F,)
        Axis angle, up to half a turn.
    spread_rad : (F - 1,)
        Standard deviation of each step of the heading.
    switch_probability : float
        Probability that a step is uniform on the circle.

    Returns
    -------
    (F - 1, 2) float64
        Log density of the step if the state stays (column 0) and if it changes (column 1).
    """
    step = np.diff(axis_rad)
    turns = np.stack([step, step + np.pi], axis=-1)
    turns = (turns + np.pi) % (2 * np.pi) - np.pi
    spread = np.asarray(spread_rad, np.float64)[:, None]
    small = np.zeros_like(turns)
    for k in (-2, -1, 0, 1, 2):
        small += np.exp(-0.5 * ((turns + 2 * np.pi * k) / spread) ** 2)
    density = (1 - switch_probability) * small / (np.sqrt(2 * np.pi) * spread)
    return np.log(density + switch_probability / (2 * np.pi))


def marginals(evidence: Array, steps: Array) -> Array:
    """Return the probability of state 0 in every frame, (F,).

    The chain has two states, so a message is one number, the log odds of state 0.
    """
    ahead, back = np.zeros(len(evidence)), np.zeros(len(evidence))
    for t in range(1, len(evidence)):
        ahead[t] = _pass(ahead[t - 1] + evidence[t - 1], steps[t - 1])
    for t in range(len(evidence) - 2, -1, -1):
        back[t] = _pass(back[t + 1] + evidence[t + 1], steps[t])
    odds = ahead + back + evidence
    return 0.5 * (1 + np.tanh(odds / 2))


def _pass(odds: float, step: Array) -> float:
    """Propagate log odds through a step that is symmetric in the states."""
    stay, change = step
    return float(np.logaddexp(odds + stay, change) - np.logaddexp(odds + change, stay))
