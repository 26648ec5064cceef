"""Every setting of ``extract`` changes what is extracted, or whether anything is; no other does."""

import inspect
import shutil
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

import h5py
import numpy as np
import pytest

from oracles.depth_scene import (
    CAMERA,
    COLUMNS,
    CX,
    CY,
    FLOOR_MM,
    FOCAL,
    ROWS,
    pear,
    render,
    stroll,
    write_session,
)
from syllabary import steps
from syllabary.depth import extraction
from syllabary.depth.heading import model
from syllabary.depth.settings import ExtractSettings
from syllabary.errors import BadInput, BadSetting, NoFloor
from syllabary.provenance import Provenance
from syllabary.records.crops import Crops
from syllabary.study.config import MachineSettings

MADE = Provenance("extract", {}, None, {}, "")
COUNT = 24


class Case(NamedTuple):
    """A recording, another value of the setting, and what else is set."""

    scene: str
    value: object
    others: Mapping[str, object] = MappingProxyType({})


RAW = {"source.rows": ROWS, "source.columns": COLUMNS}
HDF5 = {"source.hdf5_frames": "a", "source.hdf5_timestamps": "time_a_s"}
EVEN = {"source.timestamps": "even", "source.frames_per_second": 30.0}
CASES = {
    "source.timestamps": Case("one time too many", "cut"),
    "source.frames_per_second": Case("stroll", 60.0, EVEN),
    "source.timestamp_column": Case("stroll", 2),
    "source.timestamp_unit": Case("stroll", "s"),
    "source.video_rate": Case("fast", "ignore"),
    "source.rows": Case("without metadata", ROWS // 2, RAW),
    "source.columns": Case("without metadata", COLUMNS // 2, RAW),
    "source.dtype": Case("without metadata", "uint8", {**RAW, "source.dtype": "uint16"}),
    "source.byte_order": Case("without metadata", "big", RAW),
    "source.unit_mm": Case("stroll", 2.0),
    "source.bit_shift": Case("stroll", 1, {"source.unit_mm": 2.0}),
    "source.invalid": Case("stroll", (570.0, 571.0)),
    "source.hdf5_frames": Case("hdf5", "b", HDF5),
    "source.hdf5_timestamps": Case("hdf5", "time_b_s", HDF5),
    "camera.preset": Case("stroll", "realsense_d435", dict.fromkeys(f"camera.{k}" for k in CAMERA)),
    "camera.fx_px": Case("stroll", 250.0),
    "camera.fy_px": Case("stroll", 250.0),
    "camera.cx_px": Case("stroll", 170.0),
    "camera.cy_px": Case("stroll", 110.0),
    "camera.distortion": Case("stroll", (0.1, -0.05)),
    "background.method": Case("stroll", "plane"),
    "background.frames": Case("stroll", 5),
    "arena.floor_range_mm": Case("stroll", (650.0, 2000.0)),
    "arena.floor_tolerance_mm": Case("stroll", 1.0),
    "arena.max_tilt_deg": Case("tilted", 2.0),
    "arena.margin_mm": Case("over the edge", 40.0),
    "arena.which": Case("stroll", 2),
    "arena.mask": Case("stroll", "MASK"),
    "arena.polygon_px": Case("stroll", [(60, 40), (260, 40), (260, 190)]),
    "tracking.min_height_mm": Case("stroll", 20),
    "tracking.max_height_mm": Case("stroll", 30),
    "tracking.median_px": Case("stroll", 1),
    "tracking.tail_width_mm": Case("stroll", 30.0),
    "tracking.min_area_mm2": Case("stroll", 5000.0),
    "tracking.max_area_mm2": Case("stroll", 1000.0),
    "tracking.max_length_mm": Case("cable", 400.0),
    "tracking.max_speed_mm_s": Case("leap", 50.0),
    "tracking.bridge_s": Case("lost", 0.0),
    "heading.turn_rad_s": Case("stroll", 1.0),
    "heading.switch_probability": Case("stroll", 0.2),
    "heading.walking_speed_mm_s": Case("stroll", 4000.0),
    "heading.evidence_weight": Case("stroll", 0.01),
    "heading.weights": Case("stroll", "WEIGHTS", {"heading.learning_rounds": 0}),
    "heading.learning_rounds": Case("stroll", 0),
    "crop.pixel_mm": Case("stroll", 2.0),
    "crop.size_px": Case("stroll", 64),
    "crop.normalize_length_mm": Case("stroll", 60.0),
    "preview.fps": Case("stroll", 5.0),
    "preview.max_frames": Case("stroll", 4),
    "preview.height_px": Case("stroll", 120),
}
SETTINGS = [
    f"{section}.{name}"
    for section, field in ExtractSettings.model_fields.items()
    for name in field.annotation.model_fields
]


def cable(along, across):
    """A mouse with something thick on its neck."""
    thing = np.where((along > 0) & (along < 120) & (np.abs(across) < 8), 30.0, 0.0)
    return np.maximum(pear(along, across), thing)


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    """Recordings of 24 frames, by name."""
    folder, rng = tmp_path_factory.mktemp("scenes"), np.random.default_rng(4)
    places = list(zip(*stroll(COUNT), strict=True))
    times = 1000 + 33.0 * np.arange(COUNT)

    def frames(poses=places, **options):
        return np.stack([render(*pose, rng=rng, noise_mm=1.0, **options) for pose in poses])

    walk = frames()
    lost = walk.copy()
    lost[10:13] = frames([(None, 0, 0)] * 3)
    # The mouse leaps over the arena and back, and something small lies where it was.
    leap = walk.copy()
    x_mm, y_mm, _ = places[1]
    column, row = round(CX + FOCAL * x_mm / FLOOR_MM), round(CY + FOCAL * y_mm / FLOOR_MM)
    leap[2:5] = frames([(5.0 * i - x_mm, -y_mm, 0) for i in range(3)])
    leap[2:5, row - 4 : row + 5, column - 4 : column + 5] -= 25
    ray = (np.arange(COLUMNS) - CX) / FOCAL
    paths = {
        "stroll": write_session(folder / "stroll", walk, times),
        "lost": write_session(folder / "lost", lost, times),
        "leap": write_session(folder / "leap", leap, times),
        "cable": write_session(folder / "cable", frames(body=cable), times),
        "over the edge": write_session(folder / "edge", over_the_edge(rng), times),
        "tilted": write_session(folder / "tilted", np.rint(walk / (1 + 0.1 * ray)), times),
        "one time too many": write_session(folder / "many", walk, [*times, times[-1] + 33]),
        "hdf5": folder / "two.h5",
    }
    paths["without metadata"] = folder / "bare"
    shutil.copytree(paths["stroll"], folder / "bare")
    (folder / "bare" / "metadata.json").unlink()
    with h5py.File(paths["hdf5"], "w") as h5:
        h5["a"], h5["b"] = walk, walk[:, ::-1]
        h5["time_a_s"], h5["time_b_s"] = times / 1000, times / 500
    paths["fast"] = folder / "fast.h5"
    with h5py.File(paths["fast"], "w") as h5:
        h5["a"], h5["time_s"] = walk, times / 1000
        h5["a"].attrs["fps"] = 90.0
    return paths


def over_the_edge(rng):
    """A mouse that walks along the edge of a floor, beyond which it goes down by 100 mm."""
    ray = np.abs((np.arange(COLUMNS) - CX) / FOCAL)
    frames = []
    for i in range(COUNT):
        mouse = render(175, 10 * i - 120, 0.0).astype(float)
        walls = mouse < 450
        mouse[walls] = 600
        lower = (ray * 600 > 180)[None, :] & (mouse > 595)
        mouse[lower] = 700
        frames.append(np.rint(mouse + rng.normal(0, 1, mouse.shape)))
    return np.stack(frames)


@pytest.fixture(scope="module")
def result_of(tmp_path_factory, scenes):
    """What is extracted from a recording under some settings, each but once."""
    folder, results = tmp_path_factory.mktemp("crops"), {}
    weights = folder / "other.safetensors"
    network = {name: -np.asarray(values) for name, values in model.load()._asdict().items()}
    model.save(weights, model.Network(**network), MADE)
    mask = np.zeros((ROWS, COLUMNS), np.uint8)
    mask[60:180, 80:240] = 1
    np.save(folder / "mask.npy", mask)
    stand_ins = {"WEIGHTS": str(weights), "MASK": str(folder / "mask.npy")}

    def run(scene, values):
        key = (scene, repr(sorted(values.items())))
        if key in results:
            return results[key]
        nested = {}
        for name, value in values.items():
            section, field = name.split(".")
            value = stand_ins.get(value, value) if isinstance(value, str) else value
            nested.setdefault(section, {})[field] = value
        path = folder / f"{len(results)}.h5"
        movie = path.with_suffix(".mp4")
        try:
            extraction.extract(
                scenes[scene], path, movie, ExtractSettings.model_validate(nested), recording="m",
                provenance=MADE,
            )  # fmt: skip
            results[key] = content(path), movie.read_bytes()
        except (BadInput, BadSetting, NoFloor) as refusal:
            results[key] = str(refusal)
        return results[key]

    return run


def content(path):
    """Everything in the file but its provenance."""
    with Crops(path) as crops:
        columns = (crops.scalars, crops.tracking.astype(float))
        return (
            crops.heights().tobytes(),
            crops.observed().tobytes(),
            crops.time_s.tobytes(),
            *(table.to_numpy().tobytes() for table in columns),
            *(value.tobytes() for value in crops.arena.values()),
        )


@pytest.mark.parametrize("name", SETTINGS)
def test_every_setting_changes_the_result(result_of, name):
    case = CASES[name]
    plain = {**{f"camera.{k}": v for k, v in CAMERA.items()}, **case.others}
    assert result_of(case.scene, plain) != result_of(case.scene, {**plain, name: case.value})


# Another value of every setting of the machine; FOLDER is one that exists.
MACHINE = {"log_level": "debug", "scratch": "FOLDER", "device": "cpu"}


@pytest.mark.parametrize("name", MachineSettings.model_fields)
def test_nothing_of_the_machine_changes_the_result(scenes, tmp_path, name):
    assert name in MACHINE, f"machine.{name} is new: say in MACHINE which value of it to try"
    value = MACHINE[name]
    if value == "FOLDER":
        value = tmp_path / "folder"
        value.mkdir()
    MachineSettings.model_validate({name: str(value)})
    # As the workflow hands it on: by its name, to a step that knows it.
    offered = {name: value} if name in inspect.signature(steps.extract).parameters else {}
    for place, machine in (("plain", {}), ("other", offered)):
        steps.extract(
            source=scenes["stroll"], crops=tmp_path / place / "crops.h5",
            preview=tmp_path / place / "preview.mp4", recording="m", settings={"camera": CAMERA},
            **machine,
        )  # fmt: skip
    for file in ("crops.h5", "preview.mp4"):
        assert (tmp_path / "plain" / file).read_bytes() == (tmp_path / "other" / file).read_bytes()
