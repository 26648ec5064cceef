"""Lay every crop on a template: what tracking left of the animal's place and heading.

A crop at half resolution is believed to be a draw of a template, moved a little:

    y(u) = m(v) + Vᵀ(v) s + e,    v = R(−turn)(u − c − d) + c,

with mean m and components V of the template, s ~ N(0, variances), shift d = (dx, dy) and turn
with Gaussian priors, and e white (doi:10.1109/TPAMI.2003.1159942). The shifts and the scores are
the most probable ones together: a Gauss-Newton step moves the crop back by the shifts so far and
is linear in what is left,

    y(R(turn)(v − c) + c + d) ≈ m + Vᵀ s − ∇x dx − ∇y dy + (∇x (v_y − c_y) − ∇y (v_x − c_x)) dturn,

where the slopes ∇ are those of m + Vᵀ s at the last scores. Every crop gets the same number of
steps from no shift at all, so shifts depend on the crop and the template alone: training crops and
new ones are treated alike, and no crop sees another. The template is learned by turns: shifts
given the template, then the principal components of the crops laid on it. At first the slopes of
the mean crop are taken out of the components, which would otherwise explain shifts by themselves.

Pixels that were not measured have no weight, nor have outliers (``outliers``): of the first template
by a guess, then by what the scores so far make expected. Neighboring pixels share what the template
does not explain, so the noise is taken as larger than the residual.
"""

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any, Self

import cv2
import numpy as np
import numpy.typing as npt
import scipy.linalg
import threadpoolctl  # type: ignore[import-untyped]

from ..errors import BadInput, ShapeError
from ..progress import track
from ..records.crops import Crops
from . import outliers
from .frames import BLOCK, Frames
from .settings import ReduceSettings

__all__ = ["Registered", "Template", "find", "learn", "of_crops", "view", "warp"]

COMPONENTS = 15
ROUNDS = 3
STEPS = 4
# Variance of the noise over that of the residual of a pixel: neighbors are not independent.
SHARED = 60.0
BLUR_PX = 1.0
# Standard deviations of the prior: beyond, the crop is none of the template's.
FARTHEST = 5.0
# A pixel counts as measured if at least this share of what it is mixed of was.
LEAST_SHARE = 0.5

Array = npt.NDArray[np.float64]
Single = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Template:
    """What crops look like when they lie right, at half resolution.

    Attributes
    ----------
    mean : (h, w) float64
        Mean height, mm.
    basis : (D, h, w) float64
        Orthonormal images.
    variances : (D,) float64
        Of the scores, mm².
    noise : () float64
        Variance of a pixel that the scores do not explain, mm², enlarged.
    spread : (3,) float64
        SD of the shifts in their prior: px, px, rad.
    size : (2,) int64
        Rows and columns of the crops.
    outlier_mm : () float64
        Narrow things so far above what is expected have no weight; 0: all have.
    pixel_mm : () float64
        Side of a pixel of the crops.
    """

    mean: Array
    basis: Array
    variances: Array
    noise: Array
    spread: Array
    size: npt.NDArray[np.int64]
    outlier_mm: Array = dataclasses.field(default_factory=lambda: np.zeros(()))
    pixel_mm: Array = dataclasses.field(default_factory=lambda: np.ones(()))

    def tensors(self) -> dict[str, npt.NDArray[np.generic]]:
        """Return every array by name, as checkpoints store them."""
        return {field.name: np.asarray(getattr(self, field.name)) for field in fields(self)}

    @classmethod
    def from_tensors(cls, tensors: dict[str, npt.NDArray[np.generic]]) -> Self:
        """Rebuild from what ``tensors`` returned."""
        needed = [field.name for field in fields(cls) if field.default_factory is dataclasses.MISSING]
        missing = [name for name in needed if name not in tensors]
        if missing:
            raise BadInput(f"these tensors are no template: {', '.join(missing)} missing.")
        arrays: dict[str, Any] = {
            field.name: np.asarray(tensors[field.name], np.int64 if field.name == "size" else np.float64)
            for field in fields(cls)
            if field.name in tensors
        }
        return cls(**arrays)


def learn(
    frames: Frames,
    size: tuple[int, int],
    pixel_mm: float,
    settings: ReduceSettings,
    rng: np.random.Generator,
) -> Template:
    """Learn a template of training frames.

    Parameters
    ----------
    frames : Frames
        All pixels of training frames.
    size : (int, int)
        Rows and columns of a crop.
    pixel_mm : float
        Side of a pixel.
    settings : ReduceSettings
    rng : numpy Generator
        Chooses frames when there are more than ``settings.registration_frames``.
    """
    count = min(len(frames.heights), settings.registration_frames)
    chosen = np.sort(rng.choice(len(frames.heights), count, replace=False))
    shift_px = settings.shift_sd_mm / pixel_mm
    spread = np.array([shift_px, shift_px, np.radians(settings.turn_sd_degrees)])
    with threadpoolctl.threadpool_limits(1, user_api="blas"):
        low = np.concatenate([_low(*pair) for pair in _blocks(frames, chosen, size)])
        given = {
            "spread": spread,
            "size": np.asarray(size, np.int64),
            "outlier_mm": np.asarray(outliers.ABOVE_MM if settings.outlier_sd else 0.0),
            "pixel_mm": np.asarray(pixel_mm, np.float64),
        }
        heights, weight = _moved(low, np.zeros((count, 3)), size)
        if settings.outlier_sd:
            weight *= ~outliers.guess(heights, 2 * pixel_mm)
        template = _components(heights, weight, given, first=True)
        for _ in track(range(ROUNDS), "registration: rounds", unit="rounds"):
            for start in range(0, count, BLOCK):
                rows = slice(start, start + BLOCK)
                shifts, scores = _shifts(template, low[rows])
                heights[rows], weight[rows] = _moved(low[rows], shifts, size)
                weight[rows] *= _fitting(template, heights[rows], weight[rows], scores)
            template = _components(heights, weight, given, first=False)
    return template


def find(
    template: Template, heights_mm: npt.NDArray[np.floating], observed: npt.NDArray[np.bool_]
) -> Array:
    """Return how the animal's image is moved against the template.

    Parameters
    ----------
    template : Template
    heights_mm : (n, H, W) floating
        Anything where not observed.
    observed : (n, H, W) bool

    Returns
    -------
    (n, 3) float64
        ``dx`` (columns) and ``dy`` (rows) in px of the crop, ``turn`` in rad from +x toward +y; 0
        where nothing was measured.
    """
    if heights_mm.shape != observed.shape or heights_mm.shape[1:] != tuple(template.size):
        raise ShapeError(
            f"heights are {heights_mm.shape} and observed {observed.shape}; this template takes "
            f"(n, {template.size[0]}, {template.size[1]})."
        )
    found = np.zeros((len(observed), 3))
    with threadpoolctl.threadpool_limits(1, user_api="blas"):
        for start in range(0, len(observed), BLOCK):
            rows = slice(start, start + BLOCK)
            found[rows] = _shifts(template, _low(heights_mm[rows], observed[rows]))[0]
    found[~observed.any((1, 2))] = 0
    return found


def of_crops(template: Template, crops: Crops) -> Array:
    """Return the shifts (T, 3) of every tick of a recording; 0 where there is no frame."""
    found = np.zeros((len(crops), 3))
    for first, heights, observed in crops.blocks(4 * BLOCK):
        rows = slice(first, first + len(heights))
        found[rows] = find(template, heights * np.float32(crops.height_step_mm), observed)
    found[crops.frame < 0] = 0
    return found


def warp(
    heights: npt.NDArray[np.uint8], observed: npt.NDArray[np.bool_], shifts: Array
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.bool_]]:
    """Move crops back by their shifts.

    Parameters
    ----------
    heights : (n, H, W) uint8
        Anything where not observed.
    observed : (n, H, W) bool
    shifts : (n, 3) float64
        As ``find`` returns them.

    Returns
    -------
    heights, observed
        The same shapes. A pixel is the bilinear mean of those measured among the four that it falls
        between, and counts as measured if they have half of the weight or more. Crops without a
        shift stay as they are.
    """
    size: tuple[int, int] = heights.shape[1:]
    moved, seen = heights.copy(), observed.copy()
    rows, columns = size
    center = ((columns - 1) / 2, (rows - 1) / 2)
    for i in np.flatnonzero(np.any(shifts != 0, 1)):
        pair = cv2.merge([heights[i] * observed[i], observed[i].view(np.uint8)]).astype(np.float32)
        value, weight = cv2.split(_warped(pair, shifts[i], center))
        seen[i] = weight >= LEAST_SHARE
        np.rint(value / np.maximum(weight, LEAST_SHARE), out=value)
        moved[i] = value
    moved[~seen] = 0
    return moved, seen


class Registered(Crops):
    """Crops laid on the template: the same file, heights and observed pixels moved back.

    Parameters
    ----------
    crops : Crops
        Open; closed with this view.
    shifts : (T, 3) float64
        Of every tick.
    """

    def __init__(self, crops: Crops, shifts: Array) -> None:
        if shifts.shape != (len(crops), 3):
            raise ShapeError(f"{crops.path}: {len(crops)} crops but shifts {shifts.shape}.")
        vars(self).update(vars(crops))
        self._crops, self._shifts = crops, shifts
        self._last: tuple[int, int | None] | None = None

    def pair(
        self, start: int = 0, stop: int | None = None
    ) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.bool_]]:
        """Return heights and observed pixels of ticks [start, stop)."""
        if self._last != (start, stop):
            raw = self._crops.heights(start, stop), self._crops.observed(start, stop)
            self._pair = warp(*raw, self._shifts[start:stop])
            self._last = (start, stop)
        return self._pair

    def heights(self, start: int = 0, stop: int | None = None) -> npt.NDArray[np.uint8]:
        """Return heights of ticks [start, stop), counts, 0 = floor."""
        return self.pair(start, stop)[0].copy()

    def observed(self, start: int = 0, stop: int | None = None) -> npt.NDArray[np.bool_]:
        """Return which pixels of ticks [start, stop) were measured."""
        return self.pair(start, stop)[1].copy()


def view(crops: Crops, shifts: Array | None) -> Crops:
    """Return crops as a model looks at them: laid on its template, if it has one."""
    return crops if shifts is None or isinstance(crops, Registered) else Registered(crops, shifts)


def warp_frames(template: Template, frames: Frames, size: tuple[int, int]) -> Frames:
    """Lay training frames on the template."""
    heights = np.empty_like(frames.heights)
    missing = np.empty_like(frames.missing)
    every = np.arange(len(heights))
    starts = range(0, len(heights), BLOCK)
    blocks = zip(starts, _blocks(frames, every, size), strict=True)
    for start, (heights_mm, observed) in track(
        blocks, "registration: frames", total=len(starts), unit="blocks"
    ):
        rows = slice(start, start + BLOCK)
        shifts = find(template, heights_mm, observed)
        raw = frames.heights[rows].reshape(-1, *size)
        moved, seen = warp(raw, observed, shifts)
        heights[rows] = moved.reshape(len(moved), -1)
        missing[rows] = np.packbits(~seen.reshape(len(seen), -1), axis=1)
    return Frames(heights, missing, frames.step_mm)


def _blocks(
    frames: Frames, chosen: npt.NDArray[np.intp], size: tuple[int, int]
) -> Iterator[tuple[Single, npt.NDArray[np.bool_]]]:
    """Yield heights, mm, and observed pixels of chosen frames, a block at a time."""
    pixels = size[0] * size[1]
    for start in range(0, len(chosen), BLOCK):
        rows = chosen[start : start + BLOCK]
        missing = np.unpackbits(frames.missing[rows], axis=1, count=pixels).view(bool)
        heights = frames.heights[rows] * frames.step_mm[rows, None]
        yield heights.reshape(-1, *size), ~missing.reshape(-1, *size)


def _low(heights_mm: npt.NDArray[np.floating], observed: npt.NDArray[np.bool_]) -> Single:
    """Blur and halve: (n, h, w, 2) of heights times weight, and weight, 0 to 1."""
    count, rows, columns = observed.shape
    found = np.empty((count, -(-rows // 2), -(-columns // 2), 2), np.float32)
    padding = (0, rows % 2, 0, columns % 2, cv2.BORDER_CONSTANT)
    half = found.shape[2], found.shape[1]
    whole = np.zeros((rows, columns, 2), np.float32)
    for i in range(count):
        whole[..., 1] = observed[i]
        whole[..., 0] = np.where(observed[i], heights_mm[i], 0)
        blurred = cv2.GaussianBlur(whole, (0, 0), BLUR_PX, borderType=cv2.BORDER_REPLICATE)
        if any(padding[:4]):
            blurred = cv2.copyMakeBorder(blurred, *padding, value=(0, 0))
        found[i] = cv2.resize(blurred, half, interpolation=cv2.INTER_AREA)
    return found


def _warped(image: Single, shift: Array, center: tuple[float, float]) -> Single:
    """Image whose pixel at v is that of the given one at R(turn)(v − c) + c + d."""
    dx, dy, turn = shift
    x, y = center
    c, s = np.cos(turn), np.sin(turn)
    matrix = np.array([[c, -s, x - c * x + s * y + dx], [s, c, y - s * x - c * y + dy]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(image, matrix, image.shape[1::-1], flags=flags)


def _middle(size: tuple[int, int]) -> tuple[float, float]:
    """Center of a crop, x and y, in pixels of half the resolution."""
    return ((size[1] - 1) / 2 - 0.5) / 2, ((size[0] - 1) / 2 - 0.5) / 2


def _moved(low: Single, shifts: Array, size: tuple[int, int]) -> tuple[Single, Single]:
    """Heights (n, h, w), mm, moved back, and their weight; heights are 0 where that is 0."""
    found = np.empty_like(low)
    center = _middle(size)
    for i, (dx, dy, turn) in enumerate(shifts):
        found[i] = _warped(low[i], np.array([dx / 2, dy / 2, turn]), center)
    weight = np.where(found[..., 1] >= LEAST_SHARE, found[..., 1], 0)
    return np.where(weight > 0, found[..., 0] / np.maximum(weight, LEAST_SHARE), 0), weight


def _slopes(images: Single, size: tuple[int, int]) -> Single:
    """Change (n, 3, h w) of images (n, h, w) that are moved by dx, dy, px of the crop, and turned."""
    x, y = np.zeros((2, *images.shape), np.float32)
    x[:, :, 1:-1] = (images[:, :, 2:] - images[:, :, :-2]) / 2
    y[:, 1:-1] = (images[:, 2:] - images[:, :-2]) / 2
    center = _middle(size)
    across = np.arange(images.shape[2], dtype=np.float32) - np.float32(center[0])
    down = np.arange(images.shape[1], dtype=np.float32)[:, None] - np.float32(center[1])
    parts = np.stack([-x / 2, -y / 2, x * down - y * across], 1)
    return parts.reshape(len(images), 3, -1)


def _fitting(
    template: Template, heights: Single, weight: Single, scores: Array
) -> npt.NDArray[np.bool_]:
    """Pixels (n, h, w) that are no outliers from what the scores (n, D) make expected."""
    if not template.outlier_mm:
        return np.ones(heights.shape, bool)
    basis = template.basis.reshape(len(template.basis), -1).astype(np.float32)
    expected = (scores.astype(np.float32) @ basis).reshape(heights.shape)
    expected += template.mean.astype(np.float32)
    above = (heights - expected > template.outlier_mm) & (weight > 0)
    return ~outliers.find(above, 2 * float(template.pixel_mm))


def _shifts(template: Template, low: Single) -> tuple[Array, Array]:
    """Shifts (n, 3) and scores (n, D) of blurred and halved crops: Gauss-Newton steps from none."""
    size = (int(template.size[0]), int(template.size[1]))
    count, pixels, rank = len(low), template.mean.size, len(template.variances)
    mean = template.mean.reshape(-1).astype(np.float32)
    basis = template.basis.reshape(rank, -1).astype(np.float32)
    noise = float(template.noise)
    row, column = np.triu_indices(rank)
    products = (basis[row] * basis[column]).T
    prior = np.concatenate([1 / template.variances, template.spread**-2])
    shifts, scores = np.zeros((count, 3)), np.zeros((count, rank))
    for step in range(STEPS + 1):
        images, known = _moved(low, shifts, size)
        if step:
            known = known * _fitting(template, images, known, scores)
        heights, weight = images.reshape(count, pixels), known.reshape(count, pixels)
        deviation = weight * (heights - mean)
        gram = np.zeros((count, rank + 3, rank + 3))
        told = np.zeros((count, rank + 3))
        own = weight @ products
        gram[:, row, column] = own
        gram[:, column, row] = own
        told[:, :rank] = deviation @ basis.T
        # The first step finds the scores that the slopes are taken at.
        if step:
            expected = mean + scores.astype(np.float32) @ basis
            slopes = _slopes(expected.reshape(count, *template.mean.shape), size)
            weighted = slopes * weight[:, None]
            gram[:, rank:, :rank] = (weighted.reshape(-1, pixels) @ basis.T).reshape(count, 3, rank)
            gram[:, :rank, rank:] = gram[:, rank:, :rank].transpose(0, 2, 1)
            gram[:, rank:, rank:] = weighted @ slopes.transpose(0, 2, 1)
            told[:, rank:] = (slopes @ deviation[..., None])[..., 0]
        told /= noise
        told[:, rank:] -= shifts * prior[rank:]
        found = np.linalg.solve(gram / noise + np.diag(prior), told[..., None])[..., 0]
        scores = np.asarray(found[:, :rank], np.float64)
        if step:
            limit = FARTHEST * template.spread
            np.clip(shifts + found[:, rank:], -limit, limit, out=shifts)
    return shifts, scores


def _components(
    heights: Single,
    weight: Single,
    given: Mapping[str, npt.NDArray[Any]],
    *,
    first: bool,
) -> Template:
    """Principal components of crops at half resolution; what is missing is filled with the mean."""
    shape, count = heights.shape[1:], len(heights)
    size = (int(given["size"][0]), int(given["size"][1]))
    flat, known = heights.reshape(count, -1), weight.reshape(count, -1)
    seen = known.sum(0, dtype=np.float64)
    mean = (known * flat).sum(0, dtype=np.float64) / np.maximum(seen, 1)
    # Half a measurement counts half.
    deviation = known * (flat - mean.astype(np.float32))
    if first:
        slopes = _slopes(mean.reshape(1, *shape).astype(np.float32), size)[0].astype(np.float64)
        ways = np.linalg.qr(slopes.T)[0].astype(np.float32)
        deviation -= (deviation @ ways) @ ways.T
    covariance = (deviation.T @ deviation).astype(np.float64) / max(count, 1)
    pixels = len(covariance)
    rank = max(1, min(COMPONENTS, count - 1, pixels - 1))
    variances, basis = scipy.linalg.eigh(covariance, subset_by_index=(pixels - rank, pixels - 1))
    variances, basis = variances[::-1], basis[:, ::-1]
    left = max(float(np.trace(covariance) - variances.sum()) / (pixels - rank), 1e-6)
    return Template(
        mean=mean.reshape(shape),
        basis=np.ascontiguousarray(basis.T).reshape(rank, *shape),
        variances=np.maximum(variances, 1e-3 * left),
        noise=np.asarray(SHARED * left),
        **given,
    )
