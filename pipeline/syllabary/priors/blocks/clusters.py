"""First guess of the states: k-means on how the latents move, or on where they are."""

import numpy as np
import torch

from ..interface import PointEvidence

__all__ = ["assign", "centers", "features", "motion", "points"]

BLOCK = 65536
# Mean squared step below which all is rest; latents have variance 1.
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
    found = points[chosen].clone()
    labels = torch.full((len(points),), -1)
    for _ in range(rounds):
        previous, labels = labels, assign(points, found)
        if torch.equal(previous, labels):
            break
        sums = torch.zeros_like(found).index_add_(0, labels, points)
        sizes = torch.bincount(labels, minlength=count)
        filled = sizes > 0
        found[filled] = sums[filled] / sizes[filled, None]
    return found


def assign(points: torch.Tensor, found: torch.Tensor) -> torch.Tensor:
    """Return the nearest center of each point, (N,) int64."""
    half = (found**2).sum(-1) / 2
    parts = [(block @ found.T - half).argmax(-1) for block in torch.split(points, BLOCK)]
    return torch.cat(parts) if parts else torch.zeros(0, dtype=torch.int64)


def features(evidence: PointEvidence, window: int) -> torch.Tensor:
    """Return what frames are clustered by: their motion, or without a window where they are."""
    if window:
        return motion(evidence, window)
    return torch.where(evidence.observed[:, None], evidence.latents, 0.0).double()


def motion(evidence: PointEvidence, window: int) -> torch.Tensor:
    """Return how the latents move about each frame: mean velocity and log mean squared step.

    Where the latents *are* differs between animals by build and posture, and clusters of it find
    the animals; what they do in the next moment tells syllables apart.

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
    # Rounding of running sums must not become a logarithm.
    return torch.cat([velocity, torch.log(energy.clamp(min=0) + ENERGY_FLOOR)], -1)


def points(
    series: list[PointEvidence],
    usable: list[torch.Tensor],
    limit: int,
    rng: np.random.Generator,
    window: int,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return the features of ``limit`` usable frames of all recordings, or of all there are.

    Returns
    -------
    points : (N, F)
        Standardized: velocities by one scale, all else each by its own.
    mean, scale : (F)
        What standardizes.
    """
    sizes = [int(mask.sum()) for mask in usable]
    chosen = torch.zeros(sum(sizes), dtype=torch.bool)
    picked = rng.choice(sum(sizes), min(sum(sizes), limit), replace=False, shuffle=False)
    chosen[torch.from_numpy(picked)] = True
    found = torch.cat(
        [
            features(e, window)[mask][own]
            for e, mask, own in zip(series, usable, torch.split(chosen, sizes), strict=True)
        ]
    )
    size = found.shape[1] // 2 if window else 0
    mean = found.mean(0)
    mean[:size] = 0
    scale = ((found - mean) ** 2).mean(0).sqrt()
    if window:
        scale[:size] = (scale[:size] ** 2).mean().sqrt()
    scale = torch.where(scale > 0, scale, 1.0)
    return (found - mean) / scale, mean, scale
