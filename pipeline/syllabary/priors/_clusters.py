"""First guess of the states: k-means on where the latents are and where they are going."""

import numpy as np
import torch

from ._evidence import PointEvidence

__all__ = ["assign", "centers", "motion", "points"]

BLOCK = 65536
VELOCITY_FRAMES = 3


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


def motion(evidence: PointEvidence) -> torch.Tensor:
    """Return where the latents are, and how far they came in the last frames: (T, 2 D)."""
    latents = torch.where(evidence.observed[:, None], evidence.latents, 0.0).double()
    before = torch.roll(latents, VELOCITY_FRAMES, 0)
    before[:VELOCITY_FRAMES] = latents[:1]
    return torch.cat([latents, latents - before], -1)


def points(
    series: list[PointEvidence], usable: list[torch.Tensor], limit: int, rng: np.random.Generator
) -> torch.Tensor:
    """Return the motion of ``limit`` usable frames of all recordings, or of all there are."""
    sizes = [int(mask.sum()) for mask in usable]
    chosen = torch.zeros(sum(sizes), dtype=torch.bool)
    picked = rng.choice(sum(sizes), min(sum(sizes), limit), replace=False, shuffle=False)
    chosen[torch.from_numpy(picked)] = True
    parts = [
        motion(e)[mask][own]
        for e, mask, own in zip(series, usable, torch.split(chosen, sizes), strict=True)
    ]
    return torch.cat(parts)
