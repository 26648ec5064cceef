"""Step ``select``: trained candidates and animals that none was trained on, to one model."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..settings import read
from ._shared import Rows, Section, judge, made_by, recording_folder, write_json

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from ..syllables.selection import TrainedModel

__all__ = ["select"]


def select(
    *,
    likelihoods: Sequence[Path],
    labels: Sequence[Path],
    models: Sequence[Path],
    choice: Path,
    stability: Path,
    model: Path,
    recordings: Rows,
    settings: Section,
    quality: Sequence[Path] = (),
) -> None:
    """Choose one of several trained models by animals that none of them was trained on.

    Parameters
    ----------
    likelihoods
        ``likelihood.parquet`` of every candidate, in a folder named after it.
    labels
        Labels by every candidate of held-out and training recordings, known by
        ``<recording>/labels/<candidate>.parquet``.
    models
        ``model.safetensors`` of the candidates, each in a folder named after it:
        ``<model>.<variant>.<seed>``.
    choice
        File to write: ``choice.json``, with the scores of the candidates.
    stability
        Table to write: ``stability.parquet``, with the agreement of every two candidates.
    model
        File to write: ``model.safetensors``, a copy of the chosen one.
    quality
        Optional ``quality.json`` of the recordings; rejected recordings are left out.
    """
    import shutil

    import pandas as pd

    from ..errors import BadInput
    from ..provenance import digest
    from ..records import files, tables
    from ..syllables import selection
    from ..syllables.settings import SelectSettings

    chosen = read(SelectSettings, settings, "select")
    made = made_by("select", chosen, [*likelihoods, *models])
    # Candidates label several recordings each, so folder and file name are not enough.
    labeled = {"/".join(path.parts[-3:]): digest(path) for path in labels}
    provenance = made._replace(inputs={**made.inputs, **labeled})
    candidates = [_candidate(path.parent.name, chosen.model) for path in models]
    used = [each.row for each in judge(recordings, quality) if each.is_used]
    roles = {row["recording"]: row["role"] for row in used}
    if "held_out" not in roles.values():
        raise BadInput(
            "no recording with the role 'held_out' is good enough to judge models by; give animals that "
            "role in recordings.tsv."
        )
    held_out = []
    for path in likelihoods:
        table = tables.read(path, tables.LIKELIHOOD)
        rows = table[table["recording"].map(roles) == "held_out"]
        held_out.append(rows.assign(candidate=path.parent.name))
    by_role = {role: _syllables(labels, candidates, roles, role) for role in ("held_out", "train")}
    pairs = {role: selection.agreement(syllables) for role, syllables in by_role.items()}
    result = selection.choose(
        candidates, pd.concat(held_out), pairs["held_out"], margin=chosen.stability_margin
    )
    for name, row in result["candidates"].items():
        row |= selection.count({**by_role["held_out"][name], **by_role["train"][name]})
    agreed = pd.concat([table.assign(role=role) for role, table in pairs.items()], ignore_index=True)
    place = next(path for path in models if path.parent.name == result["chosen"])
    judges = sorted({row["subject"] for row in used if row["role"] == "held_out"})
    with files.together():
        tables.write(stability, agreed, provenance)
        with files.create(model) as temporary:
            shutil.copyfile(place, temporary)
        write_json(choice, {**result, "held_out": judges, "provenance": provenance._asdict()})


def _candidate(name: str, model: str | None) -> "TrainedModel":
    """Return a candidate by the name of its folder, ``<model>.<variant>.<seed>``."""
    from ..errors import BadInput
    from ..syllables.selection import TrainedModel

    start, _, seed = name.rpartition(".")
    variant = start.removeprefix(f"{model}.")
    if variant in ("", start) or not seed.isdecimal():
        raise BadInput(
            f"{name!r} is not a candidate of select.model = {model!r}: its folder must be named "
            "<model>.<variant>.<seed>."
        )
    return TrainedModel(name, variant, int(seed))


def _syllables(
    labels: Sequence[Path], candidates: "Sequence[TrainedModel]", roles: Mapping[str, str], role: str
) -> "dict[str, dict[str, npt.NDArray[np.integer]]]":
    """Return the labels (T,) of the recordings of one role, by candidate and recording."""
    from ..errors import BadInput
    from ..records import tables

    places = {(path.stem, recording_folder(path)): path for path in labels}
    names = [name for name, of_recording in roles.items() if of_recording == role]
    for candidate in candidates:
        for name in names:
            if (candidate.name, name) not in places:
                raise BadInput(f"no labels of {name!r} by {candidate.name!r}; label it first.")
    return {
        candidate.name: {
            name: tables.read(places[candidate.name, name], tables.LABELS)["syllable"].to_numpy()
            for name in names
        }
        for candidate in candidates
    }
