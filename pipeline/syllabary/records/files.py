"""Complete files or none: they are written under a temporary name and then renamed."""

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path

from ..errors import BadInput

__all__ = ["create", "explained", "require"]

FULL = "free some space (or move the results folder) and run the same command again"
WAYS_OUT = {
    errno.ENOSPC: f"the disk is full; {FULL}",
    errno.EDQUOT: f"your quota of disk space is used up; {FULL}",
    errno.EROFS: "the folder is read-only; run in a folder where you may write",
    errno.EACCES: "you may not write here; run in a folder where you may write, or ask for permission",
}


@contextlib.contextmanager
def create(path: Path | str) -> Iterator[Path]:
    """Yield a temporary path beside ``path`` and rename it to ``path`` after the block.

    The temporary name keeps the suffix, which some libraries need. If the block raises, the
    temporary file is removed and ``path`` is unchanged.

    Raises
    ------
    BadInput
        The disk is full or read-only, or the user may not write.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.part{path.suffix}")
    try:
        with explained(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            yield temporary
            with temporary.open("rb") as file:
                os.fsync(file.fileno())
            temporary.replace(path)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


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
    """Return ``path`` if it is a file.

    Parameters
    ----------
    path : path
    made_by : str
        Step that makes the file, for the message.

    Raises
    ------
    BadInput
        There is no such file.
    """
    path = Path(path)
    if not path.is_file():
        raise BadInput(f"{path}: no such file; it is made by 'syllabary {made_by}'.")
    return path
