"""The loop over frames of the filter of a switching model."""

import math

import numpy as np

from ...compiled import Floats, kernel
from .collapsing import average, condition, spread_out
from .scoring import predict, score

__all__ = ["filter_forward"]


@kernel
def filter_forward(
    model: tuple[Floats, Floats, Floats, Floats, Floats],
    vectors: tuple[Floats, Floats, Floats],
    evidence: tuple[Floats, Floats, Floats],
    workspace: tuple[Floats, ...],
    results: tuple[Floats, Floats, Floats, Floats, Floats],
) -> int:
    """Filter one sequence; return the frame whose density is no finite number, or −1.

    Parameters
    ----------
    model : first, rows, weights, center, covariance
        Weights (K, D, 0) if no frame depends on another; else the last two are those of the first
        frame and those before it, (L D,) and (L D, L D).
    vectors : weights, offsets, noise
        Of eight states in each row.
    evidence : root (T, D, r), means (T, D), linear (T, D)
    workspace : as ``calls`` makes it
    results : nodes (T, K), log_density (T,), states (K,), mean (L D,), covariance (L D, L D)
    """
    first, rows, weights, start, start_covariance = model
    root, means, linear = evidence
    moved, scratch, inner, centers, factor, surprise, scores, apart, pivots = workspace[:9]
    shares, scale, each, sums = workspace[9:]
    nodes, log_density, states, mean, covariance = results
    frames, size = means.shape
    width, reach, groups = weights.shape[2], len(mean), len(scores)
    past = np.zeros((width, width + 1))
    before, spread = start.copy(), start_covariance.copy()
    belief, joint = first.copy(), np.empty(len(first))
    for t in range(frames):
        if t:
            belief = _step(states, rows)
        frame = root[t], means[t], linear[t]
        pulled = linear[t].any()
        observed = pulled or root[t].any()
        if width and t == 0:
            _begin(size, groups, before, spread, moved, inner, centers)
        elif width:
            past[:, :width] = spread
            past[:, width] = before
            for g in range(groups):
                predict(g, size, past, vectors, moved, inner, centers)
        elif t == 0:
            centers[:], inner[:] = vectors[1], vectors[2]
        if observed:
            for g in range(groups):
                parts = scratch, apart, pivots
                score(g, size, frame, pulled, (inner, centers), parts, factor, surprise, scores)
        else:
            scores[:] = 0
        nodes[t] = scores.ravel()[: len(first)]
        log_density[t] = _share_out(belief, nodes[t], joint, states)
        if not -math.inf < log_density[t] < math.inf:
            return t
        if not width and t + 1 < frames:
            continue
        shares.ravel()[: len(first)] = states
        scale[:] = np.sqrt(shares)
        sums[:] = 0
        moments = moved, inner, centers, factor, surprise
        for g in range(groups):
            condition(
                g, size, frame, (observed, pulled), moments, before, (shares, scale), scratch, each, sums
            )
        average(shares, each, mean)
        covariance[:] = 0
        covariance[size:, size:] = spread[: reach - size, : reach - size]
        spread_out(scale, reach if observed else size, each, mean, apart, sums, covariance)
        before[:], spread[:] = mean, covariance
    return -1


@kernel
def _step(states: Floats, rows: Floats) -> Floats:
    """Probabilities one step later."""
    result = np.zeros(len(states))
    for j in range(len(states)):
        for k in range(len(states)):
            result[k] += states[j] * rows[j, k]
    return result


@kernel
def _begin(
    size: int,
    groups: int,
    mean: Floats,
    covariance: Floats,
    moved: Floats,
    inner: Floats,
    centers: Floats,
) -> None:
    """Give every state the moments of the first frame, whose past is like itself."""
    width = len(mean)
    for g in range(groups):
        for i in range(size):
            row = g * size + i
            centers[row] = mean[i]
            for j in range(size):
                inner[row * size + j] = covariance[i, j]
            for b in range(width):
                moved[row * (width + 1) + b] = covariance[i, b]


@kernel
def _share_out(belief: Floats, scores: Floats, joint: Floats, states: Floats) -> float:
    """Probabilities of the states given a frame; its log density."""
    highest = -math.inf
    for k in range(len(belief)):
        joint[k] = math.log(belief[k]) + scores[k]
        highest = max(highest, joint[k])
    total = 0.0
    for k in range(len(belief)):
        states[k] = math.exp(joint[k] - highest)
        total += states[k]
    for k in range(len(belief)):
        states[k] /= total
    return highest + math.log(total)
