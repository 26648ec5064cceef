import numpy as np
from numpy.testing import assert_allclose, assert_array_equal

from oracles.depth_scene import INTERVAL_MS, render, stroll, write_session
from syllabary.depth.bridging import bridge
from syllabary.depth.heading.decode import Headings
from syllabary.depth.tracking.tracker import Track
from syllabary.records.crops import Crops

TIME = np.array([0.0, 0.1, 0.2, 0.5, 0.6, 0.7, 1.7, 1.8])


def walk(lost):
    """A mouse that walks along x at 100 mm/s and turns past half a turn."""
    track = Track.empty(len(TIME))
    for name in ("x_px", "y_px", "x_mm", "y_mm", "area_mm2"):
        getattr(track, name)[:] = 100 * TIME
        getattr(track, name)[lost] = np.nan
    heading = 3.0 + TIME
    heading = np.pi - (np.pi - heading) % (2 * np.pi)
    confidence = np.full(len(TIME), 0.9)
    heading[lost] = confidence[lost] = np.nan
    return track, Headings(heading, confidence)


def test_a_short_loss_is_filled_in_time():
    track, headings = bridge(*walk([2, 3]), TIME, 0.6)
    assert_allclose(track.x_mm, 100 * TIME)
    assert_allclose(track.y_px, 100 * TIME)
    assert_allclose(np.cos(headings.heading_rad - 3.0 - TIME), 1)
    assert (np.abs(headings.heading_rad) <= np.pi).all()
    # Nobody saw it: it has no size, no confidence, and was not found.
    assert_array_equal(np.isnan(track.area_mm2), np.isin(np.arange(8), [2, 3]))
    assert_array_equal(np.isnan(headings.confidence), ~track.detected)


def test_a_long_loss_stays_missing():
    track, headings = bridge(*walk([2, 6]), TIME, 0.5)
    assert_allclose(track.x_mm[2], 20)
    assert np.isnan(track.x_mm[6])
    assert np.isnan(headings.heading_rad[6])


def test_nothing_is_guessed_before_the_first_and_after_the_last_sight():
    track, _ = bridge(*walk([0, 7]), TIME, 10.0)
    assert_array_equal(np.isnan(track.x_mm), ~track.detected)
    nothing, _ = bridge(*walk(np.arange(8)), TIME, 10.0)
    assert np.isnan(nothing.x_mm).all()


def test_an_animal_behind_a_hand(tmp_path, extract, settings):
    x, y, heading = stroll(40)
    frames = [render(*p) for p in zip(x, y, heading, strict=True)]
    for i in (10, 11, *range(20, 36)):
        frames[i] = render(None, 0, 0)
    source = write_session(tmp_path / "hand", frames, 5e8 + INTERVAL_MS * np.arange(40))
    with Crops(extract(source)) as crops:
        lost = ~crops.tracking["detected"].to_numpy()
        assert_array_equal(np.flatnonzero(lost), [10, 11, *range(20, 36)])
        visible = crops.scalars["x_mm"].notna().to_numpy()
        assert_array_equal(np.flatnonzero(~visible), np.arange(20, 36))
        assert crops.scalars["area_mm2"][lost].isna().all()
        assert not crops.observed()[lost].any()
        off = crops.scalars["x_mm"].to_numpy() - x
        assert np.abs(off[10:12] - np.nanmedian(off)).max() < 3
    never = settings.model_copy(
        update={"tracking": settings.tracking.model_copy(update={"bridge_s": 0.0})}
    )
    with Crops(extract(source, never, name="never")) as crops:
        assert_array_equal(crops.scalars["x_mm"].isna(), lost)
