import numpy as np
import pytest
from numpy.testing import assert_array_equal

from syllabary.depth.arena.ordering import sort


@pytest.mark.parametrize("count", [1, 2, 3, 5, 8, 33, 100])
def test_samples_are_sorted_pixel_by_pixel(rng, count):
    samples = rng.integers(0, 1 << 16, (count, 7, 101), np.uint16)
    before = samples.copy()
    assert_array_equal(sort(samples), np.sort(samples, axis=0))
    assert_array_equal(samples, before)


def test_any_order_of_zeros_and_ones_is_sorted():
    # A network that sorts these sorts everything (Knuth's zero-one principle).
    for count in range(1, 13):
        every = (np.arange(1 << count) >> np.arange(count)[:, None] & 1).astype(np.uint16)
        assert_array_equal(sort(every), np.sort(every, axis=0))
