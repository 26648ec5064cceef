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

import cv2
import numpy as np
import numpy.typing as npt
import threadpoolctl  # type: ignore[import-untyped]

from ..errors import ShapeError
from . import outliers
from .frames import BLOCK
from .template import Template

__all__ = [
    "LEAST_SHARE",
    "align",
    "fitting",
    "half_resolution",
    "moved_back",
    "shifts_of",
    "slopes",
    "warped",
]

STEPS = 4
BLUR_PX = 1.0
# Standard deviations of the prior: beyond, the crop is none of the template's.
FARTHEST = 5.0
# A pixel counts as measured if at least this share of what it is mixed of was.
LEAST_SHARE = 0.5

Array = npt.NDArray[np.float64]
Single = npt.NDArray[np.float32]


def shifts_of(
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
            found[rows] = align(template, half_resolution(heights_mm[rows], observed[rows]))[0]
    found[~observed.any((1, 2))] = 0
    return found


def align(template: Template, low: Single) -> tuple[Array, Array]:
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
        images, known = moved_back(low, shifts, size)
        if step:
            known = known * fitting(template, images, known, scores)
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
            gradients = slopes(expected.reshape(count, *template.mean.shape), size)
            weighted = gradients * weight[:, None]
            gram[:, rank:, :rank] = (weighted.reshape(-1, pixels) @ basis.T).reshape(count, 3, rank)
            gram[:, :rank, rank:] = gram[:, rank:, :rank].transpose(0, 2, 1)
            gram[:, rank:, rank:] = weighted @ gradients.transpose(0, 2, 1)
            told[:, rank:] = (gradients @ deviation[..., None])[..., 0]
        told /= noise
        told[:, rank:] -= shifts * prior[rank:]
        found = np.linalg.solve(gram / noise + np.diag(prior), told[..., None])[..., 0]
        scores = np.asarray(found[:, :rank], np.float64)
        if step:
            limit = FARTHEST * template.spread
            np.clip(shifts + found[:, rank:], -limit, limit, out=shifts)
    return shifts, scores


def fitting(template: Template, heights: Single, weight: Single, scores: Array) -> npt.NDArray[np.bool_]:
    """Pixels (n, h, w) that are no outliers from what the scores (n, D) make expected."""
    if not template.outlier_mm:
        return np.ones(heights.shape, bool)
    basis = template.basis.reshape(len(template.basis), -1).astype(np.float32)
    expected = (scores.astype(np.float32) @ basis).reshape(heights.shape)
    expected += template.mean.astype(np.float32)
    above = (heights - expected > template.outlier_mm) & (weight > 0)
    return ~outliers.find(above, 2 * float(template.pixel_mm))


def half_resolution(heights_mm: npt.NDArray[np.floating], observed: npt.NDArray[np.bool_]) -> Single:
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


def moved_back(low: Single, shifts: Array, size: tuple[int, int]) -> tuple[Single, Single]:
    """Heights (n, h, w), mm, moved back, and their weight; heights are 0 where that is 0."""
    found = np.empty_like(low)
    center = _middle(size)
    for i, (dx, dy, turn) in enumerate(shifts):
        found[i] = warped(low[i], np.array([dx / 2, dy / 2, turn]), center)
    weight = np.where(found[..., 1] >= LEAST_SHARE, found[..., 1], 0)
    return np.where(weight > 0, found[..., 0] / np.maximum(weight, LEAST_SHARE), 0), weight


def slopes(images: Single, size: tuple[int, int]) -> Single:
    """Change (n, 3, h w) of images (n, h, w) that are moved by dx, dy, px of the crop, and turned."""
    x, y = np.zeros((2, *images.shape), np.float32)
    x[:, :, 1:-1] = (images[:, :, 2:] - images[:, :, :-2]) / 2
    y[:, 1:-1] = (images[:, 2:] - images[:, :-2]) / 2
    center = _middle(size)
    across = np.arange(images.shape[2], dtype=np.float32) - np.float32(center[0])
    down = np.arange(images.shape[1], dtype=np.float32)[:, None] - np.float32(center[1])
    parts = np.stack([-x / 2, -y / 2, x * down - y * across], 1)
    return parts.reshape(len(images), 3, -1)


def warped(image: Single, shift: Array, center: tuple[float, float]) -> Single:
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
