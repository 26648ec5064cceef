"""First guess of the states: k-means of the latents' motion, or of the latents."""

import numpy as np
import torch

from ..types import PointEvidence

__all__ = ["assign", "centers", "features", "motion", "points"]

BLOCK = 65536
# Mean squared step below which an animal rests; latents have variance 1.
ENERGY_FLOOR = 1e-3


def centers(
    points: torch.Tensor, count: int, rng: np.random.Generator, *, rounds: int = 25
) -> torch.Tensor:
    """Find cluster centers by k-means with spread-out starts (k-means++).

    Parameters
    ----------
    points : (N, F) float64
        At least one.
    count : int
        Number of centers; some coincide where there are fewer distinct points.
    rng : numpy Generator
    rounds : int
        Rounds of assigning and averaging at most.

    Returns
    -------
    (count, F) float64

    References
    ----------
    doi:10.1145/1283383.1283494 (k-means++).
    """
    chosen = [int(rng.integers(len(points)))]
    nearest = ((points - points[chosen[0]]) ** 2).sum(-1)
    for _ in range(count - 1):
        reach = nearest.cumsum(0)
        total = float(reach[-1])
        # All points coincide with centers: any point will do.
        pick = int(torch.searchsorted(reach, rng.random() * total)) if total > 0 else 0
        chosen.append(min(pick, len(points) - 1))
        nearest = torch.minimum(nearest, ((points - points[chosen[-1]]) ** 2).sum(-1))
    means = points[chosen].clone()
    labels = torch.full((len(points),), -1)
    for _ in range(rounds):
        previous, labels = labels, assign(points, means)
        if torch.equal(previous, labels):
            break
        sums = torch.zeros_like(means).index_add_(0, labels, points)
        sizes = torch.bincount(labels, minlength=count)
        filled = sizes > 0
        means[filled] = sums[filled] / sizes[filled, None]
    return means


def assign(points: torch.Tensor, centers: torch.Tensor) -> torch.Tensor:
    """Return the nearest center of each point.

    Parameters
    ----------
    points : (N, F) float64
    centers : (K, F) float64

    Returns
    -------
    (N,) int64
    """
    half = (centers**2).sum(-1) / 2
    parts = [(block @ centers.T - half).argmax(-1) for block in torch.split(points, BLOCK)]
    return torch.cat(parts) if parts else torch.zeros(0, dtype=torch.int64)


def features(evidence: PointEvidence, window: int) -> torch.Tensor:
    """Return the features of frames for clustering: their motion, or without a window the latents.

    Parameters
    ----------
    evidence : PointEvidence
        (T, D), one recording.
    window : int
        Frames to average motion over, odd; 0 for the latents.
    """
    if window:
        return motion(evidence, window)
    return torch.where(evidence.observed[:, None], evidence.latents, 0.0).double()


def motion(evidence: PointEvidence, window: int) -> torch.Tensor:
    """Return the motion of the latents around each frame: mean velocity and log mean squared step.

    The latents themselves differ between animals by size and posture, so their clusters would be
    animals. Motion differs between syllables.

    Parameters
    ----------
    evidence : PointEvidence
        (T, D), one recording.
    window : int
        Frames to average over, odd; steps from or to missing frames are left out.

    Returns
    -------
    (T, 2 D) float64
    """
    observed = evidence.observed[:, None]
    if not len(observed):
        return evidence.latents.new_zeros((0, 2 * evidence.latents.shape[1])).double()
    latents = torch.where(observed, evidence.latents, 0.0).double()
    both = (observed[1:] & observed[:-1]).double()
    steps = (latents[1:] - latents[:-1]) * both
    moments = torch.cat([steps, steps**2, both], -1)
    reach = window // 2
    # Step t ends at frame t + 1; sums over a window are differences of running sums.
    running = torch.nn.functional.pad(moments.cumsum(0), (0, 0, reach + 2, reach))
    running[len(running) - reach :] = moments.sum(0)
    sums = running[window:] - running[:-window]
    count = sums[:, -1:].clamp(min=1)
    velocity, energy = (sums[:, :-1] / count).chunk(2, -1)
    # The floor keeps the rounding of running sums out of the logarithm.
    return torch.cat([velocity, torch.log(energy.clamp(min=0) + ENERGY_FLOOR)], -1)


def points(
    series: list[PointEvidence],
    usable: list[torch.Tensor],
    limit: int,
    rng: np.random.Generator,
    window: int,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return the features of usable frames, drawn from all recordings.

    Parameters
    ----------
    series : list of PointEvidence (T, D)
    usable : list of (T,) bool
    limit : int
        Frames to draw, at most.
    rng : numpy Generator
    window : int
        See ``features``.

    Returns
    -------
    points : (N, F)
        Standardized: velocities by one scale, each other feature by its own.
    mean, scale : (F,)
        Of the standardization.
    """
    sizes = [int(mask.sum()) for mask in usable]
    chosen = torch.zeros(sum(sizes), dtype=torch.bool)
    picked = rng.choice(sum(sizes), min(sum(sizes), limit), replace=False, shuffle=False)
    chosen[torch.from_numpy(picked)] = True
    drawn = torch.cat(
        [
            features(evidence, window)[mask][rows]
            for evidence, mask, rows in zip(series, usable, torch.split(chosen, sizes), strict=True)
        ]
    )
    size = drawn.shape[1] // 2 if window else 0
    mean = drawn.mean(0)
    mean[:size] = 0
    scale = ((drawn - mean) ** 2).mean(0).sqrt()
    if window:
        scale[:size] = (scale[:size] ** 2).mean().sqrt()
    scale = torch.where(scale > 0, scale, 1.0)
    return (drawn - mean) / scale, mean, scale
