import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from syllabary.depth.readers import timestamps_file
from syllabary.depth.settings import SourceSettings
from syllabary.errors import BadInput

STRICT, CUT = SourceSettings(), SourceSettings(timestamps="cut")


@pytest.fixture
def recording(tmp_path):
    return tmp_path / "m1.avi"


def lines(path, text):
    path.write_text(text)
    return path


def test_the_recordings_own_file_comes_first_and_milliseconds_before_seconds(recording):
    folder = recording.parent
    assert timestamps_file.beside(recording) is None
    for name, unit in (
        ("timestamps.csv", "s"),
        ("depth_ts.txt", "ms"),
        ("m1_timestamps.csv", "s"),
        ("m1_ts.txt", "ms"),
    ):
        lines(folder / name, "1\n2\n")
        assert timestamps_file.beside(recording) == (folder / name, unit)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1\n2.5\n", [1, 2.5]),
        ("time;device\n1;a\n2;b\n", [1, 2]),
        ("  1   0\n\n2 0\n\n", [1, 2]),
        ("1,0\r\n2,0\r\n", [1, 2]),
        ("1e3\n-2", [1000, -2]),
        ("", []),
        ("header alone\n", []),
    ],
)
def test_the_first_number_of_each_line(tmp_path, text, expected):
    times = timestamps_file.first_column(lines(tmp_path / "t.txt", text))
    assert times.dtype == np.float64
    assert_array_equal(times, expected)


@pytest.mark.parametrize(("text", "place"), [("1\nabc\n", 2), ("time\nmore\n", 1), ("1\n2\n-\n", 3)])
def test_a_line_of_words_after_the_first(tmp_path, text, place):
    with pytest.raises(BadInput, match=f"timestamp {place} is"):
        timestamps_file.first_column(lines(tmp_path / "t.txt", text))


def test_units_are_those_of_the_name_unless_a_setting_has_another(recording):
    lines(recording.with_name("m1_ts.txt"), "1000\n1033\n1066\n")
    assert_allclose(timestamps_file.match(recording, 3, STRICT), [1.0, 1.033, 1.066])
    seconds = SourceSettings(timestamp_unit="s")
    lines(recording.with_name("m1_ts.txt"), "1\n1.033\n1.066\n")
    assert_allclose(timestamps_file.match(recording, 3, seconds), [1.0, 1.033, 1.066])


def test_times_of_the_file_itself_are_for_where_none_lie_beside_it(recording):
    inside = np.array([1.0, 1.04, 1.08])
    assert timestamps_file.match(recording, 3, STRICT, inside=inside) is inside
    lines(recording.with_name("timestamps.csv"), "2\n2.04\n2.08\n")
    assert timestamps_file.match(recording, 3, STRICT, inside=inside)[0] == 2


def test_a_number_of_times_that_does_not_fit_is_refused_or_cut(recording):
    lines(recording.with_name("timestamps.csv"), "1\n1.03\n1.06\n1.09\n")
    with pytest.raises(BadInput, match="4 timestamps for 3 frames"):
        timestamps_file.match(recording, 3, STRICT)
    assert len(timestamps_file.match(recording, 3, CUT)) == 3
    # Frames without a time are left out by the caller: there are as many times as can be paired.
    assert len(timestamps_file.match(recording, 9, CUT)) == 4


def test_even_spacing_looks_at_no_file(recording):
    lines(recording.with_name("timestamps.csv"), "nonsense\n")
    even = SourceSettings(timestamps="even", frames_per_second=25)
    assert_allclose(timestamps_file.match(recording, 3, even), [0, 0.04, 0.08])
    timestamps_file.require(recording, even)


@pytest.mark.parametrize("settings", [STRICT, CUT])
def test_missing_times(recording, settings):
    with pytest.raises(BadInput, match=r"no m1_ts\.txt \(milliseconds\) nor timestamps\.csv"):
        timestamps_file.match(recording, 3, settings)
    with pytest.raises(BadInput, match=r"no m1_ts\.txt"):
        timestamps_file.require(recording, settings)
    lines(recording.with_name("timestamps.csv"), "time\n")
    with pytest.raises(BadInput, match=r"holds no timestamp|0 timestamps for 3 frames"):
        timestamps_file.match(recording, 3, settings)


def test_a_recording_without_a_frame(recording):
    with pytest.raises(BadInput, match="holds no frame"):
        timestamps_file.match(recording, 0, STRICT)
