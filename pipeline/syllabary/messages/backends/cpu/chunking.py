"""Long sequences in chunks that advance side by side: the scheme of both chains.

A pass over a chain is a series of dependent steps, each too small to fill the processor. So a sequence
is cut at places that depend on its length alone, and its chunks advance together:

1. *Cut* every sequence into chunks.
2. *Warm up*: a chunk does not have the message of its neighbor yet. The recursion starts from an
   arbitrary message some frames outside the chunk, and forgets it on the way.
3. *Run* the kernel over all chunks, some at a time.
4. *Compare*, at every chunk boundary, the message that a chunk began with and the one that its neighbor
   left. Where the two differ by more than rounding,
5. *repair*: run that chunk again from its neighbor's message.

So an answer is exact to rounding whatever the chain, and its bits do not depend on threads. Each chain
brings its kernels, its warm-up and what it means for its messages to agree: ``hmm.chunks`` and
``lds.chunks``.
"""

from collections.abc import Callable
from functools import cache

import numpy as np

from ..compiled import Bools, Indices
from .threads import each

__all__ = ["ROUNDINGS", "SHORTEST", "cut", "repair"]

# Frames of a chunk, at least and about at most, where a sequence has several.
SHORTEST, LONGEST = 512, 4096
# Roundings by which two messages may differ and still agree.
ROUNDINGS = 64


def cut(frames: int, together: int) -> Indices:
    """First frame of every chunk, and the number of frames.

    Parameters
    ----------
    frames : int
    together : int
        Chunks that one call of a kernel advances. A long sequence fills an even number of calls, so that
        two threads have the same to do.
    """
    return _cut(frames, together, SHORTEST, LONGEST)


@cache
def _cut(frames: int, together: int, shortest: int, longest: int) -> Indices:
    calls = -(-frames // (together * longest))
    calls += calls % 2 if calls > 1 else 0
    number = together * calls if frames >= together * shortest else max(1, frames // shortest)
    return np.arange(number + 1) * frames // number


def repair(
    chunks: Indices,
    sequences: Indices,
    agree: Callable[[Indices], Bools],
    again: Callable[[int], None],
    *,
    backward: bool,
    threads: int,
) -> None:
    """Compare messages at chunk boundaries, and run chunks again that began with a wrong one.

    Chunks of a sequence are repaired in order, for a chunk that runs again leaves another message.

    Parameters
    ----------
    chunks : (n) int
        All chunks that began with the message of a warm-up, in order of time.
    sequences : (n) int
        Sequence of each; those of one sequence are neighbors.
    agree : callable
        (m) chunks to (m) bool: whether each began with the message that its neighbor left.
    again : callable
        Runs one chunk from its neighbor's message.
    backward : bool
        Messages come from the following chunk, not from the one before.
    threads : int
        Sequences that are repaired at a time.
    """
    if not len(chunks):
        return
    good = agree(chunks)
    if good.all():
        return

    def in_order(begin: int, end: int) -> None:
        has_new_neighbor = False
        for n in range(end - 1, begin - 1, -1) if backward else range(begin, end):
            if has_new_neighbor:
                good[n] = agree(chunks[n : n + 1])[0]
            if not good[n]:
                again(int(chunks[n]))
            has_new_neighbor = not good[n]

    names, first, count = np.unique(sequences, return_index=True, return_counts=True)
    wrong = np.isin(names, sequences[~good])
    spans = zip(first[wrong].tolist(), (first + count)[wrong].tolist(), strict=True)
    each(in_order, list(spans), threads)
