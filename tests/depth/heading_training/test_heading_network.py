"""The network that tells head from tail: what it may not do, and what it has learned."""

import json

import numpy as np
import pytest
import safetensors.numpy
from numpy.testing import assert_allclose, assert_array_equal

from oracles.depth_scene import CAMERA, CX, CY, FOCAL, pear, render
from syllabary import steps
from syllabary.depth.arena import geometry
from syllabary.depth.heading import evidence, model
from syllabary.depth.heading.decode import decode
from syllabary.depth.heading_training import examples, training
from syllabary.depth.lens.camera import Camera
from syllabary.depth.settings import (
    ArenaSettings,
    ExtractSettings,
    HeadingSettings,
    HeadingTrainingSettings,
    TrackingSettings,
)
from syllabary.depth.tracking.tracker import Tracker
from syllabary.errors import BadInput
from syllabary.provenance import Provenance
from syllabary.records.crops import Crops
from syllabary.simulate import variety

MADE = Provenance("train_heading", {}, 0, {}, "")
QUICK = HeadingTrainingSettings(epochs=150, units=8)


def toward(sign, rng, count=300):
    """Features of which the third odd one tells the head end, loudly."""
    features = rng.normal(0, 1, (count, len(evidence.FEATURES)))
    features[:, 2] = np.abs(features[:, 2]) * sign
    return features


def test_the_word_changes_sign_with_the_end(rng):
    features = rng.normal(0, 1, (200, len(evidence.FEATURES)))
    there = model.predict(model.load(), features)
    assert_allclose(there, -model.predict(model.load(), features * evidence.SIGNS), atol=1e-12)
    assert np.abs(there).max() <= model.BOUND
    # A body that looks the same from both ends tells nothing.
    features[:, : len(evidence.ODD)] = 0
    assert_allclose(model.predict(model.load(), features), 0, atol=1e-12)


@pytest.mark.parametrize("size", [0.7, 1.0, 1.25])
def test_shipped_weights_know_the_narrow_end(size):
    empty = geometry.find(render(None, 0, 0), Camera(FOCAL, FOCAL, CX, CY), ArenaSettings(), where="m1")

    def body(along, across):
        return pear(along, across, length=80 * size, width=36 * size, height=34 * size)

    for heading in (0.3, 2.0, -1.0):
        mouse = Tracker(empty, TrackingSettings()).find(render(50, -40, heading, body=body), 0.0)
        word = model.predict(model.load(), mouse.features[None])[0]
        assert word * np.cos(mouse.shape.axis_rad - heading) > 0.5


def test_training_finds_what_tells_the_end(rng):
    network = training.train([toward(1, rng), toward(1, rng)], [], QUICK, rng)
    assert np.mean(model.predict(network, toward(1, rng)) > 0) > 0.95
    assert np.mean(model.predict(network, toward(-1, rng)) < 0) > 0.95


def test_corrections_have_the_last_word(rng):
    # An animal that carries something looks the other way round; its corrections are few.
    simulated, corrected = [toward(1, rng) for _ in range(4)], [toward(-1, rng, 40)]
    share = HeadingTrainingSettings(epochs=150, units=8, corrected_share=0.9)
    assert np.mean(model.predict(training.train(simulated, [], share, rng), corrected[0]) > 0) < 0.1
    assert (
        np.mean(model.predict(training.train(simulated, corrected, share, rng), corrected[0]) > 0) > 0.9
    )


def test_nothing_to_learn_from(rng):
    with pytest.raises(BadInput, match="no training examples"):
        training.train([np.zeros((0, len(evidence.FEATURES)))], [], QUICK, rng)


def test_weights_are_the_same_twice_and_tell_what_made_them(tmp_path):
    for name in ("one", "two"):
        rng = np.random.default_rng(4)
        network = training.train([toward(1, rng)], [], QUICK, rng)
        model.save(tmp_path / name, network, MADE)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    with safetensors.safe_open(tmp_path / "one", framework="numpy") as file:
        assert '"step": "train_heading"' in file.metadata()["syllabary"]
    features = toward(1, np.random.default_rng(5))
    assert_allclose(
        model.predict(model.load(tmp_path / "one"), features),
        model.predict(network, features),
        atol=1e-4,
    )


def test_shipped_weights_are_small_and_tell_what_made_them():
    assert model.SHIPPED.stat().st_size < 50_000
    with safetensors.safe_open(model.SHIPPED, framework="numpy") as file:
        assert '"step": "train_heading"' in file.metadata()["syllabary"]


@pytest.mark.parametrize("damage", ["missing", "text", "cut", "foreign", "shape", "nan"])
def test_other_files_are_refused(tmp_path, damage):
    path = tmp_path / "weights.safetensors"
    whole = model.SHIPPED.read_bytes()
    network = model.load()
    if damage == "text":
        path.write_text("no weights")
    elif damage == "cut":
        path.write_bytes(whole[: len(whole) // 2])
    elif damage == "foreign":
        path.write_bytes(safetensors.numpy.save({"a": np.zeros(3, np.float32)}))
    elif damage == "shape":
        model.save(path, network._replace(into=network.into[:, 1:]), MADE)
    elif damage == "nan":
        model.save(path, network._replace(out=network.out * np.nan), MADE)
    with pytest.raises(BadInput, match=r"weights\.safetensors: "):
        model.load(path)


def test_other_weights_give_other_headings(tmp_path, rng):
    network = model.load()
    model.save(tmp_path / "contrary.safetensors", network._replace(out=-network.out), MADE)
    features = np.tile(np.concatenate([[0.5], rng.normal(0, 0.2, len(evidence.FEATURES) - 1)]), (60, 1))
    rest = (np.zeros(60), np.full(60, 0.6), np.zeros((60, 2)), np.arange(60) / 30, features)
    ours = decode(*rest, HeadingSettings())
    theirs = decode(*rest, HeadingSettings(weights=str(tmp_path / "contrary.safetensors")))
    assert_allclose(np.cos(ours.heading_rad - theirs.heading_rad), -1)
    assert ours.confidence.min() >= 0.5


def test_crops_teach_what_frames_teach(scene, extract):
    """A crop is the frame once more; its features are those of the frame but for one more warp."""
    settings = ExtractSettings.model_validate({"camera": CAMERA})
    path = extract(scene.path)
    with Crops(path) as crops:
        heading = crops.scalars["heading_rad"].to_numpy()[scene.kept]
    frames = examples.of_recording(scene.path, settings, heading)
    crops = examples.of_crops(path, settings.tracking)
    assert len(frames) == len(crops) == scene.kept.sum()
    spread = np.sqrt(np.mean((crops - frames) ** 2, axis=0))
    assert np.median(spread) < 0.1
    # Seen with the head ahead: the front is narrower.
    assert (crops[:, 0] > 0).all()
    assert (frames[:, 0] > 0).all()


def test_truth_from_behind_turns_the_features(scene):
    settings = ExtractSettings.model_validate({"camera": CAMERA})
    heading = scene.heading_rad[scene.kept]
    there = examples.of_recording(scene.path, settings, heading)
    back = examples.of_recording(scene.path, settings, heading + np.pi)
    assert_array_equal(there, back * evidence.SIGNS)


def test_the_step_learns_from_simulated_mice_and_crops(scene, extract, tmp_path):
    settings = {"animals": 2, "seconds": 1, "epochs": 60, "units": 4, "corrected_share": 0.5}
    crops = extract(scene.path)
    weights = [tmp_path / f"{name}.safetensors" for name in ("simulated", "again", "both")]
    for path, more in zip(weights, ((), (), (crops,)), strict=True):
        steps.train_heading(weights=path, settings=settings, seed=3, crops=more)
    assert weights[0].read_bytes() == weights[1].read_bytes()
    assert weights[0].read_bytes() != weights[2].read_bytes()
    with safetensors.safe_open(weights[2], framework="numpy") as file:
        made = Provenance(**json.loads(file.metadata()["syllabary"])["provenance"])
    assert made.seed == 3
    assert list(made.inputs) == ["/".join(crops.parts[-2:])]
    # Little as it is, it knows the narrow end of bodies it has not seen.
    features = examples.of_crops(crops, TrackingSettings())
    assert np.mean(model.predict(model.load(weights[0]), features) > 0) > 0.9


def test_mice_of_all_sizes():
    drawn = [
        variety.vary(np.random.default_rng(i), smallest=0.65, largest=1.3, cable_share=0.3, seconds=5)
        for i in range(200)
    ]
    lengths = np.array([film.mouse.length_mm for film in drawn]) / 84.0
    assert 0.55 < lengths.min() < 0.7
    assert 1.25 < lengths.max() < 1.56
    assert 0.2 < np.mean([film.cable.diameter_mm > 0 for film in drawn]) < 0.4
