"""Settings that people write: YAML, and what is wrong with it as one sentence with its line."""

from pathlib import Path
from typing import Any

from ..errors import BadInput

__all__ = ["read"]


def read(path: Path | str) -> dict[str, Any]:
    """Read a YAML file of sections.

    Parameters
    ----------
    path : path

    Returns
    -------
    dict
        Its sections; empty if the file is.

    Raises
    ------
    BadInput
        There is no such file, it can't be read, it is not YAML, or it holds no sections.
    """
    import yaml

    path = Path(path)
    if not path.is_file():
        raise BadInput(f"{path}: no such file; give the study's settings with --config.")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadInput(
            f"{path}: is not UTF-8 text (byte {error.start}); save it as UTF-8 again."
        ) from None
    except OSError as error:
        raise BadInput(f"{path}: can't be read ({error.strerror}); correct its permissions.") from None
    try:
        values = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise BadInput(f"{path}{_fault(text, error)}") from None
    except (ValueError, RecursionError) as error:
        # Such as the date 2026-99-99.
        raise BadInput(f"{path}: is not YAML ({error}); quote text that looks like a date.") from None
    values = {} if values is None else values
    if not isinstance(values, dict):
        raise BadInput(f"{path}: holds a {type(values).__name__}; wanted sections, 'name: value'.")
    return values


def _fault(text: str, error: Exception) -> str:
    """Return the line of a fault, what is wrong there, and what to do."""
    mark = getattr(error, "problem_mark", None)
    position = getattr(error, "position", None)
    if mark is None and position is not None:
        number = text.count("\n", 0, position) + 1
        return (
            f", line {number}: has a character that text can't have; remove it, or save the file "
            "again as UTF-8."
        )
    if mark is None:
        return f": is not YAML ({' '.join(str(error).split())}); compare it with the shipped one."
    lines = text.splitlines() or [""]
    number = min(mark.line, len(lines) - 1)
    # The parser may notice a tab on the line after it.
    for at in (number, number - 1):
        start = lines[at][: len(lines[at]) - len(lines[at].lstrip())] if at >= 0 else ""
        if "\t" in start:
            return f", line {at + 1}: is indented with a tab; YAML wants spaces, so replace the tab."
    problem = getattr(error, "problem", None) or "it can't be understood"
    return (
        f", line {number + 1}: is not YAML ({problem}); look there and on the line before for a colon, "
        "a quote or a bracket that is missing, and for lines that don't begin below each other."
    )
