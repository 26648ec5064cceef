"""Choice: trained candidates, and animals that none of them has seen, to one model."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..settings import read
from ._shared import Rows, Section, made_by, write_json

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
    """Choose one of several trained models by animals that none of them has seen.

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
    choice, stability, model
        Files to write: ``choice.json``, ``stability.parquet`` with the agreement of every two
        candidates, and ``model.safetensors``, a copy of the chosen one.
    quality
        Optional ``quality.json`` of the recordings; rejected ones are left out.
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
    candidates = [selection.TrainedModel(*named(path.parent.name, chosen.model)) for path in models]
    verdicts = {path.parent.name: json.loads(path.read_text("utf-8"))["verdict"] for path in quality}
    used = [row for row in recordings if verdicts.get(row["recording"]) != "reject"]
    roles = {row["recording"]: row["role"] for row in used}
    if "held_out" not in roles.values():
        raise BadInput(
            "no recording with the role 'held_out' is good enough to judge models by; give animals that "
            "role in recordings.tsv."
        )
    found = []
    for path in likelihoods:
        table = tables.read(path, tables.LIKELIHOOD)
        own = table[table["recording"].map(roles) == "held_out"]
        found.append(own.assign(candidate=path.parent.name))
    said = {role: syllables(labels, candidates, roles, role) for role in ("held_out", "train")}
    pairs = {role: selection.agreement(of) for role, of in said.items()}
    result = selection.choose(
        candidates, pd.concat(found), pairs["held_out"], margin=chosen.stability_margin
    )
    for name, row in result["candidates"].items():
        row |= selection.count({**said["held_out"][name], **said["train"][name]})
    agreed = pd.concat([table.assign(role=role) for role, table in pairs.items()], ignore_index=True)
    tables.write(stability, agreed, provenance)
    place = next(path for path in models if path.parent.name == result["chosen"])
    with files.create(model) as temporary:
        shutil.copyfile(place, temporary)
    judges = sorted({row["subject"] for row in used if row["role"] == "held_out"})
    write_json(choice, {**result, "held_out": judges, "provenance": provenance._asdict()})


def named(candidate: str, model: str | None) -> tuple[str, str, int]:
    """Return a candidate's name, variant and seed."""
    from ..errors import BadInput

    start, _, seed = candidate.rpartition(".")
    variant = start.removeprefix(f"{model}.")
    if variant in ("", start) or not seed.isdecimal():
        raise BadInput(
            f"{candidate!r} is no candidate of select.model = {model!r}: its folder is called "
            "<model>.<variant>.<seed>."
        )
    return candidate, variant, int(seed)


def syllables(
    labels: Sequence[Path], candidates: Sequence[Any], roles: Mapping[str, str], role: str
) -> dict[str, dict[str, Any]]:
    """Return what every candidate calls the ticks of the recordings of one role."""
    from ..errors import BadInput
    from ..records import tables

    places = {(path.stem, path.parts[-3]): path for path in labels}
    names = [name for name, own in roles.items() if own == role]
    for candidate in candidates:
        for name in names:
            if (candidate.name, name) not in places:
                raise BadInput(f"no labels of {name!r} by {candidate.name!r}; segment it first.")
    return {
        candidate.name: {
            name: tables.read(places[candidate.name, name], tables.LABELS)["syllable"].to_numpy()
            for name in names
        }
        for candidate in candidates
    }
