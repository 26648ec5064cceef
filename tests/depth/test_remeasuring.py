import h5py
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from syllabary.depth.settings import ExtractSettings
from syllabary.records.crops import Crops

FLOOR_MM = 673.5
# mm per px of a Kinect v2 at that distance, from its field of view's tangent.
MM_PER_PX = np.array(
    [2 * FLOOR_MM * np.tan(np.deg2rad(35.3)) / 512, 2 * FLOOR_MM * np.tan(np.deg2rad(30)) / 424]
)


@pytest.fixture
def extraction(tmp_path):
    """Twelve frames of a box of 44 x 20 px that turns while it walks right; the fifth is lost."""
    path = tmp_path / "results_00.h5"
    rows, columns = np.indices((80, 80))
    crop = np.where((np.abs(columns - 40) < 22.1) & (np.abs(rows - 40) < 10.1), 25, 0)
    centers = np.stack([60.0 + 4 * np.arange(12), np.full(12, 100.0)], axis=-1)
    centers[4] = np.nan
    roi = np.zeros((424, 512), bool)
    roi[100:350, 115:370] = True
    with h5py.File(path, "w") as h5:
        h5["frames"] = np.repeat(crop[None].astype(np.uint8), 12, axis=0)
        h5["timestamps"] = 6e8 + 33.0 * np.array([0, 1, 2, 3, 4, 5, 6, 9, 10, 11, 12, 13])
        h5["scalars/centroid_x_px"], h5["scalars/centroid_y_px"] = centers.T.astype(np.float32)
        h5["scalars/angle"] = np.linspace(-0.5, 7.0, 12).astype(np.float32)
        h5["metadata/extraction/background"] = np.where(roi, FLOOR_MM, 500)
        h5["metadata/extraction/roi"] = roi
        h5["metadata/acquisition/StartTime"] = "2017-01-25T10:42:07"
    return path


@pytest.fixture
def kinect():
    return ExtractSettings()


def test_crops_enter_as_they_are(extraction, extract, kinect):
    with Crops(extract(extraction, kinect)) as crops, h5py.File(extraction) as h5:
        assert_array_equal(crops.frame, [0, 1, 2, 3, 4, 5, 6, -1, -1, 7, 8, 9, 10, 11])
        detected = crops.tracking["detected"].to_numpy()
        assert_array_equal(np.flatnonzero(~detected), [4, 7, 8])
        assert_array_equal(crops.heights()[detected], h5["frames"][()][np.delete(np.arange(12), 4)])
        assert not crops.heights()[~detected].any()
        assert crops.pixel_mm == pytest.approx(np.sqrt(MM_PER_PX.prod()), rel=1e-3)
        assert crops.start_time == "2017-01-25T10:42:07"


def test_positions_do_not_depend_on_the_outline_of_the_arena(extraction, extract, kinect):
    with Crops(extract(extraction, kinect)) as crops:
        first, last = crops.tracking.iloc[0], crops.tracking.iloc[-1]
        # Image pixels: the file counts from the corner of the arena, (115, 100).
        assert_allclose([first.x_px, first.y_px], [60 + 115, 100 + 100], atol=0.1)
        assert_allclose(last.x_px - first.x_px, 44, atol=0.1)
        # Millimeters from the arena's center, at pixel (242, 224.5), seen 25 mm above the floor.
        expected = (np.array([175, 200]) - [242, 224.5]) * MM_PER_PX
        assert_allclose(crops.scalars[["x_mm", "y_mm"]].iloc[0], expected, atol=5)


def test_lengths_are_those_of_the_tangent(extraction, extract, kinect):
    with Crops(extract(extraction, kinect)) as crops:
        measured = crops.scalars[crops.tracking["detected"]]
    # The box's standard deviation along its side is L / sqrt(12), and an axis is 4 of them.
    near = (FLOOR_MM - 25) / FLOOR_MM * np.sqrt(MM_PER_PX.prod())
    assert_allclose(measured["length_mm"], 45 * near * 4 / np.sqrt(12), rtol=0.03)
    assert_allclose(measured["width_mm"], 21 * near * 4 / np.sqrt(12), rtol=0.05)
    # Area grows with the square of the scale; the corners are rounded off.
    assert_allclose(measured["area_mm2"], 45 * 21 * near**2, rtol=0.06)
    assert_allclose(measured["height_mm"], 25, atol=0.5)


def test_speed_is_per_second(extraction, extract, kinect):
    with Crops(extract(extraction, kinect)) as crops:
        speed = crops.scalars["speed_mm_s"].to_numpy()
    near = (FLOOR_MM - 25) / FLOOR_MM * MM_PER_PX[0]
    assert_allclose(speed[1], 4 * near / 0.033, rtol=0.06)
    assert np.isnan(speed[4])


def test_angles_turn_clockwise_and_confidence_is_unknown(extraction, extract, kinect):
    with Crops(extract(extraction, kinect)) as crops:
        heading = crops.tracking["heading_rad"].to_numpy()
        assert_allclose(np.cos(heading[0] - 0.5), 1, atol=1e-6)
        assert np.nanmax(np.abs(heading)) <= np.pi
        assert crops.tracking["heading_confidence"].isna().all()
        # Square pixels at heart: floor and image directions differ by less than a degree.
        turned = crops.scalars["heading_rad"].to_numpy() - heading
        assert np.nanmin(np.cos(turned)) > np.cos(np.deg2rad(1))
