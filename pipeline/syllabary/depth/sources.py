"""Which reader opens a path, and cheap checks before anything is started."""

from pathlib import Path
from types import ModuleType
from typing import Protocol, Self

import numpy as np
import numpy.typing as npt

from .. import registry
from ..errors import BadInput
from . import legacy

__all__ = ["Video", "files", "is_extracted", "open_recording", "require"]


class Video(Protocol):
    """What every reader opens; see ``depth.readers``."""

    shape: tuple[int, int]
    timestamps_s: npt.NDArray[np.float64]
    start_time: str
    subject: str

    def __len__(self) -> int: ...
    def read(self, start: int, stop: int) -> npt.NDArray[np.uint16]:
        """Return frames [start, stop), (n, rows, columns) uint16 mm, 0 = not measured."""

    def close(self) -> None:
        """Close the files."""

    def __enter__(self) -> Self: ...
    def __exit__(self, *error: object) -> None: ...


def is_extracted(path: Path | str) -> bool:
    """Return whether ``path`` is named as an extraction of MoSeq2 (``results_00.h5``)."""
    return Path(path).suffix in legacy.SUFFIXES


def require(path: Path | str) -> None:
    """Check a recording without reading a frame.

    Raises
    ------
    BadInput
        Nothing is there; no reader knows it; frames, timestamps or datasets are missing,
        cut short, or do not belong together. The sentence says what to do.
    """
    path = _existing(path)
    if is_extracted(path):
        legacy.require(path)
    else:
        _reader(path).require(path)


def open_recording(path: Path | str) -> Video:
    """Open a raw recording with the reader that accepts it.

    Raises
    ------
    BadInput
        As ``require``.
    """
    path = _existing(path)
    return _reader(path).open_video(path)


def files(path: Path | str) -> list[Path]:
    """Return the files of a recording that decide what is extracted from it."""
    path = _existing(path)
    return [path] if is_extracted(path) else _reader(path).files(path)


def _existing(path: Path | str) -> Path:
    path = Path(path)
    if not path.exists():
        raise BadInput(
            f"{path}: no such file or folder; is the path in recordings.tsv right, and the disk mounted?"
        )
    return path


def _reader(path: Path) -> ModuleType:
    known = []
    for name in registry.names("syllabary.depth.readers"):
        reader = registry.find("syllabary.depth.readers", name)
        if reader.accepts(path):
            return reader
        known.append(f"{name} ({', '.join(reader.SUFFIXES)})")
    raise BadInput(
        f"{path}: no reader for this kind of file; known: {', '.join(known)}, a session folder, and "
        "MoSeq2's results_00.h5."
    )
