"""Step ``extract``: raw depth video to crops."""

import pytest

from oracles import small_recordings
from syllabary.errors import BadInput
from syllabary.records.crops import Crops
from syllabary.steps import source_files


def test_a_session_becomes_crops_that_record_its_files(extracted, session):
    path = extracted()
    with Crops(path) as crops:
        assert (crops.recording, len(crops), crops.size) == ("m1", small_recordings.COUNT, (32, 32))
        assert set(crops.provenance.inputs) == {
            f"{path.parent.name}/{path.name}" for path in source_files(session)
        }


def test_a_missing_source_is_named(extracted, tmp_path):
    with pytest.raises(BadInput, match="nowhere"):
        extracted(source=tmp_path / "nowhere")


def test_a_list_of_flips_is_checked_before_frames_are_read(extracted, tmp_path):
    flips = tmp_path / "flips.tsv"
    flips.write_text("start_frame\tstop_frame\taction\n0\t5\tturn\n")
    with pytest.raises(BadInput, match=r"flips\.tsv"):
        extracted(flips=flips)
    assert not (tmp_path / "m1").exists()
