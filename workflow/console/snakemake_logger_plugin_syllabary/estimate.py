"""Minutes that a run still needs, from the jobs that are done and from earlier runs."""

import csv
from collections import Counter, defaultdict
from collections.abc import Mapping
from pathlib import Path

# Seconds of a job in the demo: how long a step takes beside the others, until it was seen here.
TYPICAL_S = {
    **{"simulate": 5, "extract": 5, "check": 1, "reduce": 24, "fit": 110, "segment": 4, "label": 2},
    **{"evaluate": 24, "summarize": 3, "score": 3, "suggest": 5, "select": 5, "export": 3, "draw": 78},
}
UNKNOWN_S = 5.0
# A job that takes longer than expected is taken to need this share of its time again.
AGAIN = 0.25


class Estimate:
    """Seconds left of a run; None as long as nothing is known.

    Parameters
    ----------
    jobs : mapping of rule to int
        Jobs of the run.
    cores : int
        Jobs that may run side by side.
    timing : path
        Folder with the times of earlier runs, ``<rule>/*.tsv``.
    """

    def __init__(self, jobs: Mapping[str, int], cores: int, timing: Path) -> None:
        self.waiting = Counter(jobs)
        self.cores = max(cores, 1)
        self.measured: dict[str, list[float]] = defaultdict(list)
        self.running: dict[int, tuple[str, float]] = {}
        self.earlier = {rule: times for rule in jobs if (times := _earlier(timing / rule))}

    def start(self, job: int, rule: str, now: float) -> None:
        """Note that a job began."""
        self.waiting[rule] -= 1
        self.running[job] = (rule, now)

    def stop(self, job: int, now: float) -> float:
        """Note that a job ended, and return its seconds."""
        rule, start = self.running.pop(job)
        self.measured[rule].append(now - start)
        return now - start

    def give_up(self, job: int) -> None:
        """Note that a job failed; how long it took says nothing."""
        self.running.pop(job, None)

    def left_s(self, now: float) -> float | None:
        """Return the seconds left: steps follow each other, jobs of a step share the cores."""
        if not self.measured and not self.earlier:
            return None
        ahead: dict[str, list[float]] = defaultdict(list)
        for rule, start in self.running.values():
            expected, spent = self._expected(rule), now - start
            ahead[rule].append(max(expected - spent, AGAIN * spent))
        for rule, count in self.waiting.items():
            ahead[rule] += [self._expected(rule)] * max(count, 0)
        return sum(max(sum(jobs) / self.cores, max(jobs)) for jobs in ahead.values() if jobs)

    def _expected(self, rule: str) -> float:
        times = self.measured.get(rule) or self.earlier.get(rule)
        if times:
            return sum(times) / len(times)
        all_times = {**self.earlier, **self.measured}
        measured = sum(sum(times) / len(times) for times in all_times.values())
        typical = sum(TYPICAL_S.get(name, UNKNOWN_S) for name in all_times)
        return TYPICAL_S.get(rule, UNKNOWN_S) * measured / typical


def _earlier(folder: Path) -> list[float]:
    """Return the seconds of a step's jobs in earlier runs, from Snakemake's benchmarks."""
    times = []
    for path in sorted(folder.glob("*.tsv")) if folder.is_dir() else []:
        try:
            with path.open(encoding="utf-8", newline="") as file:
                times += [float(row["s"]) for row in csv.DictReader(file, delimiter="\t")]
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return times
