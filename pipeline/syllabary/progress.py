"""Progress of long loops: a bar on a terminal, log lines elsewhere."""

import logging
import sys
import time
from collections.abc import Iterable, Iterator, Sized
from typing import TypeVar

__all__ = ["Pace", "track"]

T = TypeVar("T")
log = logging.getLogger(__name__)
EVERY_S = 30.0
# Intervals that a pace keeps; beyond, two neighbors become one.
INTERVALS = 64
# A first interval this much slower than the others is a start: compilers, caches.
START = 3.0
# A trend counts from so many intervals on, if it is so many times its standard error.
TREND_INTERVALS, TREND_ERRORS = 4, 6.0
# With a trend, a unit never is taken to cost less than this share of what it cost lately.
CHEAPEST = 0.05


class Pace:
    """What units of a loop cost, and what those that are left will cost.

    Parameters
    ----------
    now : float
        Time of the start, s.
    """

    def __init__(self, now: float) -> None:
        self.marks: list[tuple[float, float]] = [(0.0, now)]
        self.every = 1
        self.count = 0
        self.done = 0.0

    def add(self, done: float, now: float) -> None:
        """Note that ``done`` units in all were done at the time ``now``, s."""
        self.count += 1
        self.done = done
        if self.count % self.every == 0:
            self.marks.append((done, now))
        if len(self.marks) > INTERVALS + 1:
            self.marks = [self.marks[0], *self.marks[1::2]]
            self.every *= 2

    def unit_s(self) -> float:
        """Return what a unit costs lately, s: the mean over the later half of what was done."""
        costs = self._costs()
        units = sum(units for units, _ in costs)
        late = total = 0.0
        for count, seconds in reversed(costs):
            late, total = late + count, total + seconds
            if 2 * late >= units:
                break
        return total / late if late else 0.0

    def left_s(self, total: float) -> float:
        """Return what the units left will cost, s; a clear trend of the costs goes on.

        Parameters
        ----------
        total : float
            Units in all.
        """
        left = max(total - self.done, 0.0)
        recent, costs = self.unit_s(), self._costs()
        slope, at = self._trend()
        if not slope:
            units = sum(units for units, _ in costs)
            mean = sum(seconds for _, seconds in costs) / units if units else 0.0
            return left * (recent + mean) / 2
        # A line through the recent cost, cut off where units would cost nothing. Costs seldom change at
        # one pace, so that the recent cost counts too.
        start, floor = recent + slope * (self.done - at), CHEAPEST * recent
        stop = start + slope * left
        if stop >= floor:
            line = left * (start + stop) / 2
        else:
            sinking = min(max((floor - start) / slope, 0.0), left)
            line = sinking * (start + floor) / 2 + (left - sinking) * floor
        return line ** (2 / 3) * (left * recent) ** (1 / 3)

    def _costs(self) -> list[tuple[float, float]]:
        """Return units and seconds of each interval; a slow start is left out."""
        pairs = zip(self.marks, self.marks[1:], strict=False)
        costs = [(b[0] - a[0], b[1] - a[1]) for a, b in pairs if b[0] > a[0]]
        each = sorted(seconds / units for units, seconds in costs[1:])
        if each and costs[0][1] / costs[0][0] > START * each[len(each) // 2]:
            return costs[1:]
        return costs

    def _trend(self) -> tuple[float, float]:
        """Return the change of the cost per unit, s, and the units at which the recent cost holds."""
        costs = self._costs()
        if len(costs) < TREND_INTERVALS:
            return 0.0, 0.0
        costs = costs[-max(len(costs) // 2, TREND_INTERVALS) :]
        middle, places = self.marks[-1][0] - sum(units for units, _ in costs), []
        for units, _ in costs:
            places.append(middle + units / 2)
            middle += units
        each = [seconds / units for units, seconds in costs]
        n = len(costs)
        mean_x, mean_y = sum(places) / n, sum(each) / n
        spread = sum((x - mean_x) ** 2 for x in places)
        pairs = list(zip(places, each, strict=True))
        slope = sum((x - mean_x) * (y - mean_y) for x, y in pairs) / spread
        rest = sum((y - mean_y - slope * (x - mean_x)) ** 2 for x, y in pairs)
        error = (rest / (n - 2) / spread) ** 0.5
        is_clear = abs(slope) > TREND_ERRORS * error
        return (slope, mean_x) if is_clear else (0.0, 0.0)


def track(
    items: Iterable[T],
    what: str,
    *,
    total: int | None = None,
    unit: str = "items",
    step: int = 1,
    may_end: bool = False,
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
        Name of units: ``"frames"``.
    step : int
        Units of one item, such as the frames of a block.
    may_end : bool
        The loop may end before ``total``, as soon as nothing changes any more.
    """
    if total is None and isinstance(items, Sized):
        total = len(items) * step
    start = reported = time.monotonic()
    pace, done = Pace(start), 0
    if sys.stderr.isatty():
        from tqdm import tqdm

        shape = "{l_bar}{bar}| {n_fmt}/{total_fmt} {unit}{postfix}"
        with tqdm(total=total, desc=what, unit=unit, bar_format=shape if total else None) as bar:
            for item in items:
                yield item
                done += step
                pace.add(done, time.monotonic())
                bar.set_postfix_str(_rates(pace, total, may_end), refresh=False)
                bar.update(step)
        return
    for item in items:
        yield item
        done += step
        now = time.monotonic()
        pace.add(done, now)
        if now - reported >= EVERY_S:
            reported = now
            count = f"{done} of {total}" if total else f"{done}"
            log.info("%s: %s %s, %s", what, count, unit, _rates(pace, total, may_end))


def _rates(pace: Pace, total: int | None, may_end: bool) -> str:
    """Return the rate, and the time left if the number of units is known."""
    unit_s = pace.unit_s()
    if unit_s > 1:
        rate = f"{unit_s:.0f} s each" if unit_s >= 10 else f"{unit_s:.1f} s each"
    else:
        rate = f"{1 / unit_s:.0f}/s" if unit_s else "at once"
    if not total:
        return rate
    return f"{rate}, {'at most ' if may_end else ''}{pace.left_s(total) / 60:.1f} min left"
