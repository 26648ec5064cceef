"""Step ``convert``: a raw recording to another format. Formats are tested in ``depth``."""

import pytest

from syllabary.errors import SyllabaryError
from syllabary.steps import convert


def test_a_converted_recording_has_the_same_frames(session, tmp_path):
    sentence = convert(session, tmp_path / "out" / "m1.avi", None, overwrite=False, lossy=False)
    assert "the same bit for bit" in sentence
    with pytest.raises(SyllabaryError, match="overwrite"):
        convert(session, tmp_path / "out" / "m1.avi", None, overwrite=False, lossy=False)
