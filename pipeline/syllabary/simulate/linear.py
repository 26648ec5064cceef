"""Crops of a switching linear system, the case for which PCA with an AR-HMM is exact.

Latents are an AR-HMM of one lag. A crop is the mean of a simulated mouse plus its leading principal
components, each weighted by one latent, plus white noise. Where the sum could fall below the
floor, the mean is raised, so that nothing is clipped. Such an animal has neither position nor
heading.
"""

from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..progress import track
from ..provenance import Provenance, generator
from ..records import tables
from ..records.crops import SCALARS, TRACKING, CropsWriter
from . import crops, latent, motion, rendering, sensor
from .acquisition import START_TIME
from .settings import NoiseSettings, SimulateSettings

__all__ = ["Appearance", "chain", "find_appearance", "render"]

F64 = npt.NDArray[np.float64]
DIMS = 8
DURATION_FRAMES = 12.0
# Clean crops that the components are found in.
ANIMALS, ANIMAL_S = 3, 20.0
# A pixel whose heights vary less is left at the floor.
MIN_SD_MM = 0.5
# Distance of the mean from the floor, in standard deviations of signal and noise.
ROOM = 5.0
PARAMETER_FRAMES = 20_000


class Appearance(NamedTuple):
    """From latents of variance 1 to heights."""

    mean: F64  # (H, W) mm; raised
    images: F64  # (D, H, W) mm per standard deviation of a latent
    moves: npt.NDArray[np.bool_]  # (H, W) pixels that change; the others are 0


@cache
def find_appearance(dims: int, noise_sd_mm: float) -> Appearance:
    """Find mean and leading components of a simulated mouse; the same mouse every time."""
    clean = NoiseSettings(temporal_sd_mm=0, flying=0, edge_dropout=0)
    settings = SimulateSettings(duration_s=ANIMAL_S, noise=clean)
    parts = []
    for i in range(ANIMALS):
        who = f"m{i + 1}"
        performed = motion.perform(settings, recording=who, subject=who, group="control", seed=0)
        parts.append(crops.clean(performed, settings)[::2])
    heights = np.concatenate(parts).reshape(-1, crops.SIDE**2).astype(np.float64)
    mean = heights.mean(0)
    _, size, basis = np.linalg.svd(heights - mean, full_matrices=False)
    images = basis[:dims] * size[:dims, None] / np.sqrt(len(heights))
    spread = np.sqrt((images**2).sum(0))
    moves = spread > MIN_SD_MM
    mean = np.where(moves, np.maximum(mean, ROOM * np.hypot(spread, noise_sd_mm)), 0)
    shape = (crops.SIDE, crops.SIDE)
    return Appearance(mean.reshape(shape), (images * moves).reshape(dims, *shape), moves.reshape(shape))


def chain(seed: int, states: int, dims: int = DIMS) -> latent.ARHMM:
    """Draw what all animals of a study share: the parameters of the chain."""
    rng = generator(seed, "linear", states, dims)
    return latent.arhmm(
        rng,
        states=states,
        dims=dims,
        lags=1,
        frames=PARAMETER_FRAMES,
        duration_frames=DURATION_FRAMES,
        memory=0.85,
        noise_sd=0.2,
    )


def render(
    crops_path: Path | str,
    truth_path: Path | str,
    settings: SimulateSettings,
    *,
    states: int,
    recording: str,
    seed: int,
    provenance: Provenance,
) -> None:
    """Write ``crops.h5`` and ``truth.parquet`` of one session, each whole or not at all.

    Parameters
    ----------
    crops_path, truth_path : path
        Files as ``crops.render`` writes them; scalars and places are NaN.
    settings : SimulateSettings
        Duration, clock, lost frames, and the noise of a pixel count.
    states : int
        K; a bout lasts 12 frames on average.
    recording : str
        Recordings of one seed share parameters, and each has its own draw.
    seed : int
    provenance : Provenance
    """
    shared = chain(seed, states)
    rng = generator(seed, "linear", "draw", recording)
    drawn = latent.again(shared, rng, settings.ticks)
    latents = (drawn.x - shared.x.mean(0)) / shared.x.std(0)
    stamps_ms, dropped = sensor.clock(settings.ticks, settings.camera, settings.drops, rng)
    time_s, frame = (stamps_ms - stamps_ms[0]) / 1000, np.where(dropped, -1, np.cumsum(~dropped) - 1)
    noise_mm, appearance = (
        settings.noise.temporal_sd_mm,
        find_appearance(latents.shape[1], settings.noise.temporal_sd_mm),
    )
    size = appearance.mean.shape
    with CropsWriter(crops_path, recording=recording, pixel_mm=crops.PIXEL_MM, size=size) as writer:
        starts = range(0, settings.ticks, crops.BLOCK_TICKS)
        for start in track(starts, f"simulate {recording}", unit="frames", step=crops.BLOCK_TICKS):
            part = slice(start, start + crops.BLOCK_TICKS)
            recorded = ~dropped[part, None, None]
            heights = appearance.mean + np.tensordot(latents[part], appearance.images, 1)
            heights += noise_mm * rng.standard_normal(heights.shape)
            whole = np.clip(np.rint(heights), 0, 255).astype(np.uint8) * appearance.moves * recorded
            writer.append(whole, np.broadcast_to(recorded, whole.shape))
        unknown = np.full(settings.ticks, np.nan)
        writer.finish(
            frame=frame,
            time_s=time_s,
            start_time=START_TIME,
            scalars=dict.fromkeys(SCALARS, unknown),
            tracking={**dict.fromkeys(TRACKING, unknown), "detected": ~dropped},
            arena=crops.arena(rendering.camera_of(settings.camera, settings.arena), settings),
            provenance=provenance,
        )
    table = pd.DataFrame(
        {
            "frame": frame,
            "time_s": time_s,
            "syllable": drawn.z,
            "behavior": [f"state {k}" for k in drawn.z],
            **dict.fromkeys(("x_mm", "y_mm", "heading_rad", "height_mm"), unknown),
            "dropped": dropped,
        }
    )
    tables.write(truth_path, table, provenance, tables.TRUTH)
