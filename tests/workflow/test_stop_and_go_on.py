"""A run that was stopped, however it was, goes on by the same command; two never work at once."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.workflow
REPOSITORY = Path(__file__).parents[2]
# Two jobs of two seconds, one after the other; each writes when it began and ended into a journal.
SNAKEFILE = f"""
include: "{REPOSITORY}/workflow/rules/lock.smk"
rule all:
    input: "results/b"
rule a:
    output: "results/a"
    script: "job.py"
rule b:
    input: "results/a"
    output: "results/b"
    script: "job.py"
"""
JOB = """
import os, time
from pathlib import Path
from syllabary import steps
steps.follow(Path(".snakemake"))
def note(what):
    with Path("journal").open("a") as file:
        file.write(f"{what} {snakemake.rule} {os.getpid()}\\n")
note("begin")
Path(snakemake.output[0]).write_text("half")
time.sleep(2)
Path(snakemake.output[0]).write_text("whole")
note("end")
"""
COMMAND = [sys.executable, "-m", "snakemake", "--cores", "1", "--rerun-incomplete"]


class Folder:
    def __init__(self, place: Path) -> None:
        self.place = place
        self.runs: list[subprocess.Popen] = []
        (place / "Snakefile").write_text(SNAKEFILE)
        (place / "job.py").write_text(JOB)

    def start(self) -> subprocess.Popen:
        environment = {**os.environ, "PYTHONPATH": str(REPOSITORY / "pipeline")}
        with (self.place / f"console{len(self.runs)}").open("w") as console:
            run = subprocess.Popen(
                COMMAND, cwd=self.place, env=environment, start_new_session=True,
                stdout=console, stderr=subprocess.STDOUT,
            )  # fmt: skip
        self.runs.append(run)
        return run

    def ended(self, run: subprocess.Popen) -> str:
        """What a run had on its console, once it has ended."""
        run.wait(timeout=240)
        return (self.place / f"console{self.runs.index(run)}").read_text()

    def journal(self) -> list[list[str]]:
        path = self.place / "journal"
        return [line.split() for line in path.read_text().splitlines()] if path.exists() else []

    def started(self) -> subprocess.Popen:
        """A run of which a job is at work."""
        run = self.start()
        end = time.monotonic() + 240
        while not self.journal():
            assert time.monotonic() < end and run.poll() is None, self.ended(run)
            time.sleep(0.05)
        return run

    def finish(self) -> str:
        run = self.start()
        text = self.ended(run)
        assert run.returncode == 0, text
        assert (self.place / "results/b").read_text() == "whole"
        return text


@pytest.fixture
def folder(tmp_path):
    return Folder(tmp_path)


def stop_all(run, job):
    os.killpg(run.pid, signal.SIGKILL)


def stop_terminal(run, job):
    os.killpg(run.pid, signal.SIGHUP)
    run.wait(timeout=120)


def press_ctrl_c(run, job):
    os.killpg(run.pid, signal.SIGINT)
    run.wait(timeout=120)


def kill_snakemake(run, job):
    run.kill()


def kill_job(run, job):
    os.kill(job, signal.SIGKILL)


def terminate_snakemake(run, job):
    # Snakemake then ends the jobs at work before it ends itself.
    run.terminate()
    run.wait(timeout=120)


def interrupt_snakemake(run, job):
    run.send_signal(signal.SIGINT)
    run.wait(timeout=120)


STOPS = [
    *(stop_all, stop_terminal, press_ctrl_c, kill_snakemake, kill_job),
    *(terminate_snakemake, interrupt_snakemake),
]


@pytest.mark.parametrize("stop", STOPS)
def test_after_a_stop_the_same_command_goes_on(folder, stop):
    run = folder.started()
    stop(run, int(folder.journal()[0][2]))
    # Not waited for: the next command may come at once.
    text = folder.finish()
    run.wait(timeout=120)
    assert "unlock" not in text
    rows = folder.journal()
    # A job that may end before its run does is done again.
    assert [row[:2] for row in rows if row[0] == "end"][-2:] == [["end", "a"], ["end", "b"]]
    # A job that was stopped did not go on beside the new one.
    works = ""
    for what, _, job in rows:
        assert what == "begin" or job == works
        works = job


def test_a_second_run_is_refused_while_the_first_lives(folder):
    first = folder.started()
    second = folder.start()
    text = folder.ended(second)
    assert second.returncode != 0
    line = text.strip().splitlines()[-1]
    assert "another run is at work here" in line and f"process {first.pid} on" in line
    assert "Traceback" not in text
    assert first.wait(timeout=240) == 0
    assert [row[0] for row in folder.journal()] == ["begin", "end"] * 2


def test_runs_that_start_at_once_never_work_side_by_side(folder):
    runs = [folder.start() for _ in range(3)]
    codes = [run.wait(timeout=240) for run in runs]
    assert codes.count(0) == 1
    assert [row[0] for row in folder.journal()] == ["begin", "end"] * 2


def record(folder, **changes):
    """The record of a run that did not say that it ended, and a lock of Snakemake's."""
    locks = folder.place / ".snakemake/locks"
    locks.mkdir(parents=True)
    (locks / "0.output.lock").write_text("results/a\n")
    run = {"host": socket.gethostname(), "process": os.getpid(), "started": "1", "since": "2026-01-01"}
    (folder.place / ".snakemake/syllabary.run").write_text(json.dumps({**run, **changes}))


def test_a_number_that_another_process_has_by_now_is_no_owner(folder):
    record(folder)
    folder.finish()


def test_a_run_of_another_computer_is_named_with_the_way_out(folder):
    record(folder, host="elsewhere.lab")
    run = folder.start()
    text = folder.ended(run)
    assert run.returncode != 0
    assert f"process {os.getpid()} on elsewhere.lab" in text
    assert "remove the file .snakemake/syllabary.run and run the same command again" in text
    assert not folder.journal()
    (folder.place / ".snakemake/syllabary.run").unlink()
    (folder.place / ".snakemake/locks/0.output.lock").unlink()
    folder.finish()
