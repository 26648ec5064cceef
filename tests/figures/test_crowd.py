import numpy as np
import pandas as pd
import pytest

from figures.conftest import QUICK
from syllabary.figures import crowd
from syllabary.figures.crowd import Example


def bouts_of(subjects, per_recording, rng):
    rows = [
        {"subject": f"s{s}", "recording": f"s{s}r{r}", "syllable": b % 2, "start_tick": 20 * b,
         "stop_tick": 20 * b + 9, "duration_s": float(rng.uniform(0.2, 2))}
        for s in range(subjects) for r in range(s + 1) for b in range(per_recording)
    ]  # fmt: skip
    return pd.DataFrame(rows)


def test_examples_are_spread_over_animals(rng):
    chosen = crowd.choose(bouts_of(4, 30, rng), 1, 8, rng)
    assert len(chosen) == 8
    assert (chosen["syllable"] == 1).all()
    assert chosen["subject"].value_counts().tolist() == [2, 2, 2, 2]
    assert not chosen.duplicated(["recording", "start_tick"]).any()
    assert chosen[chosen["subject"] == "s3"]["recording"].nunique() == 2


def test_a_rare_syllable_shows_all_it_has(rng):
    assert len(crowd.choose(bouts_of(1, 6, rng), 0, 20, rng)) == 3


def test_a_syllable_without_bouts_has_no_movie(study, tmp_path):
    assert crowd.write(tmp_path, study, study.models[0], 99, QUICK, (1, 0, 0), seed=1) == {}
    assert list(tmp_path.iterdir()) == []


def test_clips_are_on_exactly_during_the_bout(study):
    bouts = study.models[0].table("bouts")
    chosen = bouts[(bouts["syllable"] == 0) & (bouts["start_tick"] > 10)].head(3)
    examples, ground, rate = crowd.cut_examples(study, chosen, QUICK)
    assert rate == pytest.approx(30)
    assert ground.ndim == 2
    lead, longest = 6, min(9, round(30 * chosen["duration_s"].max()))
    for example, length in zip(examples, chosen["stop_tick"] - chosen["start_tick"], strict=True):
        assert len(example.is_on) == len(example.heights) == len(example.place) == 2 * lead + longest
        on = np.flatnonzero(example.is_on)
        assert on[0] == lead
        assert len(on) == min(length, longest + lead)
        assert example.scale == pytest.approx(4.0 / 2.4, rel=0.02)  # crop over image pixels, mm


def test_a_bout_at_the_very_start_holds_the_first_frame(study):
    bouts = study.models[0].table("bouts")
    first = bouts[bouts["start_tick"] == 0].head(1)
    (example,), _, _ = crowd.cut_examples(study, first, QUICK)
    assert (example.heights[:6] == example.heights[6]).all()


def pointed(heading, on=True):
    """A crop with a tall spot at its nose (+x), 8 px from its middle."""
    heights = np.zeros((1, 25, 25), np.float32)
    heights[0, 11:14, 19:22] = 80
    place = np.array([[50.0, 40.0, heading]])
    return Example(heights, place, np.array([on]), 1.0)


@pytest.mark.parametrize(
    ("heading", "nose"),
    [(0.0, (58, 40)), (np.pi / 2, (50, 48)), (np.pi, (42, 40)), (-np.pi / 2, (50, 32))],
)
def test_the_nose_points_along_the_heading(heading, nose):
    ground = np.zeros((80, 100), np.uint8)
    zoom = 2.5
    (frame,) = crowd.arena([pointed(heading, on=False)], ground, (0, 0, 1), np.zeros(1))
    frame[160:] = 0  # the clock
    rows, columns = np.nonzero(frame.sum(2) > 300)
    np.testing.assert_allclose([columns.mean() / zoom, rows.mean() / zoom], nose, atol=1.0)


def test_the_dot_is_there_only_while_the_syllable_is_on():
    ground = np.zeros((80, 100), np.uint8)
    on, off = (
        next(iter(crowd.arena([pointed(0.0, on=state)], ground, (0, 0, 1), np.zeros(1))))
        for state in (True, False)
    )
    np.testing.assert_array_equal(on[100, 125], [0, 0, 255])
    assert off[100, 125].sum() < 100


def test_an_animal_that_was_lost_is_not_drawn():
    lost = Example(np.full((1, 25, 25), 80, np.float32), np.full((1, 3), np.nan), np.array([True]), 1.0)
    (frame,) = crowd.arena([lost], np.zeros((80, 100), np.uint8), (0, 0, 1), np.zeros(1))
    assert frame[:160].sum() == 0


def test_the_grid_has_a_tile_per_example_framed_while_on():
    clips = [pointed(0.0, on=i == 1) for i in range(3)]
    (frame,) = crowd.aligned(clips, (1.0, 0.0, 0.0))
    red = (frame == [255, 0, 0]).all(2)
    assert red[:96, 96:192].any()
    assert not red[:, :96].any() and not red[96:].any()
