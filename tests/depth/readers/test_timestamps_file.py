import numpy as np
import pytest
from numpy.testing import assert_allclose

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


def times(path, text, **settings):
    """Times that are read from a file of this text, in the units of the file's own numbers."""
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return timestamps_file.read(path, SourceSettings(**settings)).times_s


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1\n1.05\n", [1, 1.05]),
        ("time;device\n1;a\n1.05;b\n", [1, 1.05]),
        ("  1   0\n\n1.05 0\n\n", [1, 1.05]),
        ("1,0\r\n1.05,0\r\n", [1, 1.05]),
        ("1e-1\n-2e-2", [0.1, -0.02]),
        ("7", [7]),
        ("# a comment\n1\n1.05", [1, 1.05]),
        ("", []),
        ("header alone\n", []),
    ],
)
def test_a_time_of_each_line(tmp_path, text, expected):
    result = times(tmp_path / "t.txt", text)
    assert result.dtype == np.float64
    assert_allclose(result, expected)


@pytest.mark.parametrize(("text", "place"), [("1\nabc\n", 2), ("time\nmore\n", 1), ("1\n1.05\n-\n", 3)])
def test_a_line_of_words_after_the_first(tmp_path, text, place):
    with pytest.raises(BadInput, match=f"timestamp {place} is"):
        times(tmp_path / "t.txt", text)


SECONDS = np.array([0.0, 0.033333, 0.066667, 0.1, 0.2, 0.233333])
DATES = [f"2021-03-04T12:34:56.{round(1e6 * t):06d}0-05:00" for t in SECONDS]


def joined(*columns, names="", part=","):
    rows = [part.join(map(str, row)) for row in zip(*columns, strict=True)]
    return "\n".join([names, *rows] if names else rows)


@pytest.mark.parametrize(
    "text",
    [
        joined(range(6), SECONDS, names="frame,time_s"),
        joined(range(6), 1000 * SECONDS, part=" "),
        joined(SECONDS, range(9, 15), part="\t"),
        joined([7, 8, 9, 10, 13, 14], SECONDS, [0] * 6, part=";"),
        joined(["a"] * 6, range(6), (1e6 * SECONDS).astype(int), names="camera,frame,timestamp_us"),
        joined(range(6), DATES, names="index,when it was"),
        joined([33 * i for i in range(6)], 1000 * SECONDS, names="frame,ms"),
        joined(range(0, 12, 2), SECONDS),
        joined([5, 9, 70, 90, 93, 200], SECONDS, names="encoder,time"),
    ],
    ids=["named", "blanks", "behind", "drops", "words", "dates", "even index", "every other", "encoder"],
)
def test_a_counter_of_frames_is_not_taken_for_the_clock(tmp_path, text):
    result = times(tmp_path / "t.txt", text)
    assert_allclose(result - result[0], SECONDS, atol=2e-6)


@pytest.mark.parametrize(
    "text",
    [
        joined(range(9)),
        joined(range(9), [0] * 9),
        joined(range(9), names="time_s"),
        joined(range(5, 23, 2)),
    ],
)
def test_counters_alone_are_refused_with_the_setting_that_decides(tmp_path, text):
    with pytest.raises(BadInput, match=r"counts frames: .*extract\.source\.timestamp_column"):
        times(tmp_path / "t.txt", text)
    # A person may insist.
    result = times(tmp_path / "t.txt", text, timestamp_column=1, timestamp_unit="s")
    assert result[1] - result[0] in (1, 2)


@pytest.mark.parametrize(
    "other", [SECONDS / 2, 20 * SECONDS, np.arange(6) * 41.0], ids=["half", "times 20", "24 frames/s"]
)
def test_two_clocks_that_do_not_agree_are_refused_unless_one_is_named(tmp_path, other):
    names = "time_a,time_b"
    text = joined(SECONDS, other, names=names)
    with pytest.raises(
        BadInput, match=r"'time_a'\) and .*'time_b'\) .* extract.source.timestamp_column"
    ):
        times(tmp_path / "t.txt", text)
    for column in (1, "time_a", "Time_A"):
        result = times(tmp_path / "t.txt", text, timestamp_column=column)
        assert_allclose(result, SECONDS)
    for column in (0, 3, "time_c"):
        with pytest.raises(BadInput, match=r"no column .* among 2 columns \(time_a, time_b\)"):
            times(tmp_path / "t.txt", text, timestamp_column=column)


@pytest.mark.parametrize(
    "columns",
    [
        (np.round(1000 * SECONDS), 1e6 * SECONDS + 5e9),
        (1e6 * SECONDS + 5e9, np.round(SECONDS, 3)),
        (DATES, np.round(1000 * SECONDS)),
    ],
    ids=["ms, us", "us, s", "date, ms"],
)
def test_the_finest_of_clocks_that_agree_is_taken_and_told(tmp_path, caplog, columns):
    caplog.set_level("INFO")
    result = times(tmp_path / "t.txt", joined(*columns))
    assert_allclose(result - result[0], SECONDS, atol=2e-6)
    assert "the finest of clocks that agree" in caplog.text


@pytest.mark.parametrize(
    "text",
    [
        b"\xef\xbb\xbf0;0\r\n1;0,033333\r\n2;0,066667\r\n3;0,1\r\n4;0,2\r\n5;0,233333\r\n",
        "\n".join(f'"{i}","{t}"' for i, t in enumerate(SECONDS)),
        "\n".join(f'"{t}"'.replace(".", ",") for t in SECONDS),
        "\n".join(f"{t:.6f}".replace(".", ",") for t in SECONDS),
        joined(SECONDS, [0] * 6, names="time (s)  state", part=" "),
        joined(range(6), SECONDS, names="frame\ttime", part="\t").encode("utf-16"),
        joined(range(6), [f"{t:.6f}".replace(".", ",") for t in SECONDS], part=" "),
        ",time\n" + joined(range(6), SECONDS),
        "# frame time\n" + joined(range(6), SECONDS, part=" "),
    ],
    ids=["Excel", "quotes", "quoted", "comma", "blank", "utf-16", "mixed", "pandas", "numpy"],
)
def test_however_columns_are_parted_and_quoted(tmp_path, text):
    assert_allclose(times(tmp_path / "t.txt", text), SECONDS, atol=1e-12)


MIDNIGHT = [f"23:59:59.{900_000 + round(1e6 * t)}" for t in SECONDS[:3]] + [
    f"00:00:00.{round(1e6 * t) - 100_000:06d}" for t in SECONDS[3:]
]


@pytest.mark.parametrize(
    ("form", "start"),
    [
        (DATES, "2021-03-04T12:34:56.000000-05:00"),
        ([d.replace("-05:00", "Z") for d in DATES], "2021-03-04T12:34:56.000000+00:00"),
        ([d[:-7].replace("T", " ") for d in DATES], "2021-03-04T12:34:56.000000"),
        ([d[:-6].replace(".", ",") for d in DATES], "2021-03-04T12:34:56.000000"),
        ([f"{1_614_861_296 + t:.6f}" for t in SECONDS], "2021-03-04T12:34:56+00:00"),
        ([f"{1_614_861_296_000 + 1000 * t:.3f}" for t in SECONDS], "2021-03-04T12:34:56+00:00"),
        ([1_614_861_296_000_000 + round(1e6 * t) for t in SECONDS], "2021-03-04T12:34:56+00:00"),
        ([1_614_861_296_000_000_000 + round(1e9 * t) for t in SECONDS], "2021-03-04T12:34:56+00:00"),
        ([132_593_348_960_000_000 + round(1e7 * t) for t in SECONDS], "2021-03-04T12:34:56+00:00"),
        ([637_504_580_960_000_000 + round(1e7 * t) for t in SECONDS], "2021-03-04T12:34:56"),
        ([f"{44_259 + (45_296 + t) / 86_400:.11f}" for t in SECONDS], "2021-03-04T12:34:56"),
        ([f"{738_219 + (45_296 + t) / 86_400:.11f}" for t in SECONDS], "2021-03-04T12:34:56"),
        (MIDNIGHT, ""),
        ([f"0:00:0{t:.6f}" for t in SECONDS], ""),
        ([f"{5e6 * 1000 + 1e6 * 1000 * t:.0f}" for t in SECONDS], ""),
    ],
    ids=["ISO", "Z", "blank", "comma", "s", "ms", "us", "ns", "FILETIME", ".NET", "Excel", "MATLAB",
         "midnight", "elapsed", "ns since the start"],
)  # fmt: skip
def test_dates_and_numbers_of_any_unit_are_times_and_say_when_it_began(tmp_path, form, start):
    (tmp_path / "t.txt").write_text("\n".join(map(str, form)))
    clock = timestamps_file.read(tmp_path / "t.txt", STRICT)
    # As floats, ticks since year 1 have steps of 13 us.
    assert_allclose(clock.times_s - clock.times_s[0], SECONDS, atol=1.3e-5)
    assert clock.start_time[:19] == start[:19]
    assert clock.start_time[-6:] == start[-6:]


@pytest.mark.parametrize(("name", "length_s"), [("time (min)", 60), ("hours", 3600), ("days", 86_400)])
def test_long_units_are_those_that_a_name_or_a_setting_states(tmp_path, name, length_s):
    text = joined([f"{t / length_s:.12f}" for t in SECONDS], names=name)
    assert_allclose(times(tmp_path / "t.csv", text), SECONDS, atol=1e-6)
    alone = text.partition("\n")[2]
    assert_allclose(
        times(tmp_path / "a.csv", alone, timestamp_unit={60: "min", 3600: "h"}.get(length_s, "d")),
        SECONDS, atol=1e-6,
    )  # fmt: skip
    with pytest.raises(BadInput, match=r"in no unit a camera's.*min, h, d"):
        times(tmp_path / "b.csv", alone)


@pytest.mark.parametrize(
    "remarks",
    ["# camera A, 30 fps\n# begun at noon\n", "camera: A\nfps: 30\n", "sep=,\n", "Run of Monday\n\n"],
)
def test_remarks_above_the_names_of_columns_are_passed_over(tmp_path, remarks):
    text = remarks + joined(range(6), SECONDS, names="frame,time_s")
    assert_allclose(times(tmp_path / "t.csv", text), SECONDS)


@pytest.mark.parametrize("missing", ["N/A", "-", "null"])
def test_a_first_time_that_is_missing_is_no_remark(tmp_path, missing):
    with pytest.raises(BadInput, match=f"timestamp 1 is '{missing}'"):
        times(tmp_path / "t.csv", f"time_s\n{missing}\n0.05\n0.1\n0.15\n0.2\n0.25\n")


@pytest.mark.parametrize("part", ["2021-03-04T25:00:00", "2021-13-04T12:00:00", "04/03/2021T12:00:00.5"])
def test_dates_that_are_none_are_refused(tmp_path, part):
    with pytest.raises(BadInput, match=r"timestamp 1 is|timestamp 2 is"):
        times(tmp_path / "t.txt", f"{part}\n{part}\n{part}\n" * 3)


@pytest.mark.parametrize("named", ["time_ms", "timestamp (us)", "seconds"])
def test_values_that_contradict_the_unit_of_their_name_are_refused(tmp_path, named):
    values = np.array([0, 33, 67, 100]) * {"time_ms": 1e-3, "timestamp (us)": 1e-3, "seconds": 1}[named]
    with pytest.raises(BadInput, match=r"name states.*set extract\.source\.timestamp_unit"):
        times(tmp_path / "t.csv", joined(values, names=named))


@pytest.mark.parametrize(
    ("step", "result"), [(333_333, "us .*100ns"), (66_667, "us .*100ns"), (5_000_000, "100ns .*ns")]
)
def test_units_that_nothing_decides_between_are_refused(tmp_path, step, result):
    text = joined(step * np.arange(5))
    with pytest.raises(BadInput, match=rf"can be {result}.*extract\.source\.timestamp_unit"):
        times(tmp_path / "t.txt", text)
    assert_allclose(np.diff(times(tmp_path / "t.txt", text, timestamp_unit="100ns")), step / 1e7)


@pytest.mark.parametrize(("rate", "interval_s"), [(30, 1 / 30), (3, 1 / 3), (25, 1 / 30)])
def test_a_known_rate_decides_between_units(recording, rate, interval_s):
    lines(recording.with_name("m1_ts.txt"), joined(333_333 * np.arange(5)))
    lines(recording.with_name("metadata.json"), f'{{"FrameRate": "K4A_FRAMES_PER_SECOND_{rate}"}}')
    for stated in (None, rate):
        result = timestamps_file.match(recording, 5, STRICT, rate=stated).times_s
        assert_allclose(np.diff(result), interval_s, rtol=1e-5)


@pytest.mark.parametrize("rate", [0.4, 0.11, 300, 2000])
def test_rates_of_no_camera_are_refused(recording, rate):
    lines(recording.with_name("m1_timestamps.csv"), joined(np.arange(9) / rate, names="time_s"))
    with pytest.raises(BadInput, match=r"wanted are 1 to 240 frames/s"):
        timestamps_file.match(recording, 9, STRICT)
    with pytest.raises(BadInput, match=r"1 to 240 frames/s"):
        timestamps_file.match(recording, 9, SourceSettings(timestamp_unit="s"))
    with pytest.raises(BadInput, match=r"1 to 240 frames/s"):
        timestamps_file.match(recording.with_name("m2.avi"), 9, STRICT, inside=np.arange(9) / rate)


@pytest.mark.parametrize("rate", [15.0, 60.0, 46.0])
def test_a_rate_that_is_not_the_videos_is_refused_or_meant(recording, rate):
    lines(recording.with_name("m1_timestamps.csv"), joined(np.arange(9) / 30.0))
    even = {"timestamps": "even", "frames_per_second": 30.0}
    for settings in ({}, even):
        with pytest.raises(BadInput, match=rf"30 frames/s, and the video itself states {rate:.4g}"):
            timestamps_file.match(recording, 9, SourceSettings(**settings), rate=rate)
        with pytest.raises(BadInput, match="video_rate to 'ignore'"):
            timestamps_file.require(recording, SourceSettings(**settings), rate=rate)
        meant = SourceSettings(**settings, video_rate="ignore")
        assert_allclose(timestamps_file.match(recording, 9, meant, rate=rate).times_s, np.arange(9) / 30)
    assert len(timestamps_file.match(recording, 9, STRICT, rate=40).times_s) == 9


@pytest.mark.parametrize(
    "at", [[0, 1, 1, 2, 3], [0, 1, 2, 0, 1], [0, 1, 2, 3, 2.5]], ids=["again", "reset", "back"]
)
def test_clocks_that_stand_or_go_back_are_refused(recording, at):
    values = [*np.arange(20, 40), *(60 + np.array(at))]
    lines(recording.with_name("m1_ts.txt"), joined(np.round(33.3 * np.array(values), 1), [0] * 25))
    with pytest.raises(BadInput, match=r"not after the one before it"):
        timestamps_file.match(recording, 25, STRICT)


def test_units_are_those_of_the_name_unless_a_setting_has_another(recording):
    lines(recording.with_name("m1_ts.txt"), "1000\n1033\n1066\n")
    assert_allclose(timestamps_file.match(recording, 3, STRICT).times_s, [1.0, 1.033, 1.066])
    seconds = SourceSettings(timestamp_unit="s")
    lines(recording.with_name("m1_ts.txt"), "1\n1.033\n1.066\n")
    assert_allclose(timestamps_file.match(recording, 3, seconds).times_s, [1.0, 1.033, 1.066])


def test_times_of_the_file_itself_are_for_where_none_lie_beside_it(recording):
    inside = np.array([1.0, 1.04, 1.08])
    assert timestamps_file.match(recording, 3, STRICT, inside=inside).times_s is inside
    lines(recording.with_name("timestamps.csv"), "2\n2.04\n2.08\n")
    assert timestamps_file.match(recording, 3, STRICT, inside=inside).times_s[0] == 2


def test_a_number_of_times_that_does_not_fit_is_refused_or_cut(recording):
    lines(recording.with_name("timestamps.csv"), "1\n1.03\n1.06\n1.09\n")
    with pytest.raises(BadInput, match="4 timestamps for 3 frames"):
        timestamps_file.match(recording, 3, STRICT)
    assert len(timestamps_file.match(recording, 3, CUT).times_s) == 3
    # Frames without a time are left out by the caller: there are as many times as can be paired.
    assert len(timestamps_file.match(recording, 9, CUT).times_s) == 4


def test_even_spacing_looks_at_no_file(recording):
    lines(recording.with_name("timestamps.csv"), "nonsense\n")
    even = SourceSettings(timestamps="even", frames_per_second=25)
    assert_allclose(timestamps_file.match(recording, 3, even).times_s, [0, 0.04, 0.08])
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
