"""A flip list belongs to its recording; another network to all."""

import os
import re
import time

import pytest

pytestmark = pytest.mark.workflow
LIST = "start_frame\tstop_frame\taction\n0\t5\treverse\n"
RECORDINGS = ("c1", "c2", "d1", "d2")
RAW = ("depth.dat", "depth_ts.txt", "metadata.json", "truth.parquet")


def planned_extractions(study):
    """Recordings whose extraction a dry run plans because a file is newer than its crops."""
    planned = study.run("--dry-run", "--rerun-triggers", "mtime", "--until", "extract")
    return set(re.findall(r"\bextract (\S+) from ", planned))


@pytest.fixture
def extracted(study):
    """A study in which everything was extracted a minute ago, without a list."""
    (study.folder / "config/flips/c1.tsv").unlink(missing_ok=True)
    files = [f"results/simulated/{name}/{raw}" for name in RECORDINGS for raw in RAW]
    files += [
        f"results/recordings/{name}/{made}"
        for name in RECORDINGS
        for made in ("crops.h5", "preview.mp4")
    ]
    before = time.time() - 60
    for age, path in enumerate(files):
        study.write(path, "")
        os.utime(study.folder / path, (before + age / 100,) * 2)
    assert planned_extractions(study) == set()
    return study


def test_a_list_is_an_input_of_its_recording_alone(extracted):
    extracted.write("config/flips/c1.tsv", LIST)
    assert planned_extractions(extracted) == {"c1"}


def test_weights_are_an_input_of_all(extracted):
    extracted.edit(
        "config/config.yaml", "models:", "extract: {heading: {weights: own.safetensors}}\nmodels:"
    )
    extracted.write("own.safetensors", "")
    assert planned_extractions(extracted) == set(RECORDINGS)
