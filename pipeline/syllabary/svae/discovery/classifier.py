"""Temporal classifier: the syllable of each frame from the latents around it.

A syllable is a movement, which shows in a few hundred milliseconds on both sides of a frame. Two
convolutions over time take the latents of ``context_frames`` around a frame, and their changes, and
give the log evidence of every state. The classifier is trained on soft labels, which ``discovery``
provides. During training the gain and offset of every latent vary, as animals vary in size and posture,
so that the classifier generalizes to other animals.
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
# Changes between ticks are about a quarter as large as latents.
CHANGE_GAIN = 4.0
# SD of the gain and offset of a window's latents during training; animals of one litter differ by less.
GAIN_SD, OFFSET_SD = 0.1, 0.2
WEIGHT_DECAY = 1e-2
# Share of hidden units that are set to zero in a step.
DROPOUT = 0.2
MIN_STEPS = 150
MAX_STEPS = 4000
# Smallest log evidence, nats, so that labels of people can overrule the classifier.
MIN_NATS = -12.0

Features = npt.NDArray[np.float32]
SoftLabels = npt.NDArray[np.float32]


class TemporalClassifier(nn.Module):
    """Log evidence of the states, (B, K, T), of features (B, C, T).

    Parameters
    ----------
    channels, states : int
        C and K.
    settings : ClassifierSettings
    rng : numpy Generator
        Draws every weight.
    """

    def __init__(
        self, channels: int, states: int, settings: ClassifierSettings, rng: np.random.Generator
    ):
        super().__init__()
        width, span = settings.width, (settings.context_frames + 1) // 2
        span += 1 - span % 2
        self.near = _convolution(channels, width, span, rng)
        self.far = _convolution(width, width, span, rng)
        self.last = _convolution(width, states, 1, rng)

    @torch.no_grad()
    def reorder(self, order: Tensor) -> None:
        """Renumber the states: the new state i is the old ``order[i]``."""
        for parameter in self.last.parameters():
            parameter.copy_(parameter[order].clone())

    def forward(self, inputs: Tensor, keep: Tensor | None = None) -> Tensor:
        """Return log evidence; ``keep`` (B, width, 1) scales hidden units, for dropout in training."""
        hidden = nn.functional.gelu(self.far(nn.functional.gelu(self.near(inputs))))
        evidence: Tensor = self.last(hidden if keep is None else hidden * keep)
        return evidence


def features(series: LatentSeries) -> Features:
    """Return the input of the classifier: latents, their changes, and whether they were observed.

    Short gaps are bridged by straight lines; longer gaps are zeros.

    Returns
    -------
    (T, 2 D + 1) float32
    """
    values = bridged(np.asarray(series.values, np.float64), BRIDGE_TICKS)
    finite = np.isfinite(values)
    filled = np.where(finite, values, 0.0)
    change = np.zeros_like(filled)
    both = finite[1:] & finite[:-1]
    change[1:] = np.where(both, filled[1:] - filled[:-1], 0.0) * CHANGE_GAIN
    observed = np.asarray(series.observed, np.float64)[:, None]
    return np.concatenate([filled, change, observed], 1).astype(np.float32)


def train(
    inputs: Sequence[Features],
    targets: Sequence[SoftLabels],
    settings: ClassifierSettings,
    rng: np.random.Generator,
) -> TemporalClassifier:
    """Train a classifier on soft labels.

    Parameters
    ----------
    inputs : sequence of (T, C) float32
        Features of recordings.
    targets : sequence of (T, K) float32
        Rows sum to the weight of a frame; rows of zeros have no influence.
    settings : ClassifierSettings
    rng : numpy Generator
        The same generator and data give the same weights, bit for bit, on one thread.
    """
    recordings = [(x, y) for x, y in zip(inputs, targets, strict=True) if len(x)]
    lengths = np.array([len(x) for x, _ in recordings])
    frames = int(lengths.sum())
    shares = lengths / max(frames, 1)
    net = TemporalClassifier(inputs[0].shape[1], targets[0].shape[1], settings, rng)
    steps = settings.epochs * frames // (WINDOW_FRAMES * WINDOWS)
    steps = min(MAX_STEPS, max(MIN_STEPS, steps))
    optimizer = torch.optim.AdamW(net.parameters(), weight_decay=WEIGHT_DECAY)
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = settings.learning_rate * _rate_share(step / steps)
        batch, target = _windows(recordings, shares, rng)
        shape = (len(batch), batch.shape[1], 1)
        gain = 1 + GAIN_SD * torch.from_numpy(rng.standard_normal(shape)).float()
        offset = OFFSET_SD * torch.from_numpy(rng.standard_normal(shape)).float()
        keep = torch.from_numpy(rng.random((len(batch), settings.width, 1)) >= DROPOUT).float()
        log_probability = torch.log_softmax(net(batch * gain + offset, keep / (1 - DROPOUT)), 1)
        loss = -(target * log_probability).sum() / target.sum().clamp(min=1)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    return net


@torch.no_grad()
def evidence(net: TemporalClassifier, inputs: Features) -> npt.NDArray[np.float64]:
    """Return the log probability of every state in a whole recording.

    Parameters
    ----------
    net : TemporalClassifier
    inputs : (T, C) float32
        From ``features``.

    Returns
    -------
    (T, K) float64
        Nats, at least ``MIN_NATS``.
    """
    if not len(inputs):
        return np.zeros((0, net.last.out_channels))
    log_probability = torch.log_softmax(net(torch.from_numpy(inputs).mT[None])[0].double(), 0).mT
    return np.asarray(log_probability.clamp(min=MIN_NATS).numpy(), np.float64)


def _windows(
    recordings: Sequence[tuple[Features, SoftLabels]],
    shares: npt.NDArray[np.float64],
    rng: np.random.Generator,
) -> tuple[Tensor, Tensor]:
    """Draw random windows (B, C, T) and (B, K, T); short recordings are padded with zeros."""
    channels, states = (part.shape[1] for part in recordings[0])
    batch = np.zeros((WINDOWS, WINDOW_FRAMES, channels), np.float32)
    target = np.zeros((WINDOWS, WINDOW_FRAMES, states), np.float32)
    for row, index in enumerate(rng.choice(len(recordings), WINDOWS, p=shares)):
        inputs, targets = recordings[index]
        begin = int(rng.integers(max(1, len(inputs) - WINDOW_FRAMES + 1)))
        part = inputs[begin : begin + WINDOW_FRAMES]
        batch[row, : len(part)] = part
        target[row, : len(part)] = targets[begin : begin + WINDOW_FRAMES]
    return torch.from_numpy(batch).mT, torch.from_numpy(target).mT


def _rate_share(done: float) -> float:
    """Share of the learning rate: it rises over three tenths of the steps, then falls to 0."""
    if done < 0.3:
        return 0.04 + 0.96 * 0.5 * (1 - math.cos(math.pi * done / 0.3))
    return 0.5 * (1 + math.cos(math.pi * (done - 0.3) / 0.7))


@torch.no_grad()
def _convolution(inputs: int, outputs: int, span: int, rng: np.random.Generator) -> nn.Conv1d:
    """A convolution with weights of variance 1 over the number of inputs, and bias 0."""
    layer = nn.Conv1d(inputs, outputs, span, padding=span // 2, device="meta").to_empty(device="cpu")
    assert layer.bias is not None
    layer.bias.zero_()
    weight = rng.standard_normal(tuple(layer.weight.shape), np.float32) / math.sqrt(inputs * span)
    layer.weight.copy_(torch.from_numpy(weight))
    return layer
