"""A study of recordings of different frame rates: one clock for the model, labels for every frame."""

import logging

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import adjusted_mutual_info_score

from reduction import registered
from syllabary import steps
from syllabary.errors import BadInput
from syllabary.records.crops import Crops
from syllabary.records.posterior import Posterior
from syllabary.reduction import kinematics, reduction
from syllabary.svae.model import Model

from .conftest import MODEL, REDUCE, Results, rows_of, write_quality

SECONDS, RADIUS_MM = 20, 100.0
# Of the three things that the animal does: along the circle, and of its shape.
SPEEDS_MM_S, PHASE_RAD_S = np.array([60.0, 120.0, 180.0]), np.array([-10.0, 0.0, 10.0])
RATES = {"a": 30.0, "b": 15.0, "c": 29.97}
OTHERS = (15.0, 25.0, 29.97, 60.0)
CHOSEN = MODEL | {"registration": True, "kinematics": True, "prior_settings": {"states": 3, "lags": 1}}


def film(path, rate, seed):
    """Film an animal on a circle whose shape turns one way, the other way, or stays; at any rate."""
    plan, times = np.random.default_rng(seed), np.arange(round(SECONDS * rate)) / rate
    ends = np.concatenate([[0], np.cumsum(plan.uniform(0.5, 1.2, 60))])
    actions = np.cumsum(plan.integers(1, 3, 60)) % 3
    action = actions[np.searchsorted(ends[1:], times, "right")]
    # Angles at any time, from rates that are constant between two ends.
    angle, phase = (
        np.interp(times, ends, np.concatenate([[0], np.cumsum(per_s[actions] * np.diff(ends))]))
        for per_s in (SPEEDS_MM_S / RADIUS_MM, PHASE_RAD_S)
    )
    bend, length, rear = 1.5 * np.sin(phase), 1.5 * np.cos(phase), 0.5 * np.sin(2 * times)
    rows, columns = np.indices(registered.SIZE, float)
    x, y = columns - (registered.SIZE[1] - 1) / 2, rows - (registered.SIZE[0] - 1) / 2
    bend, length, rear = (part[:, None, None] for part in (bend, length, rear))
    y = y + 0.02 * bend * x**2
    heights = 30 * np.exp(-((x + 2) ** 2) / (2 * (6 + length) ** 2) - y**2 / 18)
    heights = heights + (18 + 6 * rear) * np.exp(-((x - 9) ** 2 + y**2) / 8)
    noise = np.random.default_rng([seed, round(rate)]).standard_normal(heights.shape)
    scalars = {
        "x_mm": RADIUS_MM * np.cos(angle), "y_mm": RADIUS_MM * np.sin(angle),
        "heading_rad": (angle + 1.5 * np.pi) % (2 * np.pi) - np.pi,
    }  # fmt: skip
    path.parent.mkdir(parents=True, exist_ok=True)
    written = path.parent / f"{path.parent.name}.h5"
    heights = np.clip(np.rint(heights + noise), 0, 255).astype(np.uint8)
    registered.write(written, heights, scalars=scalars, fps=rate).rename(path)
    return action


@pytest.fixture(scope="module")
def mixed(tmp_path_factory):
    """A study of 15, 29.97 and 30 frames per second, and a held-out animal at every rate."""
    results = Results(tmp_path_factory.mktemp("mixed") / "results", rows_of(RATES))
    for seed, (name, rate) in enumerate(RATES.items()):
        film(results.recording(name, "crops.h5"), rate, seed)
        write_quality(results.recording(name, "quality.json"), name)
    models = results.folder / "models"
    models.mkdir()
    training = {"crops": results.each("crops.h5"), "quality": results.each("quality.json")}
    reduced = {"pca": models / "pca.h5", "changepoints": models / "changepoints.parquet"}
    steps.reduce(**training, **reduced, settings=REDUCE, seed=1)
    steps.fit(**training, **reduced, folder=models / "m", settings=CHOSEN, seed=1)
    return results


def held_out(results, rate):
    """Posterior of a held-out animal filmed at a rate, its crops' path, and what it truly does."""
    path = results.recording(f"held-{rate:g}", "crops.h5")
    truth = film(path, rate, 99)
    posterior = path.with_name("posterior.h5")
    steps.segment(
        crops=path, model=results.folder / "models" / "m" / "model.safetensors", posterior=posterior
    )
    return Posterior.load(posterior), path, truth


def film_of(results, rate, model):
    """Latents of the held-out animal filmed at a rate."""
    path = results.recording(f"held-{rate:g}", "crops.h5")
    film(path, rate, 99)
    with Crops(path) as crops:
        return model.latents(crops)


def test_the_models_rate_is_that_of_most_recordings_not_a_mean(mixed):
    model = Model.load(mixed.folder / "models" / "m" / "model.safetensors")
    assert model.fps == pytest.approx(30.0, rel=1e-9)


def test_change_points_are_ticks_of_their_own_recording(mixed):
    changes = pd.read_parquet(mixed.folder / "models" / "changepoints.parquet")
    for name, rate in RATES.items():
        theirs = changes[changes["recording"] == name]
        assert len(theirs) > 3
        assert np.abs(theirs["tick"] / rate - theirs["time_s"]).max() <= 1.01 / rate


@pytest.mark.parametrize("rate", [15.0, 25.0, 60.0])
def test_poses_at_the_same_instants_differ_by_the_noise_of_frames_alone(mixed, rate):
    model = Model.load(mixed.folder / "models" / "m" / "model.safetensors")
    reference, series = (film_of(mixed, each, model) for each in (30.0, rate))
    at, pose = series.clock.at, slice(series.pose)
    latents, expected = (np.asarray(each.values)[:, pose] for each in (series, reference))
    same = np.flatnonzero((series.clock.row >= 0) & (np.abs(at - np.rint(at)) < 1e-6))
    same = same[at[same] < len(expected)]
    assert len(same) >= SECONDS * 5 - 1
    variance = ((latents[same] - expected[np.rint(at[same]).astype(int)]) ** 2).mean(0)
    # Two frames of the same instant differ by their noise, and neighbors by the movement too.
    assert (variance < 1.6 * 2 * model.reducer().pose_noise).all()
    assert (variance[:2] < (np.diff(expected, axis=0) ** 2).mean(0)[:2] / 4).all()


@pytest.mark.parametrize("rate", OTHERS)
def test_every_frame_has_the_label_that_it_has_at_30_frames_per_second(mixed, rate):
    reference, _, truth = held_out(mixed, 30.0)
    result, path, _ = held_out(mixed, rate)
    with Crops(path) as crops:
        assert len(result.states) == len(crops) == round(SECONDS * rate)
        nearest = np.clip(np.rint(crops.time_s * 30).astype(int), 0, len(reference.states) - 1)
        assert np.isfinite(result.states).all()
        np.testing.assert_array_equal(result.time_s, crops.time_s)
    labels, expected = result.states.argmax(1), reference.states.argmax(1)[nearest]
    assert np.bincount(expected).min() > 0.15 * len(expected)
    # At 29.97, whose frames are all read as they are, 97 of 100 are the same.
    assert (labels == expected).mean() > 0.92
    scores = [adjusted_mutual_info_score(each, truth[nearest]) for each in (labels, expected)]
    assert scores[0] == pytest.approx(scores[1], abs=0.06)
    assert min(scores) > 0.4


@pytest.mark.parametrize("rate", OTHERS)
def test_speed_is_per_second_at_every_rate(mixed, rate):
    model = Model.load(mixed.folder / "models" / "m" / "model.safetensors")
    _, path, action = held_out(mixed, rate)
    with Crops(path) as crops:
        series = model.latents(crops)
        view = reduction.on_clock(crops, model.fps)
        motion = kinematics.speeds(view, None)
        nearest = np.clip(np.searchsorted(crops.time_s, view.time_s - 0.5 / rate), 0, len(action) - 1)
    assert len(series.values) == len(motion)
    assert len(motion) == pytest.approx(SECONDS * (30 if rate != 29.97 else rate), abs=2)
    for each, speed in enumerate(SPEEDS_MM_S):
        median = np.nanmedian(motion[action[nearest] == each], 0)
        assert median[0] == pytest.approx(speed, rel=0.03)
        assert median[2] == pytest.approx(speed / RADIUS_MM, rel=0.03)
    # No tick without a frame has information, and every frame that has a tick has some.
    assert not series.information[view.frame < 0].any()
    assert (series.information[view.frame >= 0][2:-2] > 0).all()


@pytest.mark.parametrize(("wanted", "fps"), [(15, 15), (25, 25), (30, 30)])
def test_the_study_may_set_its_rate_and_is_told(mixed, tmp_path, caplog, wanted, fps):
    with caplog.at_level(logging.WARNING):
        steps.reduce(
            crops=mixed.each("crops.h5"), quality=mixed.each("quality.json"), seed=1,
            pca=tmp_path / "pca.h5", changepoints=tmp_path / "c.parquet",
            settings={**REDUCE, "frames_per_second": wanted},
        )  # fmt: skip
    options = {"registration": True, "kinematics": True, "subject_offset": False}
    assert reduction.load(tmp_path / "pca.h5", **options).fps == fps
    assert f"are brought to {fps} frames per second" in caplog.text
    assert ("set reduce.frames_per_second to 15." in caplog.text) == (fps > 15)


@pytest.mark.parametrize("wanted", [60, 100, 240])
def test_a_rate_that_no_recording_has_is_refused(mixed, tmp_path, wanted):
    with pytest.raises(BadInput, match="no training recording has more than 30 frames/s"):
        steps.reduce(
            crops=mixed.each("crops.h5"), quality=mixed.each("quality.json"), seed=1,
            pca=tmp_path / "pca.h5", changepoints=tmp_path / "c.parquet",
            settings={**REDUCE, "frames_per_second": wanted},
        )  # fmt: skip


@pytest.mark.parametrize("rate", [3.0, 5.0, 10.0])
def test_a_recording_of_far_too_few_frames_is_refused(mixed, rate):
    with pytest.raises(BadInput, match=f"recorded at {rate:g} frames/s, too few for a model at 30"):
        held_out(mixed, rate)
