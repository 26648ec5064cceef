"""Fit principal components to crops with missing pixels, in passes over blocks of frames.

Missing pixels are filled with their expected heights under the current components. The components are
the leading directions of the filled frames, computed by subspace iteration. A pass costs
O(frames · P · D), and no P × P matrix is formed. Smoothing is a symmetric operator S: (S C S) Q needs S
on few images, so the frames themselves are not smoothed.
"""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import scipy.ndimage
import threadpoolctl  # type: ignore[import-untyped]

from ..progress import track
from ..provenance import generator
from . import frames as training_frames
from .coordinates import posterior, ridge_of
from .frames import Frames
from .outliers import Clearing
from .pca import MIN_TETHERED_SHARE, Pca
from .settings import ReduceSettings

__all__ = ["fit", "fit_frames"]

log = logging.getLogger(__name__)
# The iterated subspace has more directions than are kept, so that few passes suffice.
EXTRA_DIRECTIONS = 10
MIN_ANGLE_RAD = 1e-3
# Passes of fitting after which outliers are removed.
CLEARING_PASSES = (1, 3, 5)

Array = npt.NDArray[np.float64]


def fit(crops_paths: Sequence[Path], settings: ReduceSettings, *, seed: int) -> Pca:
    """Fit components to frames spread over recordings.

    Parameters
    ----------
    crops_paths : sequence of paths
        Training recordings, all with crops of one size and one ``pixel_mm``.
    settings : ReduceSettings
    seed : int
        Seed of the study; chooses frames (when there are more than ``settings.frames``)
        and the start of the iteration.

    Raises
    ------
    BadInput
        Recordings disagree about size or ``pixel_mm``, or too little was measured.
    """
    rng = generator(seed, "pca")
    return fit_frames(*training_frames.sample(crops_paths, settings.frames, rng), settings, rng)


def fit_frames(
    frames: Frames,
    size: tuple[int, int],
    pixel_mm: float,
    settings: ReduceSettings,
    rng: np.random.Generator,
    *,
    clear: bool = False,
) -> Pca:
    """Fit components to training frames.

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
        Draws the start of the iteration.
    clear : bool
        Treat outliers as missing if ``settings.outlier_sd`` is not 0.

    Raises
    ------
    BadInput
        Too little was measured.
    """
    with threadpoolctl.threadpool_limits(1, user_api="blas"):
        frames, image, used = training_frames.select(frames, settings)
        smooth = _smoother(used, size, settings.smoothing_mm / pixel_mm)
        wide = min(2 * settings.components + EXTRA_DIRECTIONS, *frames.heights.shape)
        start = rng.standard_normal((frames.heights.shape[1], wide))
        clearing = Clearing(used.reshape(size), pixel_mm) if clear and settings.outlier_sd else None
        frames, basis, mean, ridge = _iterate(frames, image[used], start, settings, smooth, clearing)
        # Rotate the leading directions of smoothed frames until raw coordinates are uncorrelated.
        coordinates, noise, _, _ = _coordinates_of(frames, mean, basis, ridge)
        mean += coordinates.mean(0) @ basis
        variance, turn = np.linalg.eigh(np.atleast_2d(np.cov(coordinates.T, bias=True)))
        basis = turn[:, ::-1].T @ basis
        basis *= np.sign(basis[np.arange(len(basis)), np.abs(basis).argmax(1)])[:, None]
        ridge = ridge_of(noise, variance[::-1])
        coordinates, noise, total, residual = _coordinates_of(frames, mean, basis, ridge)
    scale = coordinates.std(0)
    components = np.zeros((len(basis), used.size))
    components[:, used] = basis
    image[used] = mean
    variance = np.full(used.size, settings.noise_floor_mm**2)
    variance[used] = np.maximum(residual, settings.noise_floor_mm**2)
    return Pca(
        mean=image.reshape(size),
        components=components.reshape(-1, *size),
        scale=scale,
        explained_variance_ratio=scale**2 / total,
        noise_variance_mm2=np.asarray(noise),
        pixel_variance_mm2=variance.reshape(size),
        used=used.reshape(size),
        pixel_mm=np.asarray(pixel_mm),
        min_observed_fraction=np.asarray(settings.min_observed_fraction),
    )


def _iterate(
    frames: Frames,
    mean: Array,
    start: Array,
    settings: ReduceSettings,
    smooth: Callable[[Array], Array],
    clearing: Clearing | None,
) -> tuple[Frames, Array, Array, Array]:
    """Iterate the subspace of S C S, with missing pixels filled.

    Parameters
    ----------
    mean : (P,) float64
    start : (P, L) float64
        Any L directions, L > D.
    smooth : function
        S maps images in columns (P, L) to images in columns.
    clearing : Clearing, optional
        Removes outliers.

    Returns
    -------
    frames, basis (D, P), mean (P,) and ridge (D,)
        Leading directions, and the other arguments of ``posterior``; outliers of the frames are
        missing.
    """
    original, count, kept = frames, len(frames.heights), settings.components
    if clearing is not None:
        frames = clearing.by_guess(original)
    wide, _ = np.linalg.qr(smooth(start))
    basis, ridge = np.zeros((kept, len(mean))), np.ones(kept)
    for done in track(range(settings.passes), "pca: passes", unit="passes"):
        probe = smooth(wide)
        image, inner, residual, measured = np.zeros_like(wide), np.zeros((wide.shape[1],) * 2), 0.0, 0
        total_x, total_y = np.zeros(len(mean)), np.zeros(wide.shape[1])
        for _, deviation, missing in frames.blocks(mean):
            expected, left = posterior(deviation, missing, basis, ridge)
            residual += left
            measured += missing.size - int(missing.sum())
            filled = deviation + missing * (expected @ basis).astype(np.float32)
            y = filled @ probe.astype(np.float32)
            image += filled.T @ y
            inner += y.T @ y
            total_x += filled.sum(0)
            total_y += y.sum(0)
        image = smooth(image / count - np.outer(total_x, total_y) / count**2)
        variance, turn = np.linalg.eigh(inner / count - np.outer(total_y, total_y) / count**2)
        wide, _ = np.linalg.qr(image @ turn[:, ::-1])
        overlap = np.linalg.svd(basis @ wide[:, :kept], compute_uv=False)
        angle = np.arccos(min(overlap.min(), 1.0))
        basis, mean = wide[:, :kept].T.copy(), mean + total_x / count
        ridge = ridge_of(residual / measured, variance[::-1][:kept])
        log.debug("pca: pass %d turned the components by %.2g rad", done + 1, angle)
        if clearing is not None and done in CLEARING_PASSES:
            frames = clearing.by_model(original, frames, mean, basis, ridge)
            outlier_share = (frames.missing != original.missing).any(1).mean()
            if done == CLEARING_PASSES[-1] and outlier_share < MIN_TETHERED_SHARE:
                frames, clearing = original, None
        elif angle < MIN_ANGLE_RAD and (clearing is None or done > CLEARING_PASSES[-1]):
            break
    return frames, basis, mean, ridge


def _coordinates_of(
    frames: Frames, mean: Array, basis: Array, ridge: Array
) -> tuple[Array, float, float, Array]:
    """Coordinates of all training frames (n, D), noise, total variance and noise of each pixel, mm²."""
    coordinates = np.empty((len(frames.heights), len(basis)))
    square, count = np.zeros((2, len(mean)))
    residual, measured = 0.0, 0
    for rows, deviation, missing in frames.blocks(mean):
        expected, left = posterior(deviation, missing, basis, ridge)
        coordinates[rows] = expected * (1 + ridge)
        residual += left
        measured += missing.size - int(missing.sum())
        left_over = deviation - (coordinates[rows] @ basis).astype(deviation.dtype)
        left_over[missing] = 0
        square += (left_over**2).sum(0, dtype=np.float64)
        count += (~missing).sum(0)
    noise = residual / measured
    total = float(coordinates.var(0).sum()) + noise * len(mean)
    return coordinates, noise, total, square / np.maximum(count, 1)


def _smoother(
    used: npt.NDArray[np.bool_], size: tuple[int, int], sigma_px: float
) -> Callable[[Array], Array]:
    """Return S, which smooths images in columns (P, L) of used pixels; S is symmetric."""

    def smooth(columns: Array) -> Array:
        images = np.zeros((columns.shape[1], used.size))
        images[:, used] = columns.T
        blurred = scipy.ndimage.gaussian_filter(
            images.reshape(-1, *size), (0, sigma_px, sigma_px), mode="constant"
        )
        return blurred.reshape(len(images), -1)[:, used].T

    return smooth if sigma_px > 0 else lambda columns: columns
