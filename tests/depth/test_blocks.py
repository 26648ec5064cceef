import threading

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from syllabary.depth.blocks import read_ahead
from syllabary.errors import BadInput


class Counted:
    """Frames filled with their number, and a record of what was read by which thread."""

    def __init__(self, count=10, damaged_from=None):
        self.count, self.damaged_from = count, damaged_from
        self.reads, self.threads = [], set()

    def __len__(self):
        return self.count

    def read(self, start, stop):
        if self.damaged_from is not None and stop > self.damaged_from:
            raise BadInput("frame cannot be decoded")
        self.reads.append(start)
        self.threads.add(threading.current_thread())
        numbers = np.arange(start, min(stop, self.count), dtype=np.uint16)
        return np.broadcast_to(numbers[:, None, None], (len(numbers), 2, 3))


@pytest.mark.parametrize("size", [1, 3, 5, 10, 64])
def test_blocks_of_any_size_hold_every_frame_once(size):
    blocks = list(read_ahead(Counted(), size))
    assert [start for start, _ in blocks] == list(range(0, 10, size))
    assert_array_equal(np.concatenate([block for _, block in blocks])[:, 0, 0], np.arange(10))


def test_an_empty_recording_has_no_block():
    assert list(read_ahead(Counted(0), 4)) == []


def test_one_block_is_read_ahead_and_no_more():
    video = Counted(100)
    blocks = read_ahead(video, 10)
    next(blocks)
    blocks.close()
    assert video.reads in ([0], [0, 10])


def test_a_thread_of_its_own_reads():
    video = Counted()
    list(read_ahead(video, 3))
    assert threading.current_thread() not in video.threads
    assert len(video.threads) == 1


def test_a_damaged_block_is_refused_where_it_is_due():
    blocks = read_ahead(Counted(damaged_from=6), 3)
    assert next(blocks)[0] == 0
    assert next(blocks)[0] == 3
    with pytest.raises(BadInput, match="cannot be decoded"):
        next(blocks)
