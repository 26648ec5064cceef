"""Errors of damaged HDF5 files, for which h5py raises many built-in exceptions."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeGuard

import h5py

from ...errors import BadInput, SyllabaryError

__all__ = ["is_numeric", "whole"]

DAMAGED = (OSError, RuntimeError, KeyError, ValueError, TypeError, MemoryError, OverflowError)


@contextmanager
def whole(path: Path, way_out: str = "copy it again") -> Iterator[None]:
    """Turn an exception of h5py while a file is opened or read into ``BadInput``."""
    try:
        yield
    except SyllabaryError:
        raise
    except DAMAGED as error:
        fault = " ".join(str(error).split()) or type(error).__name__
        raise BadInput(f"{path}: not a whole HDF5 file ({fault}); {way_out}.") from None


def is_numeric(item: object, axes: int) -> TypeGuard[h5py.Dataset]:
    """Return whether an item of a file is a dataset of real numbers with ``axes`` axes."""
    return isinstance(item, h5py.Dataset) and item.ndim == axes and item.dtype.kind in "buif"
