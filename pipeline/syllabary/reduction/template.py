"""The template that crops are registered with, as a record."""

import dataclasses
from dataclasses import dataclass, fields
from typing import Self

import numpy as np
import numpy.typing as npt

from ..errors import BadInput

__all__ = ["Template"]

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Template:
    """Probabilistic PCA of registered crops, at half resolution.

    Attributes
    ----------
    mean : (h, w) float64
        Mean height, mm.
    basis : (D, h, w) float64
        Orthonormal images.
    variances : (D,) float64
        Of the scores, mm².
    noise : () float64
        Variance of a pixel that the scores do not explain, mm², enlarged because neighbors correlate.
    spread : (3,) float64
        Prior SD of the shifts: px, px, rad.
    size : (2,) int64
        Rows and columns of the crops.
    outlier_mm : () float64
        Narrow objects this far above the expected height have no weight; 0 = all pixels count.
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
        """Rebuild a template from its ``tensors``."""
        needed = [field.name for field in fields(cls) if field.default_factory is dataclasses.MISSING]
        missing = [name for name in needed if name not in tensors]
        if missing:
            raise BadInput(f"tensors of a template are missing: {', '.join(missing)}.")
        arrays = {
            field.name: np.asarray(tensors[field.name], np.float64)
            for field in fields(cls)
            if field.name in tensors and field.name != "size"
        }
        return cls(size=np.asarray(tensors["size"], np.int64), **arrays)
