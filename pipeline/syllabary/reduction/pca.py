"""Principal components of crops with missing pixels, in passes over blocks of frames.

A crop is x = mean + Vᵀ s + noise, with orthonormal components V (D, P) on P used pixels. Missing pixels
are filled with their expected heights under the current components. The components are the leading
directions of the filled frames, computed by subspace iteration. A pass costs O(frames · P · D), and no
P × P matrix is formed. Smoothing is a symmetric operator S: (S C S) Q needs S on few images, so the
frames themselves are not smoothed.

The latents of a frame are the posterior mean of ``s`` given its measured pixels
(doi:10.1111/1467-9868.00196), divided by the standard deviation over the training frames. Optionally,
``outliers`` count as missing if so many frames have some that the animal is on a cable. A frame without
missing pixels gives exactly ``components @ (heights - mean) / scale``, which a linear layer reproduces.

Blocks of frames depend on the recording alone, and BLAS uses one thread. So neither the chunk size nor
the number of threads changes a bit.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Self, TypeVar

import h5py
import numpy as np
import numpy.typing as npt
import scipy.ndimage
import threadpoolctl  # type: ignore[import-untyped]

from ..errors import BadInput, ShapeError
from ..progress import track
from ..provenance import Provenance, generator
from ..records import files
from ..records.crops import Crops
from . import frames as training_frames
from .coordinates import posterior, ridge_of
from .frames import BLOCK, Frames
from .latents import LatentSeries
from .outliers import ABOVE_MM, Clearing
from .settings import ReduceSettings

__all__ = ["Pca", "fit", "fit_frames", "load", "reconstruct", "save", "scores"]

log = logging.getLogger(__name__)

# The iterated subspace has more directions than are kept, so that few passes suffice.
EXTRA_DIRECTIONS = 10
MIN_ANGLE_RAD = 1e-3
# Iterations of removing outliers: those removed before no longer distort the latents.
OUTLIER_ITERATIONS = 2
# Passes of fitting after which outliers are removed.
CLEARING_PASSES = (1, 3, 5)
# An animal is on a cable if at least this share of frames has outliers. With a cable all frames have
# some; without one a fifth of the frames has, because the head of a rearing animal looks like one.
MIN_TETHERED_SHARE = 0.5

Array = npt.NDArray[np.float64]
Scalar = TypeVar("Scalar", bound=np.generic)


@dataclass(frozen=True)
class Pca:
    """Components of crops.

    Attributes
    ----------
    mean : (H, W) float64
        Mean height, mm.
    components : (D, H, W) float64
        Orthonormal images, zero outside ``used``; the largest loading of each is positive.
    scale : (D,) float64
        Standard deviation of each coordinate over the training frames, mm.
    explained_variance_ratio : (D,) float64
        Share of the variance of all used pixels.
    noise_variance_mm2 : () float64
        Mean squared residual of a measured pixel, mm².
    pixel_variance_mm2 : (H, W) float64
        Mean squared residual of each used pixel over the training frames that measured it, but at
        least the square of ``noise_floor_mm``, and equal to it outside ``used``; mm².
    used : (H, W) bool
        Pixels that vary and are measured often enough.
    pixel_mm, min_observed_fraction : () float64
        Side of a pixel; share of used pixels a frame must have measured to get latents.
    """

    mean: Array
    components: Array
    scale: Array
    explained_variance_ratio: Array
    noise_variance_mm2: Array
    pixel_variance_mm2: Array
    used: npt.NDArray[np.bool_]
    pixel_mm: Array
    min_observed_fraction: Array

    def tensors(self) -> dict[str, npt.NDArray[np.generic]]:
        """Return every array by name, as checkpoints store them."""
        return {field.name: np.asarray(getattr(self, field.name)) for field in fields(self)}

    @classmethod
    def from_tensors(cls, tensors: dict[str, npt.NDArray[np.generic]]) -> Self:
        """Rebuild components from their ``tensors``."""
        missing = [field.name for field in fields(cls) if field.name not in tensors]
        if missing:
            raise BadInput(f"tensors of a PCA are missing: {', '.join(missing)}.")
        arrays = {
            field.name: np.asarray(tensors[field.name], bool if field.name == "used" else np.float64)
            for field in fields(cls)
        }
        return cls(**arrays)


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


def scores(pca: Pca, crops: Crops, *, outlier_sd: float = 0.0, chunk: int = 2048) -> LatentSeries:
    """Return the whitened latents of every tick of a recording, and how precise they are.

    Parameters
    ----------
    pca : Pca
    crops : Crops
    outlier_sd : float
        Narrow objects this many SDs of a pixel's noise, and ``outliers.ABOVE_MM``, above the expected
        height count as missing, if most frames of the recording have some; 0 = keep all pixels.
    chunk : int
        Ticks in memory at once; the result does not depend on it.

    Raises
    ------
    ShapeError
        Crops of another size or another ``pixel_mm`` than the components.
    """
    if crops.size != pca.mean.shape or not training_frames.same_scale(
        crops.scaled_pixel_mm, float(pca.pixel_mm)
    ):
        raise ShapeError(
            f"{crops.path}: crops are {crops.size} at {crops.scaled_pixel_mm:g} mm, but the components "
            f"are {pca.mean.shape} at {pca.pixel_mm:g} mm; extract with the same crop settings."
        )
    basis, mean = pca.components[:, pca.used], pca.mean[pca.used]
    ridge = ridge_of(float(pca.noise_variance_mm2), pca.scale**2)
    # Information of a measured pixel about each coordinate: ``(scale_d V_dp)² / variance_p``.
    each_pixel = ((pca.scale[:, None] * basis) ** 2 / pca.pixel_variance_mm2[pca.used]).T
    clearing = Clearing(pca.used, float(pca.pixel_mm))
    limit = np.maximum(outlier_sd * np.sqrt(pca.pixel_variance_mm2[pca.used]), ABOVE_MM)
    # Values and information, with all pixels and without outliers.
    plain, clear = (
        (np.full((len(crops), len(basis)), np.nan), np.zeros((len(crops), len(basis)))) for _ in range(2)
    )
    has_latents, cleared = np.zeros((2, len(crops)), bool)
    chunk = -(-chunk // BLOCK) * BLOCK
    with threadpoolctl.threadpool_limits(1, user_api="blas"):
        for first, heights, observed in crops.blocks(chunk):
            for start in range(0, len(heights), BLOCK):
                missing = ~observed[start : start + BLOCK][:, pca.used]
                deviation = heights[start : start + BLOCK][:, pca.used] * crops.height_step_mm - mean
                deviation[missing] = 0
                rows = slice(first + start, first + start + len(missing))
                enough = 1 - missing.mean(1) >= pca.min_observed_fraction
                has_latents[rows] = enough & (crops.frame[rows] >= 0)
                expected, _ = posterior(deviation, missing, basis, ridge)
                plain[0][rows], plain[1][rows] = expected, (~missing).astype(np.float64) @ each_pixel
                hidden = missing
                for _ in range(OUTLIER_ITERATIONS if outlier_sd > 0 else 0):
                    above = deviation - expected @ basis > limit
                    hidden = missing | clearing.outliers(above & ~missing)
                    expected, _ = posterior(np.where(hidden, 0, deviation), hidden, basis, ridge)
                clear[0][rows], clear[1][rows] = expected, (~hidden).astype(np.float64) @ each_pixel
                cleared[rows] = (hidden != missing).any(1)
    tethered = has_latents.any() and cleared[has_latents].mean() >= MIN_TETHERED_SHARE
    values, information = clear if tethered else plain
    values *= (1 + ridge) / pca.scale
    values[~has_latents] = np.nan
    information[~has_latents] = 0
    return LatentSeries(values, has_latents, information)


def reconstruct(pca: Pca, latents: npt.NDArray[np.floating]) -> npt.NDArray[np.float32]:
    """Return the crops that whitened latents represent.

    Parameters
    ----------
    pca : Pca
    latents : (T, D) floating

    Returns
    -------
    (T, H, W) float32
        Heights, mm.

    Raises
    ------
    ShapeError
        Latents are not (T, D).
    """
    latents = np.asarray(latents, np.float64)
    if latents.ndim != 2 or latents.shape[1] != len(pca.scale):
        raise ShapeError(f"latents are {latents.shape}; these components take (T, {len(pca.scale)}).")
    heights = np.empty((len(latents), *pca.mean.shape), np.float32)
    for start in range(0, len(latents), BLOCK):
        rows = slice(start, start + BLOCK)
        heights[rows] = pca.mean + np.tensordot(latents[rows] * pca.scale, pca.components, axes=1)
    return heights


def save(path: Path | str, pca: Pca, provenance: Provenance) -> None:
    """Write ``pca.h5`` whole or not at all."""
    with files.create(path) as temporary, h5py.File(temporary, "w") as h5:
        for name, value in pca.tensors().items():
            h5[name] = value
        h5.attrs["provenance"] = provenance.to_json()


def load(path: Path | str) -> Pca:
    """Read what ``save`` wrote."""
    with h5py.File(files.require(path, "reduce"), "r") as h5:
        return Pca.from_tensors({name: item[()] for name, item in h5.items()})


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
