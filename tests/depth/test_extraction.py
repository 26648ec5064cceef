import json

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from oracles.depth_scene import CAMERA, render, write_session
from syllabary.depth import extraction
from syllabary.depth.readers.metadata_file import INTRINSICS
from syllabary.depth.settings import ExtractSettings
from syllabary.errors import NoFloor
from syllabary.provenance import Provenance
from syllabary.records.crops import SCALARS, Crops


def changed(name, value):
    section, key = name.split(".")
    values = {"camera": dict(CAMERA)}
    values.setdefault(section, {})[key] = value
    return ExtractSettings.model_validate(values)


def content(path):
    """Everything in the file but its provenance."""
    with Crops(path) as crops:
        return (
            crops.heights().tobytes(),
            crops.observed().tobytes(),
            crops.scalars.to_numpy().tobytes(),
            crops.tracking.astype(float).to_numpy().tobytes(),
            {name: value.tobytes() for name, value in crops.arena.items()},
        )


def test_the_mouse_is_where_it_was(scene, extract):
    with Crops(extract(scene.path)) as crops:
        assert_array_equal(crops.frame >= 0, scene.kept)
        kept = scene.kept
        tracking = crops.scalars[kept]
        assert crops.tracking["detected"][kept].all()
        # Origins differ by a constant: the floor's center against the scene's axis.
        dx, dy = tracking["x_mm"] - scene.x_mm[kept], tracking["y_mm"] - scene.y_mm[kept]
        assert np.hypot(dx - dx.median(), dy - dy.median()).median() < 3
        assert np.cos(tracking["heading_rad"] - scene.heading_rad[kept]).min() > np.cos(np.deg2rad(12))
        assert crops.tracking["heading_confidence"][kept].min() > 0.9
        assert_allclose(tracking["height_max_mm"], 34, atol=3)
        assert crops.start_time.startswith("2020")
        assert crops.recording == "m1"


def test_speed_is_per_second_and_zero_at_rest(scene, extract):
    with Crops(extract(scene.path)) as crops:
        speed = crops.scalars["speed_mm_s"].to_numpy()
    path = np.stack([scene.x_mm, scene.y_mm], axis=-1)
    true = np.linalg.norm(np.gradient(path, 0.033, axis=0), axis=1)
    walking = np.arange(73) < 34
    assert_allclose(np.nanmedian(speed[walking]), np.median(true[walking]), rtol=0.08)
    assert np.nanmedian(speed[40:]) < 15


def test_crops_lie_upright_and_in_the_middle(scene, extract):
    with Crops(extract(scene.path)) as crops:
        heights = crops.heights()[scene.kept].astype(float)
    rows, columns = np.indices((80, 80)) - 39.5
    weight = (heights > 0) / (heights > 0).sum(axis=(1, 2), keepdims=True)
    assert_allclose((weight * rows).sum(axis=(1, 2)), 0, atol=1)
    assert_allclose((weight * columns).sum(axis=(1, 2)), 0, atol=1)
    # Broad behind (left), narrow in front, in every frame.
    skewness = (weight * columns**3).sum(axis=(1, 2))
    assert (skewness > 0).mean() > 0.97


def test_dropped_ticks_are_missing_everywhere(scene, extract):
    with Crops(extract(scene.path)) as crops:
        gone = crops.frame < 0
        assert_array_equal(np.flatnonzero(gone), [10, 40, 41])
        assert not crops.heights()[gone].any()
        assert not crops.observed()[gone].any()
        assert crops.scalars[list(SCALARS)][gone].isna().all().all()
        assert crops.tracking.drop(columns="detected")[gone].isna().all().all()
        assert (np.diff(crops.time_s) > 0).all()


@pytest.mark.parametrize("block_frames", [1, 7, 500])
def test_blocks_leave_no_trace(scene, extract, block_frames):
    whole = extract(scene.path, name="whole", block_frames=70)
    other = extract(scene.path, name="other", block_frames=block_frames)
    assert whole.read_bytes() == other.read_bytes()
    assert whole.with_suffix(".mp4").read_bytes() == other.with_suffix(".mp4").read_bytes()


def test_the_raw_folder_is_untouched(scene, extract):
    before = {p: (p.stat().st_mtime_ns, p.stat().st_size) for p in scene.path.parent.rglob("*")}
    extract(scene.path)
    assert {p: (p.stat().st_mtime_ns, p.stat().st_size) for p in scene.path.parent.rglob("*")} == before


@pytest.fixture(scope="module")
def plain(scene, tmp_path_factory):
    """What the settings of the other tests extract."""
    crops = tmp_path_factory.mktemp("plain") / "crops.h5"
    made = Provenance("extract", {}, None, {}, "")
    settings = changed("crop.size_px", 80)
    extraction.extract(
        scene.path, crops, crops.with_suffix(".mp4"), settings, recording="m1", provenance=made
    )
    return content(crops)


def test_same_settings_same_result(scene, extract, plain):
    assert content(extract(scene.path)) == plain


def test_one_frame_is_a_recording(tmp_path, extract):
    path = write_session(tmp_path / "one", [render(20, 10, 0.3)], [1000.0])
    with Crops(extract(path)) as crops:
        assert len(crops) == 1
        # A mouse that never moves is its own background.
        assert not crops.tracking["detected"].any()
        assert np.isnan(crops.scalars["speed_mm_s"][0])


@pytest.mark.parametrize("method", ["median", "plane"])
def test_a_mouse_that_never_moves_stands_out_of_the_plane_alone(tmp_path, extract, rng, method):
    frames = [render(20, 10, 0.3, rng=rng, noise_mm=1.0) for _ in range(12)]
    path = write_session(tmp_path / "still", frames, 1000 + 33.0 * np.arange(12))
    with Crops(extract(path, changed("background.method", method))) as crops:
        assert (crops.tracking["detected"] == (method == "plane")).all()
        if method == "plane":
            place = crops.scalars[["x_mm", "y_mm"]].to_numpy()
            # The center of such a body is 5 mm behind its middle.
            assert_allclose(place, np.broadcast_to([15.3, 8.5], place.shape), atol=1.5)


def test_an_empty_arena_gives_missing_mice(tmp_path, extract, rng):
    frames = [render(None, 0, 0, rng=rng, noise_mm=1.0) for _ in range(5)]
    path = write_session(tmp_path / "none", frames, 1000 + 33.0 * np.arange(5))
    with Crops(extract(path)) as crops:
        assert not crops.tracking["detected"].any()
        assert not crops.heights().any()
        assert not crops.observed().any()


def test_a_covered_lens_leaves_nothing_behind(tmp_path, extract):
    path = write_session(tmp_path / "dark", np.zeros((3, 240, 320)), [33.0, 67.0, 100.0])
    with pytest.raises(NoFloor, match="Lens covered"):
        extract(path)
    assert not list(tmp_path.glob("*.h5"))


def test_the_recordings_own_calibration_is_used(tmp_path, extract):
    path = write_session(tmp_path / "own", [render(20, 10, 0.3)], [1000.0])
    metadata = path / "metadata.json"
    values = json.loads(metadata.read_text())
    calibration = {**CAMERA, "distortion": [0.01, *[0.0] * 7]}
    metadata.write_text(json.dumps({**values, INTRINSICS: calibration}))
    with Crops(extract(path, ExtractSettings())) as crops:
        assert crops.arena["intrinsics"].tolist() == list(CAMERA.values())
        assert crops.arena["distortion"].tolist() == calibration["distortion"]
