"""What a run shows: a line for a job, minutes done and left, failures as sentences."""

import importlib.util
import logging
import re
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from snakemake_interface_logger_plugins.common import LogEvent

PLUGIN = Path(__file__).parents[2] / "workflow/console/snakemake_logger_plugin_syllabary"


@pytest.fixture(scope="module")
def console():
    """The plugin, as Snakemake imports it."""
    spec = importlib.util.spec_from_file_location(PLUGIN.name, PLUGIN / "__init__.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[PLUGIN.name] = module
    spec.loader.exec_module(module)
    yield module
    for name in [name for name in sys.modules if name.startswith(PLUGIN.name)]:
        del sys.modules[name]


class Run:
    """A run of simulated jobs, on a simulated clock."""

    def __init__(self, console, stats, cores, *, dryrun=False):
        self.now = 0.0
        self.handler = console.LogHandler(SimpleNamespace(dryrun=dryrun), None)
        self.handler.clock = lambda: self.now
        self.handler.start = 0.0
        self.event(LogEvent.RESOURCES_INFO, cores=cores)
        self.event(LogEvent.RUN_INFO, stats={**stats, "all": 1, "total": sum(stats.values()) + 1})

    def event(self, event, level=logging.INFO, message="", **values):
        record = logging.LogRecord("snakemake", level, "", 0, message, (), None)
        record.event = event
        record.__dict__.update(values)
        self.handler.emit(record)

    def start(self, job, rule, log="", **wildcards):
        about = {"jobid": job, "rule_name": rule, "wildcards": wildcards, "log": [log] if log else []}
        self.event(LogEvent.JOB_INFO, **about)

    def stop(self, job):
        self.event(LogEvent.JOB_FINISHED, job_id=job)


@pytest.fixture
def lines(capsys):
    return lambda: capsys.readouterr().err.splitlines()


def test_a_job_is_a_line_with_its_recording_and_minutes(console, lines):
    run = Run(console, {"extract": 3, "check": 3}, 1)
    run.start(1, "extract", recording="m1")
    run.now = 90.0
    run.stop(1)
    run.start(2, "extract", recording="m2")
    run.now = 180.0
    run.stop(2)
    shown = lines()
    assert shown[0] == "6 jobs: extract 3, check 3"
    # The check of the demo takes a fifth of an extraction.
    assert shown[1:] == [
        "begins: extract m1",
        "[1 of 6] extract m1: 1.5 min; 1.5 min done, about 3.9 min left",
        "begins: extract m2",
        "[2 of 6] extract m2: 1.5 min; 3.0 min done, about 2.4 min left",
    ]


STUDIES = {
    "short": ({"extract": 12, "check": 12, "fit": 3, "segment": 36, "draw": 1}, 2, 1.0),
    "long recordings": ({"extract": 20, "check": 20, "reduce": 1, "fit": 1, "segment": 20}, 4, 30.0),
    "one core": ({"extract": 8, "fit": 2, "label": 16, "draw": 1}, 1, 3.0),
}
SECONDS = {"extract": 6, "check": 1, "reduce": 30, "fit": 90, "segment": 5, "label": 2, "draw": 60}


@pytest.mark.parametrize("name", STUDIES)
def test_after_a_tenth_the_minutes_left_are_right_within_a_factor_of_two(name, console, lines):
    stats, cores, factor = STUDIES[name]
    run, job, ends = Run(console, stats, cores), 0, []
    for rule, count in stats.items():
        waiting, works = count, []
        while waiting or works:
            while waiting and len(works) < cores:
                job, waiting = job + 1, waiting - 1
                run.start(job, rule, recording=f"m{job}")
                works.append((run.now + factor * SECONDS[rule], job))
            run.now, done = works.pop(0)
            run.stop(done)
            ends.append(run.now)
    shown = [line for line in lines() if line.startswith("[")]
    judged = 0
    for line, end in zip(shown, ends, strict=True):
        if 0.1 * run.now <= end < 0.9 * run.now:
            judged += 1
            left, unit = re.search(r"about ([\d.]+) (s|min|h) left", line).groups()
            left_s = float(left) * {"s": 1, "min": 60, "h": 3600}[unit]
            assert (run.now - end) / 2 <= left_s <= 2 * (run.now - end), (line, run.now - end)
    assert judged > 5


LOGS = {
    "a mistake of the user's": (
        "2026 ERROR extract: NoFloor: raw/m1: no plane between 300 and 900 mm.\n",
        "NoFloor: raw/m1: no plane between 300 and 900 mm.",
    ),
    "an error that nobody foresaw": (
        "2026 INFO x: begins\n2026 ERROR extract: extract failed\nTraceback (most recent call last):\n"
        '  File "a.py", line 1\n    x\nZeroDivisionError: division by zero\n',
        "ZeroDivisionError: division by zero",
    ),
    "killed": ("2026 INFO x: begins\n", "it ended without a reason, as if it was killed or memory"),
    "no log": (None, "it ended before it wrote a log"),
}


@pytest.mark.parametrize("name", LOGS)
def test_a_failure_has_its_step_recording_sentence_and_log(name, console, lines, tmp_path):
    text, sentence = LOGS[name]
    log = tmp_path / "m1.log"
    if text is not None:
        log.write_text(text)
    run = Run(console, {"extract": 2, "check": 2}, 1)
    run.start(1, "extract", log=str(log), recording="m1")
    run.event(LogEvent.JOB_ERROR, logging.ERROR, jobid=1, rule_name="extract", log=[str(log)])
    run.event(None, logging.ERROR, "Exiting because a job execution failed. Look above")
    run.event(LogEvent.ERROR, logging.ERROR, "RuleException:\nCalledProcessError in file x.smk, line 3")
    run.event(LogEvent.ERROR, logging.ERROR, "WorkflowError:\nAt least one job did not complete succ")
    run.handler.close()
    shown = lines()
    assert shown[2].startswith(f"FAILED: extract m1: {sentence}")
    assert shown[3].strip() == f"Its log: {log}"
    assert shown[4].startswith("1 of 4 jobs failed (extract m1), 0 are done, 3 wait for what failed")
    assert len(shown) == 5


def test_other_errors_and_warnings_of_snakemake_are_shown(console, lines):
    run = Run(console, {"extract": 1}, 1)
    run.event(LogEvent.ERROR, logging.ERROR, "MissingInputException in rule extract")
    run.event(None, logging.INFO, "Select jobs to execute...")
    run.event(None, logging.WARNING, "Disk is slow")
    assert lines()[1:] == ["MissingInputException in rule extract", "Disk is slow"]


def test_a_look_is_a_short_table(console, capsys):
    rules = ("extract", "check", "draw")
    jobs = [SimpleNamespace(rule=SimpleNamespace(name=name)) for name in (*rules, "extract", "extract")]
    console.follow(
        SimpleNamespace(
            dag=SimpleNamespace(jobs=jobs), rules=[SimpleNamespace(name=name) for name in rules]
        )
    )
    try:
        Run(console, {"extract": 1, "draw": 1}, 1, dryrun=True)
    finally:
        console.followed.clear()
    assert capsys.readouterr().out.splitlines() == [
        "step            to run  up to date",
        "extract              1           2",
        "check                0           1",
        "draw                 1           0",
        "2 jobs would run.",
    ]


def test_a_terminal_has_one_line_that_is_renewed(console, capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    run = Run(console, {"fit": 2}, 1)
    run.start(1, "fit", model="slds")
    run.now = 60.0
    run.stop(1)
    run.handler.close()
    text = capsys.readouterr().err
    assert "\r\x1b[2K0 of 2 done; at work: fit slds; 0 s done" in text
    assert "[1 of 2] fit slds: 1.0 min; 1.0 min done, about 1.0 min left\n" in text
    assert text.endswith("Stopped after 1.0 min: 1 of 2 jobs are done. The same command goes on.\n")


def test_what_a_job_said_last_is_shown_while_it_works(console, tmp_path):
    log = tmp_path / "log"
    log.write_text("2026 INFO syllabary.progress: fit: 1 of 9 epochs, 40 s each\n2026 INFO other: x\n")
    assert console.last_progress(log) == "fit: 1 of 9 epochs, 40 s each"
    assert console.last_progress(tmp_path / "none") == ""


def test_times_of_earlier_runs_count_before_any_job_is_done(console, lines, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "results/timing/fit").mkdir(parents=True)
    (tmp_path / "results/timing/fit/a.tsv").write_text("s\th:m:s\n600.0\t0:10:00\n")
    run = Run(console, {"fit": 2}, 1)
    assert run.handler.estimate.left_s(0.0) == 1200.0
