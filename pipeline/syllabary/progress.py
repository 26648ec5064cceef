"""Progress of long loops: a bar on a terminal, log lines elsewhere."""

import logging
import sys
import time
from collections.abc import Iterable, Iterator, Sized
from typing import TypeVar

__all__ = ["track"]

T = TypeVar("T")
log = logging.getLogger(__name__)
EVERY_S = 30.0


def track(
    items: Iterable[T], what: str, *, total: int | None = None, unit: str = "it", step: int = 1
) -> Iterator[T]:
    """Yield ``items`` and report progress with the remaining time.

    Parameters
    ----------
    items : iterable
    what : str
        Name of the loop: ``"extract m01"``.
    total : int, optional
        Number of units; ``len(items) * step`` if ``items`` has a length.
    unit : str
        Name of a unit: ``"frames"``.
    step : int
        Units of one item, such as the frames of a block.
    """
    if total is None and isinstance(items, Sized):
        total = len(items) * step
    if sys.stderr.isatty():
        from tqdm import tqdm

        with tqdm(total=total, desc=what, unit=unit) as bar:
            for item in items:
                yield item
                bar.update(step)
        return
    start = reported = time.monotonic()
    done = 0
    for item in items:
        yield item
        done += step
        now = time.monotonic()
        if now - reported >= EVERY_S:
            reported = now
            rate = done / (now - start)
            left = f", {(total - done) / rate / 60:.1f} min left" if total else ""
            log.info("%s: %d of %s %s, %.0f/s%s", what, done, total or "?", unit, rate, left)
