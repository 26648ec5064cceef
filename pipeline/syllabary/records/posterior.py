"""Posterior of a recording under a model: latents and state probabilities per tick."""

from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import numpy.typing as npt

from ..errors import BadInput, ShapeError
from ..provenance import Provenance
from . import files

__all__ = ["Posterior"]


@dataclass(frozen=True)
class Posterior:
    """Posterior of one recording under one model.

    Attributes
    ----------
    mean, sd : (T, D) float, stored as float32
        Mean and standard deviation of the latents of each tick; NaN if the model has none.
    states : (T, K) float, stored as float16
        Probability of each state, columns in order of syllables (0 is the most frequent).
    """

    mean: npt.NDArray[np.floating]
    sd: npt.NDArray[np.floating]
    states: npt.NDArray[np.floating]

    def save(self, path: Path | str, provenance: Provenance) -> None:
        """Write the file whole or not at all.

        Raises
        ------
        ShapeError
            The arrays have different numbers of ticks.
        """
        if not len(self.mean) == len(self.sd) == len(self.states):
            raise ShapeError(
                f"{path}: mean, sd and states have {len(self.mean)}, {len(self.sd)} and "
                f"{len(self.states)} ticks; they share the recording's ticks."
            )
        with files.create(path) as temporary, h5py.File(temporary, "w") as h5:
            for name, dtype in (("mean", np.float32), ("sd", np.float32), ("states", np.float16)):
                values = np.asarray(getattr(self, name), dtype)
                h5.create_dataset(
                    name, data=values, compression="gzip", compression_opts=1, shuffle=True
                )
            h5.attrs["provenance"] = provenance.to_json()

    @classmethod
    def load(cls, path: Path | str) -> "Posterior":
        """Read a posterior into memory.

        Raises
        ------
        BadInput
            The file is missing, truncated, or no posterior.
        """
        path = files.require(path, "segment")
        try:
            with h5py.File(path, "r") as h5:
                return cls(h5["mean"][()], h5["sd"][()], h5["states"][()])
        except (KeyError, OSError) as error:
            raise BadInput(
                f"{path}: not a whole posterior ({error}); run 'syllabary segment' again."
            ) from None
