"""A flip list belongs to its recording; another network to all."""

import re

import pytest

pytestmark = pytest.mark.workflow
LIST = "start_frame\tstop_frame\taction\n0\t5\treverse\n"


def inputs(text):
    """Inputs of the jobs of `extract` that a dry run plans, by recording."""
    blocks = re.findall(r"\bextract (\S+) from ", text)
    flips = {}
    for block in blocks:
        files = re.search(r"    input: (.*)", block)[1].split(", ")
        flips[re.search(r"recording=([^,\s]+)", block)[1]] = set(files)
    return flips


def test_a_list_is_an_input_of_its_recording_alone(study):
    study.write("config/flips/c1.tsv", LIST)
    planned = inputs(study.run("--dry-run"))
    assert "config/flips/c1.tsv" in planned["c1"]
    assert not any("flips" in path for name in planned if name != "c1" for path in planned[name])


def test_weights_are_an_input_of_all(study):
    study.edit(
        "config/config.yaml", "models:", "extract: {heading: {weights: own.safetensors}}\nmodels:"
    )
    study.write("own.safetensors", "")
    planned = inputs(study.run("--dry-run"))
    assert len(planned) == 4
    assert all("own.safetensors" in files for files in planned.values())
