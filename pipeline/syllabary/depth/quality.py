"""The quality of an extracted recording, and whether it can be used."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..records.crops import Crops
from .settings import CheckSettings

__all__ = ["assess"]


def assess(crops_path: Path | str, settings: CheckSettings) -> dict[str, object]:
    """Measure the quality of an extracted recording and give a verdict.

    Returns
    -------
    dict
        JSON-able. ``verdict`` is ``good``, ``warn`` or ``reject`` with ``reasons``, one sentence
        each; ``gaps`` lists the first missing tick and the number of ticks of every gap.
        Fractions are of ticks (dropped) or of frames; None if there are none.
    """
    with Crops(crops_path) as crops:
        recorded = crops.frame >= 0
        detected = crops.tracking["detected"].to_numpy()
        confidence = crops.tracking["heading_confidence"].to_numpy()[detected]
        speed = crops.scalars["speed_mm_s"].to_numpy()
        area = crops.scalars["area_mm2"].to_numpy()[detected]
        length = crops.scalars["length_mm"].to_numpy()[detected]
        clipped, unmeasured = _look_at_crops(crops, detected)
        times = crops.time_s[recorded]
        duration_s = float(times[-1] - times[0]) if len(times) else 0.0
        fractions = {
            "dropped_fraction": _fraction(~recorded),
            "missing_mouse_fraction": _fraction(~detected[recorded]),
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
            "gaps": _gaps(recorded),
        }
    rejected, warned = _reasons(duration_s, fractions, settings)
    verdict = "reject" if rejected else "warn" if warned else "good"
    return {**report, "verdict": verdict, "reasons": rejected + warned}


def _reasons(
    duration_s: float, fractions: Mapping[str, float | None], settings: CheckSettings
) -> tuple[list[str], list[str]]:
    """Return the reasons to reject, and those to warn."""
    rejected, warned = [], []
    if duration_s < settings.min_duration_s:
        rejected.append(f"lasts {duration_s:.1f} s, less than {settings.min_duration_s:g} s")
    limits = (
        (
            "dropped_fraction",
            "of the ticks have no frame",
            settings.dropped_warn,
            settings.dropped_reject,
        ),
        (
            "missing_mouse_fraction",
            "of the frames show no mouse",
            settings.missing_mouse_warn,
            settings.missing_mouse_reject,
        ),
        (
            "uncertain_heading_fraction",
            "of the frames have an uncertain head end",
            settings.uncertain_heading_warn,
            None,
        ),
        (
            "clipped_fraction",
            "of the crops cut the mouse off; is it larger than the crop?",
            settings.clipped_warn,
            None,
        ),
        ("jump_fraction", "of the frames jump faster than a mouse", settings.jumps_warn, None),
    )
    for name, claim, warn, reject in limits:
        value = fractions[name]
        if value is None:
            continue
        if reject is not None and value > reject:
            rejected.append(f"{value:.1%} {claim} (limit {reject:.1%})")
        elif value > warn:
            warned.append(f"{value:.1%} {claim} (limit {warn:.1%})")
    return rejected, warned


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
