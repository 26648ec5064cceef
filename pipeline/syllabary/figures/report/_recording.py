"""The page of a recording: an ethogram with a cursor that follows the preview video."""

import base64
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..colors import MISSING, hexadecimal
from ..results import RecordingResults, StudyResults, syllable_name
from ..study import Drawings, file_stem
from . import _assets, _tables

__all__ = ["render"]

# Limits of a page; an hour at 30 frames/s is shown in full.
LARGEST_ROW = 200_000
TRACE_POINTS = 20_000
CLOCK_POINTS = 2000
PAGE_FIGURES = 4_000_000
SCALARS = {"speed_mm_s": ("speed", "mm/s"), "height_max_mm": ("highest point", "mm")}


def render(
    folder: Path,
    study: StudyResults,
    recording: RecordingResults,
    drawings: Drawings,
    *,
    provenance: Mapping[str, object],
) -> str:
    """Return the page as HTML.

    Parameters
    ----------
    folder : Path
        Folder of the page; the preview video is placed there.
    study : StudyResults
    recording : RecordingResults
    drawings : Drawings
    provenance : mapping
    """
    stem = file_stem(recording.name)
    preview = ""
    if recording.preview_path is not None and recording.preview_path.is_file():
        preview = f"{stem}{recording.preview_path.suffix}"
        _assets.place_beside(recording.preview_path, folder / preview)
    inliner = _assets.Inliner(folder, PAGE_FIGURES)
    figures = [
        {"title": d.title, "caption": d.caption, "src": inliner.figure(d.paths, f"{stem}-{d.name}")}
        for d in drawings.figures
        if d.recording == recording.name and d.paths
    ]
    return _assets.template("recording.html.j2").render(
        title=study.title,
        row=_tables.recording_rows(replace(study, recordings=(recording,)))[0],
        preview=preview,
        figures=figures,
        data=timeline(study, recording, drawings),
        provenance=provenance,
    )


def timeline(study: StudyResults, recording: RecordingResults, drawings: Drawings) -> dict[str, object]:
    """Return the data of the page's script: rows of bouts, traces, and the clock.

    Parameters
    ----------
    study : StudyResults
    recording : RecordingResults
    drawings : Drawings
        Its colors are used.
    """
    rows: list[dict[str, object]] = []
    traces: list[dict[str, object]] = []
    times: npt.NDArray[np.float64] = np.zeros(0)
    truth = recording.truth()
    if truth is not None and len(truth):
        times = truth["time_s"].to_numpy(float)
        colors = drawings.colors.truth
        behaviors = sorted(set(truth["behavior"].dropna().astype(str)))
        codes = pd.Categorical(truth["behavior"].astype(object), categories=behaviors).codes
        keys = {i: (b, hexadecimal(colors.get(b, MISSING))) for i, b in enumerate(behaviors)}
        rows.append(_row("truth", times, np.asarray(codes), keys))
    for model in study.models:
        labels = model.labels_of(recording)
        if labels is None or not len(labels):
            continue
        times = labels["time_s"].to_numpy(float)
        names = model.names()
        syllables = labels["syllable"].to_numpy()
        keys = {
            int(s): (syllable_name(int(s), names), hexadecimal(drawings.colors.of(model.name, int(s))))
            for s in np.unique(syllables)
            if s >= 0
        }
        rows.append(_row(model.name, times, syllables, keys))
        probability = labels["probability"].to_numpy(float)
        traces.append(_trace(f"probability · {model.name}", "0–1", times, probability, 0.0, 1.0))
    crops = recording.crops() if recording.crops_path and recording.crops_path.is_file() else None
    if crops is not None:
        with crops:
            times = crops.time_s
            for column, (name, unit) in SCALARS.items():
                traces.append(_trace(name, unit, times, crops.scalars[column].to_numpy(float)))
    at = np.unique(
        np.linspace(0, max(0, len(times) - 1), min(len(times), CLOCK_POINTS)).round().astype(int)
    )
    return {
        "ticks": len(times),
        "clock_tick": at.tolist(),
        "clock_s": [round(float(t), 4) for t in times[at]] if len(times) else [],
        "rows": rows,
        "traces": [t for t in traces if t],
    }


def _row(
    name: str,
    times: npt.NDArray[np.float64],
    codes: npt.NDArray[np.integer],
    keys: Mapping[int, tuple[str, str]],
) -> dict[str, object]:
    """Return runs of one code: starts, ms, and codes; a run ends where the next one starts."""
    starts = np.concatenate([[0], np.flatnonzero(np.diff(codes)) + 1])
    too_many = len(starts) > LARGEST_ROW
    if too_many:
        starts = starts[:LARGEST_ROW]
    return {
        "name": name,
        "start_ms": (1000 * times[starts]).round().astype(int).tolist(),
        "code": codes[starts].astype(int).tolist(),
        "keys": {str(k): {"name": text, "color": color} for k, (text, color) in keys.items()},
        "cut": too_many,
    }


def _trace(
    name: str,
    unit: str,
    times: npt.NDArray[np.float64],
    values: npt.NDArray[np.float64],
    low: float | None = None,
    high: float | None = None,
) -> dict[str, object]:
    """Return a curve as bytes: 0–254 between two values, 255 = missing."""
    finite = np.isfinite(values)
    if not finite.any():
        return {}
    low = min(0.0, float(np.percentile(values[finite], 0.5))) if low is None else low
    high = float(np.percentile(values[finite], 99.8)) if high is None else high
    width = -(-len(values) // TRACE_POINTS)
    padded = np.pad(np.where(finite, values, 0.0), (0, -len(values) % width)).reshape(-1, width).sum(1)
    counts = np.pad(finite, (0, -len(values) % width)).reshape(-1, width).sum(1)
    means = np.divide(padded, counts, out=np.full(len(padded), np.nan), where=counts > 0)
    level = np.clip((means - low) / ((high - low) or 1.0), 0, 1) * 254
    coded = np.where(np.isfinite(level), np.nan_to_num(level).round(), 255).astype(np.uint8)
    return {
        "name": name,
        "unit": unit,
        "low": float(f"{low:.3g}"),
        "high": float(f"{high:.3g}"),
        "ticks_per_point": width,
        "values": base64.b64encode(coded.tobytes()).decode(),
    }
