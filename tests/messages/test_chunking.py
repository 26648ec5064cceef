"""Where sequences are cut, and the order in which wrong chunks are repaired."""

import numpy as np
import pytest

from syllabary.messages.backends.cpu import chunking


@pytest.mark.parametrize("together", [8, 16])
@pytest.mark.parametrize("frames", [1, 511, 512, 4095, 8192, 65_536, 65_537, 200_000])
def test_chunks_cover_a_sequence_and_fill_calls_evenly(frames, together):
    places = chunking.cut(frames, together)
    assert places[0] == 0
    assert places[-1] == frames
    lengths = np.diff(places)
    assert lengths.max() - lengths.min() <= 1
    assert len(lengths) == 1 or lengths.min() >= chunking.SHORTEST
    if frames >= together * chunking.SHORTEST:
        calls, rest = divmod(len(lengths), together)
        assert rest == 0
        assert calls == 1 or calls % 2 == 0


class Messages:
    """Chunks of two sequences whose messages agree once they hold their neighbor's number."""

    def __init__(self, begun, left, step):
        self.begun, self.left, self.step = np.array(begun), np.array(left), step
        self.order, self.looks = [], []

    def agree(self, chunks):
        self.looks += chunks.tolist()
        return self.begun[chunks] == self.left[chunks - self.step]

    def again(self, chunk):
        self.order.append(chunk)
        self.begun[chunk] = self.left[chunk - self.step]
        self.left[chunk] += 1  # another message in, another message out


def test_chunks_are_repaired_in_order_as_far_as_messages_change():
    # Chunks 0..3 and 4..6; the boundary before 2 is wrong, and so is every later one of its sequence.
    messages = Messages([0, 0, 9, 0, 0, 0, 0], [0] * 7, step=1)
    inner, sequences = np.array([1, 2, 3, 5, 6]), np.array([0, 0, 0, 1, 1])
    chunking.repair(inner, sequences, messages.agree, messages.again, backward=False, threads=1)
    assert messages.order == [2, 3]
    assert messages.looks == [1, 2, 3, 5, 6, 3]


def test_backward_chunks_are_repaired_from_the_last():
    messages = Messages([0, 0, 9, 0, 0, 0, 0], [0] * 7, step=-1)
    inner, sequences = np.array([0, 1, 2, 4, 5]), np.array([0, 0, 0, 1, 1])
    chunking.repair(inner, sequences, messages.agree, messages.again, backward=True, threads=1)
    assert messages.order == [2, 1, 0]


def test_chunks_that_agree_are_left_alone():
    messages = Messages([0] * 4, [0] * 4, step=1)
    inner = np.array([1, 2, 3])
    chunking.repair(inner, inner * 0, messages.agree, messages.again, backward=False, threads=2)
    chunking.repair(inner[:0], inner[:0], messages.agree, messages.again, backward=False, threads=2)
    assert messages.order == []
