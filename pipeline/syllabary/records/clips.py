"""What a model shows when it is asked: the movement of each syllable, and sequences of its own."""

from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import numpy.typing as npt

from ..errors import BadInput, ShapeError
from ..provenance import Provenance
from . import files

__all__ = ["Clips"]

SCHEMA = 1
ARRAYS = {
    "syllable": np.int16,
    "length": np.int32,
    "latents": np.float32,
    "poses": np.uint8,
    "simulated/states": np.int16,
    "simulated/heights": np.uint8,
}


@dataclass(frozen=True)
class Clips:
    """Decoded movies of a model; heights are mm above the floor.

    Attributes
    ----------
    syllable : (S,) int
        Syllables in use, 0 commonest.
    length : (S,) int
        Frames of each movie that count; later ones repeat the last.
    latents : (S, T, D) float
        Path of the latents, whitened.
    poses : (S, T, H, W) uint8
    simulated_states : (n, T) int
        Syllables of sequences drawn from the model.
    simulated_heights : (n, T, H, W) uint8
    fps : float
        Frames per second.
    pixel_mm : float
        Side of a pixel.
    """

    syllable: npt.NDArray[np.integer]
    length: npt.NDArray[np.integer]
    latents: npt.NDArray[np.floating]
    poses: npt.NDArray[np.uint8]
    simulated_states: npt.NDArray[np.integer]
    simulated_heights: npt.NDArray[np.uint8]
    fps: float
    pixel_mm: float

    def save(self, path: Path | str, provenance: Provenance) -> None:
        """Write ``clips.h5`` whole or not at all."""
        if not len(self.syllable) == len(self.length) == len(self.latents) == len(self.poses):
            raise ShapeError(
                f"{path}: {len(self.syllable)} syllables, but {len(self.length)} lengths and "
                f"{len(self.poses)} movies; there is one of each per syllable."
            )
        if self.simulated_states.shape != self.simulated_heights.shape[:2]:
            raise ShapeError(
                f"{path}: drawn states are {self.simulated_states.shape}, but their crops "
                f"{self.simulated_heights.shape[:2]}; there is a state per frame."
            )
        with files.create(path) as temporary, h5py.File(temporary, "w") as h5:
            for name, dtype in ARRAYS.items():
                values = np.asarray(getattr(self, name.replace("/", "_")), dtype)
                h5.create_dataset(
                    name, data=values, compression="gzip", compression_opts=1, shuffle=True
                )
            h5.attrs.update(
                {
                    "schema": SCHEMA, "fps": self.fps, "pixel_mm": self.pixel_mm,
                    "height_step_mm": 1.0, "provenance": provenance.to_json(),
                }
            )  # fmt: skip

    @classmethod
    def load(cls, path: Path | str) -> "Clips":
        """Read what ``save`` wrote.

        Raises
        ------
        BadInput
            The file is missing, truncated, or of another version.
        """
        place = files.require(path, "fit")
        try:
            with h5py.File(place, "r") as h5:
                if h5.attrs.get("schema") != SCHEMA:
                    raise KeyError(f"schema is {h5.attrs.get('schema')}")
                arrays = {name.replace("/", "_"): h5[name][()] for name in ARRAYS}
                return cls(**arrays, fps=float(h5.attrs["fps"]), pixel_mm=float(h5.attrs["pixel_mm"]))
        except (KeyError, OSError) as error:
            raise BadInput(
                f"{path}: not whole clips of schema {SCHEMA} ({error}); fit the model again."
            ) from None
