"""Helpers of several steps: provenance of outputs, JSON files, verdicts on recordings."""

import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ..errors import BadInput
from ..provenance import Provenance, code_of, digest
from ..settings import Settings

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd

__all__ = [
    "TABLES",
    "Judged",
    "Row",
    "Rows",
    "Section",
    "accepted",
    "judge",
    "made_by",
    "syllable_of_states",
    "typed",
    "write_json",
]

log = logging.getLogger(__name__)

Section = Mapping[str, Any]
"""A section of the config as plain values."""
Row = Mapping[str, Any]
"""A row of the table of recordings: ``recording, subject, group, role`` and covariates, which are text,
numbers or, if they are missing, None."""
Rows = Sequence[Row]
TABLES = ("bouts", "usage", "transitions", "syllables", "statistics")
"""Tables that ``summarize`` writes for each model."""


def made_by(
    step: str,
    settings: Settings | Section,
    inputs: Sequence[Path] = (),
    *,
    seed: int | None = None,
) -> Provenance:
    """Return the provenance of a step's outputs.

    Parameters
    ----------
    step
        Name of the step.
    settings
        The settings that the step reads.
    inputs
        Files that the step reads; recorded by the name of their folder and their own.
    seed
        The study's seed, if the step draws random numbers.

    Raises
    ------
    BadInput
        An input does not exist.
    """
    for path in inputs:
        if not path.exists():
            raise BadInput(f"{path}: no such file; 'syllabary {step}' needs it, so make it first.")
    values = settings.model_dump(mode="json") if isinstance(settings, Settings) else dict(settings)
    digests = {"/".join(path.parts[-2:]): digest(path) for path in inputs}
    return Provenance(step, values, seed, digests, code_of(step))


def syllable_of_states(labels: Sequence[Path]) -> "npt.NDArray[np.int64]":
    """Return the syllable (K,) of each state of a model, by its labels of one recording or more.

    Raises
    ------
    BadInput
        There are no labels, or two tables of labels have different syllables.
    """
    from ..records import tables

    if not labels:
        raise BadInput("no labels; 'syllabary label' makes them.")
    first, *others = [tables.syllable_of_states(path) for path in labels]
    for path, other in zip(labels[1:], others, strict=True):
        if first.tolist() != other.tolist():
            raise BadInput(
                f"{path}: has other syllables than {labels[0]}; run 'syllabary label' on every "
                "recording of the model, with one table of merges."
            )
    return first


def write_json(path: Path, values: Section) -> None:
    """Write sorted, indented JSON. A killed step leaves no partial file."""
    from ..records import files

    with files.create(path) as temporary:
        temporary.write_text(json.dumps(values, indent=2, sort_keys=True) + "\n", encoding="utf-8")


class Judged(NamedTuple):
    """A row of the table of recordings with its ``verdict``, and whether the recording counts."""

    row: Row
    is_used: bool
    reasons: Sequence[str] = ()


def judge(recordings: Rows, quality: Sequence[Path]) -> list[Judged]:
    """Return each row with the verdict of its recording; ``verdicts.is_used`` decides if it counts.

    Parameters
    ----------
    recordings
        Rows of the table of recordings.
    quality
        ``quality.json`` of recordings, known by the name of its folder. Recordings without one count,
        and have no verdict.
    """
    from ..records import verdicts

    by_name = {path.parent.name: verdicts.read(path) for path in quality}
    judged = []
    for row in recordings:
        content = by_name.get(row["recording"], {})
        described = {**row, "verdict": content.get("verdict")}
        judged.append(Judged(described, verdicts.is_used(content), content.get("reasons", ())))
    left_out = [each.row["recording"] for each in judged if not each.is_used]
    if left_out:
        log.info("left out, because 'check' rejected them: %s", ", ".join(left_out))
    return judged


def typed(rows: Rows) -> "pd.DataFrame":
    """Return rows as a table, indexed by recording: text is ``string``, numbers are ``float64``."""
    import pandas as pd

    columns = {name: [row[name] for row in rows] for name in rows[0]} if rows else {"recording": []}
    table = pd.DataFrame(
        {
            name: pd.Series(
                values, dtype="float64" if any(isinstance(v, int | float) for v in values) else "string"
            )
            for name, values in columns.items()
        }
    )
    return table.set_index("recording", drop=False).rename_axis(None)


def accepted(crops: Sequence[Path], quality: Sequence[Path]) -> list[Path]:
    """Return the crops of recordings that count; they are those that ``check`` did not reject.

    Raises
    ------
    BadInput
        There is no recording, or every recording was rejected.
    """
    from ..records import verdicts

    if not crops:
        raise BadInput("no training recording; give one the role 'train' in recordings.tsv.")
    judged = [verdicts.read(path) for path in quality]
    kept = [path for path, row in zip(crops, judged, strict=True) if verdicts.is_used(row)]
    if not kept:
        reasons = "; ".join(f"{row['recording']}: {', '.join(row['reasons'])}" for row in judged)
        raise BadInput(
            f"every training recording was rejected ({reasons}); correct the recordings, change the "
            "thresholds in the section 'check', or set check.use_rejected."
        )
    return kept
