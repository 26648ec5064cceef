"""Worlds: other animals with other movements, drawn from a seed."""

import numpy as np
import pandas as pd
import pytest

from syllabary.provenance import Provenance
from syllabary.records.crops import Crops
from syllabary.simulate import body, compositions, crops, grammar, motion, wander, worlds
from syllabary.simulate.settings import SimulateSettings, TrackingErrorSettings

SEEDS = range(20, 32)
PROVENANCE = Provenance("test", {}, 0, {}, "")


def perform(settings, seed=1):
    return motion.perform(settings, recording="r", subject="s", group="control", seed=seed)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_world_has_8_to_30_movements_that_differ(seed):
    movements = worlds.draw(seed).repertoire.movements
    assert 8 <= len(movements) <= 30
    for kind in ("walk", "pause", "groom", "rear_up", "rear_down"):
        assert kind in movements
    places = [template.move.signature() for template in movements.values()]
    apart = [np.linalg.norm(a - b) for i, a in enumerate(places) for b in places[:i]]
    assert min(apart) >= worlds.MIN_DISTANCE


def test_the_same_seed_gives_the_same_world_and_another_seed_another():
    first, again, other = worlds.draw(3), worlds.draw(3), worlds.draw(4)
    assert first == again
    assert first.settings != other.settings
    assert first.repertoire.movements != other.repertoire.movements
    assert np.array_equal(perform(first.settings).pose, perform(again.settings).pose)


@pytest.mark.parametrize("seed", SEEDS)
def test_rare_movements_take_one_to_three_percent_of_the_time(seed):
    repertoire = worlds.draw(seed).repertoire
    rng = np.random.default_rng(0)
    syllables, lengths = grammar.sentence("control", 300_000, 0.033, 1.0, rng, repertoire)
    share = np.bincount(syllables, lengths, len(repertoire.movements)) / lengths.sum()
    # Durations are drawn, and rears must follow each other, so shares are met within a third.
    assert (share > 0.002).all()
    assert ((share > 0.006) & (share < 0.04)).any()


@pytest.mark.parametrize("seed", SEEDS)
def test_poses_are_smooth_and_the_mouse_stays_in_the_arena(seed):
    settings = worlds.draw(seed, duration_s=20).settings
    performed = perform(settings)
    assert np.isfinite(performed.pose).all()
    assert np.hypot(performed.x_mm, performed.y_mm).max() < settings.arena.radius_mm
    quick = np.abs(np.diff(performed.heading_rad)).max() / (settings.camera.interval_ms / 1000)
    assert quick < 25  # rad/s


@pytest.mark.parametrize("seed", [21, 25, 30])
def test_a_rear_lifts_the_trunk_and_comes_down_again(seed):
    performed = perform(worlds.draw(seed, duration_s=60).settings)
    templates = list(performed.repertoire.movements.values())
    pitch = performed.pose[:, body.PITCH]
    up = np.array([template.ends == "up" for template in templates])[performed.syllable]
    last = np.flatnonzero(np.diff(performed.syllable) != 0)
    assert np.median(pitch[last[up[last]]]) > 0.5
    assert np.median(pitch[last[~up[last]]]) < 0.35


@pytest.mark.parametrize("kind", compositions.MOVEMENT_TYPES)
def test_oscillations_are_of_2_to_10_hertz_and_postures_within_their_ranges(kind, rng):
    for _ in range(20):
        move = compositions.MOVEMENT_TYPES[kind](rng)
        assert all(2 <= hertz <= 10 for _, hertz, _ in move.beat.values())
        for name, goal in {**move.hold, **move.shift}.items():
            if name in compositions.POSTURES:
                low, high, _ = compositions.POSTURES[name]
                assert min(low, -1.0) <= goal <= max(high, 1.0)


def test_truth_and_crops_of_a_world(tmp_path):
    world = worlds.draw(22, duration_s=4)
    crops.render(
        tmp_path / "crops.h5", tmp_path / "truth.parquet", world.settings,
        recording="r", subject="s", group="control", seed=0, provenance=PROVENANCE,
    )  # fmt: skip
    truth = pd.read_parquet(tmp_path / "truth.parquet")
    names = list(world.repertoire.movements)
    assert (truth["behavior"] == [names[k] for k in truth["syllable"]]).all()
    with Crops(tmp_path / "crops.h5") as recording:
        assert recording.heights(0, 10).max() > 15


def test_the_usual_mouse_has_the_usual_repertoire():
    assert perform(SimulateSettings(duration_s=2)).repertoire is grammar.MOUSE


def test_errors_of_tracking_are_those_that_were_measured(tmp_path):
    settings = SimulateSettings(duration_s=120, tracking=TrackingErrorSettings.measured())
    performed = perform(settings)
    where = np.zeros((settings.ticks, 3))
    where[:, 0], where[:, 1] = performed.x_mm, performed.y_mm
    tracked = crops._tracked(performed, where, settings, "s", "r", 5)
    error = tracked.where - where
    cos, sin = np.cos(performed.heading_rad), np.sin(performed.heading_rad)
    along, across = cos * error[:, 0] + sin * error[:, 1], cos * error[:, 1] - sin * error[:, 0]
    turned = np.degrees(tracked.heading_rad - performed.heading_rad)
    # Slow errors leave some 230 independent samples in two minutes: SDs are known to 5 %.
    for values, expected in ((along, 0.60), (across, 0.31), (turned, 4.0)):
        assert values.std() == pytest.approx(expected, rel=0.2)

    def autocorrelation(lag):
        return np.corrcoef(along[:-lag], along[lag:])[0, 1]

    assert autocorrelation(1) == pytest.approx(0.47, abs=0.1)
    assert autocorrelation(15) == pytest.approx(0.08, abs=0.12)


def test_a_fluctuation_forgets_exponentially(rng):
    course = wander.fluctuation(200_000, 0.3, 0.03, rng)
    assert course.std() == pytest.approx(1, abs=0.03)
    for ticks in (1, 5, 10):
        expected = np.exp(-ticks * 0.03 / 0.3)
        assert np.corrcoef(course[:-ticks], course[ticks:])[0, 1] == pytest.approx(expected, abs=0.03)


def test_settings_of_a_world_are_laid_over_those_of_a_study():
    settings = SimulateSettings(duration_s=7, world=3)
    laid_over = worlds.laid_over(settings)
    assert laid_over.duration_s == 7 and laid_over.camera == settings.camera
    assert laid_over.mouse == worlds.draw(3).settings.mouse != settings.mouse
    assert worlds.laid_over(SimulateSettings()) == SimulateSettings()
