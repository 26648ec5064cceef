"""Crops without the raw video."""

import numpy as np
import pytest

from syllabary.records import tables
from syllabary.records.crops import Crops
from syllabary.simulate import crops
from syllabary.simulate.settings import TrackingErrorSettings


@pytest.fixture(scope="module")
def rendered(tmp_path_factory, short, made):
    folder = tmp_path_factory.mktemp("crops")
    paths = folder / "crops.h5", folder / "truth.parquet"
    crops.render(*paths, short, recording="r1", subject="m1", group="control", seed=5, provenance=made)
    return paths


def test_same_session_as_the_raw_one(rendered, session):
    raw, direct = tables.read(session / "truth.parquet"), tables.read(rendered[1])
    assert raw.equals(direct)


def test_same_bytes(rendered, short, made, tmp_path):
    again = tmp_path / "crops.h5", tmp_path / "truth.parquet"
    crops.render(*again, short, recording="r1", subject="m1", group="control", seed=5, provenance=made)
    for first, second in zip(rendered, again, strict=True):
        assert first.read_bytes() == second.read_bytes()


def test_lost_frames_are_missing_rows(rendered, short):
    table = tables.read(rendered[1])
    lost = table["dropped"].to_numpy()
    with Crops(rendered[0]) as crops:
        assert len(crops) == short.ticks
        assert np.array_equal(crops.frame, table["frame"])
        heights, observed = crops.heights(), crops.observed()
        assert (heights[lost] == 0).all()
        assert not observed[lost].any()
        assert observed[~lost].mean() > 0.99
        assert np.isnan(crops.scalars["x_mm"][lost]).all()
        assert np.isfinite(crops.scalars[~lost]).all(axis=None)
        assert np.array_equal(crops.tracking["detected"], ~lost)


def test_mouse_is_upright_in_the_middle(rendered):
    table = tables.read(rendered[1])
    with Crops(rendered[0]) as crops:
        heights = crops.heights()[~table["dropped"].to_numpy()].astype(float)
        scalars = crops.scalars[~table["dropped"].to_numpy()]
        assert (crops.size, crops.pixel_mm) == ((80, 80), 1.85)
    mask = heights > 0
    area = mask.sum((1, 2))
    assert 380 < np.median(area) < 800
    row, column = np.mgrid[:80, :80]
    for axis in (row, column):
        middle = (mask * axis).sum((1, 2)) / area
        assert abs(np.median(middle) - 39.5) < 1.5
    # Longer along the nose than across; the head is the lower, thinner end.
    assert (scalars["length_mm"] > scalars["width_mm"]).mean() > 0.95
    assert 25 < np.median(heights.max((1, 2))) < 60
    width = mask.sum(1).mean(0)
    assert width[25:38].mean() > 1.3 * width[55:62].mean()


def test_pose_is_seen_not_place(rendered):
    # The crop is aligned by the truth: heading changes, the picture does not turn.
    table = tables.read(rendered[1])
    with Crops(rendered[0]) as aligned:
        mask = aligned.heights()[~table["dropped"].to_numpy()] > 0
    row, column = np.mgrid[:80, :80] - 39.5
    turned = []
    for silhouette in mask:
        spread = np.cov(column[silhouette], row[silhouette])
        turned.append(0.5 * np.arctan2(2 * spread[0, 1], spread[0, 0] - spread[1, 1]))
    assert abs(np.rad2deg(np.median(turned))) < 6


def test_errors_of_tracking_move_the_crop_and_the_path_together(rendered, short, made, tmp_path):
    off = short.model_copy(
        update={"tracking": TrackingErrorSettings(position_sd_mm=2, heading_sd_deg=3)}
    )
    path = tmp_path / "crops.h5"
    who = {"recording": "r1", "subject": "m1", "group": "control", "seed": 5, "provenance": made}
    crops.render(path, tmp_path / "truth.parquet", off, **who)
    assert tables.read(tmp_path / "truth.parquet").equals(tables.read(rendered[1]))
    with Crops(path) as moved, Crops(rendered[0]) as still:
        detected = still.tracking["detected"].to_numpy()
        shift = (moved.scalars - still.scalars)[detected]
        assert 1.5 < shift["x_mm"].std() < 2.5
        turned = np.angle(np.exp(1j * shift["heading_rad"]))
        assert 2 < np.degrees(turned.std()) < 4
        middles = []
        for session in (moved, still):
            mask = session.heights()[detected] > 0
            middles.append((mask * np.arange(80)).sum((1, 2)) / mask.sum((1, 2)) * 1.85)
        assert 1.5 < np.std(middles[0] - middles[1]) < 2.5
