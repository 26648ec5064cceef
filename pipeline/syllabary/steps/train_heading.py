"""Step ``train_heading``: simulated mice and corrected crops to the network that finds the head."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..provenance import Provenance, generator
from ..settings import read
from ._shared import Section, made_by

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from ..depth.settings import HeadingTrainingSettings

__all__ = ["train_heading"]


def train_heading(*, weights: Path, settings: Section, seed: int, crops: Sequence[Path] = ()) -> None:
    """Train the network that tells head from tail; set extract.heading.weights to its file.

    Parameters
    ----------
    weights
        File to write: ``.safetensors``.
    crops
        ``crops.h5`` of recordings whose head ends a person has checked and corrected.
    """
    from ..depth.heading import model
    from ..depth.heading_training import examples, training
    from ..depth.settings import HeadingTrainingSettings, TrackingSettings
    from ..progress import track

    chosen = read(HeadingTrainingSettings, settings, "train_heading")
    provenance = made_by("train_heading", chosen, crops, seed=seed)
    corrected = [examples.of_crops(path, TrackingSettings()) for path in crops]
    simulated = [
        _simulated(chosen, seed, animal)
        for animal in track(range(chosen.animals), "simulate mice", unit="mice")
    ]
    network = training.train(simulated, corrected, chosen, generator(seed, "train_heading"))
    model.save(weights, network, provenance)


def _simulated(chosen: "HeadingTrainingSettings", seed: int, animal: int) -> "npt.NDArray[np.float64]":
    """Simulate one mouse, track it, and return the features (N, F) of frames with the head ahead."""
    from ..depth.heading_training import examples
    from ..depth.settings import ExtractSettings
    from ..records import tables
    from ..simulate import acquisition, variety

    rng = generator(seed, "train_heading", animal)
    varied = variety.vary(
        rng,
        smallest=chosen.smallest,
        largest=chosen.largest,
        cable_share=chosen.cable_share,
        seconds=chosen.seconds,
    )
    name, lens = f"animal{animal}", varied.camera
    calibration = {
        "fx_px": lens.focal_px,
        "fy_px": lens.focal_px,
        "cx_px": lens.center_x_px,
        "cy_px": lens.center_y_px,
    }
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / name
        acquisition.record(
            folder,
            varied,
            recording=name,
            subject=name,
            group="control",
            seed=seed,
            provenance=Provenance("simulate", {}, seed, {}, ""),
        )
        truth = tables.read(folder / "truth.parquet", tables.TRUTH)
        headings = truth.loc[~truth["dropped"], "heading_rad"].to_numpy("float64")
        return examples.of_recording(
            folder, ExtractSettings.model_validate({"camera": calibration}), headings
        )
