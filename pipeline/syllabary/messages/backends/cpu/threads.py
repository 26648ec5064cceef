"""Tasks of one call on ``torch.get_num_threads()`` threads of our own."""

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from functools import cache

import torch
from torch import Tensor

__all__ = ["each", "sequences", "without_subnormals"]


def sequences(lengths: Tensor) -> list[tuple[int, int]]:
    """Number and length of every sequence that has frames."""
    return [(i, length) for i, length in enumerate(lengths.tolist()) if length > 0]


def each(run: Callable[[int, int], None], tasks: Sequence[tuple[int, int]], threads: int) -> None:
    """Run ``run`` for every task, on as many threads as there are, at most one for each task."""
    queue = iter(tasks)  # shared: whoever is free takes the next

    def drain() -> None:
        with without_subnormals():
            for task in queue:
                run(*task)

    helpers = [_helpers().submit(drain) for _ in range(min(threads, len(tasks)) - 1)]
    if not helpers:
        drain()
        return
    try:
        drain()
    finally:
        for _ in queue:  # after an error
            pass
        # A helper that has not begun by now is busy elsewhere and is not needed.
        helping = [helper for helper in helpers if not helper.cancel()]
        wait(helping)
    for helper in helping:
        helper.result()


@cache
def _helpers() -> ThreadPoolExecutor:
    """Threads that stay: a new one may wait milliseconds beside an idle processor."""
    return ThreadPoolExecutor(os.cpu_count(), thread_name_prefix="messages")


if hasattr(os, "register_at_fork"):  # a child has none of its parent's threads
    os.register_at_fork(after_in_child=_helpers.cache_clear)


@contextmanager
def without_subnormals() -> Iterator[None]:
    """Let this thread's processor treat subnormal numbers as zero: each costs it 100 cycles.

    Evidence of some tens of nats fills messages with them, and a pass takes eight times as long.
    """
    before = sys.float_info.min / 2 == 0
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(before)
