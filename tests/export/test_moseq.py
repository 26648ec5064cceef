import json

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from syllabary.errors import BadInput
from syllabary.export import _moseq_scalars, moseq
from syllabary.provenance import Provenance

PROVENANCE = Provenance("export", {}, 0, {}, "code")
# As MoSeq2's files have them.
LEGACY = [
    "angle", "area_mm", "area_px", "centroid_x_mm", "centroid_x_px", "centroid_y_mm", "centroid_y_px",
    "height_ave_mm", "length_mm", "length_px", "velocity_2d_mm", "velocity_2d_px", "velocity_3d_mm",
    "velocity_3d_px", "velocity_theta", "width_mm", "width_px",
]  # fmt: skip


def frames(T=4):
    wanted = {*moseq.SAME.values(), *_moseq_scalars.NEEDED}
    table = pd.DataFrame({name: np.arange(T, dtype=float) for name in sorted(wanted)})
    return table.assign(
        time_s=np.arange(T) / 30,
        speed_mm_s=90.0,
        px_mm=2.0,
        bout=[0, 0, -1, 1][:T],
        recording="r",
        subject="m",
    )


def climbing(count=12):
    """A mouse that walks up and to the right in the image, turning to the left, and rises."""
    at = np.arange(count)
    heading = -0.6 * at  # Clockwise is positive with us.
    return frames(4).iloc[[0] * count].reset_index(drop=True).assign(
        time_s=at * 0.05, x_mm=3.0 * at, y_mm=-4.0 * at, height_mm=20 + 12.0 * at, speed_mm_s=100.0,
        heading_rad=np.pi - (np.pi - heading) % (2 * np.pi), px_mm=2.0, length_mm=80.0, width_mm=30.0,
        area_mm2=2000.0, x_px=200 + 1.5 * at, y_px=100 - 2.0 * at,
    )  # fmt: skip


def test_the_old_names_and_units(tmp_path):
    moseq.write(tmp_path, {"frames": frames()}, PROVENANCE)
    columns = pd.read_csv(tmp_path / "moseq_df.csv")
    assert_allclose(columns["velocity_2d_mm"], 3), "mm per frame"
    assert_allclose(columns["timestamps"], [0, 100 / 3, 200 / 3, 100]), "ms"
    assert columns["onset"].tolist() == [True, False, False, True]
    assert (columns["SubjectName"] == "m").all() and (columns["uuid"] == "r").all()
    for name in ("labels (original)", "labels (usage sort)", "syllable index", "frame index"):
        assert name in columns
    assert set(LEGACY) <= set(columns)
    descriptions = json.loads((tmp_path / "columns.json").read_text())
    assert sorted(descriptions) == LEGACY
    assert all(column["unit"] and column["meaning"] for column in descriptions.values())


def test_the_17_scalars_of_a_known_motion():
    columns = _moseq_scalars.columns(climbing())
    assert sorted(columns) == LEGACY
    expected = {
        "width_px": 15, "length_px": 40, "area_px": 500, "area_mm": 2000, "velocity_2d_mm": 5,
        "velocity_2d_px": 2.5, "velocity_3d_mm": 13, "velocity_3d_px": 6.5,
        "velocity_theta": np.arctan2(4, 3),
    }  # fmt: skip
    for name, value in expected.items():
        assert_allclose(columns[name], value, err_msg=name)
    assert_allclose(np.diff(columns["angle"]), 0.6)
    assert_allclose(columns["centroid_x_px"][[0, 2]], [200, 203])


def test_a_dropped_tick_is_missing_and_makes_no_leap():
    table = climbing()
    lost = ["x_px", "y_px", "px_mm", "x_mm", "y_mm", "heading_rad", "speed_mm_s", "height_mm"]
    table.loc[[4, 5], lost] = np.nan
    columns = _moseq_scalars.columns(table)
    for name in ("centroid_x_mm", "angle", "velocity_2d_mm", "velocity_3d_px", "velocity_theta"):
        assert np.isnan(columns[name][[4, 5]]).all(), name
    assert_allclose(columns["velocity_2d_mm"][[3, 6]], 5)
    assert np.isnan(columns["velocity_3d_mm"][[3, 6]]).all()
    assert_allclose(columns["angle"][6] - columns["angle"][3], 1.8)


def test_a_recording_of_one_frame():
    assert np.isnan(_moseq_scalars.columns(climbing(1))["velocity_3d_mm"]).all()


def test_missing_columns_are_named(tmp_path):
    with pytest.raises(BadInput, match="has no recording"):
        moseq.write(tmp_path, {}, PROVENANCE)
    with pytest.raises(BadInput, match="lacks bout, which"):
        moseq.write(tmp_path, {"frames": frames().drop(columns="bout")}, PROVENANCE)
