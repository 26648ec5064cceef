from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from syllabary.records import moseq_scalars
from syllabary.records.crops import SCALARS, TRACKING

T, GONE, HZ = 40, 12, 30.0
OLD = {
    "centroid_x_px", "centroid_y_px", "centroid_x_mm", "centroid_y_mm", "width_px", "length_px",
    "width_mm", "length_mm", "area_px", "area_mm", "height_ave_mm", "angle", "velocity_2d_px",
    "velocity_2d_mm", "velocity_3d_px", "velocity_3d_mm", "velocity_theta",
}  # fmt: skip


@pytest.fixture
def table():
    """A mouse of 80 x 30 mm that walks straight down the image by 2 mm a tick, and rises by 1.5."""
    tick = np.arange(T, dtype=float)
    values = {name: np.zeros(T) for name in (*SCALARS, *TRACKING)}
    values |= {
        "x_mm": np.full(T, 5.0), "y_mm": 2 * tick, "height_mm": 20 + 1.5 * tick,
        "length_mm": np.full(T, 80.0),
        "width_mm": np.full(T, 30.0), "area_mm2": np.full(T, 1600.0), "speed_mm_s": np.full(T, 2 * HZ),
        "x_px": np.full(T, 256.0), "y_px": 212 + tick,
    }  # fmt: skip
    heading = np.pi - (np.pi - 0.2 * tick) % (2 * np.pi)
    for name in values:
        values[name][GONE] = np.nan
    heading[GONE] = np.nan
    crops = SimpleNamespace(
        scalars=pd.DataFrame({n: values[n] for n in SCALARS}).assign(heading_rad=heading),
        tracking=pd.DataFrame({n: values[n] for n in TRACKING}),
        time_s=tick / HZ,
        arena={
            "intrinsics": np.array([400.0, 400.0, 256.0, 212.0]),
            "floor_plane": np.array([0, 0, 1.0, 800]),
        },
    )
    return moseq_scalars.of(crops)


def test_all_17_names_are_there_and_explained(table):
    assert set(table.columns) == set(moseq_scalars.SCALARS) == OLD
    assert all(about.unit and about.meaning for about in moseq_scalars.SCALARS.values())
    assert {about.source for about in moseq_scalars.SCALARS.values()} <= {*SCALARS, *TRACKING}


def test_lengths_and_areas_agree_in_px_and_mm(table):
    row = table.iloc[0]
    # 800 mm away, a pixel of f = 400 px is 2 mm wide.
    assert_allclose(row[["length_px", "width_px", "area_px"]].astype(float), [40, 15, 400])
    assert_allclose(row[["length_mm", "width_mm", "area_mm"]].astype(float), [80, 30, 1600])


def test_velocities_are_per_tick(table):
    there = table.drop(index=[0, GONE, GONE + 1])
    assert_allclose(there["velocity_2d_mm"], 2)
    assert_allclose(there["velocity_2d_px"], 1)
    assert_allclose(there["velocity_3d_mm"], 2.5)
    assert_allclose(there["velocity_3d_px"], 1.25)
    assert_allclose(there["velocity_theta"], np.pi / 2)


def test_angles_turn_counterclockwise_without_jumps(table):
    assert_allclose(np.diff(table["angle"].drop(index=GONE))[: GONE - 1], -0.2)
    assert table["angle"].iloc[-1] == pytest.approx(-0.2 * (T - 1))


def test_what_is_missing_stays_missing(table):
    assert_array_equal(table.isna().all(axis=1), np.arange(T) == GONE)
