"""Extract and check a recording as a careful user would, and compare with the truth.

The user knows the camera's calibration, how long recordings are to be, and, where ``declared``, the unit
of a count, that of an HDF5 file's times, and about how large the animal is. Clock, byte order, code of
unmeasured pixels, tilt, lost frames, empty stretches and the number of animals are to be inferred, or
the recording is to be refused.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from syllabary.depth import extraction, quality
from syllabary.depth.settings import CheckSettings, ExtractSettings
from syllabary.errors import SyllabaryError
from syllabary.provenance import Provenance
from syllabary.records.crops import Crops

from . import files, film, truth
from .options import Options, difficulties, plain

__all__ = ["RIGHT", "Outcome", "config", "smallest", "try_out"]

TOLERANCE = 0.05
SCALARS = truth.Truth._fields
RIGHT = ("right", "rejected", "refused")
# The simulated mouse from nose to tail base, mm, and its area.
LENGTH_MM, AREA_MM2 = 84.0, 2100.0


@dataclass(frozen=True)
class Outcome:
    """What became of a recording: ``kind`` is one of ``RIGHT``, or ``wrong`` or ``crashed``."""

    options: Options
    kind: str
    verdict: str
    text: str
    measured: tuple[float, ...] = ()
    wanted: tuple[float, ...] = ()

    def line(self) -> str:
        """Return the outcome as a line of a table."""
        names = ("speed", "length", "height", "highest")
        numbers = " ".join(
            f"{name} {a:.1f}/{b:.1f}" + ("!" if off(a, b) else "")
            for name, a, b in zip(names, self.measured, self.wanted, strict=False)
        )
        hard = ", ".join(
            f"{name}={_short(getattr(self.options, name))}" for name in difficulties(self.options)
        )
        return f"{self.options.seed} | {self.kind} | {self.verdict} | {numbers} | {hard} | {self.text}"


def off(value: float, wanted: float) -> bool:
    """Return whether a number is not within the tolerance of the truth."""
    return not abs(value - wanted) <= TOLERANCE * wanted


def config(options: Options) -> dict[str, dict]:
    """Return what the user writes into the sections ``extract`` and ``check``."""
    focal, center = film.FOCAL_PX, film.CENTER
    section: dict[str, dict] = {
        "camera": {"fx_px": focal, "fy_px": focal, "cx_px": center[0], "cy_px": center[1]}
    }
    if options.declared:
        section["source"] = {}
        unit = files.UNITS_MM[options.counts]
        if unit != 1:
            section["source"]["unit_mm"] = unit
        if options.container == "hdf5" and options.clock not in ("us", "100ns"):
            section["source"]["timestamp_unit"] = "s" if options.clock in ("s", "epoch_s") else "ms"
        if options.size > 1.1:
            section["tracking"] = {"max_length_mm": round(1.5 * LENGTH_MM * options.size)}
            section["crop"] = {"pixel_mm": round(1.85 * options.size, 2)}
        elif options.size < 0.8:
            section["tracking"] = {
                "min_area_mm2": round(0.3 * AREA_MM2 * options.size**2),
                "tail_width_mm": round(10 * options.size, 1),
                "min_height_mm": round(10 * options.size),
            }
    return {"extract": section, "check": {"min_duration_s": 3.0}}


def try_out(options: Options, folder: Path) -> Outcome:
    """Write, extract and check one recording in an empty folder."""
    shot = film.cast(options)
    path = files.write(shot, options, folder / "raw")
    sections = config(options)
    try:
        crops = folder / "crops.h5"
        extraction.extract(
            path, crops, None, ExtractSettings.model_validate(sections["extract"]), recording="m1",
            provenance=Provenance("extract", {}, None, {}, ""),
        )  # fmt: skip
        report = quality.assess(crops, CheckSettings.model_validate(sections["check"]))
    except SyllabaryError as error:
        text = str(error).replace(str(folder), "")
        return Outcome(options, "crashed" if "\n" in text else "refused", "", text)
    except Exception as error:
        return Outcome(options, "crashed", "", f"{type(error).__name__}: {error}")
    verdict, reasons = str(report["verdict"]), "; ".join(report["reasons"])  # type: ignore[arg-type]
    if verdict == "reject":
        return Outcome(options, "rejected", verdict, reasons)
    with Crops(crops) as opened:
        measured = tuple(float(np.nanmedian(opened.scalars[name].to_numpy())) for name in SCALARS)
    limits = {
        name: value
        for name, value in sections["extract"].get("tracking", {}).items()
        if name in ("tail_width_mm", "min_height_mm")
    }
    truths = [tuple(truth.measure(shot, animal, **limits)) for animal in shot.animals]
    wrong = [sum(map(off, measured, wanted)) for wanted in truths]
    if not truths:
        return Outcome(options, "wrong", verdict, f"no animal was there; {reasons}", measured)
    best = int(np.argmin(wrong))
    kind = "wrong" if wrong[best] else "right"
    return Outcome(options, kind, verdict, reasons, measured, truths[best])


def smallest(options: Options, folder: Path) -> Outcome:
    """Take difficulties away one at a time while the outcome stays wrong; return what is left."""
    outcome = try_out(options, folder / "all")
    for name in difficulties(options):
        easier = try_out(plain(options, name), folder / name)
        if easier.kind not in RIGHT:
            options, outcome = easier.options, easier
    return replace(outcome, options=options)


def _short(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
