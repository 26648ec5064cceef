"""Pieces of recordings that networks are trained on, and the messages at their borders."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch

from ...messages import meanfield
from ...priors.interface import Local

__all__ = ["Window", "batches", "boundary_of", "cut", "join"]


class Window(NamedTuple):
    """A piece of a recording."""

    recording: int
    begin: int
    stop: int
    core: tuple[int, int]
    """First frame that is scored, and the frame after the last, counted in the recording."""


def cut(lengths: Sequence[int], core: int, buffer: int, rng: np.random.Generator) -> list[Window]:
    """Cut recordings into pieces, at borders that the generator chooses.

    Parameters
    ----------
    lengths : sequence of int
        Ticks of each recording.
    core, buffer : int
        Frames of a piece that are scored, and that are inferred with them on both sides.
    rng : numpy Generator
    """
    found = []
    for index, frames in enumerate(lengths):
        length = min(frames, core + 2 * buffer)
        first = int(rng.integers(core)) - core if frames > length else 0
        for left in range(first, frames, core if frames > length else frames):
            own = (max(left, 0), min(left + core, frames) if frames > length else frames)
            begin = min(max(own[0] - buffer, 0), frames - length)
            if length >= 2 and own[1] > own[0]:
                found.append(Window(index, begin, begin + length, own))
    return found


def batches(pieces: list[Window], size: int, rng: np.random.Generator) -> list[list[Window]]:
    """Shuffle pieces and put those of one length together."""
    by_length: dict[int, list[Window]] = {}
    for i in rng.permutation(len(pieces)):
        piece = pieces[int(i)]
        by_length.setdefault(piece.stop - piece.begin, []).append(piece)
    found = [same[i : i + size] for same in by_length.values() for i in range(0, len(same), size)]
    return [found[int(i)] for i in rng.permutation(len(found))]


def boundary_of(local: Local, pieces: list[Window]) -> dict[Window, meanfield.BoundaryMessages]:
    """Messages at the borders of one recording's pieces."""
    if not pieces:
        return {}
    begin, stop = (torch.tensor([getattr(p, name) for p in pieces]) for name in ("begin", "stop"))
    fixed_states = local.cache.evidence.states is not None
    found = meanfield.boundary_of(
        local.cache.potentials, local.cache.optimum, begin, stop, fixed_states=fixed_states
    )
    return {
        piece: meanfield.BoundaryMessages(
            found.initial[i : i + 1],
            found.final[i : i + 1],
            (found.first[0][i : i + 1], found.first[1][i : i + 1]),
            (found.last[0][i : i + 1], found.last[1][i : i + 1]),
        )
        for i, piece in enumerate(pieces)
    }


def join(boundary: list[meanfield.BoundaryMessages]) -> meanfield.BoundaryMessages:
    """Put the edges of a batch together."""
    return meanfield.BoundaryMessages(
        torch.cat([e.initial for e in boundary]),
        torch.cat([e.final for e in boundary]),
        (torch.cat([e.first[0] for e in boundary]), torch.cat([e.first[1] for e in boundary])),
        (torch.cat([e.last[0] for e in boundary]), torch.cat([e.last[1] for e in boundary])),
    )
