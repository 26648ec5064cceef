import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from syllabary.errors import BadInput, ShapeError
from syllabary.records.crops import SCALARS
from syllabary.syllables import bouts, decode, summary

# Every state is a syllable.
STATES = np.arange(4)


def recording(name, path, **scalars):
    T = len(path)
    path = np.asarray(path)
    labels = decode.table(
        np.arange(T), np.arange(T) / 10, syllable=path, probabilities=np.eye(4)[path] * 0.6 + 0.1,
        surprise_nats=np.zeros(T), names={1: "rear"},
    )  # fmt: skip
    table = pd.DataFrame({n: np.asarray(scalars.get(n, np.zeros(T)), np.float32) for n in SCALARS})
    return labels, table, bouts.table(labels, recording=name, subject="s", group="g")


def test_a_row_per_syllable_by_hand():
    first = recording(
        "a", [0, 0, 1, 1, 0], speed_mm_s=[10, np.nan, 5, 7, 40], height_max_mm=[0, 1, 2, 3, 4]
    )
    second = recording("b", [1, 1, 3], speed_mm_s=[3, 5, np.nan], turning_rad_s=[-1, -3, 2])
    result = summary.table(
        [summary.sums(labels, scalars) for labels, scalars, _ in (first, second)],
        bouts.join([first[2], second[2]]),
        np.array([0, 0, 1, 2, 3, 3]),
    )
    assert_array_equal(result["syllable"], [0, 1, 3])
    assert result["states"].tolist() == ["0 1", "2", "4 5"]
    assert_allclose(result["usage"], [3 / 8, 4 / 8, 1 / 8])
    assert_array_equal(result["bouts"], [2, 2, 1])
    assert_allclose(result["median_duration_s"], [0.15, 0.2, 0.1], rtol=1e-6)
    assert_allclose(result["speed_mm_s"], [25, 5, np.nan])
    assert_allclose(result["turning_rad_s"], [0, -1, 2])
    assert_allclose(result["probability"], [0.7] * 3, rtol=1e-6)
    assert_allclose(result["rising_mm_s"][0], 10), "a mm each tenth of a second"
    assert result["name"][1] == "rear" and result["name"].isna().tolist() == [True, False, True]


def test_unlabeled_ticks_do_not_count():
    labels, scalars, bout_table = recording("a", [-1, -1, 2, 2], speed_mm_s=[100, 100, 1, 3])
    result = summary.table([summary.sums(labels, scalars)], bout_table, STATES)
    assert result["syllable"].tolist() == [2]
    assert result["usage"].tolist() == [1] and result["speed_mm_s"].tolist() == [2]


def test_wrong_inputs_are_refused():
    labels, scalars, bout_table = recording("a", [0, 1])
    with pytest.raises(ShapeError, match="2 labels but scalars of 1 ticks"):
        summary.sums(labels, scalars[:1])
    with pytest.raises(BadInput, match="label"):
        summary.table([], bout_table, STATES)


def test_one_tick():
    labels, scalars, bout_table = recording("a", [1])
    assert np.isnan(summary.table([summary.sums(labels, scalars)], bout_table, STATES)["rising_mm_s"][0])
