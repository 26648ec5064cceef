"""The verdict on a recording, and whether the recording counts: ``quality.json``.

The step ``check`` decides both. Whatever leaves a recording out of training, tables, figures or exports
asks ``is_used``.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import BadInput
from . import files

__all__ = ["is_used", "read"]


def read(path: Path | str) -> Mapping[str, Any]:
    """Read a ``quality.json``.

    Parameters
    ----------
    path : path

    Raises
    ------
    BadInput
        The file is missing, is not JSON, or has no verdict.
    """
    try:
        content = json.loads(files.require(Path(path), "check").read_text(encoding="utf-8"))
    except ValueError as error:
        raise BadInput(f"{path}: not whole JSON ({error}); run 'syllabary check' again.") from None
    if not isinstance(content, dict) or "verdict" not in content:
        raise BadInput(f"{path}: lacks a verdict; run 'syllabary check' again.")
    return content


def is_used(quality: Mapping[str, Any]) -> bool:
    """Return whether a recording counts; one without ``used`` counts unless it was rejected.

    Parameters
    ----------
    quality : mapping
        Content of ``quality.json``; a recording that was not judged has none, and counts.
    """
    return bool(quality.get("used", quality.get("verdict") != "reject"))
