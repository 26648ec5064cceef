"""Movies of a trained model: the course of each state, and sequences drawn from the prior.

The movie of a state starts at the mean of its frames, half a bout back along their mean step,
and then follows the state's own dynamics without noise. So it shows what all bouts have in
common, which no single example does.
"""

import logging

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ..expfam import mniw
from ..machine import one_thread
from ..priors.blocks import sticky
from ..priors.interface import GlobalParameters, StickyParameters
from ..priors.lookup import find_prior
from ..priors.types import PROCESSOR, moved
from ..provenance import generator
from ..records.clips import Clips
from .latent_evidence import BLOCK
from .model import Model

__all__ = ["decode"]

log = logging.getLogger(__name__)
# States of a smaller share of the training frames get no movie.
MIN_SHARE = 0.005
SHORTEST_S, LONGEST_S = 0.5, 2.0
SIMULATED, SIMULATED_S = 4, 10.0
# Limit of the latents, standard deviations of the state's own frames. Beyond it, an unstable motion
# has left the training data of its state. Those of all frames would cut off rare poses, such as
# rearing, which are far from most frames.
MAX_DEVIATIONS = 3.0


def decode(model: Model, *, seed: int) -> Clips:
    """Return the movies of a model.

    Parameters
    ----------
    model : Model
    seed : int
        Of the study; draws the simulated sequences.
    """
    with one_thread("torch"):
        return _decode(model, seed)


def _decode(model: Model, seed: int) -> Clips:
    prior = find_prior(model.settings.prior)
    # The movies' few numbers are NumPy's; the decoder stays where it is.
    parameters = moved(model.parameters, PROCESSOR)
    hyperprior = mniw.Natural(*(part[None] for part in parameters.hyperprior))
    differences = (a - b for a, b in zip(parameters.dynamics, hyperprior, strict=True))
    sums = mniw.Natural(*differences)
    counts = sums.observations.clamp(min=0)
    used = torch.nonzero(counts >= MIN_SHARE * counts.sum()).flatten()
    frames = max(1, round(LONGEST_S * model.fps))
    lengths = _durations(parameters, model.fps)[used.numpy()]
    low, high = _range(sums)
    latents = np.stack(
        [
            _path(parameters.dynamics, sums, int(k), n, frames, (low[k], high[k]))
            for k, n in zip(used, lengths, strict=True)
        ]
    )
    drawn = [
        prior.sample(parameters, generator(seed, "clips", i), T=max(1, round(SIMULATED_S * model.fps)))
        for i in range(SIMULATED)
    ]
    simulated = torch.stack([sequence.latents for sequence in drawn]).nan_to_num()
    lowest, highest = low[used].amin(0), high[used].amax(0)
    limited = ((simulated < lowest) | (simulated > highest)).any(-1)
    if limited.any():
        log.warning(
            "%.1f %% of the simulated frames leave the range of the training frames and are shown at "
            "its limit.", 100 * float(limited.double().mean()),
        )  # fmt: skip
    simulated = simulated.clamp(lowest, highest)
    return Clips(
        state=used.numpy(),
        length=lengths,
        latents=latents,
        poses=_heights(model, latents),
        simulated_states=np.stack([sequence.states.numpy() for sequence in drawn]),
        simulated_limited=limited.numpy(),
        simulated_heights=_heights(model, simulated.numpy()),
        fps=model.fps,
        pixel_mm=float(model.pca().pixel_mm),
    )


def _durations(parameters: GlobalParameters, fps: float) -> npt.NDArray[np.int64]:
    """Mean bout of each state by the counted steps, frames, within the limits of a movie."""
    shortest, longest = max(1, round(SHORTEST_S * fps)), max(1, round(LONGEST_S * fps))
    if not isinstance(parameters, StickyParameters):
        return np.full(len(parameters.dynamics.observations), shortest)
    stay = sticky.counted(parameters.transition, parameters.kappa).diagonal().clamp(0, 1 - 1e-9)
    durations: Tensor = (1 / (1 - stay)).round().long().clamp(shortest, longest)
    return durations.numpy()


def _range(sums: mniw.Natural) -> tuple[Tensor, Tensor]:
    """Limits of the latents, (K, D) each, that the frames of each state make plausible."""
    count = sums.observations.clamp(min=1)[:, None]
    mean = sums.precision_mean[..., -1] / count
    # Steps on batches may leave sums that no frames have; their variance is then 0.
    variance = (sums.scatter.diagonal(dim1=-2, dim2=-1) / count - mean**2).clamp(min=0)
    return mean - MAX_DEVIATIONS * variance.sqrt(), mean + MAX_DEVIATIONS * variance.sqrt()


def _path(
    dynamics: mniw.Natural,
    sums: mniw.Natural,
    state: int,
    length: int,
    frames: int,
    within: tuple[Tensor, Tensor],
) -> npt.NDArray[np.float64]:
    """Latents of one state's movie, (frames, D): its dynamics, then the last pose held."""
    weights = mniw.to_standard(dynamics).mean[state]
    size, width = weights.shape
    count = sums.observations[state].clamp(min=1)
    mean = sums.precision_mean[state, :, -1] / count
    if width == 1:
        still = weights[:, 0].clamp(*within)
        return still.expand(frames, size).numpy().copy()
    # Mean regressors are the mean of the frames before, the latest first.
    past: Tensor = (sums.precision[state, :-1, -1] / count).reshape(-1, size)
    past = past - (mean - past[0]) * (length / 2)
    latents = np.empty((frames, size))
    for t in range(frames):
        if t < length:
            ahead = weights @ torch.cat([past.flatten(), past.new_ones(1)])
            past = torch.cat([ahead.clamp(*within)[None], past[:-1]])
        latents[t] = past[0].numpy()
    return latents


@torch.no_grad()
def _heights(model: Model, latents: npt.NDArray[np.floating]) -> npt.NDArray[np.uint8]:
    """Decode latents (n, T, D), of which the pose is first, to heights (n, T, H, W), mm."""
    decoder = model.networks().decoder
    pose = latents[..., : len(decoder.scale)]
    flat = torch.from_numpy(np.asarray(pose, np.float32)).flatten(0, 1).to(model.device)
    parts = [
        decoder(block).clamp(0, 255).round().byte().cpu().numpy() for block in torch.split(flat, BLOCK)
    ]
    size = model.pca().mean.shape
    whole = np.concatenate(parts) if parts else np.zeros((0, *size), np.uint8)
    return whole.reshape(*latents.shape[:2], *size)
