"""What counts mean is found in their values: byte order, codes, packed bits, units."""

import json
import tarfile
from pathlib import Path

import av
import h5py
import numpy as np
import pytest
from numpy.testing import assert_array_equal

from oracles.depth_scene import CAMERA, COLUMNS, FLOOR_MM, ROWS, render, stroll
from syllabary.depth import extraction, sources
from syllabary.depth.counts import Counts
from syllabary.depth.settings import ExtractSettings, SourceSettings
from syllabary.errors import BadInput, BadSetting, NoFloor
from syllabary.provenance import Provenance
from syllabary.settings import read

COUNT = 12
ARENA = {"floor_range_mm": (450, 1500)}
EVEN = {"timestamps": "even", "frames_per_second": 30.0, "rows": ROWS, "columns": COLUMNS}


@pytest.fixture(scope="module")
def depth():
    """Noisy frames, mm, and the same with 15 % of the pixels missing (0)."""
    rng = np.random.default_rng(3)
    frames = np.stack(
        [render(*pose, rng=rng, noise_mm=1.0) for pose in zip(*stroll(COUNT), strict=True)]
    )
    holes = np.where(rng.random(frames.shape) < 0.15, 0, frames).astype(np.uint16)
    return frames, holes


@pytest.fixture
def write(tmp_path):
    """Write frames of any type into a file of any format."""

    def write(frames, name="depth.dat", about=None):
        path = tmp_path / name
        if path.suffix == ".dat":
            frames.tofile(path)
        elif path.suffix == ".h5":
            with h5py.File(path, "w") as h5:
                h5["frames"] = frames
        elif path.suffix == ".gz":
            frames.tofile(tmp_path / "depth.dat")
            with tarfile.open(path, "w:gz") as archive:
                archive.add(tmp_path / "depth.dat", "depth.dat")
        else:
            with av.open(str(path), "w") as container:
                track = container.add_stream("ffv1", rate=30)
                track.height, track.width, track.pix_fmt = ROWS, COLUMNS, "gray16le"
                track.options = {"level": "3", "g": "1"}
                for frame in frames:
                    container.mux(track.encode(av.VideoFrame.from_ndarray(frame, format="gray16le")))
                container.mux(track.encode(None))
        if about is not None:
            (tmp_path / "metadata.json").write_text(json.dumps(about))
        return path

    return write


def opened(path, **settings):
    return sources.open_recording(path, read(SourceSettings, {**EVEN, **settings}, "extract.source"))


@pytest.mark.parametrize("code", [65535, 4095, 2047, 8191, 32767, 10000, 20])
@pytest.mark.parametrize("name", ["depth.dat", "m1.avi", "m1.h5"])
def test_a_code_for_not_measured_is_found(depth, write, code, name, caplog):
    caplog.set_level("INFO")
    _, holes = depth
    with opened(write(np.where(holes == 0, code, holes).astype("<u2"), name)) as video:
        assert_array_equal(video.read(0, COUNT), holes)
        assert video.counts.invalid == (code,)
    assert f"{code} is taken for 'not measured' (15.1 % of the pixels)" in caplog.text


@pytest.mark.parametrize("codes", [(65535, 4095), (4095, 8191), (2047, 9000)])
def test_two_codes_are_found(depth, write, codes):
    _, holes = depth
    twice = np.where(holes == 0, codes[0], holes)
    twice[:, 20:60, 30:90] = codes[1]
    with opened(write(twice.astype("<u2"))) as video:
        assert video.counts.invalid == tuple(sorted(codes))
        assert (video.read(0, 1)[0][20:60, 30:90] == 0).all()


@pytest.mark.parametrize(
    ("dtype", "code"),
    [
        ("<f4", np.nan),
        ("<f8", np.inf),
        ("<f4", -1),
        ("<f4", 9999.5),
        ("<i2", -32768),
        ("<i4", 2**31 - 1),
    ],
)
def test_codes_of_other_types(depth, write, dtype, code):
    _, holes = depth
    path = write(np.where(holes == 0, np.array(code, dtype), holes).astype(dtype))
    with opened(path, dtype=np.dtype(dtype).name) as video:
        assert_array_equal(video.read(0, COUNT), holes)


@pytest.mark.parametrize("farthest", [600, 673, 1500, 1023])
def test_surfaces_without_noise_are_no_code(write, farthest):
    frames = np.full((3, ROWS, COLUMNS), 400, "<u2")
    frames[:, 40:200, 60:260] = farthest
    with opened(write(frames)) as video:
        assert_array_equal(video.read(0, 3), frames)


def test_a_code_amid_depths_is_asked_about(depth, write):
    frames, _ = depth
    odd = frames.copy()
    odd[:, 20:60, 100:200] = 500
    path = write(odd)
    with pytest.raises(
        BadInput, match=r"5% of the pixels hold exactly 500.*extract.source.invalid to \[5"
    ):
        opened(path)
    for codes, value in (([500], 0), ([], 500)):
        with opened(path, invalid=codes) as video:
            assert (video.read(0, 1)[0][20:60, 100:200] == value).all()


@pytest.mark.parametrize("codes", [[65535], [65535, 601], []])
def test_the_setting_decides_about_codes(depth, write, codes):
    _, holes = depth
    counts = np.where(holes == 0, 65535, holes).astype("<u2")
    with opened(write(counts), invalid=codes) as video:
        assert_array_equal(video.read(0, COUNT), np.where(np.isin(counts, codes), 0, counts))


@pytest.mark.parametrize(
    ("name", "dtype", "about"),
    [
        ("depth.dat", ">u2", None),
        ("depth.dat", ">u2", {"DepthResolution": [COLUMNS, ROWS], "IsLittleEndian": True}),
        ("depth.dat", "<u2", {"DepthResolution": [COLUMNS, ROWS], "IsLittleEndian": False}),
        ("depth.dat", ">i2", None),
        ("depth.dat", ">i4", None),
        ("depth.dat", ">f4", None),
        ("m1.tar.gz", ">u2", None),
        ("m1.avi", ">u2", None),
        ("m1.h5", "<u2", "bytes"),
    ],
)
def test_the_order_of_bytes_is_proven_by_the_values(depth, write, name, dtype, about, caplog):
    _, holes = depth
    counts = holes.astype(dtype)
    if name == "m1.avi" or about == "bytes":
        counts = counts.astype("<u2").byteswap()
    path = write(counts, name, about if isinstance(about, dict) else None)
    with opened(path, dtype=np.dtype(dtype).name) as video:
        assert_array_equal(video.read(0, COUNT), holes)
    assert "neighboring pixels are alike only if counts are read as" in caplog.text


@pytest.mark.parametrize(("order", "right"), [("big", "little"), ("little", "big")])
def test_an_order_in_the_settings_that_the_values_disprove(depth, write, order, right):
    frames, _ = depth
    path = write(frames.astype("<>"[right == "big"] + "u2"))
    with pytest.raises(
        BadInput, match=f"byte_order is '{order}', but neighboring .* set it to '{right}'"
    ):
        opened(path, byte_order=order)
    with opened(path, byte_order=right) as video:
        assert_array_equal(video.read(0, COUNT), frames)


@pytest.mark.parametrize("kind", ["random", "flat", "symmetric"])
def test_values_that_prove_no_order_are_read_as_described(write, rng, kind):
    frames = {
        "random": rng.integers(0, 2**16, (4, ROWS, COLUMNS)),
        "flat": np.full((4, ROWS, COLUMNS), 600),
        "symmetric": np.broadcast_to(257 * (np.arange(COLUMNS) // 10), (4, ROWS, COLUMNS)),
    }[kind].astype("<u2")
    with opened(write(frames), invalid=[]) as video:
        assert_array_equal(video.read(0, 4), frames)


@pytest.mark.parametrize("player", ["one", "the mouse", "left half"])
@pytest.mark.parametrize("settings", [{"unit_mm": 0.125}, {"bit_shift": 3}])
def test_bits_below_the_depth_are_left_out(depth, write, player, settings):
    frames, _ = depth
    number = {
        "one": np.ones(frames.shape, int),
        "the mouse": np.where((frames < 590) & (frames > 500), 5, 0),
        "left half": np.broadcast_to(np.arange(COLUMNS) < COLUMNS / 2, frames.shape) * 2,
    }[player]
    with opened(write((frames * 8 + number).astype("<u2")), **settings) as video:
        assert_array_equal(video.read(0, COUNT), frames)
        assert video.counts == Counts(1.0, 3)


@pytest.mark.parametrize("sd_counts", [4, 8, 20])
def test_eighths_of_a_millimeter_are_not_taken_for_packed_bits(write, rng, sd_counts):
    counts = np.rint(8 * FLOOR_MM + sd_counts * rng.standard_normal((5, ROWS, COLUMNS))).astype("<u2")
    with opened(write(counts), unit_mm=0.125) as video:
        assert_array_equal(video.read(0, 5), np.rint(counts / 8))


@pytest.mark.parametrize(
    ("unit_mm", "dtype"),
    [(0.1, "<u2"), (0.125, "<u2"), (0.25, "<u2"), (10.0, "<f4"), (1000.0, "<f4"), (1000.0, "<f8")],
)
def test_a_recording_in_another_unit_says_which(depth, write, tmp_path, unit_mm, dtype):
    frames, _ = depth
    fine = frames + np.random.default_rng(1).uniform(-0.5, 0.5, frames.shape)
    path = write((fine / unit_mm if dtype[1] == "f" else np.rint(fine / unit_mm)).astype(dtype))
    made = Provenance("extract", {}, None, {}, "")

    def extract(**source):
        settings = {
            "camera": CAMERA,
            "arena": ARENA,
            "source": {**EVEN, "dtype": np.dtype(dtype).name, **source},
        }
        extraction.extract(path, tmp_path / "c.h5", None, ExtractSettings.model_validate(settings),
                           recording="m1", provenance=made)  # fmt: skip

    with pytest.raises(
        NoFloor, match=rf"at (599|600|601) mm with extract\.source\.unit_mm: {unit_mm:g}\b"
    ):
        extract()
    extract(unit_mm=unit_mm)
    with h5py.File(tmp_path / "c.h5") as h5:
        assert abs(h5["arena/floor_plane"][3] - FLOOR_MM) < 1


def test_bits_that_make_a_floor_too_far_are_named(depth, write, tmp_path):
    frames, _ = depth
    path = write((frames * 8 + 3).astype("<u2"))
    settings = ExtractSettings.model_validate({"camera": CAMERA, "source": EVEN})
    made = Provenance("extract", {}, None, {}, "")
    with pytest.raises(NoFloor, match=r"600 mm with extract\.source\.bit_shift: 3 and unit_mm: 1"):
        extraction.extract(path, tmp_path / "c.h5", None, settings, recording="m1", provenance=made)


@pytest.mark.parametrize(("unit", "factor"), [("m", 1000.0), ("cm", 10.0), ("mm", 1.0)])
def test_the_unit_of_a_dataset_goes_before_the_setting(depth, tmp_path: Path, unit, factor):
    frames, _ = depth
    with h5py.File(tmp_path / "m1.h5", "w") as h5:
        h5["frames"] = (frames / factor).astype("<f4")
        h5["frames"].attrs["units"] = unit
    with opened(tmp_path / "m1.h5", unit_mm=0.5) as video:
        assert_array_equal(video.read(0, COUNT), frames)


@pytest.mark.parametrize("settings", [{"bit_shift": 9}, {"bit_shift": -1}, {"invalid": "max"}])
def test_settings_that_mean_nothing(settings):
    with pytest.raises(BadSetting):
        read(SourceSettings, settings, "extract.source")
