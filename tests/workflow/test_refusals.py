"""What is wrong with a study stops it with one sentence before any work starts."""

import json

import numpy as np
import pytest

pytestmark = pytest.mark.workflow
FRAME = 424 * 512 * 2


@pytest.fixture
def session(study):
    """A session folder of three frames, and the only recording of the study."""
    folder = study.folder / "raw" / "day1"
    folder.mkdir(parents=True, exist_ok=True)
    np.full(3 * FRAME // 2, 673, "<u2").tofile(folder / "depth.dat")
    (folder / "depth_ts.txt").write_text("".join(f"{1000 + 33 * i}.0 0\n" for i in range(3)))
    (folder / "metadata.json").write_text(json.dumps({"DepthResolution": [512, 424]}))
    study.write("config/recordings.tsv", "recording\tpath\tsubject\tgroup\nm1\traw/day1\tm1\ta\n")
    return folder


def refused(study, sentence):
    """The run stops with this sentence on one line, without traceback, and leaves no results."""
    done = study.snakemake()
    text = done.stdout + done.stderr
    assert done.returncode != 0
    lines = [line for line in text.splitlines() if line.strip()]
    assert any(sentence in line for line in lines), text
    assert "Traceback" not in text
    assert len(lines) <= 2, text
    assert not (study.folder / "results").exists()


def test_a_mistyped_setting(study, session):
    config = study.folder / "config/config.yaml"
    before = config.read_text()
    study.edit("config/config.yaml", "duration_s", "duraton_s")
    refused(study, "unknown setting simulate.duraton_s; did you mean 'duration_s'?")
    config.write_text(before)


def test_settings_of_an_unknown_recording(study, session):
    overrides = "overrides: {m11: {arena: {which: 1}}}\n"
    with study.changed("config/config.yaml", lambda text: text + overrides):
        refused(study, "overrides.m11: no such recording; did you mean 'm1'?")


def test_a_missing_path(study, session):
    study.edit("config/recordings.tsv", "raw/day1", "raw/day2")
    refused(study, "raw/day2")


def test_a_recording_listed_twice(study, session):
    path = study.folder / "config/recordings.tsv"
    path.write_text(path.read_text() + "m1\traw/day3\tm1\ta\n")
    refused(study, "the name 'm1' is already on line 2; list each recording once.")


def test_animals_that_are_neither_pairs_nor_different(study, session):
    path = study.folder / "config/recordings.tsv"
    animals = (("m1", "b"), ("m2", "a"), ("m3", "b"))
    path.write_text(path.read_text() + "".join(f"{a}{g}\tsimulated\t{a}\t{g}\n" for a, g in animals))
    refused(study, "1 (m1) is in both 'a' and 'b', 1 (m2) is in 'a' alone, and 1 (m3) is in 'b' alone")


def test_a_label_of_an_unknown_recording(study, session):
    study.write("config/labels.csv", "recording,start_s,stop_s,behavior\nm11,0,1,walk\n")
    try:
        refused(study, "config/labels.csv, line 2: unknown recording 'm11'; did you mean 'm1'?")
    finally:
        (study.folder / "config/labels.csv").unlink()


def test_a_truncated_depth_file(study, session):
    with (session / "depth.dat").open("r+b") as file:
        file.truncate(3 * FRAME - 1001)
    refused(study, "bytes are not a whole number of 512x424 uint16 frames")


def test_a_timestamp_file_of_the_wrong_length(study, session):
    (session / "depth_ts.txt").write_text("1000.0 0\n1033.0 0\n")
    refused(study, "2 timestamps for 3 frames")
