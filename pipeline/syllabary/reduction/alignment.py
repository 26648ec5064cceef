"""Align crops with a template: the shift and turn that tracking left in each crop.

A crop y at half resolution is modeled as a template that is moved a little:

    y(u) = m(v) + Vᵀ(v) s + e,    v = R(−turn)(u − c − d) + c.

Here m is the mean and V are the components of the template, s ~ N(0, variances) are the scores, c is
the center, d = (dx, dy) the shift, and e white noise (doi:10.1109/TPAMI.2003.1159942). Shift and turn
have Gaussian priors. Shifts and scores are estimated together by Gauss-Newton iterations. Each
iteration moves the crop back by the current shifts and linearizes the rest,

    y(R(turn)(v − c) + c + d) ≈ m + Vᵀ s − ∇x dx − ∇y dy + (∇x (v_y − c_y) − ∇y (v_x − c_x)) dturn,

where the slopes ∇ are those of m + Vᵀ s at the current scores. Every crop gets the same number of
iterations, starting without shift. So the shifts depend on the crop and the template alone: training
crops and new crops are treated alike, and no crop influences another.

Pixels that were not measured have no weight, nor have outliers (``outliers``).

Notation: n crops of H x W pixels, h x w at half resolution, D components.
"""

import cv2
import numpy as np
import numpy.typing as npt
import threadpoolctl  # type: ignore[import-untyped]

from ..errors import ShapeError
from . import outliers
from .frames import BLOCK
from .template import Template

__all__ = [
    "MIN_SHARE",
    "align",
    "half_resolution",
    "inliers",
    "moved_back",
    "shifts_of",
    "slopes",
    "warped",
]

ITERATIONS = 4
BLUR_PX = 1.0
# Largest shift, in SDs of the prior.
MAX_SHIFT_SD = 5.0
# An interpolated pixel counts as measured if at least this share of its weight was measured.
MIN_SHARE = 0.5

Array = npt.NDArray[np.float64]
Single = npt.NDArray[np.float32]


def shifts_of(
    template: Template, heights_mm: npt.NDArray[np.floating], observed: npt.NDArray[np.bool_]
) -> Array:
    """Return the shifts of crops against the template.

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
    shifts = np.zeros((len(observed), 3))
    with threadpoolctl.threadpool_limits(1, user_api="blas"):
        for start in range(0, len(observed), BLOCK):
            rows = slice(start, start + BLOCK)
            shifts[rows] = align(template, half_resolution(heights_mm[rows], observed[rows]))[0]
    shifts[~observed.any((1, 2))] = 0
    return shifts


def align(template: Template, low: Single) -> tuple[Array, Array]:
    """Estimate shifts and scores of crops by Gauss-Newton iterations.

    Parameters
    ----------
    template : Template
    low : (n, h, w, 2) float32
        From ``half_resolution``.

    Returns
    -------
    shifts : (n, 3) float64
        px, px, rad.
    scores : (n, D) float64
        Along the components of the template, mm.
    """
    size = (int(template.size[0]), int(template.size[1]))
    count, pixels, rank = len(low), template.mean.size, len(template.variances)
    mean = template.mean.reshape(-1).astype(np.float32)
    basis = template.basis.reshape(rank, -1).astype(np.float32)
    noise = float(template.noise)
    row, column = np.triu_indices(rank)
    products = (basis[row] * basis[column]).T
    prior = np.concatenate([1 / template.variances, template.spread**-2])
    shifts, scores = np.zeros((count, 3)), np.zeros((count, rank))
    for step in range(ITERATIONS + 1):
        images, measured = moved_back(low, shifts, size)
        if step:
            measured = measured * inliers(template, images, measured, scores)
        heights, weight = images.reshape(count, pixels), measured.reshape(count, pixels)
        deviation = weight * (heights - mean)
        gram = np.zeros((count, rank + 3, rank + 3))
        right_side = np.zeros((count, rank + 3))
        component_products = weight @ products
        gram[:, row, column] = component_products
        gram[:, column, row] = component_products
        right_side[:, :rank] = deviation @ basis.T
        # The first step estimates only the scores, at which the slopes are taken next.
        if step:
            expected = mean + scores.astype(np.float32) @ basis
            gradients = slopes(expected.reshape(count, *template.mean.shape), size)
            weighted = gradients * weight[:, None]
            gram[:, rank:, :rank] = (weighted.reshape(-1, pixels) @ basis.T).reshape(count, 3, rank)
            gram[:, :rank, rank:] = gram[:, rank:, :rank].transpose(0, 2, 1)
            gram[:, rank:, rank:] = weighted @ gradients.transpose(0, 2, 1)
            right_side[:, rank:] = (gradients @ deviation[..., None])[..., 0]
        right_side /= noise
        right_side[:, rank:] -= shifts * prior[rank:]
        solution = np.linalg.solve(gram / noise + np.diag(prior), right_side[..., None])[..., 0]
        scores = np.asarray(solution[:, :rank], np.float64)
        if step:
            limit = MAX_SHIFT_SD * template.spread
            np.clip(shifts + solution[:, rank:], -limit, limit, out=shifts)
    return shifts, scores


def inliers(template: Template, heights: Single, weight: Single, scores: Array) -> npt.NDArray[np.bool_]:
    """Return which pixels are no outliers from the heights that the scores make expected.

    Parameters
    ----------
    template : Template
    heights, weight : (n, h, w) float32
        From ``moved_back``.
    scores : (n, D) float64

    Returns
    -------
    (n, h, w) bool
    """
    if not template.outlier_mm:
        return np.ones(heights.shape, bool)
    basis = template.basis.reshape(len(template.basis), -1).astype(np.float32)
    expected = (scores.astype(np.float32) @ basis).reshape(heights.shape)
    expected += template.mean.astype(np.float32)
    above = (heights - expected > template.outlier_mm) & (weight > 0)
    return ~outliers.find(above, 2 * float(template.pixel_mm))


def half_resolution(heights_mm: npt.NDArray[np.floating], observed: npt.NDArray[np.bool_]) -> Single:
    """Blur crops and halve their resolution.

    Parameters
    ----------
    heights_mm : (n, H, W) floating
        Anything where not observed.
    observed : (n, H, W) bool

    Returns
    -------
    (n, h, w, 2) float32
        Heights times weight, mm, and weight, 0 to 1.
    """
    count, rows, columns = observed.shape
    low = np.empty((count, -(-rows // 2), -(-columns // 2), 2), np.float32)
    padding = (0, rows % 2, 0, columns % 2, cv2.BORDER_CONSTANT)
    half = low.shape[2], low.shape[1]
    whole = np.zeros((rows, columns, 2), np.float32)
    for i in range(count):
        whole[..., 1] = observed[i]
        whole[..., 0] = np.where(observed[i], heights_mm[i], 0)
        blurred = cv2.GaussianBlur(whole, (0, 0), BLUR_PX, borderType=cv2.BORDER_REPLICATE)
        if any(padding[:4]):
            blurred = cv2.copyMakeBorder(blurred, *padding, value=(0, 0))
        low[i] = cv2.resize(blurred, half, interpolation=cv2.INTER_AREA)
    return low


def moved_back(low: Single, shifts: Array, size: tuple[int, int]) -> tuple[Single, Single]:
    """Undo the shifts of crops.

    Parameters
    ----------
    low : (n, h, w, 2) float32
        From ``half_resolution``.
    shifts : (n, 3) float64
        px of the whole crop, px, rad.
    size : (int, int)
        Rows and columns of the whole crop.

    Returns
    -------
    heights, weight : (n, h, w) float32
        mm, and 0 to 1; heights are 0 where the weight is 0.
    """
    moved = np.empty_like(low)
    center = _middle(size)
    for i, (dx, dy, turn) in enumerate(shifts):
        moved[i] = warped(low[i], np.array([dx / 2, dy / 2, turn]), center)
    weight = np.where(moved[..., 1] >= MIN_SHARE, moved[..., 1], 0)
    return np.where(weight > 0, moved[..., 0] / np.maximum(weight, MIN_SHARE), 0), weight


def slopes(images: Single, size: tuple[int, int]) -> Single:
    """Return the derivatives of images by shift and turn.

    Parameters
    ----------
    images : (n, h, w) float32
        mm.
    size : (int, int)
        Rows and columns of the whole crop.

    Returns
    -------
    (n, 3, h w) float32
        By dx and dy, mm/px of the whole crop, and by turn, mm/rad.
    """
    x, y = np.zeros((2, *images.shape), np.float32)
    x[:, :, 1:-1] = (images[:, :, 2:] - images[:, :, :-2]) / 2
    y[:, 1:-1] = (images[:, 2:] - images[:, :-2]) / 2
    center = _middle(size)
    across = np.arange(images.shape[2], dtype=np.float32) - np.float32(center[0])
    down = np.arange(images.shape[1], dtype=np.float32)[:, None] - np.float32(center[1])
    parts = np.stack([-x / 2, -y / 2, x * down - y * across], 1)
    return parts.reshape(len(images), 3, -1)


def warped(image: Single, shift: Array, center: tuple[float, float]) -> Single:
    """Return the image whose pixel at v is the argument's pixel at R(turn)(v − c) + c + d.

    Parameters
    ----------
    image : (h, w, 2) float32
    shift : (3,) float64
        dx, dy, px of the image, and turn, rad.
    center : (float, float)
        c, x and y, px.
    """
    dx, dy, turn = shift
    x, y = center
    c, s = np.cos(turn), np.sin(turn)
    matrix = np.array([[c, -s, x - c * x + s * y + dx], [s, c, y - s * x - c * y + dy]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(image, matrix, image.shape[1::-1], flags=flags)


def _middle(size: tuple[int, int]) -> tuple[float, float]:
    """Center of a crop, x and y, px at half resolution."""
    return ((size[1] - 1) / 2 - 0.5) / 2, ((size[0] - 1) / 2 - 0.5) / 2
