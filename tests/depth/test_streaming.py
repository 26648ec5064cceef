"""How a recording is read leaves no trace in what is extracted from it."""

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import cv2
import numpy as np
import pytest

from syllabary.depth import extraction
from syllabary.depth.settings import ExtractSettings
from syllabary.depth.windows import Window, Windows
from syllabary.provenance import Provenance

FRAMES, ROWS, COLUMNS, FOCAL = 3050, 60, 80, 60.0
SETTINGS = ExtractSettings.model_validate({
    "camera": {"fx_px": FOCAL, "fy_px": FOCAL, "cx_px": 39.5, "cy_px": 29.5},
    "crop": {"pixel_mm": 8.0, "size_px": 24},
    "background": {"frames": 20},
    "heading": {"learning_rounds": 1},
})  # fmt: skip


@pytest.fixture(scope="module")
def session(tmp_path_factory):
    """3050 frames of a bump that walks around; it is lost at 100, 1000 and 3000."""
    rng = np.random.default_rng(8)
    folder = tmp_path_factory.mktemp("long") / "m"
    folder.mkdir()
    t = np.arange(FRAMES) * 0.03
    x, y = 39.5 + 18 * np.cos(t), 29.5 + 14 * np.sin(1.3 * t)
    rows, columns = np.indices((ROWS, COLUMNS))
    frames = np.empty((FRAMES, ROWS, COLUMNS), "<u2")
    for i in range(FRAMES):
        bump = 40 * np.exp(-(((columns - x[i]) / 5) ** 2) - ((rows - y[i]) / 3) ** 2)
        bump *= i % 1000 > 2
        frames[i] = np.rint(600 - bump + rng.normal(0, 1, bump.shape))
    frames.tofile(folder / "depth.dat")
    (folder / "depth_ts.txt").write_text("".join(f"{33.0 * i:.1f} 0\n" for i in range(FRAMES)))
    (folder / "metadata.json").write_text(f'{{"DepthResolution": [{COLUMNS}, {ROWS}]}}')
    return folder


def crops_of(session, path, block_frames):
    extraction.extract(
        session, path, None, SETTINGS, recording="m", block_frames=block_frames,
        provenance=Provenance("extract", {}, None, {}, ""),
    )  # fmt: skip
    return path.read_bytes()


def test_chunks_of_any_length_give_the_same_bytes(session, tmp_path):
    files = [crops_of(session, tmp_path / f"{n}.h5", n) for n in (16, 100, 1000, 3000)]
    assert all(reference == other for reference, other in pairwise(files))


def test_one_worker_and_two_give_the_same_bytes(session, tmp_path):
    alone = crops_of(session, tmp_path / "alone.h5", 64)
    before = cv2.getNumThreads()
    cv2.setNumThreads(2)
    try:
        with ThreadPoolExecutor(2) as workers:
            paths = [tmp_path / "one.h5", tmp_path / "two.h5"]
            both = list(workers.map(crops_of, [session] * 2, paths, [100, 64]))
    finally:
        cv2.setNumThreads(before)
    assert both == [alone, alone]


def test_scratch_is_left_as_it_was(session, tmp_path):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    extraction.extract(
        session, tmp_path / "c.h5", None, SETTINGS, recording="m", scratch=scratch,
        provenance=Provenance("extract", {}, None, {}, ""),
    )  # fmt: skip
    assert not list(scratch.iterdir())


def test_windows_come_back_as_they_were_put(tmp_path, rng):
    put = {}
    with Windows(9, tmp_path) as windows:
        for frame in (5, 0, 8):
            heights = np.zeros((13 + frame, 17), np.uint8)
            heights[3:9, 2 : 4 + frame] = rng.integers(0, 256, heights[3:9, 2 : 4 + frame].shape)
            put[frame] = Window(frame, 7, heights, rng.random(heights.shape) < 0.5)
            windows.put(frame, put[frame])
        empty = Window(1, 2, np.zeros((5, 6), np.uint8), np.ones((5, 6), bool))
        windows.put(1, empty)
        for frame, window in [*put.items(), (1, empty)]:
            restored = windows.get(frame)
            assert (restored.left, restored.top) == (window.left, window.top)
            np.testing.assert_array_equal(restored.heights, window.heights)
            np.testing.assert_array_equal(restored.measured, window.measured)
        assert windows.get(3) is None
