import numpy as np
import pytest

from syllabary.depth.counts import Counts, describe, from_metadata, to_mm
from syllabary.errors import BadInput


@pytest.mark.parametrize(
    ("block", "counts", "expected"),
    [
        (np.array([0, 1, 65535], np.uint16), Counts(), [0, 1, 65535]),
        (np.array([0, 1, 65535], np.uint16), Counts(0.5), [0, 0, 32768]),
        (np.array([3, 60000], np.uint16), Counts(10.0), [30, 65535]),
        (np.array([-5, 7], np.int32), Counts(), [0, 7]),
        (np.array([0.6, np.nan, np.inf, -np.inf, -2], np.float32), Counts(), [1, 0, 0, 0, 0]),
        (np.array([0.673, 9.99], np.float64), Counts(1000.0, 0, (9.99,)), [673, 0]),
        (np.array([4095, 673, 65535], np.uint16), Counts(1.0, 0, (4095, 65535)), [0, 673, 0]),
        (np.array([6730, 65535], np.uint16), Counts(0.1, 0, (65535,)), [673, 0]),
        (np.array([673 * 8 + 5, 8191 * 8 + 7], np.uint16), Counts(1.0, 3, (8191,)), [673, 0]),
        (np.array([673], np.uint16).byteswap(), Counts(is_swapped=True), [673]),
        (np.array([673 * 8 + 2], np.uint16).byteswap(), Counts(1.0, 3, (), True), [673]),
        (np.array([673, -1], ">i2"), Counts(), [673, 0]),
        (np.array([673, -1], "<i2").byteswap(), Counts(is_swapped=True), [673, 0]),
        (np.array([673.4], ">f4"), Counts(), [673]),
        (np.array([673.4], "<f4").byteswap(), Counts(is_swapped=True), [673]),
    ],
)
def test_counts_become_whole_millimeters(block, counts, expected):
    depth = to_mm(block, counts)
    assert depth.dtype == np.uint16
    assert depth.tolist() == expected


def test_millimeters_are_not_copied():
    block = np.arange(6, dtype=np.uint16)
    assert to_mm(block) is block


@pytest.mark.parametrize(
    "counts", [Counts(), Counts(0.1, 0, (65535.0,)), Counts(1.0, 3, (4095.0, 8191.0))]
)
def test_what_a_copy_says_of_its_counts_is_what_they_mean(counts):
    assert Counts(*from_metadata(describe(counts), "m1")) == counts


@pytest.mark.parametrize(
    ("key", "value", "wanted"),
    [
        ("DepthUnitMm", "0.1 mm", "a number of mm above 0"),
        ("DepthUnitMm", 0, "a number of mm above 0"),
        ("DepthBitShift", 1.5, "a whole number from 0 to 8"),
        ("DepthInvalid", 65535, "a list of counts"),
        ("DepthInvalid", ["max"], "a list of counts"),
    ],
)
def test_metadata_that_mean_nothing_are_refused(key, value, wanted):
    with pytest.raises(BadInput, match=f"m1: the metadata give {key} as .*; wanted {wanted}: correct"):
        from_metadata({key: value}, "m1")
