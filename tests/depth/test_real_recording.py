"""A real mouse, put back into its arena by a script that shares no code with the package."""

import subprocess
import sys

import h5py
import numpy as np
import pytest
from numpy.testing import assert_array_equal

from syllabary.depth.quality import assess
from syllabary.depth.settings import CheckSettings, ExtractSettings
from syllabary.records.crops import Crops


@pytest.fixture
def kinect():
    return ExtractSettings()


def centers_of(real_data):
    """Centers in image pixels and axes of the file, one row per frame."""
    with h5py.File(real_data / "results_00.h5") as h5:
        rows, columns = np.nonzero(h5["metadata/extraction/roi"][()])
        x = h5["scalars/centroid_x_px"][()] + columns.min()
        y = h5["scalars/centroid_y_px"][()] + rows.min()
        return x, y, -h5["scalars/angle"][()]


def test_raw_recording(real_data, tmp_path, extract, kinect):
    raw = tmp_path / "raw"
    subprocess.run([sys.executable, real_data / "rebuild_raw.py", raw], check=True)
    path = extract(raw, kinect)
    x, y, axis = centers_of(real_data)
    with Crops(path) as crops:
        assert len(crops) == 910
        recorded = crops.frame >= 0
        assert_array_equal(crops.frame[recorded], np.arange(900))
        detected = crops.tracking[recorded]
        away = np.hypot(detected["x_px"] - x, detected["y_px"] - y)
        turned = np.abs((detected["heading_rad"] - axis + np.pi / 2) % np.pi - np.pi / 2)
        assert detected["detected"].mean() > 0.98
        assert np.nanmedian(away) < 1
        assert np.nanpercentile(away, 95) < 2
        assert np.nanmedian(np.rad2deg(turned)) < 5
        assert crops.scalars["length_mm"].median() == pytest.approx(53, abs=5)
    report = assess(path, CheckSettings())
    assert report["gaps"] == [
        {"tick": 1, "ticks": 5},
        {"tick": 19, "ticks": 3},
        {"tick": 23, "ticks": 2},
    ]
    assert report["verdict"] == "good"


def test_extraction_of_others(real_data, extract, kinect):
    x, y, _ = centers_of(real_data)
    with Crops(extract(real_data / "results_00.h5", kinect)) as crops:
        assert len(crops) == 910
        detected = crops.tracking[crops.frame >= 0]
        assert np.nanmedian(np.hypot(detected["x_px"] - x, detected["y_px"] - y)) < 1
        # The file's own 1.62 mm per px would make them 13 % shorter.
        assert crops.scalars["length_mm"].median() == pytest.approx(53, abs=3)
        assert 1.83 < crops.pixel_mm < 1.87
