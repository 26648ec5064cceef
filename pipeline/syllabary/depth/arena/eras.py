"""Where the arena was, from which frame on."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from .geometry import Arena

__all__ = ["Era", "Eras"]

Array = npt.NDArray[np.float64]


class Era(NamedTuple):
    """Frames during which the arena stayed in place, and the arena."""

    frames: slice
    arena: Arena


class Eras:
    """The arena of every frame; an arena that never moves has one era.

    Parameters
    ----------
    arena : Arena
        The arena at pose 0 (see ``stillness``).
    """

    def __init__(self, arena: Arena) -> None:
        self.arena = arena
        self.first = [0]
        self.poses = [np.zeros(3)]

    def add(self, frame: int, pose: Array) -> Arena:
        """Begin an era at a frame, and return its arena."""
        if frame == self.first[-1]:
            self.first.pop()
            self.poses.pop()
        self.first.append(frame)
        self.poses.append(pose.copy())
        return self.arena.moved(pose)

    def __iter__(self) -> Iterator[Era]:
        """Iterate over eras in order; arenas are made one at a time."""
        for k, (first, pose) in enumerate(zip(self.first, self.poses, strict=True)):
            stop = self.first[k + 1] if k + 1 < len(self.first) else None
            yield Era(slice(first, stop), self.arena.moved(pose) if pose.any() else self.arena)

    def arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        """Return what ``crops.h5`` holds of an arena that moved; nothing otherwise."""
        if len(self.first) == 1:
            return {}
        return {
            "moved_frame": np.array(self.first, np.int64),
            "moved_mm": np.array([self.arena.shift_mm(pose) for pose in self.poses]),
        }
