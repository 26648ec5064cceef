"""The command line: help of every verb, a new study, and mistakes as one sentence."""

import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pytest
import typer
from typer.testing import CliRunner

from syllabary import cli
from syllabary.provenance import Provenance
from syllabary.records import tables

MADE = Provenance("test", {}, None, {}, "")


@pytest.mark.parametrize("verb", [*cli.VERBS, "run", "new", "convert", "score", "compare-results"])
def test_every_verb_explains_itself(verb):
    result = CliRunner().invoke(cli.app, [verb, "--help"])
    assert result.exit_code == 0, result.output
    assert "Usage" in result.output
    assert not re.search(r"``|list\[|<str>", result.output), "types of Python and marks of docstrings"


def test_every_option_of_a_step_has_a_description():
    for verb in cli.VERBS:
        step = getattr(cli.steps, verb)
        described = set(cli._helps(step))
        wanted = set(step.__annotations__) - {"return", "settings", "seed", "recordings"}
        assert wanted <= described, (verb, wanted - described)


def test_files_that_are_left_out_are_the_steps_default_and_not_none():
    arguments = {}

    def step(*, labels: Sequence[Path], quality: Sequence[Path] = (), names: Path | None = None) -> None:
        """Look at what is given."""
        arguments.update(labels=labels, quality=quality, names=names)

    app = typer.Typer()
    app.command()(cli._command(step))
    result = CliRunner().invoke(app, ["--labels", "a.parquet"])
    assert result.exit_code == 0, result.output
    assert arguments == {"labels": [Path("a.parquet")], "quality": (), "names": None}


def test_a_new_study_is_a_config_to_fill_in(tmp_path):
    result = CliRunner().invoke(cli.app, ["new", str(tmp_path / "study")])
    assert result.exit_code == 0, result.output
    assert (tmp_path / "study/config/config.yaml").is_file()
    assert (tmp_path / "study/config/recordings.tsv").is_file()


def run(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "syllabary.cli", *map(str, arguments)],
        text=True,
        capture_output=True,
        check=False,
    )


def test_a_mistake_is_one_sentence_and_an_exit_code(tmp_path):
    done = run("score", tmp_path / "labels.parquet", tmp_path / "truth.parquet")
    assert done.returncode == 1
    assert "no such table" in done.stderr
    assert "Traceback" not in done.stderr


def test_score_prints_the_agreement(tmp_path):
    ticks = 60
    syllable = [i // 10 % 3 for i in range(ticks)]
    common = {"frame": range(ticks), "time_s": [i / 30 for i in range(ticks)], "syllable": syllable}
    labels = pd.DataFrame(
        {
            **common,
            "state": syllable,
            "probability": 1.0,
            "entropy_nats": 0.0,
            "surprise_nats": 0.0,
            "bout": 0,
            "name": None,
        }
    )
    true = pd.DataFrame(
        {
            **common,
            "behavior": [("rear_up", "groom", "walk")[s] for s in syllable],
            **dict.fromkeys(("x_mm", "y_mm", "heading_rad", "height_mm"), 0.0),
            "dropped": False,
        }
    )
    tables.write(tmp_path / "labels.parquet", labels, MADE, tables.LABELS)
    tables.write(tmp_path / "truth.parquet", true, MADE, tables.TRUTH)
    done = run("score", tmp_path / "labels.parquet", tmp_path / "truth.parquet")
    assert done.returncode == 0, done.stderr
    assert "1.000" in done.stdout
    assert "rear" in done.stdout
