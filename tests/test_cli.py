"""The command line: help of every verb, a new study, and mistakes as one sentence."""

import inspect
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
from syllabary.errors import BadInput
from syllabary.provenance import Provenance
from syllabary.records import tables

MADE = Provenance("test", {}, None, {}, "")


@pytest.mark.parametrize(
    "verb", [*cli.VERBS, "run", "new", "convert", "score", "compare-results", "doctor"]
)
def test_every_verb_explains_itself(verb):
    result = CliRunner().invoke(cli.app, [verb, "--help"])
    assert result.exit_code == 0, result.output
    assert "Usage" in result.output
    assert not re.search(r"``|list\[|<str>", result.output), "types of Python and marks of docstrings"


def options_of(verb):
    """Text of each option in the help of a verb, on one line."""
    text = CliRunner().invoke(cli.app, [verb, "--help"], env={"COLUMNS": "300"}).output
    rows = re.findall(r"^  (--[a-z-]+)(?: (?:PATH|NAME))?  +(.*(?:\n {8,}.*)*)", text, re.M)
    return {name: " ".join(about.split()) for name, about in rows}


@pytest.mark.parametrize("verb", cli.VERBS)
def test_every_option_of_a_step_has_a_text_of_its_own(verb):
    step = getattr(cli.steps, verb)
    options = options_of(verb)
    wanted = set(step.__annotations__) - {"return", "settings", "seed", "recordings"}
    assert {f"--{name.replace('_', '-')}" for name in wanted} <= set(options)
    assert len(set(options.values())) == len(options), "no text is that of two options"
    for name, about in options.items():
        assert re.match(r"\S.*\.(?: Several may follow the option\.)?(?:  ?\[.*\])?$", about), (
            name,
            about,
        )
        assert not re.search(r"Path|Sequence|None|\bstr\b|tuple|dict", about), (name, about)
    for name, parameter in inspect.signature(step).parameters.items():
        if name in wanted and parameter.default is inspect.Parameter.empty:
            assert "[required]" in options[f"--{name.replace('_', '-')}"], name


def test_what_the_shell_makes_of_a_star_is_a_list():
    arguments = {}

    def step(*, labels: Sequence[Path], quality: Sequence[Path] = (), names: Path | None = None) -> None:
        """Look at what is given."""
        arguments.update(labels=labels, quality=quality, names=names)

    app = typer.Typer()
    app.command(cls=cli._Several)(cli._command(step))
    for line in (
        "--labels a b c --names n --quality q r",
        "--labels a --labels b c --names n --quality q --quality r",
        "--quality=q --quality r --labels a b c --names=n",
    ):
        result = CliRunner().invoke(app, line.split())
        assert result.exit_code == 0, result.output
        assert arguments == {
            "labels": [Path("a"), Path("b"), Path("c")],
            "quality": [Path("q"), Path("r")],
            "names": Path("n"),
        }


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


@pytest.fixture(scope="module")
def new_study(tmp_path_factory):
    folder = tmp_path_factory.mktemp("new") / "study"
    result = CliRunner().invoke(cli.app, ["new", str(folder)])
    assert result.exit_code == 0, result.output
    return folder


def test_a_new_study_has_a_table_with_two_examples_and_no_recording(new_study):
    lines = (new_study / "config/recordings.tsv").read_text().splitlines()
    examples = [line.removeprefix("# ").split("\t") for line in lines[2:]]
    assert lines[1].split("\t") == ["recording", "path", "subject", "group"]
    assert all(line.startswith("# ") for line in lines[2:])
    assert [len(cells) for cells in examples] == [4, 4]
    assert "simulated" not in "".join(lines)
    with pytest.raises(cli.steps.SyllabaryError, match="lists no recording; add a row for each"):
        cli.steps.open_study({"recordings": str(new_study / "config/recordings.tsv")})


@pytest.mark.parametrize("options", [[], ["--all"]])
def test_every_place_that_a_new_study_names_is_there(options, tmp_path):
    folder = tmp_path / "study"
    assert CliRunner().invoke(cli.app, ["new", *options, str(folder)]).exit_code == 0
    texts = [*folder.rglob("*.md"), *folder.rglob("*.yaml")]
    assert {place.name for place in texts} >= {"README.md", "settings.md", "config.yaml"}
    named = 0
    for place in texts:
        text = place.read_text()
        for link in re.findall(r"\]\(([^)#]+)[^)]*\)", text):
            assert link.startswith("http") or (place.parent / link).exists(), (place, link)
            named += 1
        for name in re.findall(r"\b(?:docs|workflow|config|data)/[\w./-]*\.(?:md|json)", text):
            assert (folder / name).exists(), (place, name)
            named += 1
    assert named >= 3


MISTAKES = [
    (None, r"is not the folder of a study, for it has no config/config\.yaml"),
    ("seed: 0\n\textract: {}\n", r"config\.yaml, line 2: is indented with a tab"),
    ("check:\n\tlength: 3\n", r"config\.yaml, line 2: is indented with a tab"),
    ("seed: 0\ncheck: [1, 2\nfit: 3\n", r"config\.yaml, line 3: is not YAML"),
    ("seed: 'zero\n", r"config\.yaml, line [12]: is not YAML"),
    ("seed: 0\n  check: 1\n", r"config\.yaml, line 2: is not YAML"),
    ("seed: 0\x07\n", r"config\.yaml, line 1: has a character"),
    ("- seed\n", r"holds a list; wanted sections"),
    (b"seed: \xff\xfe\n", r"is not UTF-8 text"),
]


@pytest.mark.parametrize(("config", "sentence"), MISTAKES)
def test_what_is_no_study_is_one_sentence_before_snakemake_reads_it(config, sentence, tmp_path):
    if config is not None:
        (tmp_path / "config").mkdir()
        content = config if isinstance(config, bytes) else config.encode()
        (tmp_path / "config/config.yaml").write_bytes(content)
    with pytest.raises(cli.steps.SyllabaryError, match=sentence) as error:
        cli.steps.require_study(["-n", "--directory", str(tmp_path)])
    assert "\n" not in str(error.value)


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


@pytest.mark.parametrize(
    "arguments",
    [
        ["check", "--crops", "a.h5", "--quality", "a.h5"],
        ["segment", "--crops", "a.h5", "--model", "b.h5", "--posterior", "./b.h5"],
        [
            "reduce",
            "--crops",
            "b.h5",
            "a.h5",
            "--quality",
            "c.h5",
            "--pca",
            "a.h5",
            "--changepoints",
            "d.h5",
        ],
    ],
)
def test_what_a_step_reads_is_never_written_over(tmp_path, monkeypatch, arguments):
    monkeypatch.chdir(tmp_path)
    for name in "abc":
        (tmp_path / f"{name}.h5").write_text("precious")
    done = CliRunner().invoke(cli.app, arguments)
    assert isinstance(done.exception, BadInput)
    assert re.search(r"--(crops|model) and --(quality|posterior|pca) both name", str(done.exception))
    assert all((tmp_path / f"{name}.h5").read_text() == "precious" for name in "abc")


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
