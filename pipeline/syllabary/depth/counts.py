"""What the counts of a recording mean: how they become whole millimeters, 0 = not measured."""

import functools
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ..errors import BadInput

__all__ = ["KEYS", "CountMetadata", "Counts", "describe", "from_metadata", "ordered", "shifted", "to_mm"]

MAX_MM, MAX_SHIFT = 65535, 8


class Counts(NamedTuple):
    """Meaning of counts; by default uint16 mm, 0 = not measured.

    Counts of 0 and below, NaN and infinity are never depth.

    Attributes
    ----------
    unit_mm : float
        Depth of one count, after the shift, mm.
    bit_shift : int
        Low bits that hold something else than depth.
    invalid : tuple of float
        Counts, after the shift, that are no depth.
    is_swapped : bool
        The bytes of a count are in the order opposite to what the file says.
    """

    unit_mm: float = 1.0
    bit_shift: int = 0
    invalid: tuple[float, ...] = ()
    is_swapped: bool = False


class CountMetadata(NamedTuple):
    """What the metadata of a recording say of its counts; None where they are silent."""

    unit_mm: float | None = None
    bit_shift: int | None = None
    invalid: tuple[float, ...] | None = None


PLAIN = Counts()
# Names in the metadata, in the order of ``CountMetadata``.
KEYS = ("DepthUnitMm", "DepthBitShift", "DepthInvalid")


def from_metadata(metadata: Mapping[str, object], where: Path | str) -> CountMetadata:
    """Return what metadata say of counts, as ``describe`` writes it.

    Raises
    ------
    BadInput
        A value is not what belongs there.
    """
    unit, shift, codes = (metadata.get(key) for key in KEYS)
    if unit is not None and not (_is_number(unit) and float(str(unit)) > 0):
        raise _wrong(KEYS[0], unit, "a number of mm above 0", where)
    if shift is not None and not (isinstance(shift, int) and 0 <= shift <= MAX_SHIFT):
        raise _wrong(KEYS[1], shift, f"a whole number from 0 to {MAX_SHIFT}", where)
    if codes is None:
        return CountMetadata(None if unit is None else float(str(unit)), shift)
    if not isinstance(codes, Sequence) or isinstance(codes, str) or not all(map(_is_number, codes)):
        raise _wrong(KEYS[2], codes, "a list of counts", where)
    return CountMetadata(None if unit is None else float(str(unit)), shift, tuple(map(float, codes)))


def describe(counts: Counts) -> dict[str, object]:
    """Return the metadata of counts whose bytes are in the right order."""
    return dict(zip(KEYS, (counts.unit_mm, counts.bit_shift, list(counts.invalid)), strict=True))


def ordered(block: npt.NDArray[np.generic], counts: Counts) -> npt.NDArray[np.generic]:
    """Return counts of any shape with their bytes in the right order."""
    return block.byteswap() if counts.is_swapped else block


def shifted(block: npt.NDArray[np.generic], bits: int) -> npt.NDArray[np.generic]:
    """Return counts of any shape without their low bits."""
    return np.right_shift(block, bits) if bits and block.dtype.kind in "ui" else block


def to_mm(block: npt.NDArray[np.generic], counts: Counts = PLAIN) -> npt.NDArray[np.uint16]:
    """Convert counts of any shape and type to whole mm, which saturate at 65535; 0 = not measured."""
    if block.dtype.kind == "u" and block.dtype.itemsize == 2:
        if counts[:2] == PLAIN[:2]:
            depth = ordered(block, counts).astype(np.uint16, copy=False)
            for code in counts.invalid:
                depth = np.where(depth == code, np.uint16(0), depth)
            return depth
        return _table(counts)[block.astype(np.uint16, copy=False)]
    return _convert(block, counts)


def _convert(block: npt.NDArray[np.generic], counts: Counts) -> npt.NDArray[np.uint16]:
    values = shifted(ordered(block, counts), counts.bit_shift)
    with np.errstate(invalid="ignore", over="ignore"):
        depth = values.astype(np.float64) * counts.unit_mm
        depth[~(np.isfinite(depth) & (depth > 0))] = 0.0
    if counts.invalid:
        depth[np.isin(values, np.array(counts.invalid).astype(values.dtype))] = 0.0
    return np.minimum(np.rint(depth), MAX_MM).astype(np.uint16)


@functools.lru_cache(8)
def _table(counts: Counts) -> npt.NDArray[np.uint16]:
    """Millimeters of every uint16."""
    return _convert(np.arange(1 << 16, dtype=np.uint16), counts)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _wrong(key: str, value: object, wanted: str, where: Path | str) -> BadInput:
    return BadInput(
        f"{where}: the metadata give {key} as {repr(value)[:60]}; wanted {wanted}: correct or remove it."
    )
