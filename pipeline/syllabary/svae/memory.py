"""A GPU's memory: what to do when it is full."""

import logging
from collections.abc import Callable
from typing import TypeVar

import torch

__all__ = ["half", "halved"]

log = logging.getLogger(__name__)
Result = TypeVar("Result")


def halved(run: Callable[[int], Result], size: int, what: str) -> Result:
    """Run something that works on so many at once; with half as many while memory is full.

    Parameters
    ----------
    run : callable
        Takes the number; begins anew each time.
    size : int
        The number at first.
    what : str
        That is counted, for the log.

    Raises
    ------
    torch.OutOfMemoryError
        Memory does not suffice for one.
    """
    while True:
        try:
            return run(size)
        except torch.OutOfMemoryError:
            if size == 1:
                raise
            size = half(size, what)


def half(size: int, what: str) -> int:
    """Free what is kept for later, say so in the log, and return half of a number."""
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    log.warning("the GPU's memory is full: goes on with %d %s at once, not %d.", size // 2, what, size)
    return size // 2
