"""Windows of recordings that networks are trained on, and the messages at their boundaries."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch

from ...messages.meanfield import BoundaryMessages
from ...priors.interface import ChosenNetworkPrior
from ...priors.types import Local, TensorRecord

__all__ = ["Window", "batches", "boundary_of", "cut", "join"]


class Window(NamedTuple):
    """A window of a recording."""

    recording: int
    begin: int
    stop: int
    scored: tuple[int, int]
    """First frame that is scored, and the frame after the last, counted in the recording."""


def cut(lengths: Sequence[int], scored: int, buffer: int, rng: np.random.Generator) -> list[Window]:
    """Cut recordings into windows, at boundaries that the generator chooses.

    Parameters
    ----------
    lengths : sequence of int
        Ticks of each recording.
    scored, buffer : int
        Frames of a window that are scored, and that are inferred with them on both sides.
    rng : numpy Generator
    """
    windows = []
    for index, frames in enumerate(lengths):
        length = min(frames, scored + 2 * buffer)
        first = int(rng.integers(scored)) - scored if frames > length else 0
        for left in range(first, frames, scored if frames > length else frames):
            region = (max(left, 0), min(left + scored, frames) if frames > length else frames)
            begin = min(max(region[0] - buffer, 0), frames - length)
            if length >= 2 and region[1] > region[0]:
                windows.append(Window(index, begin, begin + length, region))
    return windows


def batches(windows: list[Window], size: int, rng: np.random.Generator) -> list[list[Window]]:
    """Shuffle windows, and put those of one length into batches of at most ``size``."""
    by_length: dict[int, list[Window]] = {}
    for i in rng.permutation(len(windows)):
        window = windows[int(i)]
        by_length.setdefault(window.stop - window.begin, []).append(window)
    groups = [same[i : i + size] for same in by_length.values() for i in range(0, len(same), size)]
    return [groups[int(i)] for i in rng.permutation(len(groups))]


def boundary_of(
    prior: ChosenNetworkPrior, local: Local[TensorRecord], windows: list[Window]
) -> dict[Window, BoundaryMessages]:
    """Return the messages at the boundaries of one recording's windows.

    Parameters
    ----------
    prior : NetworkPrior
    local : Local
        Posterior of the whole recording (T, D).
    windows : list of Window
        Of this recording.
    """
    if not windows:
        return {}
    begin = torch.tensor([window.begin for window in windows]).to(local.means.device)
    stop = torch.tensor([window.stop for window in windows]).to(local.means.device)
    messages = prior.boundary_messages(local, begin, stop)
    return {
        window: BoundaryMessages(
            messages.initial[i : i + 1],
            messages.final[i : i + 1],
            (messages.first[0][i : i + 1], messages.first[1][i : i + 1]),
            (messages.last[0][i : i + 1], messages.last[1][i : i + 1]),
        )
        for i, window in enumerate(windows)
    }


def join(boundary: list[BoundaryMessages]) -> BoundaryMessages:
    """Join the messages of a batch of windows along their leading axis."""
    return BoundaryMessages(
        torch.cat([each.initial for each in boundary]),
        torch.cat([each.final for each in boundary]),
        (
            torch.cat([each.first[0] for each in boundary]),
            torch.cat([each.first[1] for each in boundary]),
        ),
        (torch.cat([each.last[0] for each in boundary]), torch.cat([each.last[1] for each in boundary])),
    )
