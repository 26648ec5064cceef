"""The quality of an extracted recording, and whether it can be used."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..records.crops import Crops, Missing
from .settings import CheckSettings

__all__ = ["assess"]

# Fractions of frames without a mouse, by reason.
LOST = {
    "implausible_fraction": Missing.IMPLAUSIBLE,
    "several_animals_fraction": Missing.SEVERAL,
    "background_moved_fraction": Missing.MOVED,
}
# What is wrong with a fraction, which number suffers, and the stem of its settings.
LIMITS = {
    "dropped_fraction": ("of the ticks have no frame; durations of short syllables suffer", "dropped"),
    "missing_mouse_fraction": (
        "of the frames show no mouse; usage counts the others alone",
        "missing_mouse",
    ),
    "implausible_fraction": (
        "of the frames show what is no mouse, such as a hand or a moved wall, and are left out",
        "implausible",
    ),
    "several_animals_fraction": (
        "of the frames show more than one thing of an animal's size, such as a second animal or an "
        "object that was moved, and a recording is of one animal; choose one of several arenas with "
        "extract.arena.which, or outline the floor without the object with extract.arena.polygon_px",
        "several_animals",
    ),
    "background_moved_fraction": (
        "of the frames are left out because the camera, the floor or a wall moved",
        "background_moved",
    ),
    "uncertain_heading_fraction": (
        "of the frames have an uncertain head end; headings and turns suffer",
        "uncertain_heading",
    ),
    "clipped_fraction": (
        "of the crops cut the mouse off, so that poses suffer; is it larger than the crop?",
        "clipped",
    ),
    "jump_fraction": ("of the frames jump faster than a mouse; speeds suffer", "jumps"),
}
# Times named in a reason.
# An animal is low if less than so many times the height of what counts as floor.
LOW_ANIMAL = 2.5
MAX_JUMPS = 5


def assess(crops_path: Path | str, settings: CheckSettings) -> dict[str, object]:
    """Measure the quality of an extracted recording and give a verdict.

    Returns
    -------
    dict
        JSON-able. ``verdict`` is ``good``, ``warn`` or ``reject`` with ``reasons``, one sentence
        each; ``gaps`` lists the first missing tick and the number of ticks of every gap, and
        ``background_jumps`` the tick, the time and the size of every sudden move of the background.
        Fractions are of ticks (dropped) or of frames; None if there are none.
    """
    with Crops(crops_path) as crops:
        recorded = crops.frame >= 0
        detected = crops.tracking["detected"].to_numpy()
        confidence = crops.tracking["heading_confidence"].to_numpy()[detected]
        speed = crops.scalars["speed_mm_s"].to_numpy()
        area = crops.scalars["area_mm2"].to_numpy()[detected]
        length = crops.scalars["length_mm"].to_numpy()[detected]
        height = crops.scalars["height_max_mm"].to_numpy()[detected]
        clipped, unmeasured = _look_at_crops(crops, detected)
        times = crops.time_s[recorded]
        duration_s = float(times[-1] - times[0]) if len(times) else 0.0
        fractions = {
            "dropped_fraction": _fraction(~recorded),
            "missing_mouse_fraction": _fraction(~detected[recorded]),
            **{name: _fraction(crops.missing[recorded] == reason) for name, reason in LOST.items()},
            "uncertain_heading_fraction": _fraction(
                confidence[np.isfinite(confidence)] < settings.uncertain_heading_below
            ),
            "jump_fraction": _fraction(speed[np.isfinite(speed)] > settings.jump_speed_mm_s),
            "clipped_fraction": clipped,
            "unmeasured_fraction": unmeasured,
        }
        report = {
            "recording": crops.recording,
            "ticks": len(crops),
            "frames": int(recorded.sum()),
            "dropped": int((~recorded).sum()),
            "duration_s": duration_s,
            "median_fps": float(1 / np.median(np.diff(times))) if len(times) > 1 else None,
            **fractions,
            "median_area_mm2": float(np.median(area)) if len(area) else None,
            "median_length_mm": float(np.median(length)) if len(length) else None,
            "median_height_max_mm": float(np.median(height)) if len(height) else None,
            "min_height_mm": _min_height_mm(crops),
            "gaps": _gaps(recorded),
            "background_shift_mm": _shift_mm(crops),
            "background_jumps": _jumps(crops, settings.background_jump_mm),
        }
    rejected, warned = _reasons(duration_s, fractions, settings)
    _judge_background(report, settings, rejected, warned)
    _judge_height(report, warned)
    verdict = "reject" if rejected else "warn" if warned else "good"
    return {**report, "verdict": verdict, "reasons": rejected + warned}


def _reasons(
    duration_s: float, fractions: Mapping[str, float | None], settings: CheckSettings
) -> tuple[list[str], list[str]]:
    """Return the reasons to reject, and those to warn."""
    rejected, warned = [], []
    if duration_s < settings.min_duration_s:
        rejected.append(f"lasts {duration_s:.1f} s, less than {settings.min_duration_s:g} s")
    for name, (claim, stem) in LIMITS.items():
        value = fractions[name]
        warn, reject = getattr(settings, f"{stem}_warn"), getattr(settings, f"{stem}_reject", None)
        if value is None:
            continue
        if reject is not None and value > reject:
            rejected.append(f"{value:.1%} {claim} (limit {reject:.1%})")
        elif value > warn:
            warned.append(f"{value:.1%} {claim} (limit {warn:.1%})")
    return rejected, warned


def _judge_background(
    report: Mapping[str, object], settings: CheckSettings, rejected: list[str], warned: list[str]
) -> None:
    """Add the reasons that a moved background gives."""
    shift = float(str(report["background_shift_mm"]))
    if shift > settings.background_shift_reject_mm:
        limit = settings.background_shift_reject_mm
        rejected.append(
            f"the camera or the floor moved by {shift:.0f} mm (limit {limit:g} mm); positions are not "
            "comparable"
        )
    elif shift > settings.background_shift_warn_mm:
        jumps = report["background_jumps"]
        assert isinstance(jumps, list)
        when = ", ".join(f"at {jump['time_s']:.1f} s" for jump in jumps[:MAX_JUMPS]) or "slowly"
        warned.append(
            f"the camera or the floor moved by {shift:.0f} mm ({when}); heights follow it, positions "
            "before and after differ by the move"
        )


def _judge_height(report: Mapping[str, object], warned: list[str]) -> None:
    """Add the reason that an animal gives of which much is lower than what counts as floor."""
    height, floor = report["median_height_max_mm"], report["min_height_mm"]
    if height is None or floor is None:
        return
    height_mm, floor_mm = float(str(height)), float(str(floor))
    if height_mm < LOW_ANIMAL * floor_mm:
        warned.append(
            f"the animal is {height_mm:.0f} mm high, and what is lower than {floor_mm:g} mm or thin "
            "is not seen, so it is longer and larger than measured; lower "
            "extract.tracking.min_height_mm and tail_width_mm for small animals"
        )


def _min_height_mm(crops: Crops) -> float | None:
    """Return the height below which pixels were left out as floor; None where it is not recorded."""
    tracking = crops.provenance.settings.get("tracking")
    value = tracking.get("min_height_mm") if isinstance(tracking, Mapping) else None
    return None if value is None else float(value)


def _shift_mm(crops: Crops) -> float:
    """Return the largest distance between two places of the floor, mm."""
    moved = crops.arena.get("moved_mm")
    return 0.0 if moved is None else float(np.ptp(moved, axis=0).max())


def _jumps(crops: Crops, jump_mm: float) -> list[dict[str, float]]:
    """Return the sudden moves of the background."""
    if "moved_mm" not in crops.arena:
        return []
    steps = np.diff(crops.arena["moved_mm"], axis=0)
    sizes = steps[np.arange(len(steps)), np.abs(steps).argmax(axis=1)]
    ticks = np.searchsorted(np.maximum.accumulate(crops.frame), crops.arena["moved_frame"][1:])
    return [
        {"tick": int(tick), "time_s": float(crops.time_s[tick]), "mm": float(size)}
        for tick, size in zip(ticks, sizes, strict=True)
        if abs(size) > jump_mm
    ]


def _look_at_crops(crops: Crops, detected: npt.NDArray[np.bool_]) -> tuple[float | None, float | None]:
    """Return the fraction of crops whose border the mouse touches, and that of unmeasured pixels."""
    total = int(detected.sum())
    if not total:
        return None, None
    touching = 0
    missing = 0.0
    for start, heights, observed in crops.blocks():
        visible = detected[start : start + len(heights)]
        border = np.concatenate(
            [heights[:, 0], heights[:, -1], heights[:, :, 0], heights[:, :, -1]], axis=1
        )
        touching += int(np.count_nonzero(border.any(axis=1) & visible))
        missing += float((~observed[visible]).mean(axis=(1, 2)).sum()) if visible.any() else 0.0
    return touching / total, missing / total


def _gaps(recorded: npt.NDArray[np.bool_]) -> list[dict[str, int]]:
    """Return the runs of dropped ticks."""
    edges = np.diff(np.concatenate([[True], recorded, [True]]).astype(np.int8))
    starts, stops = np.flatnonzero(edges < 0), np.flatnonzero(edges > 0)
    return [{"tick": int(a), "ticks": int(b - a)} for a, b in zip(starts, stops, strict=True)]


def _fraction(flags: npt.NDArray[np.bool_]) -> float | None:
    return float(np.mean(flags)) if len(flags) else None
