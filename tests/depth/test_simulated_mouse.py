"""A simulated mouse with a tail, noise, reflections and dropped frames gives back its truth."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from syllabary.depth.settings import ExtractSettings
from syllabary.provenance import Provenance
from syllabary.records import tables
from syllabary.records.crops import Crops

acquisition = pytest.importorskip("syllabary.simulate.acquisition")
from syllabary.simulate.settings import SimulateSettings  # noqa: E402


def test_truth_comes_back(tmp_path, extract):
    simulated = SimulateSettings.model_validate(
        {"duration_s": 12, "drops": {"single": 0.02, "run": 0.005}}
    )
    acquisition.record(
        tmp_path / "m1",
        simulated,
        recording="m1",
        subject="a",
        group="control",
        seed=7,
        provenance=Provenance("simulate", {}, 7, {}, ""),
    )
    truth = tables.read(tmp_path / "m1" / "truth.parquet", tables.TRUTH)
    lens = simulated.camera
    names = {"fx_px": "focal_px", "fy_px": "focal_px", "cx_px": "center_x_px", "cy_px": "center_y_px"}
    camera = {ours: getattr(lens, theirs) for ours, theirs in names.items()}
    with Crops(extract(tmp_path / "m1", ExtractSettings.model_validate({"camera": camera}))) as crops:
        assert_array_equal(crops.frame, truth["frame"])
        recorded = crops.frame >= 0
        assert (crops.frame < 0).sum() > 3
        detected = crops.scalars[recorded].join(crops.tracking[recorded][["detected"]])
        assert detected["detected"].mean() > 0.99
        away = np.hypot(
            detected["x_mm"] - truth["x_mm"][recorded], detected["y_mm"] - truth["y_mm"][recorded]
        )
        assert away.median() < 3
        turned = (detected["heading_rad"] - truth["heading_rad"][recorded] + np.pi) % (2 * np.pi) - np.pi
        assert (turned.abs() > np.pi / 2).mean() < 0.01
        assert np.rad2deg(turned.abs().median()) < 5
