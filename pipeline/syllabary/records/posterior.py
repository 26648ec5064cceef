"""Posterior of a recording under a model: latents and probabilities of states per tick."""

from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import numpy.typing as npt

from ..errors import ShapeError
from ..provenance import Provenance
from . import files

__all__ = ["Posterior"]


# Type of each dataset on disk.
ARRAYS = {
    "mean": np.float32,
    "sd": np.float32,
    "states": np.float16,
    "surprise_nats": np.float32,
    "frame": np.int32,
    "time_s": np.float64,
}


@dataclass(frozen=True)
class Posterior:
    """Posterior of one recording under one model, all that labels are made of.

    It is of states. Which states are one syllable is decided later, and does not change it.

    Attributes
    ----------
    mean, sd : (T, D) float, stored as float32
        Mean and standard deviation of the latents of each tick; NaN if the model has none.
    states : (T, K) float, stored as float16
        Probability of each state (0 is the most frequent).
    surprise_nats : (T,) float, stored as float32
        -log p(frame given the frames before it), nats; NaN where there is no evidence.
    frame : (T,) int32
        Source frame of each tick, -1 where it was dropped.
    time_s : (T,) float64
        Time of each tick, s.
    """

    mean: npt.NDArray[np.floating]
    sd: npt.NDArray[np.floating]
    states: npt.NDArray[np.floating]
    surprise_nats: npt.NDArray[np.floating]
    frame: npt.NDArray[np.integer]
    time_s: npt.NDArray[np.floating]

    def save(self, path: Path | str, provenance: Provenance) -> None:
        """Write the file whole or not at all.

        Raises
        ------
        ShapeError
            The arrays have different numbers of ticks.
        """
        ticks = {name: len(getattr(self, name)) for name in ARRAYS}
        if len(set(ticks.values())) > 1:
            counts = ", ".join(f"{name} {count}" for name, count in ticks.items())
            raise ShapeError(
                f"{path}: arrays have different numbers of ticks ({counts}); they share those of the "
                "recording."
            )
        with files.create(path) as temporary, h5py.File(temporary, "w") as h5:
            for name, dtype in ARRAYS.items():
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
        with files.hdf5(path, "segment", "posterior") as h5:
            return cls(**{name: h5[name][()] for name in ARRAYS})
