"""Values as people read them: scores by name, cells that sort, durations in words."""

import math
import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from ..results import ModelResults, RecordingResults, StudyResults

__all__ = [
    "Cell",
    "Heading",
    "duration",
    "flat_scores",
    "number",
    "recording_rows",
    "score_table",
    "statistics_table",
    "syllable_table",
    "truth_table",
]

# Counts and details that would only widen the table.
HIDDEN = frozenset({
    "recordings", "frames", "best_shift_ticks", "boundary_tolerance_ticks", "boundary_precision",
    "boundary_recall", "true_states",
})  # fmt: skip
# A model that registers crops is scored on moved ones, with components of its own: no best is marked.
COMPARABLE = "; compare models that all register crops, or all do not"
# Score, its name for people, what it means, and whether more is better (None: neither).
SCORES: dict[str, tuple[str, str, bool | None]] = {
    "ami": ("AMI", "adjusted mutual information with the true syllables; 1 is perfect, 0 chance", True),
    "nmi": ("NMI", "normalized mutual information with the true syllables", True),
    "ari": ("ARI", "adjusted Rand index against the true syllables", True),
    "macro_f1": ("macro F1", "mean over behaviors of F1 after matching syllables", True),
    "boundary_f1": ("boundary F1", "onsets found at the right time", True),
    "boundary_f1_chance": ("– by chance", "boundary F1 of as many onsets at random times", None),
    "best_shift_ami": ("AMI, shifted", "the best AMI when labels are moved by up to 5 frames", True),
    "calibration_error": ("calibration error", "how far confidence is from accuracy; 0 is right", None),
    "duration_ratio": ("duration ratio", "median bout over median true bout; 1 is right", None),
    "states_above_1_percent": ("syllables > 1 %", "syllables that take more than 1 % of the time", None),
    "median_duration_s": ("median bout (s)", "median length of a bout", None),
    "bound_nats": (
        "bound",
        "lower bound of the log likelihood of the pixels by the model's own recognizer, nats per frame"
        + COMPARABLE,
        None,
    ),
    "iwae_nats": (
        "likelihood",
        "log likelihood of the pixels of short clips, nats per frame" + COMPARABLE,
        None,
    ),
}
# Log densities of frames foretold, and how far ahead.
FORETOLD = re.compile(r"(pixels|components)_(\d+)_nats")


def score_of(key: str) -> tuple[str, str, bool | None]:
    """Return the name of a score for people, what it means, and whether more is better."""
    if key in SCORES:
        return SCORES[key]
    foretold = FORETOLD.fullmatch(key)
    if foretold is None:
        return key.replace("_", " "), "", None
    what, frames = foretold.groups()
    return (
        f"{what}, {frames} ahead",
        f"log density of {what} of a frame, given the frames until {frames} before it; nats{COMPARABLE}",
        None,
    )


class Heading(NamedTuple):
    """Head of a column: text, what it means, whether it holds numbers."""

    text: str
    hint: str = ""
    numeric: bool = True


class Cell(NamedTuple):
    """One value: what is shown, what it sorts by, and whether it is the best of its column."""

    text: str
    sort: float | str
    best: bool = False


def number(value: Any, digits: int = 3) -> str:
    """Return a number with so many significant digits, or a dash where there is none."""
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
    """Return a length of time in the unit that suits it."""
    for unit, size, limit in (("s", 1, 120), ("min", 60, 7200), ("h", 3600, math.inf)):
        if seconds < limit:
            return f"{number(round(seconds / size, 2))} {unit}"
    return "–"


def _cell(value: Any, digits: int = 3, scale: float = 1.0, decimals: int | None = None) -> Cell:
    try:
        real = float(value) * scale
    except (TypeError, ValueError):
        return Cell("–", -math.inf)
    if not math.isfinite(real):
        return Cell("–", -math.inf)
    return Cell(
        number(real, digits) if decimals is None else f"{real:.{decimals}f}".replace("-", "−"), real
    )


def flat_scores(scores: Mapping[str, Any]) -> dict[str, float]:
    """Return the scores worth a column; those of named behaviors become ``rear recall``."""
    scalar_scores = {k: float(v) for k, v in scores.items() if k not in HIDDEN and _is_number(v)}
    for behavior, values in (scores.get("behaviors") or {}).items():
        scalar_scores |= {
            f"{behavior} {k}": float(values[k])
            for k in ("recall", "precision")
            if _is_number(values.get(k))
        }
    return scalar_scores


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def truth_table(model: ModelResults) -> tuple[list[Heading], list[list[Cell]]]:
    """Return how well each true syllable was found, over all recordings."""
    rows = (model.scores.get("all") or {}).get("syllables") or []
    if not isinstance(rows, list) or not all(isinstance(row, Mapping) for row in rows):
        return [], []
    columns = [
        Heading("true behavior", numeric=False),
        Heading("frames"),
        Heading("syllable", "its one-to-one match"),
        Heading("precision (%)", "of the syllable's frames, how many are this behavior"),
        Heading("recall (%)", "of the behavior's frames, how many got this syllable"),
        Heading("recall, merged (%)", "the same when every syllable counts as what it mostly is"),
    ]
    return columns, [
        [
            Cell(str(row.get("behavior") or row.get("syllable")), str(row.get("behavior") or "")),
            _cell(row.get("frames")),
            _cell(row.get("label")),
            *(
                _cell(row.get(k), scale=100, decimals=1)
                for k in ("precision", "recall", "mostly_recall")
            ),
        ]
        for row in rows
    ]


def score_table(models: Iterable[ModelResults]) -> tuple[list[Heading], list[list[Cell]]]:
    """Return a row per model and role, a column per score that any has; the best are marked."""
    rows = [(m.name, role, flat_scores(s)) for m in models for role, s in m.scores.items()]
    present = dict.fromkeys(key for _, _, scores in rows for key in scores)
    keys = [k for k in SCORES if k in present] + [k for k in present if k not in SCORES]
    columns = [
        Heading("model", numeric=False),
        Heading("recordings", "which were scored", numeric=False),
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
            _cell(scores.get(k), decimals=2 if k.endswith("_nats") else None)._replace(
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
    "probability": (Heading("probability", "mean probability of the syllable while it is on"), 1.0, 3),
}


LARGEST_COMPARISON = 300
# Heading of ``statistics``, its head, what it means, and its factor.
COMPARED = (
    ("mean_a", "first (%)", "mean usage of the first group's animals", 100.0),
    ("low_a", "from (%)", "95 % interval of that mean", 100.0),
    ("high_a", "to (%)", "95 % interval of that mean", 100.0),
    ("mean_b", "second (%)", "mean usage of the second group's animals", 100.0),
    ("low_b", "from (%)", "95 % interval of that mean", 100.0),
    ("high_b", "to (%)", "95 % interval of that mean", 100.0),
    ("effect_size", "effect size", "difference in standard deviations between animals", 1.0),
    ("p", "p", "of a permutation of animals", 1.0),
    ("q", "q", "p adjusted for the number of syllables", 1.0),
)


def syllable_table(model: ModelResults) -> tuple[list[Heading], dict[int, list[Cell]]]:
    """Return the columns of a model's syllables and, by syllable, their values."""
    table = model.table("syllables")
    if table is None:
        return [], {}
    keys = [k for k in SYLLABLE_COLUMNS if k in table and table[k].notna().any()]
    columns = [SYLLABLE_COLUMNS[k][0] for k in keys]
    cells = {
        int(row["syllable"]): [
            _cell(row[k], SYLLABLE_COLUMNS[k][2], SYLLABLE_COLUMNS[k][1]) for k in keys
        ]
        for row in table.to_dict("records")
        if row["syllable"] >= 0
    }
    smallest = _smallest_q(model)
    if smallest:
        columns.append(Heading("q", "smallest adjusted p over the comparisons of groups"))
        for syllable, row in cells.items():
            row.append(_cell(smallest.get(syllable), 2))
    return columns, cells


def statistics_table(model: ModelResults) -> tuple[list[Heading], list[list[Cell]]]:
    """Return the comparisons of groups, the clearest first."""
    table = model.table("statistics")
    if table is None or not {"syllable", "comparison", "q"} <= set(table):
        return [], []
    columns = [Heading("syllable"), Heading("comparison", numeric=False)]
    columns += [Heading(text, hint) for key, text, hint, _ in COMPARED if key in table]
    rows = table.sort_values(["q", "syllable"], kind="stable").head(LARGEST_COMPARISON)
    return columns, [
        [_cell(row["syllable"]), Cell(str(row["comparison"]), str(row["comparison"]))]
        + [_cell(row[key], scale=scale) for key, _, _, scale in COMPARED if key in table]
        for row in rows.to_dict("records")
    ]


def _smallest_q(model: ModelResults) -> dict[int, float]:
    table = model.table("statistics")
    if table is None or not {"syllable", "q"} <= set(table) or table["q"].isna().all():
        return {}
    return {int(str(s)): float(q) for s, q in table.groupby("syllable")["q"].min().items()}


def recording_rows(study: StudyResults) -> list[dict[str, Any]]:
    """Return what the report says of each recording on one line."""
    return [_recording_row(r) for r in study.recordings]


def _recording_row(recording: RecordingResults) -> dict[str, Any]:
    quality = recording.quality
    ticks, fps = quality.get("ticks"), quality.get("median_fps")
    minutes = ticks / fps / 60 if ticks and fps else None
    dropped = quality.get("dropped")
    return {
        "name": recording.name,
        "subject": recording.subject,
        "group": recording.group,
        "role": recording.role.replace("_", " "),
        "verdict": str(quality.get("verdict", "")),
        "reasons": [str(r) for r in quality.get("reasons", ())],
        "minutes": _cell(minutes),
        "length": "–" if minutes is None else duration(60 * minutes),
        "fps": _cell(fps, decimals=1),
        "dropped": _cell(
            dropped / ticks if ticks and dropped is not None else None, scale=100, decimals=1
        ),
        "missing": _cell(quality.get("missing_mouse_fraction"), scale=100, decimals=1),
    }
