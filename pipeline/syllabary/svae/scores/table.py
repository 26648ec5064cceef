"""All scores of a recording, as rows of a table."""

import math
from collections.abc import Iterator

import numpy as np
import pandas as pd

from ...machine import one_thread
from ...records.crops import Crops
from ..model import Model
from ..settings import EvaluateSettings
from .bound import Score, bound
from .importance import iwae
from .prediction import predictive
from .recording import Recording, open_recording

__all__ = ["table"]


def table(
    model: Model, crops: Crops, settings: EvaluateSettings, rng: np.random.Generator
) -> pd.DataFrame:
    """Score a recording.

    Returns
    -------
    DataFrame
        ``measure`` (bound, iwae, pixels, components), ``horizon`` (frames ahead, 0: none),
        ``samples``, ``frames``, ``nats_per_frame``, ``nats_per_pixel``; NaN where nothing could be
        scored, and per pixel where none was.
    """
    with one_thread("torch"):
        rows = list(_rows(model, open_recording(model, crops), settings, rng))
    return pd.DataFrame(rows)


def _rows(
    model: Model, recording: Recording, settings: EvaluateSettings, rng: np.random.Generator
) -> Iterator[dict[str, str | int | float]]:
    for measure, score in _scores(model, recording, settings, rng):
        yield {
            "measure": measure,
            "horizon": score.horizon,
            "samples": score.samples,
            "frames": score.frames,
            "nats_per_frame": score.nats / score.frames if score.frames else math.nan,
            "nats_per_pixel": score.nats / score.pixels if score.pixels else math.nan,
        }


def _scores(
    model: Model, recording: Recording, settings: EvaluateSettings, rng: np.random.Generator
) -> Iterator[tuple[str, Score]]:
    yield "bound", bound(model, recording, rng=rng, draws=settings.draws)
    clips, frames = settings.clips, settings.clip_frames
    for score in iwae(model, recording, rng=rng, clips=clips, frames=frames, samples=settings.samples):
        yield "iwae", score
    predictions = predictive(
        model,
        recording,
        rng=rng,
        horizons=settings.horizons,
        rollouts=settings.rollouts,
        targets=settings.targets,
        history=settings.history_frames,
    )
    for measure, parts in predictions.items():
        for score in parts:
            yield measure, score
