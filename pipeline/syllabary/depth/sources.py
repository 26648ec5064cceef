"""Which reader opens a path, and cheap checks before anything is started."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import h5py

from .. import registry
from ..errors import BadInput
from . import legacy
from .settings import SourceSettings
from .video import Video

__all__ = ["files", "is_extracted", "open_recording", "require"]


AS_IT_IS = SourceSettings()


def is_extracted(path: Path | str) -> bool:
    """Return whether ``path`` is an extraction of MoSeq2: by its name, or by what it holds."""
    path = Path(path)
    if path.suffix.lower() not in legacy.SUFFIXES or path.is_dir():
        return False
    if path.name.startswith(legacy.PREFIX):
        return True
    try:
        with h5py.File(path, "r") as h5:
            return legacy.SCALARS in h5
    except (OSError, RuntimeError):
        return False


def require(path: Path | str, settings: SourceSettings = AS_IT_IS) -> None:
    """Check a recording without reading a frame.

    Raises
    ------
    BadInput
        Nothing is there; no reader knows it; frames, timestamps or datasets are missing,
        cut short, or do not belong together. The sentence says what to do.
    """
    path = _existing(path)
    with _readable(path):
        if is_extracted(path):
            legacy.require(path)
        else:
            _reader(path).require(path, settings)


def open_recording(
    path: Path | str,
    settings: SourceSettings = AS_IT_IS,
    *,
    scratch: Path | str | None = None,
) -> Video:
    """Open a raw recording with the reader that accepts it.

    Parameters
    ----------
    path : path
    settings : SourceSettings
        How to read what does not tell itself, and what to repair.
    scratch : path, optional
        Folder for what must be unpacked; the system's own by default.

    Raises
    ------
    BadInput
        As ``require``, and what shows only when all of the recording is looked at.
    """
    path = _existing(path)
    with _readable(path):
        video: Video = _reader(path).open_video(
            path, settings, scratch=None if scratch is None else Path(scratch)
        )
    return video


def files(path: Path | str) -> list[Path]:
    """Return the files of a recording that decide what is extracted from it."""
    path = _existing(path)
    with _readable(path):
        return [path] if is_extracted(path) else _reader(path).files(path)


@contextlib.contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Say in a sentence what the system says of a file that it will not read."""
    try:
        yield
    except OSError as error:
        raise BadInput(
            f"{error.filename or path}: cannot be read ({error.strerror or error}); is it yours to "
            "read, and the disk in order?"
        ) from None


def _existing(path: Path | str) -> Path:
    path = Path(path)
    if not path.is_file() and not path.is_dir():
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
        if reader.SUFFIXES:
            known.append(f"{name} ({', '.join(reader.SUFFIXES)})")
    raise BadInput(
        f"{path}: no reader for this kind of file; known: {', '.join(known)}, a session folder, and "
        "MoSeq2's results_00.h5."
    )
