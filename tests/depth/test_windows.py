"""The scratch file of what the second pass needs."""

import errno

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from syllabary.depth.windows import Window, Windows
from syllabary.errors import BadInput


def window(rng, rows=30, columns=41):
    heights = np.zeros((rows, columns), np.uint8)
    inside = heights[5:20, 8:33]
    inside[:] = rng.integers(0, 90, inside.shape)
    return Window(7, 11, heights, rng.random((rows, columns)) < 0.9)


def test_windows_come_back_as_they_were(rng):
    kept = {
        3: window(rng),
        0: window(rng, 1, 9),
        8: Window(0, 0, np.zeros((4, 5), np.uint8), np.zeros((4, 5), bool)),
    }
    with Windows(10) as windows:
        for frame, original in kept.items():
            windows.put(frame, original)
        for frame in range(10):
            restored = windows.get(frame)
            if frame not in kept:
                assert restored is None
                continue
            assert restored[:2] == kept[frame][:2]
            for left, right in zip(restored[2:], kept[frame][2:], strict=True):
                assert_array_equal(left, right)


def test_a_full_disk_is_a_sentence(rng, tmp_path):
    class Full:
        def write(self, body):
            raise OSError(errno.ENOSPC, "No space left on device")

        def close(self):
            pass

    with Windows(2, tmp_path) as windows:
        windows._file.close()
        windows._file = Full()
        with pytest.raises(BadInput, match=rf"{tmp_path}: the disk is full; free some space"):
            windows.put(0, window(rng))


def test_a_folder_that_is_not_there_is_not_written_to(tmp_path):
    with pytest.raises(OSError, match="nowhere"):
        Windows(2, tmp_path / "nowhere")
