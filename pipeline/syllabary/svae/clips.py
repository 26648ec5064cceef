"""Ask a trained model what its syllables look like, and for sequences of its own.

The movie of a syllable starts where its frames are on average, half a bout back along their mean
step, and then follows the syllable's own dynamics without noise. So it shows what the model took
to be common to all bouts, which no single example does.
"""

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from .. import registry
from ..expfam import mniw
from ..machine import one_thread
from ..provenance import generator
from ..records.clips import Clips
from .latent_evidence import BLOCK
from .model import Model

__all__ = ["decode"]

# States of a smaller share of the training frames are no syllables to look at.
LEAST_SHARE = 0.005
SHORTEST_S, LONGEST_S = 0.5, 2.0
SIMULATED, SIMULATED_S = 4, 10.0
# In standard deviations of a state's own frames: beyond, an unstable motion has left all that
# training saw of it. Of all frames would not do: a rare pose, such as rearing, lies far from most.
FARTHEST = 3.0


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
    prior = registry.find("syllabary.priors", model.settings.prior)
    parameters = model.parameters
    hyperprior = mniw.Natural(*(part[None] for part in parameters.hyperprior))
    sums = mniw.Natural(*(own - new for own, new in zip(parameters.dynamics, hyperprior, strict=True)))
    counts = sums.observations.clamp(min=0)
    used = torch.nonzero(counts >= LEAST_SHARE * counts.sum()).flatten()
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
    own = torch.stack([one.latents for one in drawn]).nan_to_num()
    own = own.clamp(low[used].amin(0), high[used].amax(0))
    return Clips(
        syllable=used.numpy(),
        length=lengths,
        latents=latents,
        poses=_heights(model, latents),
        simulated_states=np.stack([one.states.numpy() for one in drawn]),
        simulated_heights=_heights(model, own.numpy()),
        fps=model.fps,
        pixel_mm=float(model.pca().pixel_mm),
    )


def _durations(parameters: object, fps: float) -> npt.NDArray[np.int64]:
    """Mean bout of each state by the steps counted, frames, within what can be looked at."""
    shortest, longest = max(1, round(SHORTEST_S * fps)), max(1, round(LONGEST_S * fps))
    rows = getattr(parameters, "transition", None)
    if rows is None:
        return np.full(len(parameters.dynamics.observations), shortest)  # type: ignore[attr-defined]
    counted = rows.concentration - torch.diag(parameters.kappa.expand(len(rows.concentration)))  # type: ignore[attr-defined]
    stay = (counted.diagonal() / counted.sum(-1)).clamp(0, 1 - 1e-9)
    found: npt.NDArray[np.int64] = (1 / (1 - stay)).round().long().clamp(shortest, longest).numpy()
    return found


def _range(sums: mniw.Natural) -> tuple[Tensor, Tensor]:
    """Least and greatest latents, (K, D), that the frames of each state make plausible."""
    count = sums.observations.clamp(min=1)[:, None]
    mean = sums.precision_mean[..., -1] / count
    # Steps on batches may leave sums that no frames have: their variance is then nought.
    variance = (sums.scatter.diagonal(dim1=-2, dim2=-1) / count - mean**2).clamp(min=0)
    return mean - FARTHEST * variance.sqrt(), mean + FARTHEST * variance.sqrt()


def _path(
    dynamics: mniw.Natural,
    sums: mniw.Natural,
    state: int,
    length: int,
    frames: int,
    within: tuple[Tensor, Tensor],
) -> npt.NDArray[np.float64]:
    """Latents of one syllable's movie, (frames, D): its dynamics, then the last pose held."""
    weights = mniw.to_standard(dynamics).mean[state]
    size, width = weights.shape
    count = sums.observations[state].clamp(min=1)
    mean = sums.precision_mean[state, :, -1] / count
    if width == 1:
        still = weights[:, 0].clamp(*within)
        return still.expand(frames, size).numpy().copy()
    # Mean regressors are the mean of the frames before: the latest first.
    past: Tensor = (sums.precision[state, :-1, -1] / count).reshape(-1, size)
    past = past - (mean - past[0]) * (length / 2)
    found = np.empty((frames, size))
    for t in range(frames):
        if t < length:
            ahead = weights @ torch.cat([past.flatten(), past.new_ones(1)])
            past = torch.cat([ahead.clamp(*within)[None], past[:-1]])
        found[t] = past[0].numpy()
    return found


@torch.no_grad()
def _heights(model: Model, latents: npt.NDArray[np.floating]) -> npt.NDArray[np.uint8]:
    """Decode latents (n, T, D), of which the pose is first, to heights (n, T, H, W), mm."""
    decoder = model.networks().decoder
    pose = latents[..., : len(decoder.scale)]
    flat = torch.from_numpy(np.asarray(pose, np.float32)).flatten(0, 1)
    parts = [decoder(block).clamp(0, 255).round().byte().numpy() for block in torch.split(flat, BLOCK)]
    size = model.pca().mean.shape
    whole = np.concatenate(parts) if parts else np.zeros((0, *size), np.uint8)
    return whole.reshape(*latents.shape[:2], *size)
