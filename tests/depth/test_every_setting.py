"""Every setting of ``extract`` changes what comes out, and what the machine is told never does.

A new setting is asked for here by name: give it a value, and where the common recording cannot show
it, a recording that can.
"""

import inspect
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args, get_origin

import h5py
import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file

from oracles.depth_scene import CAMERA, INTERVAL_MS, Scene, pear, render, write_session
from syllabary import steps
from syllabary.depth import extraction
from syllabary.depth.heading import model
from syllabary.depth.settings import ExtractSettings
from syllabary.errors import SyllabaryError
from syllabary.provenance import Provenance
from syllabary.records.crops import Crops
from syllabary.study import MachineSettings


class Case(NamedTuple):
    """A value other than the default; the recording that shows it; what else must be set for it."""

    value: Any
    recording: str = "stroll"
    beside: dict[str, Any] = {}  # noqa: RUF012 (never changed)


EVEN = {"source.timestamps": "even", "source.frames_per_second": 30.0}
NAMED = {"source.hdf5_frames": "depth", "source.hdf5_timestamps": "time_s"}
CASES = {
    "source.timestamps": Case("cut", "ragged"),
    "source.frames_per_second": Case(25.0, beside=EVEN),
    "source.timestamp_unit": Case("s"),
    "source.rows": Case(480, beside={"source.rows": 240, "source.columns": 320}),
    "source.columns": Case(640, beside={"source.rows": 240, "source.columns": 320}),
    "source.dtype": Case("uint8"),
    "source.byte_order": Case("big"),
    "source.unit_mm": Case(0.9),
    "source.hdf5_frames": Case("other/depth", "hdf5", NAMED),
    "source.hdf5_timestamps": Case("other/time_s", "hdf5", NAMED),
    "camera.fx_px": Case(250.0),
    "camera.fy_px": Case(250.0),
    "camera.cx_px": Case(170.0),
    "camera.cy_px": Case(110.0),
    "background.frames": Case(5),
    "background.object_mm": Case(1.0),
    "background.far_quantile": Case(0.55),
    "arena.floor_range_mm": Case((300.0, 500.0)),
    "arena.floor_tolerance_mm": Case(1.0),
    "arena.max_tilt_deg": Case(1e-4),
    "arena.margin_mm": Case(100.0, "wall"),
    "tracking.min_height_mm": Case(20),
    "tracking.max_height_mm": Case(30),
    "tracking.median_px": Case(1),
    "tracking.tail_width_mm": Case(30.0),
    "tracking.min_area_mm2": Case(5000.0),
    "tracking.max_length_mm": Case(500.0, "cable"),
    "tracking.max_speed_mm_s": Case(1e6, "leap"),
    "tracking.bridge_s": Case(0.0, "leap"),
    "heading.turn_rad_s": Case(1.0),
    "heading.switch_probability": Case(0.2),
    "heading.walking_speed_mm_s": Case(4000.0),
    "heading.evidence_weight": Case(0.01),
    "heading.weights": Case("contrary.safetensors"),
    "heading.learning_rounds": Case(0),
    "crop.pixel_mm": Case(2.0),
    "crop.size_px": Case(64),
    "crop.normalize_length_mm": Case(60.0),
    "preview.fps": Case(20.0),
    "preview.max_frames": Case(5),
    "preview.height_px": Case(120),
}


def with_a_cable(along, across):
    """A pear with something behind it that is too thick for a tail."""
    return np.maximum(
        pear(along, across), 30.0 * ((along < 0) & (along > -130) & (np.abs(across) < 7.2))
    )


def names(settings, before=""):
    """Names of all settings of a section and of those in it, and the type of each."""
    for name, field in settings.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, settings.__base__):
            yield from names(field.annotation, f"{before}{name}.")
        else:
            yield f"{before}{name}", field.annotation


def has_a_choice(annotation):
    return get_origin(annotation) is not Literal or len(get_args(annotation)) > 1


EVERY = [name for name, annotation in names(ExtractSettings) if has_a_choice(annotation)]


@pytest.fixture(scope="module")
def recordings(tmp_path_factory, scene: Scene) -> dict[str, Path]:
    """Recordings by name; those other than the common one are of a few frames."""
    folder = tmp_path_factory.mktemp("recordings")
    angle = 0.5 * np.arange(14)
    x, y = 110 * np.cos(angle), 110 * np.sin(angle)
    running = [render(*p) for p in zip(x, y, angle + np.pi / 2, strict=True)]
    times = 5e8 + INTERVAL_MS * np.arange(len(running))
    # The mouse is gone for a frame, and in another one something larger stands far away.
    leap = [frame.copy() for frame in running]
    leap[5] = render(None, 0, 0)
    leap[9][140:164, 190:214] -= 30
    # Something stands in front of the wall, 60 mm beyond the floor's edge, each time elsewhere.
    wall = [render(None, 0, 0) for _ in running]
    for i, frame in enumerate(wall):
        frame[40 + 10 * i : 60 + 10 * i, 270:290] -= 30
    cable = [render(*p, body=with_a_cable) for p in zip(x, y, angle + np.pi / 2, strict=True)]
    found = {
        "stroll": scene.path,
        "ragged": write_session(folder / "ragged", running, [*times, times[-1] + INTERVAL_MS]),
        "leap": write_session(folder / "leap", leap, times),
        "cable": write_session(folder / "cable", cable, times),
        "wall": write_session(folder / "wall", wall, times),
        "hdf5": folder / "session.h5",
    }
    with h5py.File(found["hdf5"], "w") as h5:
        for group, order in (("", 1), ("other/", -1)):
            h5[f"{group}depth"] = np.array(running, np.uint16)[::order]
            h5[f"{group}time_s"] = 0.05 / (2 - order) * np.arange(len(running))
    return found


@pytest.fixture(scope="module")
def outcome(tmp_path_factory, recordings):
    """What an extraction leaves: crops without their provenance and the movie, or why it refused."""
    folder = tmp_path_factory.mktemp("outcomes")
    with safe_open(model.SHIPPED, "numpy") as shipped:
        contrary = {name: -shipped.get_tensor(name) for name in shipped.keys()}  # noqa: SIM118
        save_file(contrary, folder / "contrary.safetensors", shipped.metadata())

    def run(recording: str, values: dict[str, Any]):
        settings: dict[str, Any] = {"camera": dict(CAMERA)}
        for name, value in values.items():
            section, key = name.split(".")
            where = folder / value if name == "heading.weights" else value
            settings.setdefault(section, {})[key] = str(where) if name == "heading.weights" else where
        crops, movie = folder / "crops.h5", folder / "movie.mp4"
        try:
            extraction.extract(
                recordings[recording],
                crops,
                movie,
                ExtractSettings.model_validate(settings),
                recording="m1",
                provenance=Provenance("extract", {}, None, {}, ""),
            )
        except SyllabaryError as error:
            return str(error)
        with Crops(crops) as found:
            return (
                found.heights().tobytes(),
                found.observed().tobytes(),
                found.time_s.tobytes(),
                found.scalars.to_numpy().tobytes(),
                found.tracking.astype(float).to_numpy().tobytes(),
                [value.tobytes() for value in found.arena.values()],
                found.pixel_mm,
                movie.read_bytes(),
            )

    return run


@pytest.fixture(scope="module")
def before(outcome):
    """The outcome without the setting in question; each is made once."""
    made: dict[tuple[str, str], Any] = {}

    def find(recording: str, beside: dict[str, Any]):
        key = (recording, repr(sorted(beside.items())))
        if key not in made:
            made[key] = outcome(recording, beside)
        return made[key]

    return find


@pytest.mark.parametrize("name", EVERY)
def test_every_setting_changes_what_comes_out(name, outcome, before):
    assert name in CASES, f"{name} is new: say in CASES which value of it shows, and where"
    value, recording, beside = CASES[name]
    plain = before(recording, beside)
    assert isinstance(plain, tuple) or recording == "ragged", plain
    changed = outcome(recording, {**beside, name: value})
    assert changed != plain


def test_no_case_is_left_of_a_setting_that_is_gone():
    assert set(CASES) <= {name for name, _ in names(ExtractSettings)}


def test_same_settings_same_result(outcome, before):
    assert outcome("stroll", {}) == before("stroll", {})


MACHINE = {"log_level": "debug", "scratch": "elsewhere"}


@pytest.mark.parametrize("name", MachineSettings.model_fields)
def test_nothing_of_the_machine_changes_anything(name, scene, tmp_path):
    assert name in MACHINE, f"machine.{name} is new: say in MACHINE which value of it to try"
    MachineSettings.model_validate({name: MACHINE[name]})
    value = MACHINE[name]
    if name == "scratch":
        value = tmp_path / value
        value.mkdir()
    offered = {name: value} if name in inspect.signature(steps.extract).parameters else {}
    files = []
    for place, machine in (("plain", {}), ("other", offered)):
        crops, movie = tmp_path / place / "crops.h5", tmp_path / place / "preview.mp4"
        settings = {"camera": CAMERA}
        steps.extract(
            source=scene.path, crops=crops, preview=movie, recording="m1", settings=settings, **machine
        )
        files.append((crops.read_bytes(), movie.read_bytes()))
    assert files[0] == files[1]
    if name == "scratch":
        assert not list(value.iterdir())
