"""Find out what the counts of a recording mean, from a sample of its frames.

Settings decide, and metadata of the recording before them. What neither names is taken from the values
where they leave no doubt, and said in the log. Neighboring pixels of depth are alike, so the wrong byte
order shows. A sensor has noise, so a single count that many pixels hold, with nothing near it, is a code
for "not measured".
"""

import logging
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ...errors import BadInput
from ..counts import Counts, ordered, shifted
from ..settings import SourceSettings
from ..video import Video

__all__ = ["determine", "low_bits_without_depth", "sample"]

log = logging.getLogger(__name__)
Array = npt.NDArray[Any]
SAMPLE_FRAMES = 8
# Every which row of the sample is counted, and is compared with its neighbors.
COUNTED_ROWS, COMPARED_ROWS, COMPARED_FRAMES = 2, 4, 3
# Differing neighbors needed, and how many times as alike (a power of 2) they are in the right order.
MIN_PAIRS, BITS_SMOOTHER = 100, 3.0
# Depth in any unit, for floating-point counts.
SMALLEST, LARGEST = 1e-4, 1e7
# A code: pixels that hold it, counts around it that nothing else holds, and what counts as nothing.
MIN_PIXELS, MIN_SHARE, REACH, NOTHING = 10, 1e-4, 0.01, 0.02
# Share of pixels that hold single counts where the sensor has no noise, as in a simulation.
NOISELESS = 0.2
# A code of any other value lies this many times outside all depths, or its pixels often hold depths that
# differ by so much; a frequent one that does neither is asked about.
FAR, AWAY, OFTEN, FREQUENT = 1.2, 0.1, 0.3, 0.01
# The least code that is known without noise around: 11 bits.
MIN_CODE = 2047
# Surfaces farther away are coarsely quantized, and are no floor.
FARTHEST_FLOOR_MM = 2000.0
# Share of the frames that hold a code, at least.
IN_FRAMES = 0.7
PACKED_BITS, PACKED_UNIT_MM = 3, 0.125
# Share of the pixels of a depth that have the same low bits, where these hold no depth.
SAME_LOW_BITS = 0.8


class Spikes(NamedTuple):
    """Single counts that many pixels hold, with nothing near them; and how many pixels there are."""

    values: npt.NDArray[np.float64]
    pixels: npt.NDArray[np.int64]
    total: int


def sample(video: Video) -> Array:
    """Return some whole frames spread over a recording, (n, rows, columns), counts as in the file.

    Raises
    ------
    BadInput
        None of these frames can be read.
    """
    blocks, fault = [], None
    for frame in video.sample_frames(SAMPLE_FRAMES):
        try:
            blocks.append(video.raw(frame, frame + 1))
        except BadInput as error:
            # A damaged frame is reported when it is needed.
            fault = error
    if not blocks and fault is not None:
        raise fault
    return np.concatenate(blocks).astype(blocks[0].dtype, copy=False)


def determine(video: Video, settings: SourceSettings) -> Counts:
    """Return what the counts of a recording mean.

    Parameters
    ----------
    video : Video
    settings : SourceSettings

    Raises
    ------
    BadInput
        The byte order of the settings is proven wrong by the values, the metadata are damaged, or a
        count could be depth or "not measured".
    """
    frames = sample(video)
    stated = video.count_metadata
    counts = Counts(settings.unit_mm, is_swapped=_is_swapped(frames, video, settings))
    if stated.unit_mm is not None:
        if stated.unit_mm != settings.unit_mm:
            log.info(
                "%s: its metadata give a unit of %g mm, which counts before the setting's %g mm",
                video.path, stated.unit_mm, settings.unit_mm,
            )  # fmt: skip
        counts = counts._replace(unit_mm=stated.unit_mm)
    frames = ordered(frames, counts)
    shift = stated.bit_shift if stated.bit_shift is not None else settings.bit_shift
    if shift is None:
        shift = 0
        if counts.unit_mm == PACKED_UNIT_MM and low_bits_without_depth(frames):
            shift = PACKED_BITS
            counts = counts._replace(unit_mm=counts.unit_mm * 2**shift)
            log.warning(
                "%s: the low %d bits of its counts carry no depth, so they are left out, and counts are "
                "of %g mm then; extract.source.bit_shift: %d with unit_mm: %g says the same",
                video.path, shift, counts.unit_mm, shift, counts.unit_mm,
            )  # fmt: skip
    counts = counts._replace(bit_shift=shift)
    codes = stated.invalid if stated.invalid is not None else settings.invalid
    if codes is None:
        codes = _codes(shifted(frames, shift), counts.unit_mm, video)
    return counts._replace(invalid=codes)


def low_bits_without_depth(frames: Array) -> bool:
    """Return whether the low bits of counts, of any shape, do not vary with depth.

    Depth that is finer than the sensor's noise has all low bits at every depth. A player index has one
    or two.
    """
    if frames.dtype.kind not in "ui" or frames.dtype.itemsize > 2:
        return False
    pixels = np.bincount(_part(frames).astype(np.int64).clip(0).ravel(), minlength=1 << 16)
    depths = pixels[: len(pixels) >> PACKED_BITS << PACKED_BITS].reshape(-1, 1 << PACKED_BITS)[1:]
    depths = depths[depths.sum(axis=1) >= MIN_PIXELS]
    if len(depths) < 2:
        return False
    top = np.sort(depths, axis=1)[:, -2:].sum(axis=1)
    return float(np.mean(top / depths.sum(axis=1))) >= SAME_LOW_BITS


def _part(frames: Array) -> Array:
    return frames[:, ::COUNTED_ROWS]


def _is_swapped(frames: Array, video: Video, settings: SourceSettings) -> bool:
    """Return whether the values prove the other byte order."""
    if frames.dtype.itemsize < 2:
        return False
    image = frames[:: max(1, len(frames) // COMPARED_FRAMES), ::COMPARED_ROWS]
    swapped = image.byteswap()
    if frames.dtype.kind == "f":
        proven = _plausible(image) < 0.5 and _plausible(swapped) > 0.9
    else:
        roughness, pairs = _roughness(image)
        other, _ = _roughness(swapped)
        proven = pairs >= MIN_PAIRS and other + BITS_SMOOTHER <= roughness
    if not proven:
        return False
    right = "little" if frames.dtype.str[0] == ">" else "big"
    if video.byte_order_is_set:
        raise BadInput(
            f"{video.path}: extract.source.byte_order is '{settings.byte_order}', but neighboring "
            f"pixels are alike only in the order '{right}'; remove the setting, or set it to '{right}'."
        )
    log.warning(
        "%s: neighboring pixels are alike only if counts are read as %s-endian, so they are, whatever "
        "the description says", video.path, right,
    )  # fmt: skip
    return True


def _roughness(image: Array) -> tuple[float, int]:
    """Return the mean logarithm (base 2) of differences between neighbors, and the number of pairs."""
    counts = image.astype(np.int64)
    full = np.iinfo(image.dtype).max
    measured = (counts > 0) & (counts != full)
    step = np.abs(np.diff(counts, axis=-1))[measured[..., 1:] & measured[..., :-1]]
    step = step[step > 0]
    return (float(np.log2(step).mean()), len(step)) if len(step) else (0.0, 0)


def _plausible(image: Array) -> float:
    """Return the share of floating-point counts that are depth in some unit, or none."""
    with np.errstate(invalid="ignore", over="ignore"):
        size = np.abs(image.astype(np.float64))
        return float(np.mean(~np.isfinite(size) | (size == 0) | ((size > SMALLEST) & (size < LARGEST))))


def _codes(frames: Array, unit_mm: float, video: Video) -> tuple[float, ...]:
    """Return the counts that mean "not measured"."""
    spikes = _spikes(frames)
    if not len(spikes.values):
        return ()
    full = _has_all_bits(spikes.values, frames.dtype)
    plain = int(spikes.pixels[~full].sum())
    noisy = plain <= NOISELESS * max(1, spikes.total - int(spikes.pixels[full].sum()))
    codes = list(spikes.values[full & (noisy | (spikes.values >= MIN_CODE))])
    if noisy:
        for value, pixels in zip(spikes.values[~full], spikes.pixels[~full], strict=True):
            # Something flat that is held into the picture for a while is no code.
            if np.mean((_part(frames) == value).any(axis=(1, 2))) < IN_FRAMES:
                continue
            if _is_outside(value, _part(frames), codes) or _comes_and_goes(value, _part(frames)):
                codes.append(value)
            elif pixels > FREQUENT * spikes.total and value * unit_mm < FARTHEST_FLOOR_MM:
                raise BadInput(
                    f"{video.path}: {pixels / spikes.total:.0%} of the pixels hold exactly {value:g}, "
                    "and none a count near it; does it mean 'not measured', set extract.source.invalid "
                    f"to [{value:g}], else to []."
                )
    shares = dict(zip(spikes.values.tolist(), (spikes.pixels / spikes.total).tolist(), strict=True))
    for code in codes:
        log.info(
            "%s: %g is taken for 'not measured' (%.1f %% of the pixels); extract.source.invalid decides",
            video.path, code, 100 * shares[code],
        )  # fmt: skip
    return tuple(sorted(float(code) for code in codes))


def _is_outside(value: float, frames: Array, codes: list[float]) -> bool:
    """Return whether a count is well outside all depths."""
    depths = frames[(frames > 0) & ~np.isin(frames, [*codes, value])]
    if not depths.size:
        return False
    near, far = np.quantile(depths, [0.001, 0.999])
    return bool(value > FAR * far or value < near / FAR)


def _comes_and_goes(value: float, frames: Array) -> bool:
    """Return whether pixels that hold a count often have a quite different depth in other frames."""
    counts = frames[:, (frames == value).any(axis=0)].astype(np.float64)
    return float(np.mean((counts > 0) & (np.abs(counts - value) > AWAY * value))) > OFTEN


def _spikes(frames: Array) -> Spikes:
    part = _part(frames)
    if part.dtype.kind == "u" and part.dtype.itemsize <= 2:
        histogram = np.bincount(part.ravel())
        values = np.flatnonzero(histogram)
        pixels = histogram[values]
    else:
        values, pixels = np.unique(part[np.isfinite(part)], return_counts=True)
    values, pixels = values[values > 0].astype(np.float64), pixels[values > 0]
    before = np.concatenate([[0], np.cumsum(pixels)])
    candidates = np.flatnonzero(pixels >= max(MIN_PIXELS, MIN_SHARE * part.size))
    near, held = values[candidates], pixels[candidates]
    first = np.searchsorted(values, near * (1 - REACH), "left")
    last = np.searchsorted(values, near * (1 + REACH), "right")
    alone = before[last] - before[first] - held <= NOTHING * held
    return Spikes(near[alone], held[alone], int(part.size))


def _has_all_bits(values: npt.NDArray[np.float64], dtype: np.dtype[Any]) -> npt.NDArray[np.bool_]:
    """Return which values have all their bits set, as codes have in a type or in some of its bits."""
    whole = np.isin(values, [2.0**bits - 1 for bits in range(10, 33)])
    return whole | (values == float(np.iinfo(dtype).max)) if dtype.kind in "ui" else whole
