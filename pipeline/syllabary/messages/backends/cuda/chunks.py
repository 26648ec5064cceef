"""Long sequences in chunks on a GPU: a block of threads for each, and every chunk boundary compared.

The scheme is that of ``cpu.chunking``, in launches. First every chunk warms up over some frames
outside it, from an arbitrary message, and runs. Then the message that each chunk began with is
compared with the one that its neighbor left. Chunks for which the two differ by more than rounding run
again: ``REPAIRS`` times all side by side, which is enough for a chain that forgets within a chunk or
two; at last in order, in one block for each sequence, from the first boundary that is still wrong. So
the answer is exact to rounding whatever the chain. A chain that never forgets costs a pass in order
and ``1 + REPAIRS`` times the time of one chunk. The number of launches is fixed, and no launch waits
for results of another on the host.

Chunks are numbered in the direction of the pass. Their places depend on the lengths of the sequence
and of the batch, and on the device's multiprocessors. A message is a row of numbers. A message with NaN
has lost too much, and no later chunk runs again.
"""

from collections.abc import Callable, Iterator
from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor

from ..compiled import Floats, Indices
from .block import WARP_SIZE, Kernel, cuda, device
from .launch import launch, packed

__all__ = [
    "Boundaries",
    "Reruns",
    "boundaries_for",
    "checks",
    "chunks_of_block",
    "first_faults",
    "forgotten",
    "frames_of",
    "in_chunks",
    "length_for",
    "max_chunks",
    "number_of",
]

# Frames of a warm-up, and times that wrong chunks run again side by side: an even number, for messages
# go from one buffer to the other and end in the first.
WARM_UP, REPAIRS = 64, 2
# Frames of a chunk at least, where a sequence has several.
SHORTEST = 32
# Warps that keep a multiprocessor busy with the kernels' dependent steps; more only share its time.
# Multiprocessors of a device that cannot be asked, an H200's.
BUSY, MULTIPROCESSORS = 10, 132
# Chunks of a sequence at most, which are blocks along a grid's second axis; they become longer instead.
MAX_CHUNKS = 65535


class Boundaries(NamedTuple):
    """Messages of chunks; B sequences, S chunks at most, messages of M numbers."""

    starts: Tensor
    """(B, S, M), with which a chunk began; undefined for the first chunk of a sequence."""
    ends: Tensor
    """(2, B, S, M), which a chunk left."""
    reruns: Tensor
    """(B, S) int64, how often a chunk ran again."""

    def launches(self) -> Iterator[tuple[int, tuple[Tensor, ...], int]]:
        """Launches of a pass; a single one where no sequence has two chunks.

        Each is the number of blocks of a sequence (one for each chunk, or one in order); ``starts``,
        the messages of neighbors, those that are left, and ``reruns``; and the frames of warm-up, 0
        after the first launch.
        """
        number, ends = self.starts.shape[1], self.ends
        yield number, (self.starts, ends[0], ends[0], self.reruns), WARM_UP
        if number > 1:
            for k in range(REPAIRS):
                yield number, (self.starts, ends[k % 2], ends[1 - k % 2], self.reruns), 0
            yield 1, (self.starts, ends[0], ends[0], self.reruns), 0


class Reruns(NamedTuple):
    """How often each chunk ran again, (B, S), numbered in the direction of the pass."""

    forward: Tensor
    backward: Tensor | None = None


def boundaries_for(like: Tensor, numbers: int, longest: int) -> Boundaries:
    """Memory for messages of ``numbers``; sequences (B, T, ...) in chunks of ``longest`` frames."""
    shape = len(like), max_chunks(like.shape[1], longest)
    starts, ends = like.new_empty((*shape, numbers)), like.new_empty((2, *shape, numbers))
    return Boundaries(starts, ends, torch.zeros(shape, dtype=torch.int64, device=like.device))


def in_chunks(
    kernel: Kernel,
    layout: tuple[int, int, int, int],
    like: Tensor,
    inputs: tuple[object, ...],
    outputs: tuple[object, ...],
) -> Boundaries:
    """Launch a pass over (B, T, ...) as often as its chunks may need.

    ``layout`` holds threads, bytes of shared memory, numbers of a message, and frames of a chunk.
    """
    threads, shared, numbers, longest = layout
    boundaries = boundaries_for(like, numbers, longest)
    inputs, outputs = packed(inputs), packed(outputs)
    for blocks, messages, warm_up in boundaries.launches():
        spec = (len(like), blocks), threads, shared
        launch(kernel, spec, *inputs, messages, (warm_up, longest), *outputs)
    return boundaries


def first_faults(faults: Tensor) -> Tensor:
    """Earliest of the faults of chunks, (B, S) to (B); −1 for none."""
    none = torch.iinfo(faults.dtype).max
    first = torch.where(faults < 0, none, faults).amin(1)
    return torch.where(first == none, -1, first)


def length_for(like: Tensor, threads: int, blocks: int) -> int:
    """Frames of a chunk at most, for sequences (B, T, ...).

    ``blocks`` of so many ``threads`` fit on a multiprocessor at a time. Another device or another shape
    of the batch may get other chunks, and so other roundings.
    """
    count, frames = like.shape[:2]
    return best_length(frames, count, threads // WARP_SIZE, blocks, multiprocessors(like.device))


@cache
def best_length(frames: int, count: int, warps: int, blocks: int, processors: int) -> int:
    """Frames of a chunk with which ``count`` sequences take the least time.

    Chunks take their frames and the warm-up. More than fit at a time wait, and more than keep a
    multiprocessor busy slow each other down.
    """
    limit = max(1, frames // SHORTEST)
    numbers = {1} | {min(limit, processors * n // max(1, count)) for n in range(1, 2 * blocks + 1)}

    def cost(number: int) -> float:
        crowd = max(1, -(-count * number // processors))
        busy = max(1.0, min(crowd, blocks) * warps / BUSY) * -(-crowd // blocks)
        return busy * (-(-frames // number) + (WARM_UP if number > 1 else 0))

    return max(1, -(-frames // min(sorted(numbers - {0}), key=cost)))


@cache
def multiprocessors(device: torch.device) -> int:
    """How many a GPU has; the simulator's tensors lie on the processor."""
    if device.type != "cuda":
        return MULTIPROCESSORS
    return int(torch.cuda.get_device_properties(device).multi_processor_count)


def max_chunks(frames: int, longest: int) -> int:
    """Chunks that a sequence may have, at least one."""
    return max(1, min(MAX_CHUNKS, -(-frames // longest)))


@device
def number_of(length: int, longest: int) -> int:
    """Chunks of a sequence, as equal as possible."""
    return min(MAX_CHUNKS, (length + longest - 1) // longest)


@device
def frames_of(length: int, number: int, k: int) -> tuple[int, int]:
    """First frame of the k-th chunk in time, and the first frame after it."""
    return length * k // number, length * (k + 1) // number


@device
def chunks_of_block(number: int, warm_up: int, source: Floats, target: Floats) -> tuple[int, int]:
    """First chunk of a block and the first after its last; copies the messages that stay."""
    k = cuda.blockIdx.y
    if cuda.gridDim.y == 1:
        return 0, number
    if warm_up == 0 and k < number:
        for m in range(cuda.threadIdx.x, source.shape[1], cuda.blockDim.x):
            target[k, m] = source[k, m]
    return k, min(k + 1, number)


@cache
def checks(agree: Callable[..., bool]) -> Callable[..., int]:
    """Make ``first_wrong(starts, ends, reruns, low, high)``, which all threads of a block call.

    The result is the first chunk from ``low`` on that began with a wrong message, or ``high``.
    ``agree(message, true, m)`` compares number m of a message with that of the neighbor. In order, a
    chunk is compared only if its neighbor ran again: else the launch before has compared the two.
    """

    @device
    def first_wrong(starts: Floats, ends: Floats, reruns: Indices, low: int, high: int) -> int:
        while low < high:
            if cuda.gridDim.y == 1:
                low = next_changed(reruns, low, high)
            is_wrong = 0
            if low < high and is_valid(ends[low - 1]):
                for m in range(cuda.threadIdx.x, starts.shape[1], cuda.blockDim.x):
                    if not agree(starts[low], ends[low - 1], m):
                        is_wrong = 1
            if cuda.syncthreads_or(is_wrong) != 0:
                return low
            low += 1
        return high

    return first_wrong


@device
def next_changed(reruns: Indices, low: int, high: int) -> int:
    """First chunk from ``low`` on whose neighbor ran again, or at least ``high``."""
    while low < high:
        has_changed, stop = 0, min(low + cuda.blockDim.x, high)
        for k in range(low + cuda.threadIdx.x, stop, cuda.blockDim.x):
            has_changed = 1 if reruns[k - 1] > 0 else 0
        if cuda.syncthreads_or(has_changed) != 0:
            # So few that every thread looks for itself.
            while reruns[low - 1] == 0:
                low += 1
            return low
        low = stop
    return high


@device
def is_valid(message: Floats) -> bool:
    """Whether a message has lost nothing."""
    # NaN differs from itself.
    return message[0] == message[0]


@device
def forgotten(ends: Floats, number: int) -> bool:
    """Whether a chunk of a sequence lost too much; all threads of a block call it."""
    is_lost = 0
    cuda.syncthreads()
    for k in range(cuda.threadIdx.x, number, cuda.blockDim.x):
        if not is_valid(ends[k]):
            is_lost = 1
    return cuda.syncthreads_or(is_lost) != 0
