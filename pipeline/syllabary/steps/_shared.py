"""Helpers of several steps: provenance of outputs, JSON files, verdicts on recordings."""

import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ..errors import BadInput, SyllabaryError
from ..provenance import Provenance, code_of, digest
from ..records import files
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
    "each_row",
    "judge",
    "made_by",
    "read_json",
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
# The step that makes a file, by its name or that of its folder.
MADE_BY = {
    "crops.h5": "extract",
    "quality.json": "check",
    "pca.h5": "reduce",
    "changepoints.parquet": "reduce",
    "model.safetensors": "fit",
    "posterior": "segment",
    "labels": "label",
    "likelihood.parquet": "evaluate",
    "truth.parquet": "simulate",
    **{f"{table}.parquet": "summarize" for table in TABLES},
}


def made_by(
    step: str,
    settings: Settings | Section,
    inputs: Sequence[Path] = (),
    *,
    seed: int | None = None,
    device: str = "cpu",
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
    device
        What it runs on, by ``devices.describe``.

    Raises
    ------
    BadInput
        An input does not exist.
    """
    for path in inputs:
        if not path.exists():
            raise BadInput(f"{path}: no such file; 'syllabary {step}' needs it, so make it first.")
        if path.suffix in (".h5", ".parquet", ".safetensors", ".json"):
            files.require(path, MADE_BY.get(path.name) or MADE_BY.get(path.parent.name, "STEP"))
    values = settings.model_dump(mode="json") if isinstance(settings, Settings) else dict(settings)
    digests = {"/".join(path.parts[-2:]): digest(path) for path in inputs}
    return Provenance(step, values, seed, digests, code_of(step), device=device)


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
    if len(crops) != len(quality):
        raise BadInput(
            f"got {len(crops)} files of crops and {len(quality)} of quality; give one of each for "
            "every recording, in the same order."
        )
    for path, other in zip(crops, quality, strict=True):
        if path.parent.name != other.parent.name and {path.parent.name, other.parent.name} <= {
            place.parent.name for place in crops
        }:
            raise BadInput(
                f"{path} and {other} are of different recordings; give --crops and --quality in the "
                "same order."
            )
    judged = [verdicts.read(path) for path in quality]
    kept = [path for path, row in zip(crops, judged, strict=True) if verdicts.is_used(row)]
    if not kept:
        reasons = "; ".join(f"{row['recording']}: {', '.join(row['reasons'])}" for row in judged)
        raise BadInput(
            f"every training recording was rejected ({reasons}); correct the recordings, change the "
            "thresholds in the section 'check', or set check.use_rejected."
        )
    return kept


def read_json(path: Path, step: str) -> Section:
    """Return the content of a JSON file of ours.

    Parameters
    ----------
    path
        The file.
    step
        Step that makes it, for the message.

    Raises
    ------
    BadInput
        The file is missing, or not a whole JSON file of names and values.
    """
    try:
        content = json.loads(files.require(path, step).read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        if isinstance(error, SyllabaryError):
            raise
        raise BadInput(f"{path}: not whole JSON ({error}); run 'syllabary {step}' again.") from None
    if not isinstance(content, dict):
        raise BadInput(f"{path}: holds no names and values; run 'syllabary {step}' again.")
    return content


def each_row(step: str, recordings: Rows, **lists: Sequence[Path]) -> Rows:
    """Return the row of the table of each recording that lists of files are of.

    A file of results is known by the folder of its recording, so that files may be of some of the
    recordings, in any order, as long as it is the same order in every list.

    Parameters
    ----------
    step
        Name of the step, for the message.
    recordings
        Rows of the table of recordings.
    **lists
        Files of each recording, by the name of their option; an empty list is one left out.

    Raises
    ------
    BadInput
        The lists have different lengths or are of different recordings, or of one not in the table.
    """
    files_by = {name: list(paths) for name, paths in lists.items() if paths}
    counts = {name: len(paths) for name, paths in files_by.items()}
    if len(set(counts.values())) > 1:
        shown = ", ".join(f"{count} for --{name}" for name, count in counts.items())
        raise BadInput(
            f"{step}: got {shown} files; give one of each kind for every recording, in the same order."
        )
    rows = {row["recording"]: row for row in recordings}
    names: list[str] = []
    for at, paths in enumerate(zip(*files_by.values(), strict=True)):
        owners = {_recording_of(path, rows) for path in paths} - {""}
        if len(owners) > 1:
            raise BadInput(
                f"{step}: number {at + 1} of the lists are of different recordings "
                f"({', '.join(map(str, paths))}); give every list in the same order."
            )
        names += owners or {""}
    if not any(names):
        # Files outside a folder of results: they follow the table.
        if len(names) != len(recordings):
            raise BadInput(
                f"{step}: got files of {len(names)} recordings, but the table of recordings has "
                f"{len(recordings)}; keep files in a folder that is named like their recording, or give "
                "one for each row."
            )
        return recordings
    if "" in names:
        path = next(iter(files_by.values()))[names.index("")]
        raise BadInput(
            f"{step}: {path} is in no folder of a recording of the table ({', '.join(rows)}); add the "
            "recording to the table, or leave the file out."
        )
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise BadInput(f"{step}: got two files of the recording {twice!r}; give one.")
    return [rows[name] for name in names]


def recording_folder(path: Path) -> str:
    """Return the name of the folder of a recording that holds ``labels/<model>.parquet`` or the like."""
    return path.absolute().parent.parent.name


def _recording_of(path: Path, rows: Mapping[str, object]) -> str:
    """Return the recording whose folder a file is in: ``m1/crops.h5``, ``m1/labels/slds.parquet``."""
    places = path.parts[-3:-1][::-1]
    return next((place for place in places if place in rows), "")
