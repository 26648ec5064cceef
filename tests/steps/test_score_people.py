"""``syllabary score-people`` from files to text."""

import numpy as np
import pytest
from typer.testing import CliRunner

from syllabary.cli import app
from syllabary.errors import BadInput
from syllabary.provenance import Provenance
from syllabary.records import tables
from syllabary.steps import score_people
from syllabary.syllables import decode

PROVENANCE = Provenance("label", {}, 1, {}, "code")
TABLE = "recording,start_s,stop_s,behavior,annotator\n"


@pytest.fixture
def labels(tmp_path):
    """Labels of m1: three syllables of ten ticks, a tenth of a second each."""
    path = np.repeat([0, 1, 2], 10)
    table = decode.table(
        np.arange(30), np.arange(30) / 10, syllable=path, probabilities=np.eye(3)[path],
        surprise_nats=np.zeros(30), names={1: "up"},
    )  # fmt: skip
    place = tmp_path / "m1" / "labels" / "slds.parquet"
    place.parent.mkdir(parents=True)
    tables.write(place, table, PROVENANCE)
    return place


def test_the_command_prints_each_behavior_and_how_people_agree(labels, tmp_path):
    people, trained = tmp_path / "people.csv", tmp_path / "labels.csv"
    people.write_text(
        TABLE
        + "m1,0,1,walk,anna\nm1,1,2,rear,anna\nm1,1,2,rear,ben\nm1,2,3,rear,anna\nother,0,1,rear,anna\n"
    )
    trained.write_text(TABLE + "m1,2,3,rear,\n")
    call = ["score-people", str(people), str(labels), "--training-labels", str(trained)]
    result = CliRunner().invoke(app, call)
    assert result.exit_code == 0, result.output
    lines = [line.split() for line in result.output.splitlines()]
    assert ["rear", "20", "1.000", "1.000", "1", "up"] in lines
    assert ["walk", "10", "1.000", "1.000", "0"] in lines
    assert any(line[:3] == ["anna", "and", "ben"] for line in lines)


def test_people_who_labeled_other_recordings_are_told(labels, tmp_path):
    people = tmp_path / "people.csv"
    people.write_text(TABLE + "other,0,1,walk,anna\n")
    with pytest.raises(BadInput, match="share no time"):
        score_people(people, [labels])
