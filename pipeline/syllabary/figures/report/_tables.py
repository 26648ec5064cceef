"""Tables of the report: names of scores, sortable cells, durations with units."""

import math
import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple, SupportsFloat, TypedDict, TypeGuard

import pandas as pd

from ...records.clock import same_rate
from ..results import ModelResults, RecordingResults, StudyResults

__all__ = [
    "Cell",
    "Heading",
    "RecordingRow",
    "cell",
    "duration",
    "flat_scores",
    "number",
    "recording_rows",
    "score_table",
    "syllable_table",
    "truth_table",
]

# Counts and details that are left out of the table.
HIDDEN = frozenset({
    "recordings", "frames", "best_shift_ticks", "boundary_tolerance_ticks", "boundary_precision",
    "boundary_recall", "true_states",
})  # fmt: skip
# Models that register crops are scored on moved ones, and have other components; no best is marked.
COMPARABLE = "; comparable only between models that all register crops, or all do not"
# Key of a score, its heading, its meaning, and whether more is better (None: neither).
SCORES: dict[str, tuple[str, str, bool | None]] = {
    "ami": ("AMI", "adjusted mutual information with the true syllables; 1 = perfect, 0 = chance", True),
    "nmi": ("NMI", "normalized mutual information with the true syllables", True),
    "ari": ("ARI", "adjusted Rand index against the true syllables", True),
    "macro_f1": ("macro F1", "mean F1 over behaviors, each matched to one syllable", True),
    "boundary_f1": ("boundary F1", "F1 of onsets within 3 ticks of true ones", True),
    "boundary_f1_chance": ("– by chance", "boundary F1 of as many onsets at random times", None),
    "best_shift_ami": ("AMI, shifted", "the best AMI when labels are moved by up to 5 frames", True),
    "calibration_error": (
        "calibration error",
        "mean distance of confidence from accuracy; 0 = calibrated",
        None,
    ),
    "duration_ratio": ("duration ratio", "median bout over median true bout; 1 = equal", None),
    "states_above_1_percent": ("syllables > 1 %", "syllables with more than 1 % of the time", None),
    "median_duration_s": ("median bout (s)", "median length of a bout", None),
    "bound_nats": (
        "bound",
        "lower bound of the log likelihood of the pixels (higher is better), nats per frame"
        + COMPARABLE,
        None,
    ),
    "iwae_nats": (
        "likelihood",
        "log likelihood of the pixels of short clips (higher is better), nats per frame" + COMPARABLE,
        None,
    ),
}
# Log densities of forecast frames; the number is the frames ahead.
FORECAST = re.compile(r"(pixels|components)_(\d+)_nats")


def score_of(key: str) -> tuple[str, str, bool | None]:
    """Return the heading of a score, its meaning, and whether more is better (None: neither)."""
    if key in SCORES:
        return SCORES[key]
    forecast = FORECAST.fullmatch(key)
    if forecast is None:
        return key.replace("_", " "), "", None
    quantity, frames = forecast.groups()
    meaning = f"log density of {quantity} {frames} frame(s) ahead (higher is better), nats per frame"
    return f"{quantity}, {frames} ahead", meaning + COMPARABLE, None


class Heading(NamedTuple):
    """Heading of a column: its text, its meaning, and whether the column is numeric."""

    text: str
    hint: str = ""
    numeric: bool = True


class Cell(NamedTuple):
    """One value: its text, its value for sorting, and whether it is the best of its column."""

    text: str
    sort: float | str
    best: bool = False


class RecordingRow(TypedDict):
    """One recording as a row of the report."""

    name: str
    subject: str
    group: str
    role: str
    covariates: dict[str, Cell]
    verdict: str
    is_used: bool
    reasons: list[str]
    duration_s: float
    minutes: Cell
    length: str
    fps: Cell
    dropped: Cell
    missing: Cell


def number(value: object, digits: int = 3) -> str:
    """Return a number with ``digits`` significant digits, or a dash if it is missing."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return "–" if value is None else str(value)
    if not math.isfinite(value):
        return "–"
    if isinstance(value, int) or (float(value).is_integer() and abs(value) < 1e6):
        return f"{int(value)}"
    if abs(value) < 10**-digits:
        return f"{value:.0e}".replace("-", "−")
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    return f"{value:.{min(decimals, digits)}f}".replace("-", "−")


def duration(seconds: float) -> str:
    """Return a duration in s, min or h."""
    for unit, size, limit in (("s", 1, 120), ("min", 60, 7200), ("h", 3600, math.inf)):
        if seconds < limit:
            return f"{number(round(seconds / size, 2))} {unit}"
    return "–"


def cell(value: object, digits: int = 3, scale: float = 1.0, decimals: int | None = None) -> Cell:
    real = float(value) * scale if isinstance(value, SupportsFloat) else math.nan
    if not math.isfinite(real):
        return Cell("–", -math.inf)
    return Cell(
        number(real, digits) if decimals is None else f"{real:.{decimals}f}".replace("-", "−"), real
    )


def flat_scores(scores: Mapping[str, object]) -> dict[str, float]:
    """Return the scores with a column; those of named behaviors become ``rear recall``.

    Parameters
    ----------
    scores : mapping
        Scores of one role, as in ``scores.json``.
    """
    scalar_scores = {k: float(v) for k, v in scores.items() if k not in HIDDEN and _is_number(v)}
    behaviors = scores.get("behaviors")
    for behavior, values in behaviors.items() if isinstance(behaviors, Mapping) else ():
        scalar_scores |= {
            f"{behavior} {k}": float(values[k])
            for k in ("recall", "precision")
            if _is_number(values.get(k))
        }
    return scalar_scores


def _is_number(value: object) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def truth_table(model: ModelResults) -> tuple[list[Heading], list[list[Cell]]]:
    """Return headings and rows of the true syllables: precision and recall, over all recordings."""
    rows = (model.scores.get("all") or {}).get("syllables") or []
    if not isinstance(rows, list) or not all(isinstance(row, Mapping) for row in rows):
        return [], []
    columns = [
        Heading("true behavior", numeric=False),
        Heading("frames"),
        Heading("syllable", "its one-to-one match"),
        Heading("precision (%)", "share of the syllable's frames with this behavior"),
        Heading("recall (%)", "share of the behavior's frames with this syllable"),
        Heading(
            "recall, merged (%)", "recall when each syllable counts as the behavior it overlaps most"
        ),
    ]
    return columns, [
        [
            Cell(str(row.get("behavior") or row.get("syllable")), str(row.get("behavior") or "")),
            cell(row.get("frames")),
            cell(row.get("label")),
            *(cell(row.get(k), scale=100, decimals=1) for k in ("precision", "recall", "mostly_recall")),
        ]
        for row in rows
    ]


def score_table(models: Iterable[ModelResults]) -> tuple[list[Heading], list[list[Cell]]]:
    """Return headings and a row per model and role; the best scores are marked."""
    rows = [(m.name, role, flat_scores(s)) for m in models for role, s in m.scores.items()]
    present = dict.fromkeys(key for _, _, scores in rows for key in scores)
    keys = [k for k in SCORES if k in present] + [k for k in present if k not in SCORES]
    columns = [
        Heading("model", numeric=False),
        Heading("recordings", "scored recordings", numeric=False),
    ]
    columns += [Heading(*score_of(k)[:2]) for k in keys]
    best = {
        (role, key): max((s.get(key, -math.inf) for _, r, s in rows if r == role), default=-math.inf)
        for _, role, _ in rows
        for key in keys
        if score_of(key)[2]
    }
    several = len({name for name, _, _ in rows}) > 1
    return columns, [
        [Cell(name, name), Cell(role.replace("_", " "), role)]
        + [
            cell(scores.get(k), decimals=2 if k.endswith("_nats") else None)._replace(
                best=several and scores.get(k) == best.get((role, k), math.nan)
            )
            for k in keys
        ]
        for name, role, scores in rows
    ]


SYLLABLE_COLUMNS: dict[str, tuple[Heading, float, int]] = {
    "usage": (Heading("usage (%)", "share of the time"), 100.0, 3),
    "bouts": (Heading("bouts", "number of bouts"), 1.0, 3),
    "median_duration_s": (Heading("median bout (s)", "median length of a bout"), 1.0, 3),
    "speed_mm_s": (Heading("speed (mm/s)", "mean over its ticks"), 1.0, 3),
    "height_mm": (Heading("height (mm)", "mean height of the animal"), 1.0, 3),
    "height_max_mm": (Heading("highest (mm)", "mean of the highest point"), 1.0, 3),
    "length_mm": (Heading("length (mm)", "mean length of the body"), 1.0, 3),
    "turning_rad_s": (Heading("turning (rad/s)", "positive is clockwise from above"), 1.0, 3),
    "probability": (Heading("probability", "mean probability over its ticks"), 1.0, 3),
}


def syllable_table(model: ModelResults) -> tuple[list[Heading], dict[int, list[Cell]]]:
    """Return headings of a model's syllables and, by syllable, their cells."""
    table = model.table("syllables")
    if table is None:
        return [], {}
    keys = [k for k in SYLLABLE_COLUMNS if k in table and table[k].notna().any()]
    columns = [SYLLABLE_COLUMNS[k][0] for k in keys]
    cells = {
        int(row["syllable"]): [
            cell(row[k], SYLLABLE_COLUMNS[k][2], SYLLABLE_COLUMNS[k][1]) for k in keys
        ]
        for row in table.to_dict("records")
        if row["syllable"] >= 0
    }
    states = _states(table)
    if states:
        columns.append(Heading("states", "states of the model that are this syllable", numeric=False))
        for syllable, row in cells.items():
            row.append(states[syllable])
    smallest = _smallest_q(model)
    if smallest:
        columns.append(Heading("q", "smallest adjusted p over measures and comparisons"))
        for syllable, row in cells.items():
            row.append(cell(smallest.get(syllable), 2))
    return columns, cells


def _states(table: pd.DataFrame) -> dict[int, Cell]:
    """Return the states of each syllable; empty where every state is a syllable."""
    if "states" not in table:
        return {}
    texts = {int(s): str(text) for s, text in zip(table["syllable"], table["states"], strict=True)}
    if all(text == str(syllable) for syllable, text in texts.items()):
        return {}
    return {s: Cell(text.replace(" ", ", "), int(text.split()[0])) for s, text in texts.items()}


def _smallest_q(model: ModelResults) -> dict[int, float]:
    table = model.table("statistics")
    if table is None or not {"syllable", "q"} <= set(table) or table["q"].isna().all():
        return {}
    return {int(str(s)): float(q) for s, q in table.groupby("syllable")["q"].min().items()}


def _covariate(recording: RecordingResults, name: str) -> Cell:
    value, text = recording.covariates[name], recording.value(name) or "–"
    return Cell(text, value if isinstance(value, float) else text)


def recording_rows(study: StudyResults) -> list[RecordingRow]:
    """Return a row of the report for each recording."""
    clocks = [fps for fps in (model.fps() for model in study.models) if fps]
    return [_recording_row(r, clocks) for r in study.recordings]


def _rate(fps: float | None, clocks: Iterable[float]) -> Cell:
    """Return the rate of a recording, and those at which models of other rates read it."""
    others = sorted({f"{clock:.4g}" for clock in clocks if fps and not same_rate(fps, clock)})
    rate = cell(fps, decimals=1)
    return rate._replace(text=f"{rate.text} (read at {', '.join(others)})") if others else rate


def _recording_row(recording: RecordingResults, clocks: Iterable[float]) -> RecordingRow:
    quality = recording.quality
    ticks, fps, dropped = (
        value if _is_number(value) else None
        for value in (quality.get(key) for key in ("ticks", "median_fps", "dropped"))
    )
    minutes = ticks / fps / 60 if ticks and fps else None
    reasons = quality.get("reasons", ())
    return {
        "name": recording.name,
        "subject": recording.subject,
        "group": recording.group,
        "role": recording.role.replace("_", " "),
        "covariates": {name: _covariate(recording, name) for name in recording.covariates},
        "verdict": str(quality.get("verdict", "")),
        "is_used": recording.is_used,
        "reasons": [str(r) for r in reasons] if isinstance(reasons, Iterable) else [],
        "duration_s": 0.0 if minutes is None else 60 * minutes,
        "minutes": cell(minutes),
        "length": "–" if minutes is None else duration(60 * minutes),
        "fps": _rate(fps, clocks),
        "dropped": cell(
            dropped / ticks if ticks and dropped is not None else None, scale=100, decimals=1
        ),
        "missing": cell(quality.get("missing_mouse_fraction"), scale=100, decimals=1),
    }
