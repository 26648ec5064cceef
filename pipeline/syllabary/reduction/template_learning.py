"""Learn the template that crops are registered with.

Two steps alternate: crops are aligned with the template, then the template becomes the principal
components of the aligned crops. In the first components the slopes of the mean crop are left out,
because they would explain shifts as changes of posture.

Pixels that were not measured have no weight. Nor have outliers (``outliers``): for the first template
they are guessed, later they are compared with the expected heights.

Registration is worthwhile if the three numbers that move a crop explain it better than three more
components would. Then the animal does move in its crops.
"""

import dataclasses
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import scipy.linalg
import threadpoolctl  # type: ignore[import-untyped]

from ..progress import track
from . import outliers
from .alignment import align, half_resolution, inliers, moved_back, slopes
from .frames import BLOCK, Frames
from .settings import ReduceSettings
from .template import Template

__all__ = ["Learned", "learn_template"]

COMPONENTS = 15
SHIFTS = 3
ITERATIONS = 3
# Noise variance over residual variance of a pixel; more than 1 because neighbors are not independent.
NOISE_FACTOR = 60.0

Array = npt.NDArray[np.float64]
Single = npt.NDArray[np.float32]


class Learned(NamedTuple):
    """A template, and what registration with it explains.

    Attributes
    ----------
    template : Template
    residual_ratio : float
        Mean square that shifts and components do not explain, over what as many components alone do
        not explain. Below 1, registration is worthwhile.
    """

    template: Template
    residual_ratio: float


def learn_template(
    frames: Frames,
    size: tuple[int, int],
    pixel_mm: float,
    settings: ReduceSettings,
    rng: np.random.Generator,
) -> Learned:
    """Learn a template from training frames.

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
        low = np.concatenate([half_resolution(*pair) for pair in frames.images(chosen, size)])
        empty = Template(
            mean=np.zeros((0, 0)),
            basis=np.zeros((0, 0, 0)),
            variances=np.zeros(0),
            noise=np.zeros(()),
            spread=spread,
            size=np.asarray(size, np.int64),
            outlier_mm=np.asarray(outliers.ABOVE_MM if settings.outlier_sd else 0.0),
            pixel_mm=np.asarray(pixel_mm, np.float64),
        )
        heights, weight = moved_back(low, np.zeros((count, 3)), size)
        if settings.outlier_sd:
            weight *= ~outliers.guess(heights, 2 * pixel_mm)
        template = _components(heights, weight, empty, first=True)
        unmoved = _components(heights, weight, empty, extra=SHIFTS)
        unexplained = _mean_square_residual(heights, weight, unmoved)
        for _ in track(range(ITERATIONS), "registration: template", unit="iterations"):
            for start in range(0, count, BLOCK):
                rows = slice(start, start + BLOCK)
                shifts, scores = align(template, low[rows])
                heights[rows], weight[rows] = moved_back(low[rows], shifts, size)
                weight[rows] *= inliers(template, heights[rows], weight[rows], scores)
            template = _components(heights, weight, template)
        ratio = _mean_square_residual(heights, weight, template) / max(unexplained, 1e-12)
    return Learned(template, ratio)


def _mean_square_residual(heights: Single, weight: Single, template: Template) -> float:
    """Mean square of the crops (n, h, w) that the components of a template do not explain, mm²."""
    basis = template.basis.reshape(len(template.basis), -1).astype(np.float32)
    total, rows = 0.0, range(0, len(heights), BLOCK)
    for start in rows:
        part = slice(start, start + BLOCK)
        deviation = weight[part] * (heights[part] - template.mean.astype(np.float32))
        deviation = deviation.reshape(len(deviation), -1)
        deviation -= (deviation @ basis.T) @ basis
        total += float((deviation.astype(np.float64) ** 2).sum())
    return total / max(heights.size, 1)


def _components(
    heights: Single, weight: Single, template: Template, *, first: bool = False, extra: int = 0
) -> Template:
    """The template with the principal components of crops (n, h, w); gaps are filled with the mean.

    ``first`` leaves out the slopes of the mean; ``extra`` is a number of further components.
    """
    shape, count = heights.shape[1:], len(heights)
    size = (int(template.size[0]), int(template.size[1]))
    flat, weights = heights.reshape(count, -1), weight.reshape(count, -1)
    total_weight = weights.sum(0, dtype=np.float64)
    mean = (weights * flat).sum(0, dtype=np.float64) / np.maximum(total_weight, 1)
    # A pixel that was measured by half counts by half.
    deviation = weights * (flat - mean.astype(np.float32))
    if first:
        gradients = slopes(mean.reshape(1, *shape).astype(np.float32), size)[0].astype(np.float64)
        directions = np.linalg.qr(gradients.T)[0].astype(np.float32)
        deviation -= (deviation @ directions) @ directions.T
    covariance = (deviation.T @ deviation).astype(np.float64) / max(count, 1)
    pixels = len(covariance)
    rank = max(1, min(COMPONENTS + extra, count - 1, pixels - 1))
    variances, basis = scipy.linalg.eigh(covariance, subset_by_index=(pixels - rank, pixels - 1))
    variances, basis = variances[::-1], basis[:, ::-1]
    residual = max(float(np.trace(covariance) - variances.sum()) / (pixels - rank), 1e-6)
    return dataclasses.replace(
        template,
        mean=mean.reshape(shape),
        basis=np.ascontiguousarray(basis.T).reshape(rank, *shape),
        variances=np.maximum(variances, 1e-3 * residual),
        noise=np.asarray(NOISE_FACTOR * residual),
    )
