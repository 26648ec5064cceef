"""Simulate a study: animals of known syllables, two of them held out.

    python -m recovery.studies KIND SEED ANIMALS MINUTES FOLDER

Kinds:

- ``tracked``: the simulated mouse with errors of tracking of the size that extraction makes
- ``world``: another simulated animal with other movements, drawn from the seed
- ``second_a``, ``second_b``: recordings of a second mouse, which other authors simulated, in the
  folder ``SYLLABARY_SECOND_MOUSE``; choose settings on a, and judge them on b
- ``nonlinear``: the mouse with harsh errors of tracking, several times those of extraction and
  independent in every frame; ``cable``, the same with a cable; ``missing``, with 30 % of the frames lost
- ``linear``: a switching linear system observed through linear components; ``single``, with one state
- for other benchmarks: ``aligned``, the mouse without errors of tracking; ``raw``, raw depth video that
  is then extracted
"""

import argparse
import json
import os
import shutil
from collections.abc import Callable
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from syllabary.depth import extraction
from syllabary.depth.settings import ExtractSettings
from syllabary.errors import BadInput
from syllabary.provenance import Provenance
from syllabary.records import tables
from syllabary.records.crops import Crops
from syllabary.simulate import acquisition, crops, linear, worlds
from syllabary.simulate.settings import (
    CableSettings,
    DropSettings,
    SimulateSettings,
    TrackingErrorSettings,
)

MADE = Provenance("benchmark", {}, None, {}, "")
# One pixel along each axis.
HARSH = TrackingErrorSettings(position_sd_mm=1.85, heading_sd_deg=3.0)
LINEAR_STATES = 14
# The last animals, one of each group, are held out.
HELD_OUT = 2


class Study:
    """A simulated study on disk.

    Attributes
    ----------
    folder : Path
    kind, seed : str, int
    groups, roles : dict of recording to ``control`` or ``drug``, and to ``train`` or ``held_out``
    """

    def __init__(self, folder: Path):
        about = json.loads((folder / "study.json").read_text())
        self.folder, self.kind, self.seed = folder, about["kind"], about["seed"]
        self.groups, self.roles = about["groups"], about["roles"]

    @property
    def recordings(self) -> list[str]:
        return list(self.roles)

    @property
    def trained(self) -> list[str]:
        """Recordings that methods may train on."""
        return [name for name, role in self.roles.items() if role == "train"]

    def path(self, recording: str) -> Path:
        return self.folder / recording / "crops.h5"

    def crops(self, recording: str) -> Crops:
        return Crops(self.path(recording))

    def truth(self, recording: str) -> pd.DataFrame:
        return tables.read(self.folder / recording / "truth.parquet", tables.TRUTH)

    @cached_property
    def fps(self) -> float:
        """Ticks per second of the training animals."""
        rates = []
        for name in self.trained:
            with self.crops(name) as recording:
                rates.append(1 / np.median(np.diff(recording.time_s)))
        return float(np.mean(rates))


def simulate(
    kind: str, seed: int, animals: int, minutes: float, folder: Path, held_out: int = HELD_OUT
) -> Study:
    """Write a study of two balanced groups; ``study.json`` is written last."""
    names = [f"m{i + 1}" for i in range(animals)]
    for name, group in zip(names, groups(animals), strict=True):
        (folder / name).mkdir(parents=True, exist_ok=True)
        STUDIES[kind](folder / name, 60 * minutes, name, group, seed)
    roles = ["train"] * (animals - held_out) + ["held_out"] * held_out
    about = {
        "kind": kind,
        "seed": seed,
        "minutes": minutes,
        "groups": dict(zip(names, groups(animals), strict=True)),
        "roles": dict(zip(names, roles, strict=True)),
    }
    write(folder / "study.json", lambda path: path.write_text(json.dumps(about, indent=1) + "\n"))
    return Study(folder)


def groups(animals: int) -> list[str]:
    return [("control", "drug")[i % 2] for i in range(animals)]


def write(path: Path, save: Callable[[Path], Any]) -> None:
    """Write a file under a temporary name, then rename it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}")
    save(temporary)
    temporary.replace(path)


def _mouse(
    place: Path,
    duration_s: float,
    name: str,
    group: str,
    seed: int,
    *,
    raw: bool = False,
    **settings: Any,
) -> None:
    """Simulate a mouse; ``settings`` are sections of ``SimulateSettings``."""
    chosen = SimulateSettings(duration_s=duration_s, **settings)
    who = {"recording": name, "subject": name, "group": group, "seed": seed, "provenance": MADE}
    crops_path = place / "crops.h5"
    if not raw:
        crops.render(crops_path, place / "truth.parquet", chosen, **who)
        return
    acquisition.record(place, chosen, **who)
    extraction.extract(
        place, crops_path, place / "preview.mp4", ExtractSettings(), recording=name, provenance=MADE
    )
    (place / "depth.dat").unlink()


def _linear(place: Path, duration_s: float, name: str, group: str, seed: int, *, states: int) -> None:
    """Simulate a switching linear system, which ignores the group."""
    linear.render(
        place / "crops.h5",
        place / "truth.parquet",
        SimulateSettings(duration_s=duration_s),
        states=states,
        recording=name,
        seed=seed,
        provenance=MADE,
    )


def _world(place: Path, duration_s: float, name: str, group: str, seed: int) -> None:
    """Simulate an animal of the world of a seed."""
    world = worlds.draw(seed, duration_s=duration_s)
    who = {"recording": name, "subject": name, "group": group, "seed": seed, "provenance": MADE}
    crops.render(place / "crops.h5", place / "truth.parquet", world.settings, **who)


def _second(place: Path, duration_s: float, name: str, group: str, seed: int, *, study: str) -> None:
    """Copy an animal of the second mouse, whose recordings are three minutes long.

    Raises
    ------
    BadInput
        ``SYLLABARY_SECOND_MOUSE`` is not set, or its folder does not have the recording.
    """
    source = Path(os.environ.get("SYLLABARY_SECOND_MOUSE", "")) / name.replace("m", study, 1)
    if not (source / "crops.h5").is_file():
        raise BadInput(
            f"{source}: no crops.h5; set SYLLABARY_SECOND_MOUSE to the folder of the second mouse."
        )
    shutil.copyfile(source / "crops.h5", place / "crops.h5")
    truth = pd.read_parquet(source / "truth.parquet").rename(columns={"behaviour": "behavior"})
    table = pd.DataFrame({name: truth.get(name) for name in tables.TRUTH}, index=truth.index)
    tables.write(place / "truth.parquet", table, MADE, tables.TRUTH)


STUDIES: dict[str, Callable[[Path, float, str, str, int], None]] = {
    "tracked": partial(_mouse, tracking=TrackingErrorSettings.measured()),
    "world": _world,
    "second_a": partial(_second, study="a"),
    "second_b": partial(_second, study="b"),
    "nonlinear": partial(_mouse, tracking=HARSH),
    "cable": partial(_mouse, tracking=HARSH, cable=CableSettings(diameter_mm=4.0)),
    "missing": partial(_mouse, tracking=HARSH, drops=DropSettings(single=0.3)),
    "linear": partial(_linear, states=LINEAR_STATES),
    "single": partial(_linear, states=1),
    "aligned": _mouse,
    "raw": partial(_mouse, raw=True),
}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("kind", choices=STUDIES)
    parser.add_argument("seed", type=int)
    parser.add_argument("animals", type=int)
    parser.add_argument("minutes", type=float)
    parser.add_argument("folder", type=Path)
    options = parser.parse_args()
    if options.animals <= HELD_OUT:
        parser.error(f"at least {HELD_OUT + 1} animals: {HELD_OUT} are held out")
    simulate(options.kind, options.seed, options.animals, options.minutes, options.folder)
