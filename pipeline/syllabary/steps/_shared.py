"""What the steps share: how a file says what made it."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..provenance import Provenance, code_of, digest
from ..settings import Settings

__all__ = ["Rows", "Section", "made_by", "write_json"]

Section = Mapping[str, Any]
Rows = Sequence[Mapping[str, str]]


def made_by(
    step: str,
    settings: Settings | Section,
    inputs: Sequence[Path] = (),
    *,
    seed: int | None = None,
) -> Provenance:
    """Describe what a step is about to make; inputs are known by folder and file name."""
    values = settings.model_dump(mode="json") if isinstance(settings, Settings) else dict(settings)
    digests = {"/".join(path.parts[-2:]): digest(path) for path in inputs}
    return Provenance(step, values, seed, digests, code_of(step))


def write_json(path: Path, values: Mapping[str, Any]) -> None:
    """Write sorted, indented JSON whole or not at all."""
    from ..records import files

    with files.create(path) as temporary:
        temporary.write_text(json.dumps(values, indent=2, sort_keys=True) + "\n", encoding="utf-8")
