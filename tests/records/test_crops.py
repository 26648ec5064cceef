import h5py
import numpy as np
import pytest

from syllabary.errors import BadInput, ShapeError
from syllabary.provenance import Provenance
from syllabary.records.crops import SCALARS, TRACKING, Crops, CropsWriter

MADE = Provenance("extract", {"pixel_mm": 1.85}, None, {}, "code")


def rest(ticks):
    return {
        "frame": np.arange(ticks),
        "time_s": np.arange(ticks) / 30,
        "start_time": "2026-01-01T00:00:00Z",
        "scalars": {name: np.full(ticks, 1.5) for name in SCALARS},
        "tracking": {name: np.ones(ticks) for name in TRACKING},
        "arena": {"mask": np.ones((4, 5), bool), "floor_plane": np.arange(3.0)},
        "provenance": MADE,
    }


def write(path, heights, observed, parts):
    with CropsWriter(path, recording="m1", pixel_mm=1.85, size=heights.shape[1:]) as writer:
        for h, o in zip(np.array_split(heights, parts), np.array_split(observed, parts), strict=True):
            writer.append(h, o)
        writer.finish(**rest(len(heights)))


@pytest.fixture
def block(rng):
    return rng.integers(0, 255, (50, 8, 6), np.uint8), rng.random((50, 8, 6)) > 0.1


def test_what_is_read_is_what_was_written(tmp_path, block):
    heights, observed = block
    write(tmp_path / "crops.h5", heights, observed, 3)
    with Crops(tmp_path / "crops.h5") as crops:
        assert (len(crops), crops.size, crops.recording) == (50, (8, 6), "m1")
        np.testing.assert_array_equal(crops.heights(7, 21), heights[7:21])
        np.testing.assert_array_equal(crops.observed(), observed)
        joined = np.concatenate([h for _, h, _ in crops.blocks(13)])
        np.testing.assert_array_equal(joined, heights)
        assert crops.provenance == MADE
        assert crops.tracking["detected"].dtype == bool
        assert crops.arena["floor_plane"].tolist() == [0, 1, 2]


def test_the_size_of_blocks_does_not_show_in_the_bytes(tmp_path, block):
    for count in (1, 7):
        write(tmp_path / f"{count}.h5", *block, count)
    assert (tmp_path / "1.h5").read_bytes() == (tmp_path / "7.h5").read_bytes()


def test_an_interrupted_recording_leaves_nothing(tmp_path, block):
    def interrupt():
        with CropsWriter(tmp_path / "c.h5", recording="m1", pixel_mm=1, size=(8, 6)) as writer:
            writer.append(*block)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupt()
    assert not list(tmp_path.iterdir())


def test_an_unfinished_recording_leaves_nothing(tmp_path, block):
    def forget():
        with CropsWriter(tmp_path / "c.h5", recording="m1", pixel_mm=1, size=(8, 6)) as writer:
            writer.append(*block)

    with pytest.raises(RuntimeError, match=r"before finish"):
        forget()
    assert not list(tmp_path.iterdir())


def test_columns_of_another_length_are_refused(tmp_path, block):
    def cut():
        with CropsWriter(tmp_path / "c.h5", recording="m1", pixel_mm=1, size=(8, 6)) as writer:
            writer.append(*block)
            writer.finish(**rest(49))

    with pytest.raises(ShapeError, match=r"50 crops, but columns of \[49\] ticks"):
        cut()


def test_a_truncated_file_is_refused(tmp_path, block):
    write(tmp_path / "crops.h5", *block, 1)
    content = (tmp_path / "crops.h5").read_bytes()
    (tmp_path / "crops.h5").write_bytes(content[: len(content) // 2])
    with pytest.raises(BadInput, match=r"crops\.h5: not whole crops .*; run 'syllabary extract' again"):
        Crops(tmp_path / "crops.h5")


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(BadInput, match="made by 'syllabary extract'"):
        Crops(tmp_path / "crops.h5")


def test_a_full_disk_is_one_sentence_and_leaves_nothing(tmp_path, block, monkeypatch):
    """HDF5 fails again when it closes; that must neither crash nor leave a part behind."""

    class Failing:
        def __init__(self, h5):
            self.h5 = h5

        def __getattr__(self, name):
            return getattr(self.h5, name)

        def close(self):
            self.h5.close()
            raise RuntimeError("Can't decrement id ref count (errno = 28, error message = 'No space')")

    def fill():
        with CropsWriter(tmp_path / "c.h5", recording="m1", pixel_mm=1, size=(8, 6)) as writer:
            writer._h5 = Failing(writer._h5)
            raise OSError(28, "No space left on device")

    with pytest.raises(BadInput, match="the disk is full; free some space"):
        fill()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("lost", ["scalars", "tracking/x_px", "arena", "time_s"])
def test_crops_that_lack_a_part_say_which(tmp_path, block, lost):
    import h5py

    write(tmp_path / "crops.h5", *block, 1)
    with h5py.File(tmp_path / "crops.h5", "a") as h5:
        del h5[lost]
    with pytest.raises(BadInput, match=r"not whole crops .*; run 'syllabary extract' again"):
        Crops(tmp_path / "crops.h5")


def test_pixels_on_a_tilted_floor(tmp_path, block, rng):
    """Against the distance of two points of the floor that are a pixel apart."""
    heights, observed = block
    x, y = rng.uniform(0, 300, (2, 50))
    normal = np.array([0.1, -0.05, 1.0]) / np.linalg.norm([0.1, -0.05, 1.0])
    contents = rest(50)
    contents["tracking"] |= {"x_px": x, "y_px": y}
    contents["arena"] |= {
        "intrinsics": np.array([360.0, 360.0, 150, 140]),
        "floor_plane": [*normal, 700.0],
    }
    with CropsWriter(tmp_path / "crops.h5", recording="m1", pixel_mm=1.85, size=(8, 6)) as writer:
        writer.append(heights, observed)
        writer.finish(**contents)
    with Crops(tmp_path / "crops.h5") as crops:
        px_mm = crops.px_mm()
    ray = np.stack([(x - 150) / 360, (y - 140) / 360, np.ones(50)], axis=-1)
    depth = 700.0 / (ray @ normal)
    # A pixel facing the camera at that depth spans depth / focal length.
    beside = ray + np.array([1 / 360, 0, 0])
    apart = np.linalg.norm(depth[:, None] * (beside - ray), axis=1)
    np.testing.assert_allclose(px_mm, apart, rtol=1e-5)


def test_crops_of_the_first_schema_are_read(tmp_path, block):
    path = tmp_path / "m1.h5"
    write(path, *block, 1)
    with h5py.File(path, "r+") as h5:
        h5.attrs["schema"] = 1
        h5.move("tracking/detected", "tracking/found")
    with Crops(path) as crops:
        assert crops.tracking["detected"].dtype == bool and crops.tracking["detected"].all()


def test_an_unknown_schema_is_refused(tmp_path, block):
    path = tmp_path / "m1.h5"
    write(path, *block, 1)
    with h5py.File(path, "r+") as h5:
        h5.attrs["schema"] = 99
    with pytest.raises(BadInput, match="schema is 99"):
        Crops(path)
