"""Headings of a whole recording from axes, motion and shape.

How the head end looks differs with the animal, the camera and what it carries. So the frames in
which the mouse walks teach the weights of the shape features (ridge logistic regression on the
chain's own posterior), and these weights then decide the frames in which it rests.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ..settings import HeadingSettings
from . import chain, evidence

__all__ = ["Headings", "decode"]

Array = npt.NDArray[np.float64]
# Standard deviation of a weight around its prior, nats per unit of the feature.
WEIGHT_SD = 2.0
NEWTON_STEPS = 8


class Headings(NamedTuple):
    """Heading of each frame, rad in (-pi, pi], and the probability that it is not reversed."""

    heading_rad: Array
    confidence: Array


def decode(
    axis_rad: Array,
    elongation: Array,
    position_mm: Array,
    time_s: Array,
    features: Array,
    settings: HeadingSettings,
) -> Headings:
    """Decide the head end in every frame.

    Parameters
    ----------
    axis_rad, elongation : (F,)
        Long axis and how long it is (0 = round); NaN where the mouse was not found.
    position_mm : (F, 2)
    time_s : (F,)
    features : (F, len(evidence.FEATURES))

    Returns
    -------
    Headings
        (F,) each, NaN where the mouse was not found.
    """
    heading, confidence = np.full(len(axis_rad), np.nan), np.full(len(axis_rad), np.nan)
    seen = np.flatnonzero(np.isfinite(axis_rad))
    if len(seen) == 0:
        return Headings(heading, confidence)
    axis, features, time = axis_rad[seen], features[seen], time_s[seen]
    moving = evidence.motion(position_mm[seen], time, axis, settings.walking_speed_mm_s)
    # The axis of a round body is noise of about 0.05 rad / elongation.
    noise = 0.05 / np.maximum(elongation[seen], 0.02)
    spread = np.sqrt((settings.turn_rad_s * np.diff(time)) ** 2 + noise[1:] ** 2 + noise[:-1] ** 2)
    steps = chain.link(axis, spread, settings.switch_probability)
    weights = evidence.PRIOR_WEIGHTS
    for lesson in range(settings.learning_rounds):
        # At first motion alone is the teacher: a wrong belief about shape must not teach itself.
        hint = features @ weights if lesson else 0.0
        belief = chain.marginals(settings.evidence_weight * (moving + hint), steps)
        weights = _learn(features, belief, settings.evidence_weight)
    odds = settings.evidence_weight * (moving + features @ weights)
    states = chain.path(odds, steps)
    first = chain.marginals(odds, steps)
    turned = axis + np.pi * states
    heading[seen] = np.pi - (np.pi - turned) % (2 * np.pi)
    confidence[seen] = np.where(states == 0, first, 1 - first)
    return Headings(heading, confidence)


def _learn(features: Array, belief: Array, weight: float) -> Array:
    """Fit the weights to soft labels ``belief`` (F,) by Newton's method.

    Maximizes the sum of expected log likelihoods + log prior; a sure frame counts as ``weight``
    frames, and one of which nothing is known does not count.
    """
    w = evidence.PRIOR_WEIGHTS.copy()
    counts = weight * np.abs(2 * belief - 1)
    precision = np.eye(len(w)) / WEIGHT_SD**2
    for _ in range(NEWTON_STEPS):
        p = 0.5 * (1 + np.tanh(features @ w / 2))
        slope = features.T @ (counts * (belief - p)) - precision @ (w - evidence.PRIOR_WEIGHTS)
        curvature = (features * (counts * p * (1 - p))[:, None]).T @ features + precision
        w = w + np.linalg.solve(curvature, slope)
    return w
