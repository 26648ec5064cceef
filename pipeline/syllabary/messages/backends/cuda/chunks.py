"""Long sequences in stretches on a GPU: a block of threads to each, and every seam checked.

A stretch does not know the message its neighbor hands it. At first each gets one from an approach,
frames outside that are swept from an arbitrary message. Then the message that it began with is
compared to the one its neighbor has left, and where they differ by more than rounding it is swept
again from that: some times all side by side, which is enough for a chain that forgets within a
stretch or two, and at last in order, by one block of the sequence, from the first seam that still is
wrong. So the answer is exact to rounding whatever the chain; a chain that never forgets costs a
pass in order and ``1 + REPAIRS`` stretches of the time of one. Each is a launch, of which a call has the
same number whatever happens; nobody waits for the device.

Stretches are numbered in the direction of travel, and where they are depends on the length of a sequence
alone. A message is a row of numbers; one that holds NaN has lost what it should say, and nothing behind
it is swept again.
"""

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ..compiled import Floats
from .block import block_max, cuda, device
from .launch import launch

__all__ = [
    "Boundaries",
    "Reruns",
    "boundaries_for",
    "checks",
    "forgotten",
    "frames_of",
    "in_chunks",
    "max_chunks",
    "number_of",
]

# Frames from which a first message is found, and times that wrong stretches are swept side by side: an
# even number, for messages go from one buffer to the other and end in the first.
WARM_UP, REPAIRS = 64, 2
# Numbers of messages that a thread compares before the block looks whether one was wrong.
AT_ONCE = 8


class Boundaries(NamedTuple):
    """Messages of stretches; B sequences, S stretches at most, messages of M numbers."""

    starts: Tensor
    """(B, S, M), with which a stretch began; of the first of a sequence nothing is said."""
    ends: Tensor
    """(2, B, S, M), which it left."""
    reruns: Tensor
    """(B, S) int64, how often it was swept again."""

    def launches(self) -> Iterator[tuple[int, tuple[Tensor, ...], int]]:
        """Launches of a sweep, one where no sequence has a seam.

        Blocks of each sequence, one for each stretch or one that goes in order; ``starts``, the messages
        of neighbors, those that are left, and ``reruns``; and frames of approach, in the first.
        """
        number, ends = self.starts.shape[1], self.ends
        yield number, (self.starts, ends[0], ends[0], self.reruns), WARM_UP
        if number > 1:
            for k in range(REPAIRS):
                yield number, (self.starts, ends[k % 2], ends[1 - k % 2], self.reruns), 0
            yield 1, (self.starts, ends[0], ends[0], self.reruns), 0


class Reruns(NamedTuple):
    """How often each stretch was swept again, (B, S), numbered in the direction of travel."""

    forward: Tensor
    backward: Tensor | None = None


def boundaries_for(like: Tensor, numbers: int, longest: int) -> Boundaries:
    """Room for messages of ``numbers``; sequences (B, T, ...) in stretches of ``longest`` frames."""
    shape = len(like), max_chunks(like.shape[1], longest)
    starts, ends = like.new_empty((*shape, numbers)), like.new_empty((2, *shape, numbers))
    return Boundaries(starts, ends, torch.zeros(shape, dtype=torch.int64, device=like.device))


def in_chunks(
    kernel: Any, layout: tuple[int, int, int, int], like: Tensor, inputs: Any, outputs: Any
) -> Boundaries:
    """Launch a sweep over (B, T, ...) as often as its stretches may need.

    ``layout`` has threads, bytes of shared memory, numbers of a message, and frames of a stretch.
    """
    threads, shared, numbers, longest = layout
    boundaries = boundaries_for(like, numbers, longest)
    for blocks, messages, warm_up in boundaries.launches():
        spec = (len(like), blocks), threads, shared
        launch(kernel, spec, *inputs, messages, (warm_up, longest), *outputs)
    return boundaries


def max_chunks(frames: int, longest: int) -> int:
    """Stretches that a sequence may have, at least one."""
    return max(1, -(-frames // longest))


@device
def number_of(length: int, longest: int) -> int:
    """Stretches of a sequence, as equal as can be."""
    return (length + longest - 1) // longest


@device
def frames_of(length: int, number: int, k: int) -> tuple[int, int]:
    """First frame of the stretch that is k-th from the left, and the first behind it."""
    return length * k // number, length * (k + 1) // number


@device
def chunks_of_block(number: int, warm_up: int, source: Floats, target: Floats) -> tuple[int, int]:
    """First stretch that a block may sweep, and the first behind the last; the messages that stay."""
    k = cuda.blockIdx.y
    if cuda.gridDim.y == 1:
        return 0, number
    if warm_up == 0 and k < number:
        for m in range(cuda.threadIdx.x, source.shape[1], cuda.blockDim.x):
            target[k, m] = source[k, m]
    return k, min(k + 1, number)


@cache
def checks(agree: Callable[..., bool]) -> Callable[..., int]:
    """Make ``first_wrong(starts, ends, low, high, scratch)``, which all threads of a block call.

    It is the first stretch from ``low`` on that began with a wrong message, or ``high``: ``agree(found,
    true, m)`` compares number m of a message to what the neighbor left.
    """

    @device
    def first_wrong(starts: Floats, ends: Floats, low: int, high: int, scratch: Floats) -> int:
        numbers, together = starts.shape[1], AT_ONCE * cuda.blockDim.x
        for begin in range(low * numbers, high * numbers, together):
            wrong, stop = high, min(begin + together, high * numbers)
            for entry in range(begin + cuda.threadIdx.x, stop, cuda.blockDim.x):
                k, m = entry // numbers, entry % numbers
                if k < wrong and is_valid(ends[k - 1]) and not agree(starts[k], ends[k - 1], m):
                    wrong = k
            wrong = high - int(block_max(starts.dtype.type(high - wrong), scratch))
            if wrong < high:
                return wrong
        return high

    return first_wrong


@device
def is_valid(message: Any) -> bool:
    """Whether a message says anything."""
    return message[0] == message[0]


@device
def forgotten(ends: Floats, number: int) -> bool:
    """Whether a stretch of a sequence lost what it should say; all threads of a block call it."""
    forgot = 0
    cuda.syncthreads()
    for k in range(cuda.threadIdx.x, number, cuda.blockDim.x):
        if not is_valid(ends[k]):
            forgot = 1
    return cuda.syncthreads_or(forgot) != 0
