"""A flip list belongs to its recording; another network to all."""

import re

import pytest

pytestmark = pytest.mark.workflow
LIST = "start_frame\tstop_frame\taction\n0\t5\treverse\n"


def planned_extractions(study):
    """Recordings whose extraction a dry run plans."""
    return set(re.findall(r"\bextract (\S+) from ", study.run("--dry-run", "--until", "extract")))


def test_a_list_is_an_input_of_its_recording_alone(study):
    study.write("config/flips/c1.tsv", LIST)
    assert "c1" in planned_extractions(study)


def test_weights_are_an_input_of_all(study):
    study.edit(
        "config/config.yaml", "models:", "extract: {heading: {weights: own.safetensors}}\nmodels:"
    )
    study.write("own.safetensors", "")
    assert len(planned_extractions(study)) == 4
