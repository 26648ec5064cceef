"""Study folders with random faults: the check that a run makes first refuses in a sentence, or accepts.

What it accepts must hold for what comes later: names are file names and once, paths exist, labels are of
recordings, and every section can be read again. ``SYLLABARY_MUTATIONS`` sets the number of folders.
"""

import os
import random
from pathlib import Path

import numpy as np
import pytest
import yaml

from syllabary import steps, study
from syllabary.errors import SyllabaryError
from syllabary.records import annotations, plain_yaml

FOLDERS = int(os.environ.get("SYLLABARY_MUTATIONS", "150"))
CONFIG = """
seed: 3
extract: {tracking: {min_height_mm: 10, max_height_mm: 200.0}, arena: {floor_range_mm: [300, 2000]}}
overrides: {m1: {arena: {which: 1}}}
reduce: {components: 10}
models:
  full: {prior: slds, kinematics: true, prior_settings: {states: 20, gamma: 900.0}}
  fast: {prior: arhmm, prior_settings: {lags: 2}}
draw: {formats: [png], examples: 4}
machine: {log_level: info}
"""
FILES = {
    "config/config.yaml": CONFIG,
    "config/recordings.tsv": "recording\tpath\tsubject\tgroup\trole\tdose\n"
    + "".join(f"m{i}\tdata/m{i}\ta{i}\t{'gh'[i % 2]}\ttrain\t{i}.5\n" for i in range(1, 5)),
    "config/labels.csv": "recording,start_s,stop_s,behavior,confidence\n"
    "m1,0,1,walk,1\nm2,0.5,1.5,rear,0.5\nm3,1,2,walk,\n",
    "config/names/full.tsv": "syllable\tname\n0\twalk\n1\trear\n",
    "config/merges/fast.tsv": "state\tsyllable\n0\twalk\n3\twalk\ncut\t10\n",
}
WRONG = (
    *(
        "",
        " ",
        "NA",
        "nan",
        "inf",
        "-1",
        "1e30",
        "1e400",
        "true",
        "null",
        "~",
        "002",
        "2024-05-01",
        "1_000",
    ),
    *(
        "m1",
        "M1",
        "a b",
        "{x}",
        "{recording}",
        "../m1",
        "con",
        "é",
        "e\u0301",
        "\u2028",
        '"',
        "'",
        "#",
        "%",
    ),
    *(
        "$HOME",
        "\\",
        "-n",
        "x" * 300,
        "9" * 400,
        "1:30",
        "0x1F",
        "[1, 2]",
        "{a: 1}",
        "*a",
        "&a [*a]",
        "?1+1",
    ),
    *("!!python/object/apply:os.system [id]", "\x00", "\t", ";", ",,,", "simulated", "data/m1", "walk"),
)
BYTES = (b"\xff", b"\x00", b"\xef\xbb\xbf", b"\r", b"\x80\x81", b"\xc3", b"\n\n")
LINES = (
    *(
        "__use_yte__: true",
        "seed: 4",
        "models: {}",
        "overrides: {002: {}}",
        "overrides: {1: {}}",
        "select: 3",
    ),
    *(
        "simulate: [1]",
        "a: &a [*a]",
        "extract: {source: {unit_mm: .inf}}",
        "check: {dropped_reject: '0.3'}",
    ),
    *("reduce: {components: true}", "reduce: {components: 1e30}", "export: {formats: [none]}", "3: 4"),
    *(
        "draw: " + "{a: " * 60 + "1" + "}" * 60,
        "labels: config",
        "recordings: 7",
        "models: {a: {prior: 3}}",
    ),
    *("machine: {scratch: 5}", "labels: 'a{b}.csv'", "? [1, 2]\n: 3", "---\nseed: 1", "\tseed: 1"),
)


def mutated(rng: random.Random, name: str, text: str) -> bytes:
    """One file with a fault of a random kind."""
    lines = text.splitlines()
    separator = "," if name.endswith("csv") else "\t"
    place = rng.randrange(len(lines))
    kind = rng.randrange(12)
    cells = lines[place].split(separator if not name.endswith("yaml") else ": ")
    glue = separator if not name.endswith("yaml") else ": "
    if kind <= 2:
        cells[rng.randrange(len(cells))] = rng.choice(WRONG)
        lines[place] = glue.join(cells)
    elif kind == 3:
        del cells[rng.randrange(len(cells))]
        lines[place] = glue.join(cells)
    elif kind == 4:
        lines.insert(rng.randrange(len(lines)), lines[place])
    elif kind == 5:
        rng.shuffle(cells)
        lines[place] = glue.join(cells)
    elif kind == 6:
        del lines[place]
    elif kind == 7:
        lines = [line.replace(separator, rng.choice(";,|\t ")) for line in lines]
    elif kind == 8 and name.endswith("yaml"):
        lines.append(rng.choice(LINES))
    elif kind == 9:
        columns = [line.split(glue) for line in lines]
        rng.shuffle(columns)
        lines = [glue.join(row) for row in columns]
    elif kind == 10:
        return "\n".join(lines).encode(
            rng.choice(["utf-16", "utf-16-le", "cp1252", "utf-8-sig", "utf-32"])
        )
    content = bytearray("\n".join(lines).encode("utf-8", "surrogatepass"))
    if kind == 11:
        spot = rng.randrange(len(content))
        content[spot : spot + rng.randrange(3)] = rng.choice(BYTES)
    return bytes(content)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for i in range(1, 5):
        place = tmp_path / "data" / f"m{i}"
        place.mkdir(parents=True)
        np.full((2, 4, 5), 673, "<u2").tofile(place / "depth.dat")
        (place / "depth_ts.txt").write_text("1000.0 0\n1033.0 0\n")
        (place / "metadata.json").write_text('{"DepthResolution": [5, 4]}')
    return tmp_path


def write(folder: Path, files: dict[str, bytes]) -> None:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


def check(folder: Path) -> str:
    """Check the folder as a run does; return the refusal, or nothing if it is accepted."""
    try:
        steps.require_harmless()
        # What Snakemake reads, once nothing in it can run.
        config = yaml.load((folder / "config/config.yaml").read_text("utf-8"), Loader=yaml.FullLoader)
        if not isinstance(config, dict):
            return "Snakemake wants keys"
        checked, table = steps.open_study(config)
    except SyllabaryError as error:
        return str(error)
    assert study.read_config(checked.model_dump(mode="json")) == checked
    assert table.index.str.casefold().is_unique
    for name, path in table["path"].items():
        assert Path(f"results/{name}").name == name
        assert path == study.SIMULATED or steps.source_files(path)
        assert checked.extract.crop == steps.extract_settings(checked, name).crop
    if Path(checked.labels).is_file():
        annotations.read(checked.labels, {name: np.arange(300) / 30 for name in table.index})
    return ""


def test_the_whole_study_is_accepted(folder):
    write(folder, {name: text.encode() for name, text in FILES.items()})
    assert check(folder) == ""


def test_a_mutated_study_is_refused_in_a_sentence_or_accepted(folder):
    refused = 0
    for seed in range(FOLDERS):
        rng = random.Random(seed)
        files = {name: text.encode() for name, text in FILES.items()}
        for name in rng.sample(sorted(files), rng.choice([1, 1, 1, 2])):
            files[name] = mutated(rng, name, FILES[name])
        write(folder, files)
        try:
            refusal = check(folder)
        except Exception as error:
            raise AssertionError(f"folder {seed}: {files}") from error
        refused += bool(refusal)
        assert "Traceback" not in refusal and len(refusal) < 2000, (seed, refusal)
        for part in ("[key]", "NoneType", "object at 0x", "errors.pydantic"):
            assert part not in refusal, (seed, refusal)
    assert FOLDERS / 3 < refused < FOLDERS


@pytest.mark.parametrize(
    "text", [line for line in LINES if "use_yte" in line or "&a" in line or "seed" in line]
)
def test_what_runs_multiplies_or_is_twice_is_refused_before_snakemake_reads_it(tmp_path, text):
    (tmp_path / "config.yaml").write_text(CONFIG + text + "\n")
    with pytest.raises(SyllabaryError):
        plain_yaml.require(tmp_path / "config.yaml")
