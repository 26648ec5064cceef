import json

import numpy as np
import pytest

from syllabary.depth.quality import assess
from syllabary.depth.settings import CheckSettings
from syllabary.records.crops import SCALARS, CropsWriter, Missing


@pytest.fixture
def crops(tmp_path, made):
    """Write crops of a recording whose columns a test may bend."""

    def write(
        ticks=600, dropped=(), lost=(), confidence=1.0, speed=50.0, heights=None, why=Missing.NOTHING,
        arena=None, height=100.0, min_height_mm=None,
    ):  # fmt: skip
        path = tmp_path / "crops.h5"
        frame = np.ones(ticks, int)
        frame[list(dropped)] = 0
        frame = np.where(frame > 0, np.cumsum(frame) - 1, -1)
        detected = frame >= 0
        detected[list(lost)] = False
        missing = np.where(detected, 1.0, np.nan)
        columns = {name: missing * 100 for name in SCALARS}
        columns["speed_mm_s"] = missing * speed
        columns["height_max_mm"] = missing * height
        tracking = {name: missing for name in ("x_px", "y_px", "heading_rad")}
        with CropsWriter(path, recording="m1", pixel_mm=1.85, size=(8, 8)) as writer:
            writer.append(
                np.zeros((ticks, 8, 8), np.uint8) if heights is None else heights,
                np.ones((ticks, 8, 8), bool),
            )
            writer.finish(
                frame=frame,
                time_s=np.arange(ticks) / 30,
                start_time="",
                scalars=columns,
                tracking={**tracking, "heading_confidence": missing * confidence, "detected": detected},
                arena={"floor_plane": np.zeros(4), **(arena or {})},
                provenance=made._replace(settings={"tracking": {"min_height_mm": min_height_mm}}),
                missing=np.full(ticks, why),
            )
        return assess(path, CheckSettings())

    return write


def test_a_good_recording(crops):
    report = crops()
    assert (report["verdict"], report["reasons"], report["gaps"]) == ("good", [], [])
    assert (report["recording"], report["ticks"], report["frames"], report["dropped"]) == (
        "m1",
        600,
        600,
        0,
    )
    assert report["median_fps"] == pytest.approx(30)
    json.dumps(report, allow_nan=False)


def test_gaps_are_listed(crops):
    report = crops(dropped=[3, 100, 101, 102])
    assert report["gaps"] == [{"tick": 3, "ticks": 1}, {"tick": 100, "ticks": 3}]
    assert (report["dropped"], report["frames"], report["verdict"]) == (4, 596, "good")


@pytest.mark.parametrize(
    ("height", "min_height_mm", "is_warned"),
    [(32, 10, False), (19, 10, True), (24, 10, True), (19, 5, False), (40, 20, True), (19, None, False)],
)
def test_an_animal_of_which_much_passes_for_floor_is_warned(crops, height, min_height_mm, is_warned):
    report = crops(height=height, min_height_mm=min_height_mm)
    named = [reason for reason in report["reasons"] if f"is {height} mm high" in reason]
    assert (report["verdict"], len(named)) == (("warn", 1) if is_warned else ("good", 0))


def moves(frame, *shifts_mm):
    """A floor that moves to some distances in turn, the first of them at a frame."""
    return {
        "moved_frame": frame * np.arange(1 + len(shifts_mm)),
        "moved_mm": np.array([[0.0] * 4, *([shift, shift, 0, 0] for shift in shifts_mm)]),
    }


@pytest.mark.parametrize(
    ("change", "verdict", "word"),
    [
        ({"dropped": range(10, 60)}, "warn", "8.3% of the ticks have no frame"),
        ({"dropped": range(10, 400)}, "reject", "65.0% of the ticks"),
        ({"lost": range(30)}, "warn", "5.0% of the frames show no mouse"),
        ({"lost": range(600)}, "reject", "100.0% of the frames show no mouse"),
        ({"confidence": 0.6}, "warn", "uncertain head end"),
        ({"speed": 9000.0}, "warn", "jump"),
        ({"heights": np.full((600, 8, 8), 9, np.uint8)}, "warn", "cut the mouse off"),
        ({"lost": range(12), "why": Missing.IMPLAUSIBLE}, "warn", "2.0% of the frames show what is no"),
        ({"lost": range(160), "why": Missing.IMPLAUSIBLE}, "reject", "such as a hand"),
        ({"lost": range(12), "why": Missing.SEVERAL}, "warn", "more than one thing"),
        ({"lost": range(36), "why": Missing.SEVERAL}, "reject", "extract.arena.which"),
        ({"lost": range(3), "why": Missing.MOVED}, "warn", "0.5% of the frames are left out because"),
        ({"lost": range(36), "why": Missing.MOVED}, "reject", "the camera, the floor or a wall moved"),
        ({"arena": moves(90, 5)}, "warn", "moved by 5 mm (at 3.0 s)"),
        ({"arena": moves(90, -70)}, "reject", "moved by 70 mm (limit 60 mm)"),
        ({"arena": moves(40, *range(1, 11))}, "warn", "moved by 10 mm (slowly)"),
        ({"ticks": 60}, "reject", "lasts 2.0 s, less than 10 s"),
        ({"ticks": 1}, "reject", "lasts 0.0 s"),
    ],
)
def test_what_is_wrong_is_said(crops, change, verdict, word):
    report = crops(**change)
    assert report["verdict"] == verdict
    assert any(word in reason for reason in report["reasons"])
    json.dumps(report, allow_nan=False)


def test_unknown_confidence_is_no_fault(crops):
    report = crops(confidence=np.nan)
    assert (report["verdict"], report["uncertain_heading_fraction"]) == ("good", None)


def test_jumps_and_drifts_of_the_floor_are_told_apart(crops):
    assert crops(arena=moves(40, *range(1, 11)))["background_jumps"] == []
    report = crops(arena=moves(40, 1, -8, -7, 2), dropped=[0, 7])
    assert report["background_shift_mm"] == pytest.approx(10)
    # Frame 80 is tick 82, as two ticks before it have no frame.
    jumps = [(jump["tick"], jump["mm"]) for jump in report["background_jumps"]]
    assert jumps == [(82, -9), (162, 9)]
    assert report["background_jumps"][0]["time_s"] == pytest.approx(82 / 30)


def test_a_warning_says_which_number_suffers(crops):
    report = crops(dropped=range(10, 60), confidence=0.6, speed=9000.0)
    for word in ("durations", "headings", "speeds"):
        assert any(word in reason for reason in report["reasons"])
