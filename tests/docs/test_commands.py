"""Every command and every block of code in the pages works; what takes minutes is run on little.

A command has a runner, chosen by a pattern. A command without one fails, so that none is unchecked.
"""

import contextlib
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import yaml
from typer.testing import CliRunner

from syllabary import cli, settings, study
from syllabary.provenance import Provenance
from syllabary.records import tables
from syllabary.syllables import usage

from . import markdown

ROOT = markdown.ROOT
HOW_TO = sorted(p.relative_to(ROOT).as_posix() for p in (ROOT / "docs/how-to").glob("*.md"))
PAGES = ["README.md", "docs/tutorial.md", *HOW_TO]
LANGUAGES = {"sh", "python", "yaml", "tsv", "csv", "text"}
MADE = Provenance("test", {}, None, {}, "")
TICKS = 60
OUTPUTS: dict[tuple[str, ...], str] = {}


def write_results(folder: Path) -> None:
    """Write a little of what a study ends with: one recording, its truth, and usage by group."""
    common = {"frame": range(TICKS), "time_s": [i / 30 for i in range(TICKS)]}
    syllable = [i // 10 % 3 for i in range(TICKS)]
    certainty = {"probability": 1.0, "entropy_nats": 0.0, "surprise_nats": 0.0, "bout": 0, "name": None}
    labels = pd.DataFrame({**common, "syllable": syllable, "state": syllable, **certainty})
    behaviors = {"behavior": [("rear_up", "groom", "walk")[k] for k in syllable]}
    place = dict.fromkeys(("x_mm", "y_mm", "heading_rad", "height_mm"), 0.0)
    truth = pd.DataFrame({**common, "syllable": syllable, **behaviors, **place, "dropped": False})
    recording = {"recording": "m1", "subject": "m1", "group": "control", "role": "train"}
    bout = {"syllable": 0, "name": None, "start_tick": 0, "stop_tick": 10, "duration_s": 1 / 3}
    by_recording = usage.table(pd.DataFrame([{**recording, **bout}]))
    for name, table, columns in (
        ("recordings/m1/labels/slds.parquet", labels, tables.LABELS),
        ("simulated/m1/truth.parquet", truth, tables.TRUTH),
    ):
        (folder / name).parent.mkdir(parents=True)
        tables.write(folder / name, table, MADE, columns)
    (folder / "tables/slds").mkdir(parents=True)
    by_recording.to_parquet(folder / "tables/slds/usage.parquet")


class Shell:
    """A checkout in which the commands of one page are run in order."""

    def __init__(self, folder: Path) -> None:
        for name in ("config", "pipeline", "profiles", "workflow"):
            shutil.copytree(ROOT / name, folder / name)
        shutil.copy2(ROOT / "Snakefile", folder)
        for name in ("results", "results_before"):
            write_results(folder / name)
        shutil.copytree(folder / "profiles/default", folder / "profiles/slurm")
        self.folder = folder

    def run(self, *arguments: str) -> str:
        """Run Python; the same arguments under the same settings are run once for all pages."""
        config = (self.folder / "config/config.yaml").read_text(encoding="utf-8")
        key = (*arguments, config)
        if key not in OUTPUTS:
            environment = {**os.environ, "PYTHONPATH": str(ROOT / "pipeline"), "OMP_NUM_THREADS": "1"}
            done = subprocess.run(
                [sys.executable, *arguments], cwd=self.folder, env=environment, text=True,
                capture_output=True, timeout=300, check=False,
            )  # fmt: skip
            assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]
            OUTPUTS[key] = done.stdout + done.stderr
        return OUTPUTS[key]


def make(shell, words):
    """A target names what it will do; the installation and the hours of work are left out."""
    done = subprocess.run(
        ["make", "-n", *words[1:]], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    wanted = {"demo": "syllabary run", "test": "pytest", "docs": "mkdocs build --strict"}
    assert wanted[words[1]] in done.stdout


def change_folder(shell, words):
    shell.folder = shell.folder / words[1]
    assert shell.folder.is_dir()


def workflow(shell, words):
    """What would run, in place of running it."""
    if words[-1].endswith("choice.json"):
        config = shell.folder / "config/config.yaml"
        values = yaml.safe_load(config.read_text())
        config.write_text(yaml.safe_dump({**values, "select": {"model": "slds"}}))
    program = {"syllabary": "syllabary.cli", "snakemake": "snakemake"}[words[0]]
    dry = [] if "-n" in words else ["-n"]
    text = shell.run("-m", program, *words[1:], *dry)
    assert re.search(r"^Job stats:|^step +to run +up to date$", text, re.M), text


def syllabary(shell, words):
    with contextlib.chdir(shell.folder):
        result = CliRunner().invoke(cli.app, words[1:])
    assert result.exit_code == 0, result.output
    if words[1] == "new":
        # The pages tell to list the recordings next.
        table = shell.folder / words[-1] / "config/recordings.tsv"
        rows = "".join(f"{name}\tsimulated\t{name}\tcontrol\n" for name in ("m1", "m2"))
        table.write_text(table.read_text() + rows)


def by_hand(shell, words):
    """A step that needs the results of a whole study: it has the options that the page names."""
    result = CliRunner().invoke(cli.app, [words[1], "--help"])
    assert result.exit_code == 0, result.output
    options = [word for word in words[2:] if word.startswith("--")]
    assert options and all(f"{option} " in result.output for option in options)
    required = re.findall(r"(--[a-z-]+) [^-]*\[required\]", " ".join(result.output.split()))
    assert set(required) <= set(options)


RUNNERS = {
    r"make (demo|test|docs)": make,
    r"cd \S+": change_folder,
    r"syllabary run .*|syllabary run|snakemake.*": workflow,
    r"syllabary doctor|syllabary (new|score|compare-results) .*": syllabary,
    r"syllabary (suggest|score-people) .*": by_hand,
}


@pytest.mark.workflow
@pytest.mark.parametrize("page", [page for page in PAGES if markdown.commands(ROOT / page)])
def test_commands_work(page, tmp_path):
    shell = Shell(tmp_path)
    for command in markdown.commands(ROOT / page):
        plain = re.sub(r"^(\.\./)*\.venv/bin/", "", command)
        runners = [run for pattern, run in RUNNERS.items() if re.fullmatch(pattern, plain)]
        assert runners, f"{page}: no runner checks the command {command!r}"
        runners[0](shell, shlex.split(plain))


def python(page):
    return [block for block in markdown.blocks(ROOT / page) if block.language == "python"]


@pytest.mark.parametrize("page", [page for page in [*PAGES, "docs/mathematics.md"] if python(page)])
def test_python_works(page, tmp_path, monkeypatch):
    write_results(tmp_path / "results")
    monkeypatch.chdir(tmp_path)
    for block in python(page):
        exec(compile(block.text, f"{page}:{block.line}", "exec"), {})


@pytest.mark.parametrize("page", [*PAGES, "config/README.md", "data/README.md"])
def test_settings_are_valid(page):
    for block in markdown.blocks(ROOT / page):
        if block.language == "yaml":
            settings.read(study.Config, yaml.safe_load(block.text), f"{page}:{block.line}")


@pytest.mark.parametrize("page", PAGES)
def test_blocks_name_their_language(page):
    assert {block.language for block in markdown.blocks(ROOT / page)} <= LANGUAGES
