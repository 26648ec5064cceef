"""Long sequences in stretches that advance side by side.

A sweep is a chain of dependent steps, each too small to fill the processor. So a sequence is
cut, at places that depend on its length alone, and its stretches advance together. A stretch
does not know the message that its neighbor hands it. It gets one from an *approach*: a sweep
that starts from an arbitrary message some frames outside and forgets it on the way. When the
neighbor is done the two are compared, at every seam; where they differ by more than rounding
the stretch is done again from its neighbor's.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...compiled import Floats

__all__ = ["SHORTEST", "TOGETHER", "agree", "cut", "in_turn"]

# Frames of a stretch, and stretches that one call of a kernel advances.
SHORTEST, LONGEST, TOGETHER = 512, 4096, 8
# Frames of a stretch that waits for its neighbor.
ALONE = 8192
# What two messages may differ by that are one: relative, 64 roundings; and what counts as zero.
LIMITS = {
    np.dtype(kind): (64 * np.finfo(kind).eps, np.finfo(kind).tiny) for kind in (np.float32, np.float64)
}


def cut(frames: int) -> NDArray[np.int64]:
    """First frame of every stretch, and the number of frames, where stretches advance together.

    An even number of times as many as one call of a kernel advances: so that two threads have as much
    to do.
    """
    times = -(-frames // (TOGETHER * LONGEST))
    times += times % 2 if times > 1 else 0
    number = TOGETHER * times if frames >= SHORTEST * TOGETHER else max(1, frames // SHORTEST)
    return np.arange(number + 1) * frames // number


def in_turn(frames: int) -> NDArray[np.int64]:
    """First frame of every stretch, and the number of frames, where each waits for another."""
    return np.append(np.arange(0, frames, ALONE), frames)


def agree(found: Floats, expected: Floats) -> Any:
    """Whether two messages are one in every entry, however small; (..., K) to (...).

    Relative errors of a message can only shrink on its way, whatever evidence brings back.
    """
    relative, tiny = LIMITS[found.dtype]
    allowed = relative * np.maximum(found, expected) + tiny
    return (abs(found - expected) <= allowed).all(-1)
