"""Complete files or none: they are written under a temporary name and then renamed."""

import contextlib
import errno
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import h5py

from ..errors import BadInput, SyllabaryError
from .hdf5 import open_to_read

__all__ = ["create", "explained", "hdf5", "require", "together", "withdrawn"]

FULL = "free some space (or move the results folder) and run the same command again"
WAYS_OUT = {
    errno.ENOSPC: f"the disk is full; {FULL}",
    errno.EDQUOT: f"your quota of disk space is used up; {FULL}",
    errno.EROFS: "the folder is read-only; run in a folder where you may write",
    errno.ENOTDIR: "a file is where a folder is needed; name another place to write",
    errno.EEXIST: "a file is where a folder is needed; name another place to write",
    errno.EACCES: "you may not write here; run in a folder where you may write, or ask for permission",
}
# Kind of file by its suffix, and the bytes that every such file begins with.
SIGNATURES = {".h5": ("HDF5", b"\x89HDF\r\n\x1a\n"), ".parquet": ("parquet", b"PAR1")}
LONGEST = 8
# Files of each ``together`` that is open, written whole under their temporary names.
waiting: list[list[tuple[Path, Path]]] = []


@contextlib.contextmanager
def create(path: Path | str) -> Iterator[Path]:
    """Yield a temporary path beside ``path`` and rename it to ``path`` after the block.

    The temporary name keeps the suffix, which some libraries need. If the block raises, the
    temporary file is removed and ``path`` is unchanged.

    Raises
    ------
    BadInput
        The disk is full or read-only, the user may not write, or a folder has the name.
    """
    path = Path(path)
    if path.is_dir():
        raise BadInput(f"{path}: is a folder; name a file to write.")
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.part{path.suffix}")
    try:
        with explained(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            yield temporary
            with temporary.open("rb") as file:
                os.fsync(file.fileno())
            if waiting:
                waiting[-1].append((temporary, path))
            else:
                temporary.replace(path)
    finally:
        if not any((temporary, path) in group for group in waiting):
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def together() -> Iterator[None]:
    """Rename the files that are created in the block after it, all or none.

    Within the block they can't be read under their names.

    Raises
    ------
    BadInput
        A file can't take its name: a folder has it, or the user may not write.
    """
    group: list[tuple[Path, Path]] = []
    waiting.append(group)
    try:
        yield
        for _, path in group:
            if path.is_dir():
                raise BadInput(f"{path}: is a folder; name a file to write.")
        for temporary, path in group:
            with explained(path):
                temporary.replace(path)
    finally:
        waiting.pop()
        for temporary, _ in group:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def withdrawn(paths: Iterable[Path]) -> Iterator[None]:
    """Remove files if the block fails: what it wrote of several outputs is not left half done.

    Parameters
    ----------
    paths : iterable of path
        Files that the block writes and reads again, so that they can't wait for its end.
    """
    try:
        yield
    except BaseException:
        for path in paths:
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def explained(path: Path | str) -> Iterator[None]:
    """Convert errors of the disk to a ``BadInput`` about ``path`` with a way out."""
    try:
        yield
    except OSError as error:
        if error.errno in WAYS_OUT:
            raise BadInput(f"{path}: {WAYS_OUT[error.errno]}.") from error
        raise


def require(path: Path | str, made_by: str) -> Path:
    """Return ``path`` if it is a file with content of the kind that its name says.

    Parameters
    ----------
    path : path
    made_by : str
        Step that makes the file, for the message.

    Raises
    ------
    BadInput
        There is no such file, it is a folder, empty, can't be read, or is of another kind.
    """
    path = Path(path)
    if path.is_dir():
        raise BadInput(f"{path}: is a folder; wanted a file that 'syllabary {made_by}' makes.")
    if not path.is_file():
        raise BadInput(f"{path}: no such file; it is made by 'syllabary {made_by}'.")
    try:
        with path.open("rb") as file:
            head = file.read(LONGEST)
    except OSError as error:
        raise BadInput(f"{path}: can't be read ({error.strerror}); correct its permissions.") from None
    if not head:
        raise BadInput(
            f"{path}: is empty, as a copy that was stopped leaves it; run 'syllabary {made_by}' or copy "
            "it again."
        )
    kind, signature = SIGNATURES.get(path.suffix, ("", b""))
    if not head.startswith(signature):
        raise BadInput(
            f"{path}: is no {kind} file, whatever its name; wanted one that 'syllabary {made_by}' makes."
        )
    return path


@contextlib.contextmanager
def hdf5(path: Path | str, made_by: str, what: str) -> Iterator[h5py.File]:
    """Open one of our HDF5 files; what is wrong with it becomes one sentence.

    Parameters
    ----------
    path : path
    made_by : str
        Step that makes the file, for the message.
    what : str
        What the file should hold, for the message: ``"crops"``.

    Raises
    ------
    BadInput
        The file is missing, truncated, in use elsewhere, or holds something else.
    """
    place = require(path, made_by)
    if not h5py.is_hdf5(place):
        raise BadInput(f"{path}: is no HDF5 file; wanted one that 'syllabary {made_by}' makes.")
    try:
        with open_to_read(place) as h5:
            yield h5
    except (KeyError, OSError, TypeError, AttributeError, ValueError) as error:
        if isinstance(error, SyllabaryError):
            raise
        reason = " ".join(str(error).split())
        if absent := re.search(r"object '(.*)' doesn't exist", reason):
            reason = f"it has no {absent[1]}"
        raise BadInput(
            f"{path}: not whole {what} ({reason}); run 'syllabary {made_by}' again or copy it again."
        ) from None
