"""Principal components of crops with missing pixels.

A crop is x = mean + Vᵀ s + noise, with orthonormal components V (D, P) on P used pixels.

The latents of a frame are the posterior mean of ``s`` given its measured pixels
(doi:10.1111/1467-9868.00196), divided by the standard deviation over the training frames. Optionally,
``outliers`` count as missing if so many frames have some that the animal is on a cable. A frame without
missing pixels gives exactly ``components @ (heights - mean) / scale``, which a linear layer reproduces.

Blocks of frames depend on the recording alone, and BLAS uses one thread. So neither the chunk size nor
the number of threads changes a bit.
"""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Self, TypeVar

import h5py
import numpy as np
import numpy.typing as npt
import threadpoolctl  # type: ignore[import-untyped]

from ..errors import BadInput, ShapeError
from ..provenance import Provenance
from ..records import files, hdf5
from ..records.crops import Crops
from . import frames as training_frames
from .coordinates import posterior, ridge_of
from .frames import BLOCK
from .latents import LatentSeries
from .outliers import ABOVE_MM, Clearing

__all__ = ["MIN_TETHERED_SHARE", "Pca", "load", "reconstruct", "save", "scores"]

# Iterations of removing outliers: those removed before no longer distort the latents.
OUTLIER_ITERATIONS = 2
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
    with hdf5.open_to_read(files.require(path, "reduce")) as h5:
        return Pca.from_tensors({name: item[()] for name, item in h5.items()})
