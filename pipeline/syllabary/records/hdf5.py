"""Open HDF5 files to read; a file that is locked is not a broken one."""

import errno
from pathlib import Path

import h5py

from ..errors import BadInput

__all__ = ["open_to_read"]

# A lock that another process holds, by the number of the system's error.
HELD = (errno.EAGAIN, errno.EACCES, errno.EWOULDBLOCK)


def open_to_read(path: Path | str, *, cache_bytes: int | None = None) -> h5py.File:
    """Open an HDF5 file to read.

    Parameters
    ----------
    path : path
    cache_bytes : int, optional
        Size of the cache of chunks.

    Raises
    ------
    BadInput
        Another program has the file open for writing, or its file system has no locks.
    OSError
        As h5py raises it, for a file that is damaged or may not be read.
    """
    try:
        return h5py.File(path, "r", rdcc_nbytes=cache_bytes)
    except OSError as error:
        text = " ".join(str(error).split())
        if "unable to lock file" in text:
            raise BadInput(f"{path}: {_locked(error.errno)}.") from None
        if "already open for write" in text or "already open for read-only" in text:
            raise BadInput(
                f"{path}: is open for writing in another program, or was when that program ended; close "
                "it there, or run 'h5clear -s' on a copy of the file."
            ) from None
        raise


def _locked(number: int | None) -> str:
    if number in HELD:
        return (
            "another program has it open for writing; close it there (in a notebook, close the "
            "h5py.File or stop the kernel) and run the same command again"
        )
    return (
        "its file system has no file locks; set the environment variable HDF5_USE_FILE_LOCKING=FALSE "
        "while nothing writes to the file, or copy it to another disk"
    )
