"""Headings of a whole recording from axes, motion and shape.

The network is trained on many mice, but the head end of one animal differs with its build, the camera
and what it carries. Frames in which the mouse walks therefore train a correction of the network's
output, by ridge logistic regression on the chain's posterior. Network and correction together decide
the frames in which the mouse rests.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ..settings import HeadingSettings
from . import chain, evidence, model

__all__ = ["Headings", "decode"]

Array = npt.NDArray[np.float64]
# Prior standard deviation of a weight of the correction, nats per unit of the feature.
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
        (F,) each, NaN where the mouse was not found; confidence is 1/2 or more.

    Raises
    ------
    BadInput
        ``settings.weights`` names a file that does not hold the network's weights.
    """
    heading, confidence = np.full(len(axis_rad), np.nan), np.full(len(axis_rad), np.nan)
    detected = np.flatnonzero(np.isfinite(axis_rad))
    if len(detected) == 0:
        return Headings(heading, confidence)
    axis, features, time = axis_rad[detected], features[detected], time_s[detected]
    moving = evidence.motion(position_mm[detected], time, axis, settings.walking_speed_mm_s)
    shape_nats = model.predict(model.load(settings.weights or model.SHIPPED), features)
    odd = features[:, : len(evidence.ODD)]
    # The axis of a round body is noise of about 0.05 rad / elongation.
    noise = 0.05 / np.maximum(elongation[detected], 0.02)
    spread = np.sqrt((settings.turn_rad_s * np.diff(time)) ** 2 + noise[1:] ** 2 + noise[:-1] ** 2)
    steps = chain.link(axis, spread, settings.switch_probability)
    correction = np.zeros(odd.shape[1])
    shape: Array | float = 0.0
    for _ in range(settings.learning_rounds):
        # The first round uses motion alone, so that a wrong belief about shape cannot confirm itself.
        belief = chain.marginals(settings.evidence_weight * (moving + shape), steps)
        correction = _correct(shape_nats, odd, belief, settings.evidence_weight)
        shape = model.bounded(shape_nats + odd @ correction)
    if not settings.learning_rounds:
        shape = shape_nats
    belief = chain.marginals(settings.evidence_weight * (moving + shape), steps)
    turned = axis + np.pi * (belief < 0.5)
    heading[detected] = np.pi - (np.pi - turned) % (2 * np.pi)
    confidence[detected] = np.maximum(belief, 1 - belief)
    return Headings(heading, confidence)


def _correct(shape_nats: Array, odd: Array, belief: Array, weight: float) -> Array:
    """Fit a linear correction of ``shape_nats`` (F,) to soft labels ``belief`` (F,).

    Newton's method maximizes the sum of expected log likelihoods and the log prior. A frame with belief
    0 or 1 counts as ``weight`` frames, and one with belief 1/2 does not count.
    """
    w = np.zeros(odd.shape[1])
    counts = weight * np.abs(2 * belief - 1)
    precision = np.eye(len(w)) / WEIGHT_SD**2
    for _ in range(NEWTON_STEPS):
        p = 0.5 * (1 + np.tanh((shape_nats + odd @ w) / 2))
        slope = odd.T @ (counts * (belief - p)) - precision @ w
        curvature = (odd * (counts * p * (1 - p))[:, None]).T @ odd + precision
        w = w + np.linalg.solve(curvature, slope)
    return w
