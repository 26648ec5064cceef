import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from syllabary.errors import BadInput, ShapeError
from syllabary.syllables import changepoints
from syllabary.syllables.settings import ChangepointSettings

SETTINGS = ChangepointSettings()


def steps(rng, fps=30, D=6, noise=0.1, seconds=120, gap_s=(0.4, 1.2)):
    """Latents that jump between constants at known times, s; the same times at any fps."""
    borders_s = np.cumsum(rng.uniform(*gap_s, size=int(seconds / gap_s[0])))
    borders_s = borders_s[borders_s < seconds - gap_s[1]]
    time_s = np.arange(int(seconds * fps)) / fps
    levels = rng.standard_normal((len(borders_s) + 1, D))
    level = levels[np.searchsorted(borders_s, time_s, side="right")]
    return level + noise * rng.standard_normal(level.shape), time_s, borders_s


def find(latents, time_s, observed=None, settings=SETTINGS, seed=0):
    observed = np.ones(len(latents), bool) if observed is None else observed
    return changepoints.find(latents, observed, time_s, settings, recording="r", seed=seed)


@pytest.mark.parametrize("fps", [30, 60, 100])
def test_steps_are_detected_at_their_times_at_any_frame_rate(rng, fps):
    latents, time_s, borders_s = steps(rng, fps, seconds=600)
    points = find(latents, time_s)
    assert list(points) == list(changepoints.COLUMNS)
    nearest = np.abs(points["time_s"].to_numpy()[:, None] - borders_s)
    assert np.mean(nearest.min(0) < 0.1) > 0.8
    assert np.mean(nearest.min(1) < 0.1) > 0.9
    close = np.array([t - borders_s[np.argmin(np.abs(t - borders_s))] for t in points["time_s"]])
    close = close[np.abs(close) < 0.1]
    # The first tick of what follows comes half a tick after the border on average.
    error_s = close.std() / np.sqrt(len(close))
    assert abs(close.mean() - 0.5 / fps) < 3 * error_s, "the kernel is not off-center"
    assert error_s < 0.003
    assert abs(changepoints.median_duration_s(points) / np.median(np.diff(borders_s)) - 1) < 0.25


def test_a_single_step_peaks_at_its_first_tick():
    latents = np.repeat([[0.0, 1.0], [3.0, 0.0]], 50, axis=0)
    for lag_s in (1 / 30, 0.1, 0.2, 0.3):
        points = find(latents, np.arange(100) / 30, settings=ChangepointSettings(lag_s=lag_s))
        assert points["tick"].tolist() == [50]
        assert_allclose(points["time_s"], [50 / 30])


def test_the_score_equals_explicit_projections(rng):
    latents, time_s, _ = steps(rng, seconds=8)
    settings = ChangepointSettings(projections=7, smoothing_s=0, lag_s=0.1)
    points = changepoints.change_score(latents, np.ones(len(latents), bool), time_s, settings, seed=3)
    from syllabary.provenance import generator

    projected = latents @ generator(3, "changepoints").standard_normal((7, 6)).T
    projected = (projected - projected.mean(0)) / projected.std(0)
    expected = np.full(len(latents), np.nan)
    for t in range(2, len(latents) - 1):
        expected[t] = np.mean((projected[t + 1] - projected[t - 2]) ** 2)
    expected = np.log(expected + 1e-3 * np.nanmean(expected))
    expected = (expected - np.nanmean(expected)) / np.nanstd(expected)
    assert_allclose(points, expected, atol=1e-9)


def test_neither_scale_nor_offset_of_latents_matter_and_the_seed_does(rng):
    latents, time_s, _ = steps(rng, seconds=20)
    observed = np.ones(len(latents), bool)
    first = changepoints.change_score(latents, observed, time_s, SETTINGS, seed=0)
    scaled = changepoints.change_score(1000 * latents + 5, observed, time_s, SETTINGS, seed=0)
    assert_allclose(first, scaled, atol=1e-8)
    other = changepoints.change_score(latents, observed, time_s, SETTINGS, seed=1)
    assert not np.allclose(first, other, equal_nan=True)


def test_every_setting_changes_the_answer(rng):
    latents, time_s, _ = steps(rng, noise=0.6)
    plain = find(latents, time_s)
    for change in ({"lag_s": 0.5}, {"smoothing_s": 0.2}, {"projections": 1}, {"min_prominence_sd": 2}):
        assert not find(latents, time_s, settings=ChangepointSettings(**change)).equals(plain)


def test_gaps_make_no_change_points(rng):
    latents, time_s, borders_s = steps(rng)
    observed = rng.random(len(latents)) > 0.03
    observed[900:1000] = False
    latents[~observed] = np.nan
    points = find(latents, time_s, observed)
    assert not points["tick"].between(898, 1002).any()
    nearest = np.abs(points["time_s"].to_numpy()[:, None] - borders_s)
    assert np.mean(nearest.min(1) < 0.1) > 0.9, "single dropped ticks are bridged"
    first_after = points[points["tick"] > 1000].iloc[0]
    assert np.isnan(first_after["duration_s"]), "no duration spans the gap"
    assert points["duration_s"].isna().sum() == 2


def test_nothing_happens_nothing_is_found():
    assert len(find(np.zeros((200, 3)), np.arange(200) / 30)) == 0
    for T in (0, 1, 2, 5):
        assert len(find(np.zeros((T, 3)), np.arange(T) / 30)) == 0
    nothing = find(np.full((50, 3), np.nan), np.arange(50) / 30, np.zeros(50, bool))
    assert list(nothing) == list(changepoints.COLUMNS)


def test_wrong_inputs_are_refused(rng):
    with pytest.raises(BadInput, match="min_prominence_sd"):
        changepoints.median_duration_s(changepoints.join([]))
    with pytest.raises(ShapeError, match="5, 4 and 5 ticks"):
        find(np.zeros((5, 2)), np.arange(5), np.ones(4, bool))


def test_recordings_are_joined_below_each_other(rng):
    parts = [find(*steps(rng, seconds=20)[:2]) for _ in range(2)]
    both = changepoints.join([*parts, changepoints.join([])])
    assert_array_equal(both["tick"], pd.concat(parts)["tick"])
    assert {name: str(dtype) for name, dtype in both.dtypes.items()} == changepoints.COLUMNS
