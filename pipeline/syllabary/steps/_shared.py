"""Helpers of several steps: provenance of outputs, JSON files, verdicts on recordings."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import BadInput
from ..provenance import Provenance, code_of, digest
from ..settings import Settings

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = [
    "TABLES",
    "Rows",
    "Section",
    "accepted",
    "made_by",
    "syllable_of_states",
    "verdicts",
    "write_json",
]

Section = Mapping[str, Any]
"""A section of the config as plain values."""
Rows = Sequence[Mapping[str, str]]
"""Rows of the table of recordings: ``recording``, ``subject``, ``group``, ``role``."""
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


def verdicts(quality: Sequence[Path]) -> dict[str, str]:
    """Return the verdict of each ``quality.json`` by recording, the name of its folder."""
    return {path.parent.name: _read_quality(path)["verdict"] for path in quality}


def accepted(crops: Sequence[Path], quality: Sequence[Path]) -> list[Path]:
    """Return the crops of recordings whose verdict is not ``reject``.

    Raises
    ------
    BadInput
        There is no recording, or every recording was rejected.
    """
    if not crops:
        raise BadInput("no training recording; give one the role 'train' in recordings.tsv.")
    judged = [_read_quality(path) for path in quality]
    kept = [path for path, row in zip(crops, judged, strict=True) if row["verdict"] != "reject"]
    if not kept:
        reasons = "; ".join(f"{row['recording']}: {', '.join(row['reasons'])}" for row in judged)
        raise BadInput(
            f"every training recording was rejected ({reasons}); correct the recordings, or change the "
            "thresholds in the section 'check'."
        )
    return kept


def _read_quality(path: Path) -> Section:
    """Return the content of a ``quality.json``."""
    from ..records import files

    try:
        content: Section = json.loads(files.require(path, "check").read_text(encoding="utf-8"))
    except ValueError as error:
        raise BadInput(f"{path}: not whole JSON ({error}); run 'syllabary check' again.") from None
    if not isinstance(content, dict) or "verdict" not in content:
        raise BadInput(f"{path}: lacks a verdict; run 'syllabary check' again.")
    return content
