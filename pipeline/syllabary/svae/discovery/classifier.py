"""What a stretch of latents says of each frame's syllable: the recognizer of states.

A syllable is a movement, told from a few hundred milliseconds on both sides rather than from one
frame. Two convolutions over time see the latents of ``context_frames`` around a frame, with their
changes, and give the log evidence of every state. It is trained on soft labels; how they are come
by is ``discovery``'s matter. Gain and offset of every latent are varied while it learns, as
animals vary in size and posture, so that it knows a syllable in an animal it never saw.
"""

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from ...reduction.kinematics import BRIDGE_TICKS
from ...reduction.latents import LatentSeries
from ..latent_evidence import bridged
from ..settings import ClassifierSettings

__all__ = ["TemporalClassifier", "evidence", "features", "train"]

WINDOW_FRAMES, WINDOWS = 256, 16
# A change from one tick to the next is about a quarter of what latents span.
CHANGE_GAIN = 4.0
# How much a window's latents are stretched and shifted: animals of one litter differ by less.
GAIN_SD, OFFSET_SD = 0.1, 0.2
WEIGHT_DECAY = 1e-2
# Of all units of a layer that are silent in a step.
SILENT = 0.2
LEAST_STEPS = 150
# Log evidence of what the recognizer rules out, nats: a person may still know better.
LEAST_NATS = -12.0

Features = npt.NDArray[np.float32]
Soft = npt.NDArray[np.float32]


class TemporalClassifier(nn.Module):
    """Log evidence of the states, (B, K, T), of features (B, C, T).

    Parameters
    ----------
    channels, states : int
        C and K.
    settings : RecognizerSettings
    rng : numpy Generator
        Draws every weight.
    """

    def __init__(
        self, channels: int, states: int, settings: ClassifierSettings, rng: np.random.Generator
    ):
        super().__init__()
        width, span = settings.width, (settings.context_frames + 1) // 2
        span += 1 - span % 2
        self.near = _drawn(channels, width, span, rng)
        self.far = _drawn(width, width, span, rng)
        self.last = _drawn(width, states, 1, rng)

    @torch.no_grad()
    def reorder(self, order: Tensor) -> None:
        """Renumber the states: the new state i is the old ``order[i]``."""
        for parameter in self.last.parameters():
            parameter.copy_(parameter[order].clone())

    def forward(self, given: Tensor, keep: Tensor | None = None) -> Tensor:
        """Return log evidence; ``keep`` (B, width, 1) scales units, to silence some in training."""
        seen = nn.functional.gelu(self.far(nn.functional.gelu(self.near(given))))
        found: Tensor = self.last(seen if keep is None else seen * keep)
        return found


def features(series: LatentSeries) -> Features:
    """Return what the recognizer sees of a recording, (T, 2 D + 1): latents, changes, seen or not.

    Short gaps are bridged by straight lines; in long ones there is nothing.
    """
    values = bridged(np.asarray(series.values, np.float64), BRIDGE_TICKS)
    known = np.isfinite(values)
    filled = np.where(known, values, 0.0)
    change = np.zeros_like(filled)
    both = known[1:] & known[:-1]
    change[1:] = np.where(both, filled[1:] - filled[:-1], 0.0) * CHANGE_GAIN
    seen = np.asarray(series.observed, np.float64)[:, None]
    return np.concatenate([filled, change, seen], 1).astype(np.float32)


def train(
    given: Sequence[Features],
    targets: Sequence[Soft],
    settings: ClassifierSettings,
    rng: np.random.Generator,
) -> TemporalClassifier:
    """Learn to foretell soft labels.

    Parameters
    ----------
    given : sequence of (T, C)
        Features of recordings.
    targets : sequence of (T, K) float32
        Rows sum to the weight of a frame; a row of zeros teaches nothing.
    settings : RecognizerSettings
    rng : numpy Generator
        The same generator and data give the same weights, bit for bit, on one thread.
    """
    long = [i for i, one in enumerate(given) if len(one)]
    frames = sum(len(given[i]) for i in long)
    shares = np.array([len(given[i]) for i in long]) / max(frames, 1)
    net = TemporalClassifier(given[0].shape[1], targets[0].shape[1], settings, rng)
    steps = settings.epochs * frames // (WINDOW_FRAMES * WINDOWS)
    steps = min(settings.max_steps, max(LEAST_STEPS, steps))
    optimizer = torch.optim.AdamW(net.parameters(), weight_decay=WEIGHT_DECAY)
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = settings.learning_rate * _schedule(step / steps)
        seen, wanted = _windows([given[i] for i in long], [targets[i] for i in long], shares, rng)
        shape = (len(seen), seen.shape[1], 1)
        gain = 1 + GAIN_SD * torch.from_numpy(rng.standard_normal(shape)).float()
        offset = OFFSET_SD * torch.from_numpy(rng.standard_normal(shape)).float()
        keep = torch.from_numpy(rng.random((len(seen), settings.width, 1)) >= SILENT).float()
        said = torch.log_softmax(net(seen * gain + offset, keep / (1 - SILENT)), 1)
        loss = -(wanted * said).sum() / wanted.sum().clamp(min=1)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    return net


@torch.no_grad()
def evidence(net: TemporalClassifier, given: Features) -> npt.NDArray[np.float64]:
    """Return the log probability of every state of a whole recording, (T, K) nats."""
    if not len(given):
        return np.zeros((0, net.last.out_channels))
    said = torch.log_softmax(net(torch.from_numpy(given).mT[None])[0].double(), 0).mT
    return np.asarray(said.clamp(min=LEAST_NATS).numpy(), np.float64)


def _windows(
    given: list[Features], targets: list[Soft], shares: npt.NDArray[np.float64], rng: np.random.Generator
) -> tuple[Tensor, Tensor]:
    """Draw windows anywhere, (B, C, T) and (B, K, T); short recordings are padded with nothing."""
    seen = np.zeros((WINDOWS, WINDOW_FRAMES, given[0].shape[1]), np.float32)
    wanted = np.zeros((WINDOWS, WINDOW_FRAMES, targets[0].shape[1]), np.float32)
    for row, which in enumerate(rng.choice(len(given), WINDOWS, p=shares)):
        begin = int(rng.integers(max(1, len(given[which]) - WINDOW_FRAMES + 1)))
        part = given[which][begin : begin + WINDOW_FRAMES]
        seen[row, : len(part)] = part
        wanted[row, : len(part)] = targets[which][begin : begin + WINDOW_FRAMES]
    return torch.from_numpy(seen).mT, torch.from_numpy(wanted).mT


def _schedule(done: float) -> float:
    """Share of the learning rate: up over three tenths, then a cosine down to nothing."""
    if done < 0.3:
        return 0.04 + 0.96 * 0.5 * (1 - math.cos(math.pi * done / 0.3))
    return 0.5 * (1 + math.cos(math.pi * (done - 0.3) / 0.7))


@torch.no_grad()
def _drawn(inputs: int, outputs: int, span: int, rng: np.random.Generator) -> nn.Conv1d:
    """Weights of variance 1 over the number of inputs, no bias at first."""
    layer = nn.Conv1d(inputs, outputs, span, padding=span // 2, device="meta").to_empty(device="cpu")
    assert layer.bias is not None
    layer.bias.zero_()
    weight = rng.standard_normal(tuple(layer.weight.shape), np.float32) / math.sqrt(inputs * span)
    layer.weight.copy_(torch.from_numpy(weight))
    return layer
