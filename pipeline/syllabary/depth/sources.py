"""Choose the reader of a path, and check inputs before the work starts."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol, cast

from .. import registry
from ..errors import BadInput
from .readers import count_detection
from .settings import SourceSettings
from .video import ExtractedCrops, Video

__all__ = ["Reader", "files", "open_recording", "open_source", "require"]

READERS = "syllabary.depth.readers"
DEFAULTS = SourceSettings()


class Reader(Protocol):
    """A module of ``readers``; it also offers ``open_video`` or ``open_crops``."""

    SUFFIXES: tuple[str, ...]

    def accepts(self, path: Path) -> bool:
        """Return whether the reader opens ``path``, which need not exist."""

    def require(self, path: Path, settings: SourceSettings) -> None:
        """Raise ``BadInput`` where a cheap check fails."""

    def files(self, path: Path) -> list[Path]:
        """Return the files that decide what is extracted."""


def require(path: Path | str, settings: SourceSettings = DEFAULTS) -> None:
    """Check a recording without reading a frame.

    Raises
    ------
    BadInput
        Nothing is there; no reader opens it; frames, timestamps or datasets are missing,
        cut short, or do not belong together. The message names a remedy.
    """
    path = _existing(path)
    with _readable(path):
        _reader(path).require(path, settings)


def open_source(
    path: Path | str,
    settings: SourceSettings = DEFAULTS,
    *,
    scratch: Path | str | None = None,
) -> Video | ExtractedCrops:
    """Open a raw recording, or crops that were extracted already, with the reader that accepts it.

    Parameters
    ----------
    path : path
    settings : SourceSettings
        How to read what the recording does not describe, and what to repair.
    scratch : path, optional
        Folder for what must be unpacked; the system's own by default.

    Raises
    ------
    BadInput
        As ``require``, and faults that show only when all of the recording is looked at.
    """
    path = _existing(path)
    with _readable(path):
        reader = _reader(path)
        opener = getattr(reader, "open_crops", None) or reader.open_video  # type: ignore[attr-defined]
        opened: Video | ExtractedCrops = opener(
            path, settings, scratch=None if scratch is None else Path(scratch)
        )
        if isinstance(opened, Video):
            try:
                opened.counts = count_detection.determine(opened, settings)
            except BaseException:
                opened.close()
                raise
    return opened


def open_recording(
    path: Path | str,
    settings: SourceSettings = DEFAULTS,
    *,
    scratch: Path | str | None = None,
) -> Video:
    """Open a raw recording; arguments as of ``open_source``.

    Raises
    ------
    BadInput
        As ``open_source``, and for crops that were extracted already.
    """
    opened = open_source(path, settings, scratch=scratch)
    if isinstance(opened, ExtractedCrops):
        opened.close()
        raise BadInput(
            f"{path}: is extracted already and holds no raw frames; name the recording it is from."
        )
    return opened


def files(path: Path | str) -> list[Path]:
    """Return the files of a recording that decide what is extracted from it."""
    path = _existing(path)
    with _readable(path):
        return _reader(path).files(path)


@contextlib.contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Turn an error of the system about a file into ``BadInput``."""
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


def _reader(path: Path) -> Reader:
    """Return the reader that accepts a path; readers of a general format come last."""
    formats = []
    modules = [(name, registry.find(READERS, name)) for name in registry.names(READERS)]
    for name, module in sorted(modules, key=lambda item: getattr(item[1], "IS_GENERAL", False)):
        reader = cast(Reader, module)
        if reader.accepts(path):
            return reader
        if reader.SUFFIXES:
            formats.append(f"{name} ({', '.join(reader.SUFFIXES)})")
    raise BadInput(
        f"{path}: no reader for this kind of file; known: {', '.join(formats)}, and a session folder."
    )
