import numpy as np
import pytest
import torch

from syllabary.priors.blocks import clusters
from syllabary.priors.types import PointEvidence


@pytest.mark.parametrize("window", [1, 3, 9])
def test_motion_is_the_mean_over_the_window_of_steps_between_observed_frames(rng, window):
    latents = torch.from_numpy(rng.standard_normal((40, 2)))
    observed = torch.from_numpy(rng.random(40) > 0.15)
    latents[~observed] = torch.nan
    result = clusters.motion(PointEvidence(latents, observed), window)
    for t in range(40):
        ends = range(max(1, t - window // 2), min(40, t + window // 2 + 1))
        steps = [(latents[u] - latents[u - 1]).numpy() for u in ends if observed[u] and observed[u - 1]]
        steps = np.array(steps or [[0.0, 0.0]])
        expected = np.concatenate([steps.mean(0), np.log((steps**2).mean(0) + clusters.ENERGY_FLOOR)])
        np.testing.assert_allclose(result[t], expected, atol=1e-9)


@pytest.mark.parametrize("frames", [0, 1, 3])
def test_motion_of_recordings_shorter_than_the_window(frames):
    observed = torch.ones(frames, dtype=torch.bool)
    result = clusters.motion(PointEvidence(torch.zeros(frames, 2), observed), 9)
    assert result.shape == (frames, 4) and torch.isfinite(result).all()


def test_clusters_far_apart_are_found(rng):
    places = 20 * rng.standard_normal((7, 3))
    labels = rng.integers(7, size=700)
    points = torch.from_numpy(places[labels] + rng.standard_normal((700, 3)))
    result = clusters.assign(points, clusters.centers(points, 7, rng)).numpy()
    assert len({(a, b) for a, b in zip(labels, result, strict=True)}) == 7


def test_fewer_points_than_centers(rng):
    points = torch.ones(3, 2, dtype=torch.float64)
    assert torch.equal(clusters.centers(points, 10, rng), torch.ones(10, 2, dtype=torch.float64))
