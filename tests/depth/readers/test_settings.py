"""Every setting of ``extract.source`` changes what is read somewhere."""

import h5py
import pytest

from syllabary.depth import sources
from syllabary.depth.settings import SourceSettings
from syllabary.errors import BadInput

EVEN = {"timestamps": "even", "frames_per_second": 25.0}
# Recording, settings, and the same with another value of the one setting.
CHANGES = {
    "timestamps": ("short", {}, {"timestamps": "cut"}),
    "frames_per_second": ("session", EVEN, {**EVEN, "frames_per_second": 30.0}),
    "timestamp_column": ("columns", {"timestamp_column": 2}, {"timestamp_column": 1}),
    "video_rate": ("fast", {}, {"video_rate": "ignore"}),
    "timestamp_unit": ("hdf5", {}, {"timestamp_unit": "s"}),
    "rows": ("session", {"rows": 12, "columns": 20}, {"rows": 6, "columns": 20, "timestamps": "cut"}),
    "columns": (
        "session",
        {"rows": 12, "columns": 20},
        {"rows": 12, "columns": 10, "timestamps": "cut"},
    ),
    "dtype": ("session", {}, {"dtype": "int16"}),
    "byte_order": ("session", {}, {"byte_order": "big"}),
    "unit_mm": ("hdf5", {}, {"unit_mm": 0.25}),
    "bit_shift": ("session", {}, {"bit_shift": 3}),
    "invalid": ("session", {}, {"invalid": tuple(range(1000))}),
    "hdf5_frames": ("two", {}, {"hdf5_frames": "more/depth"}),
    "hdf5_timestamps": ("hdf5", {}, {"hdf5_timestamps": "more/clock_ms"}),
}


@pytest.fixture
def recording(session, tmp_path, frames, times_ms, ffv1):
    def find(kind):
        if kind in ("hdf5", "two"):
            with h5py.File(tmp_path / "m1.h5", "w") as h5:
                h5["depth"], h5["time_ms"] = frames, 2 * times_ms
                h5["more/clock_ms"] = times_ms  # a name that is not looked for
                if kind == "two":
                    h5["more/depth"] = frames[:, :5]
            return tmp_path / "m1.h5"
        if kind == "columns":
            text = "".join(f"{2 * t} {t}\n" for t in times_ms)
            (session / "depth_ts.txt").write_text(text)
        if kind == "fast":
            (session / "depth.dat").unlink()
            ffv1(session / "depth.avi", frames)
            (session / "depth_ts.txt").write_text("".join(f"{2 * t}\n" for t in times_ms))
        if kind == "short":
            (session / "depth_ts.txt").write_text("".join(f"{t}\n" for t in times_ms[:9]))
        return session

    return find


def outcome(path, settings):
    try:
        with sources.open_recording(path, SourceSettings(**settings)) as video:
            return video.read(0, len(video)).tobytes(), video.timestamps_s.tobytes()
    except BadInput as error:
        return str(error)


@pytest.mark.parametrize("name", SourceSettings.model_fields)
def test_every_setting_changes_what_is_read(recording, name):
    kind, before, after = CHANGES[name]
    assert before.get(name) != after[name]
    path = recording(kind)
    assert outcome(path, before) != outcome(path, after)
    assert outcome(path, before) == outcome(path, before)
