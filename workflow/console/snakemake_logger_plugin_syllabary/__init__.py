"""What a run shows: steps, recordings, minutes done and left; all else is in the full log.

A plugin of Snakemake's logger, which `syllabary run` switches on. On a terminal the last line is
renewed; elsewhere, as in a log of Slurm, every line stays.
"""

import logging
import re
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any, TextIO

from snakemake_interface_logger_plugins.base import LogHandlerBase
from snakemake_interface_logger_plugins.common import LogEvent

from .estimate import Estimate

__all__ = ["LogHandler", "follow"]

TIMING = Path("results/timing")
REPORT = Path("results/report/index.html")
RENEW_S, REMIND_S = 1.0, 60.0
NOTHING = "Nothing to be done"
# Steps that are about other steps, and end of a run that says again what each job said.
NO_STEP = ("all", "total")
AGAIN = re.compile(
    r"Exiting because a job execution failed|(WorkflowError:\s+)?At least one job did not complete"
    r"|(RuleException:\s+)?CalledProcessError in file"
)
WIDTH = 100
followed: list[Any] = []


def follow(workflow: Any) -> None:
    """Let a look at a study (``-n``) count what is up to date, which no message of Snakemake's tells."""
    followed[:] = [workflow]


class LogHandler(LogHandlerBase):
    """Lines for people from the events of a run."""

    writes_to_stream, writes_to_file = True, False
    has_filter, has_formatter, needs_rulegraph = True, True, False

    def __post_init__(self) -> None:
        self.stream: TextIO = sys.stdout if self.common_settings.dryrun else sys.stderr
        self.is_terminal = self.stream.isatty()
        self.clock = time.monotonic
        self.start = self.clock()
        self.jobs: dict[int, tuple[str, str]] = {}
        self.failed: dict[int, str] = {}
        self.cores, self.total, self.done = 1, 0, 0
        self.estimate: Estimate | None = None
        self.is_shown = self.is_up_to_date = False
        self.ended = threading.Event()
        self.writing = threading.RLock()

    def emit(self, record: logging.LogRecord) -> None:
        """Show an event, or nothing if it is for the full log."""
        event = getattr(record, "event", None)
        handle = {
            LogEvent.RESOURCES_INFO: self._resources,
            LogEvent.RUN_INFO: self._run,
            LogEvent.JOB_INFO: self._job,
            LogEvent.JOB_FINISHED: self._finished,
            LogEvent.JOB_ERROR: self._error,
        }.get(event)
        try:
            with self.writing:
                if handle is not None:
                    handle(record)
                elif str(record.msg).startswith(NOTHING):
                    self._up_to_date()
                elif record.levelno >= logging.WARNING:
                    self._warning(record)
        except BrokenPipeError:
            raise
        except Exception:
            self.handleError(record)

    def close(self) -> None:
        """Say how the run ended."""
        if not self.ended.is_set():
            self.ended.set()
            with self.writing:
                self._clear()
                self._summary()
        super().close()

    def _resources(self, record: logging.LogRecord) -> None:
        self.cores = getattr(record, "cores", None) or self.cores

    def _run(self, record: logging.LogRecord) -> None:
        stats = {name: count for name, count in record.stats.items() if name not in NO_STEP}
        if self.common_settings.dryrun:
            if not self.is_shown:
                self.is_shown = True
                self._write(table(stats, _all_jobs()))
            return
        if self.estimate is None:
            self.total = sum(stats.values())
            self.estimate = Estimate(stats, self.cores, TIMING)
            counts = ", ".join(f"{name} {count}" for name, count in stats.items())
            self._write(f"{self.total} jobs: {counts}")
            if log := full_log():
                self._write(f"Full log: {log}")
            threading.Thread(target=self._remind, daemon=True).start()

    def _job(self, record: logging.LogRecord) -> None:
        if record.rule_name in NO_STEP or self.common_settings.dryrun:
            return
        name = " ".join([record.rule_name, *map(str, record.wildcards.values())])
        logs = list(record.log or [])
        self.jobs[record.jobid] = (name, logs[0] if logs else "")
        if self.estimate is not None:
            self.estimate.start(record.jobid, record.rule_name, self.clock())
        if self.is_terminal:
            self._status()
        else:
            self._write(f"begins: {name}")

    def _finished(self, record: logging.LogRecord) -> None:
        job = record.job_id
        if job not in self.jobs or self.estimate is None:
            return
        name, _ = self.jobs.pop(job)
        seconds = self.estimate.stop(job, self.clock())
        self.done += 1
        self._write(f"[{self.done} of {self.total}] {name}: {minutes(seconds)}; {self._times()}")
        self._status()

    def _error(self, record: logging.LogRecord) -> None:
        job = record.jobid
        logs = list(getattr(record, "log", None) or [])
        name, log = self.jobs.pop(job, (record.rule_name, logs[0] if logs else ""))
        if self.estimate is not None:
            self.estimate.give_up(job)
        self.failed[job] = name
        self._write(f"FAILED: {name}: {reason(Path(log)) if log else 'the job ended early.'}")
        if log:
            self._write(f"        Its log: {log}")
        self._status()

    def _up_to_date(self) -> None:
        self.is_up_to_date = True
        if self.common_settings.dryrun and (jobs := _all_jobs()):
            self._write(table({}, jobs))
        else:
            self._write("Everything is up to date.")

    def _warning(self, record: logging.LogRecord) -> None:
        text = str(record.getMessage() or "").strip()
        # Of a job that failed, the failure is shown.
        if text and not AGAIN.match(text):
            self._write(text)

    def _summary(self) -> None:
        if self.common_settings.dryrun or self.is_up_to_date or self.estimate is None:
            return
        spent = minutes(self.clock() - self.start)
        if self.failed:
            waiting = self.total - self.done - len(self.failed)
            self._write(
                f"{len(self.failed)} of {self.total} jobs failed ({', '.join(self.failed.values())}), "
                f"{self.done} are done, {waiting} wait for what failed, after {spent}. Correct the "
                "cause and run the same command again: what is done is kept."
            )
            if log := full_log():
                self._write(f"Full log: {log}")
        elif self.done < self.total:
            self._write(
                f"Stopped after {spent}: {self.done} of {self.total} jobs are done. The same command "
                "goes on."
            )
        else:
            is_drawn = "draw" in self.estimate.measured and REPORT.is_file()
            end = f": {REPORT.resolve()}" if is_drawn else "."
            self._write(f"Done in {spent}{end}")

    def _times(self) -> str:
        now = self.clock()
        left = self.estimate.left_s(now) if self.estimate else None
        about = "" if left is None or self.done == self.total else f", about {minutes(left)} left"
        return f"{minutes(now - self.start)} done{about}"

    def _remind(self) -> None:
        """Renew the last line of a terminal; elsewhere say now and then what is at work."""
        while not self.ended.wait(RENEW_S if self.is_terminal else REMIND_S):
            with self.writing:
                if self.is_terminal:
                    self._status()
                elif self.jobs:
                    works = "; ".join(self._described(name, log) for name, log in self.jobs.values())
                    self._write(f"at work: {works}; {self._times()}")

    def _described(self, name: str, log: str) -> str:
        progress = last_progress(Path(log)) if log else ""
        return f"{name} ({progress})" if progress else name

    def _status(self) -> None:
        if self.is_terminal and self.jobs and not self.ended.is_set():
            names = ", ".join(name for name, _ in self.jobs.values())
            line = f"{self.done} of {self.total} done; at work: {names}; {self._times()}"
            self.stream.write(f"\r\x1b[2K{line[:WIDTH]}")
            self.stream.flush()

    def _clear(self) -> None:
        if self.is_terminal:
            self.stream.write("\r\x1b[2K")

    def _write(self, text: str) -> None:
        self._clear()
        self.stream.write(text + "\n")
        self.stream.flush()


def table(to_run: dict[str, int], every: dict[str, int]) -> str:
    """Return the steps of a study as lines of text: jobs to run, and jobs that are up to date.

    Parameters
    ----------
    to_run, every : mapping of rule to int
        Jobs that would run; all jobs of the study, those that are up to date among them.
    """
    names = [name for name in [*every, *to_run] if name not in NO_STEP]
    rows = [f"{'step':<14}{'to run':>8}{'up to date':>12}"]
    for name in dict.fromkeys(names):
        run = to_run.get(name, 0)
        rows.append(f"{name:<14}{run:>8}{max(every.get(name, run) - run, 0):>12}")
    total = sum(to_run.values())
    rows.append(f"{total} jobs would run." if total else "Everything is up to date.")
    return "\n".join(rows)


def _all_jobs() -> dict[str, int]:
    """Return the jobs of the study by rule, in the order of the rules; empty where it is not known."""
    if not followed or getattr(followed[0], "_dag", getattr(followed[0], "dag", None)) is None:
        return {}
    workflow = followed[0]
    counts = Counter(job.rule.name for job in workflow.dag.jobs)
    return {rule.name: counts[rule.name] for rule in workflow.rules if counts[rule.name]}


def minutes(seconds: float) -> str:
    """Return a time in words: ``12 s``, ``3.4 min``, ``2.1 h``."""
    if seconds < 59.5:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.1f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def reason(log: Path) -> str:
    """Return the sentence by which a step failed, from its log."""
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return "it ended before it wrote a log, as if it was killed or memory ran out."
    for at in range(len(lines) - 1, -1, -1):
        if (match := re.search(r" ERROR \S+: (.*)", lines[at])) is not None:
            if not match[1].endswith(" failed"):
                return match[1]
            # An error that nobody foresaw: the last line of its traceback.
            rest = [line for line in lines[at + 1 :] if line and not line.startswith(" ")]
            return rest[-1] if rest else match[1]
    return "it ended without a reason, as if it was killed or memory ran out."


def last_progress(log: Path) -> str:
    """Return what a step said last about its progress, or nothing."""
    try:
        with log.open("rb") as file:
            file.seek(max(log.stat().st_size - 4000, 0))
            lines = file.read().decode("utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    messages = [line.partition(" syllabary.progress: ")[2] for line in lines]
    return next((text for text in reversed(messages) if text), "")


def full_log() -> str:
    """Return the file of the full log of this run, as it is seen from here; empty if there is none."""
    for handler in logging.getLogger("snakemake.logging").handlers:
        if isinstance(handler, logging.FileHandler):
            path = Path(handler.baseFilename)
            return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)
    return ""
