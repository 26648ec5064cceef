"""Two result folders of one study: equal bit for bit, or where they differ and by how much.

Crops, labels, tables, posteriors, models, clips, exports, truth and scores are compared. Provenance,
settings, logs, timings, figures, movies and the report are not.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from ..errors import BadInput
from .contents import SUFFIXES, Array, open_contents

__all__ = ["Comparison", "FileComparison", "Renames", "compare_files", "compare_folders", "describe"]

# The first pattern that matches the path of a file inside the results gives its kind.
CATEGORIES = {
    "crops.h5": "crops",
    "pca.h5": "reductions",
    "clips.h5": "clips",
    "posterior/*.h5": "posteriors",
    "labels/*.parquet": "labels",
    "truth.parquet": "truth",
    "export/*": "exports",
    "*.safetensors": "models",
    "quality.json": "quality",
    "scores.json": "scores",
    "*.parquet": "tables",
    "*": "other files",
}
# Folders and files that hold no results, or only drawings of them.
LEFT_OUT_FOLDERS = frozenset({"figures", "logs", "report", "timing"})
# ``columns.json`` describes the columns of an export.
LEFT_OUT_FILES = frozenset({"settings.json", "columns.json"})
# Formats whose names have an order that counts.
ORDERED = frozenset({".parquet", ".csv", ".tsv"})
BLOCK_ENTRIES = 1 << 24

Value = TypeVar("Value")


class Renames(NamedTuple):
    """Names of the first folder, as the second has them.

    Attributes
    ----------
    pairs : sequence of (old, new)
        Applied in this order. An old name that ends with ``.`` or ``/`` is the beginning of a
        name. Any other replaces whole parts of names between dots and slashes, and text values.
    """

    pairs: Sequence[tuple[str, str]] = ()

    @classmethod
    def parse(cls, texts: Sequence[str]) -> "Renames":
        """Read ``OLD=NEW`` texts."""
        for text in texts:
            if not all(text.partition("=")):
                raise BadInput(f"--rename {text}: wanted OLD=NEW, such as sweep=iteration.")
        return cls([(old, new) for old, _, new in (text.partition("=") for text in texts)])

    def of_name(self, name: str) -> str:
        """Return the new name of a file, column, dataset or tensor."""
        for old, new in self.pairs:
            if old[-1] in "./":
                name = new + name[len(old) :] if name.startswith(old) else name
            else:
                name = new.join(re.split(rf"(?<![^./@]){re.escape(old)}(?![^./@])", name))
        return name

    def of_text(self, text: str) -> str:
        """Return the new spelling of a text value."""
        for old, new in self.pairs:
            text = new if text == old else text
        return text


class FileComparison(NamedTuple):
    """Differences of one file; none if it is equal.

    Attributes
    ----------
    path : str
        Path inside the second folder, with slashes.
    kind : str
        One of the values of ``CATEGORIES``.
    differences : tuple of str
        One line for each array that differs.
    only_in : str
        ``"first"`` or ``"second"`` if the other folder lacks the file.
    """

    path: str
    kind: str
    differences: tuple[str, ...] = ()
    only_in: str = ""

    @property
    def equal(self) -> bool:
        """Both folders have the file, with the same content."""
        return not self.differences and not self.only_in


class Comparison(NamedTuple):
    """All compared files of two folders."""

    files: tuple[FileComparison, ...]

    @property
    def equal(self) -> bool:
        """All files are equal."""
        return all(file.equal for file in self.files)


def compare_folders(first: Path, second: Path, renames: Renames) -> Comparison:
    """Compare all result files of two folders.

    Parameters
    ----------
    first, second : Path
        Result folders, or study folders that have a folder ``results``.
    renames : Renames
        Names that the second folder spells in another way.

    Raises
    ------
    BadInput
        A folder has no results; a file is damaged; two names become one.
    """
    old = _renamed(_files(first), renames, str(first))
    new = _files(second)
    files = []
    for name in sorted({*old, *new}):
        kind = next(kind for pattern, kind in CATEGORIES.items() if fnmatch(f"/{name}", f"*/{pattern}"))
        if name in old and name in new:
            differences = tuple(compare_files(old[name], new[name], renames))
            files.append(FileComparison(name, kind, differences))
        else:
            files.append(FileComparison(name, kind, only_in="first" if name in old else "second"))
    return Comparison(tuple(files))


def compare_files(first: Path, second: Path, renames: Renames) -> list[str]:
    """Return one line for each named array that differs between two files of one format.

    Parameters
    ----------
    first, second : Path
        Files of the same suffix.
    renames : Renames
        Names that the second file spells in another way.
    """
    with open_contents(first) as contents, open_contents(second) as new:
        old = _renamed(contents, renames, str(first))
        lines = [f"{name}: only in the first" for name in old if name not in new]
        lines += [f"{name}: only in the second" for name in new if name not in old]
        shared = [name for name in old if name in new]
        if first.suffix in ORDERED and shared != [name for name in new if name in old]:
            lines.append("columns are in another order")
        for name in shared:
            if line := _difference(old[name], new[name], renames):
                lines.append(f"{name}: {line}")
    return lines


def describe(comparison: Comparison) -> str:
    """Return a summary: a line for each kind of file, and below it what differs."""
    lines = []
    for kind in CATEGORIES.values():
        files = [file for file in comparison.files if file.kind == kind]
        differing = [file for file in files if not file.equal]
        if files:
            verdict = f"{len(differing)} of {len(files)} differ" if differing else "equal"
            lines.append(f"{kind} ({len(files)}): {verdict}")
        for file in differing:
            lines.append(f"  {file.path}" + (f": only in the {file.only_in}" if file.only_in else ""))
            lines += [f"    {difference}" for difference in file.differences]
    lines.append("The results are equal." if comparison.equal else "The results differ.")
    return "\n".join(lines)


def _files(folder: Path) -> dict[str, Path]:
    """Return the compared files of a folder by their path inside it."""
    folder = folder / "results" if (folder / "results").is_dir() else folder
    if not folder.is_dir():
        raise BadInput(f"{folder}: no such folder; give the results of a study.")
    files = {}
    for path in folder.rglob("*"):
        inside = path.relative_to(folder)
        hidden = any(part.startswith(".") for part in inside.parts)
        left_out = LEFT_OUT_FOLDERS & set(inside.parts) or inside.name in LEFT_OUT_FILES
        if path.suffix in SUFFIXES and path.is_file() and not hidden and not left_out:
            files[inside.as_posix()] = path
    if not files:
        raise BadInput(f"{folder}: holds no results; give the folder 'results' of a study.")
    return files


def _renamed(contents: Mapping[str, Value], renames: Renames, where: str) -> dict[str, Value]:
    renamed: dict[str, Value] = {}
    for name, value in contents.items():
        new = renames.of_name(name)
        if new in renamed:
            raise BadInput(f"{where}: two names become {new!r}; correct --rename.")
        renamed[new] = value
    return renamed


def _difference(old: Array, new: Array, renames: Renames) -> str:
    """Describe how two arrays differ; empty if they are equal bit for bit."""
    if old.shape != new.shape:
        return f"shape {old.shape} in the first, {new.shape} in the second"
    is_text = old.dtype.kind in "OSU" and new.dtype.kind in "OSU"
    if old.dtype != new.dtype and not is_text:
        return f"type {old.dtype} in the first, {new.dtype} in the second"
    differing = unlike = 0
    largest = 0.0
    for part in _blocks(old.shape):
        a, b = np.atleast_1d(old[part]), np.atleast_1d(new[part])
        if is_text:
            a, b = a.astype(object), b.astype(object)
            texts = [renames.of_text(value) if isinstance(value, str) else value for value in a.flat]
            a = np.asarray([*texts, None], object)[:-1].reshape(a.shape)
        unequal = _unequal(a, b)
        sizes = _sizes(a[unequal], b[unequal])
        differing += len(sizes)
        unlike += int(np.isnan(sizes).sum())
        largest = max(largest, float(np.nanmax(sizes, initial=0.0)))
    if not differing:
        return ""
    line = f"{differing} of {int(np.prod(old.shape))} entries differ"
    if unlike < differing:
        line += f", by {largest:.3g} at most"
    if unlike and not is_text:
        line += f"; {unlike} of them are a number in one alone"
    return line


def _blocks(shape: tuple[int, ...]) -> Iterator[slice | tuple[()]]:
    """Cut an array along its first axis into parts that fit in memory."""
    if not shape:
        yield ()
        return
    step = max(1, BLOCK_ENTRIES // max(1, int(np.prod(shape[1:]))))
    for start in range(0, shape[0], step):
        yield slice(start, start + step)


def _unequal(a: npt.NDArray[np.generic], b: npt.NDArray[np.generic]) -> npt.NDArray[np.bool_]:
    """Return where two arrays of one type hold other bits; NaN equals NaN."""
    if a.dtype == object:
        pairs = zip(a.flat, b.flat, strict=True)
        flat = [x != y and not (x != x and y != y) for x, y in pairs]
        return np.asarray(flat, bool).reshape(a.shape)
    unequal = (a != b) & ~((a != a) & (b != b))
    if a.dtype.kind == "f":
        unequal |= (a == b) & (np.signbit(a) != np.signbit(b))
    return unequal


def _sizes(a: npt.NDArray[np.generic], b: npt.NDArray[np.generic]) -> npt.NDArray[np.float64]:
    """Return how far apart two columns of entries are; NaN where one is no number."""
    if a.dtype != object:
        return np.abs(a.astype(np.float64) - b.astype(np.float64))
    sizes = [abs(_number(x) - _number(y)) for x, y in zip(a.flat, b.flat, strict=True)]
    return np.asarray(sizes, np.float64)


def _number(value: object) -> float:
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return float("nan")
