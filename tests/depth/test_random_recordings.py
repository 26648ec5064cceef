"""No recording gives a wrong number without a word.

``benchmarks/extraction/random_recordings.py`` tries more of them.
"""

import pytest

from depth.random_recordings import judge
from depth.random_recordings.options import Options, difficulties, draw, plain

# Each difficulty alone, at its worst, is measured: a rejection would be too easy a way out.
MEASURED = [
    Options(),
    Options(fps=5.0, duration_s=10.0),
    Options(fps=120.0, duration_s=3.6),
    Options(size=0.62),
    Options(size=2.5),
    Options(tilt_deg=14.0, tilt_toward_deg=70.0),
    Options(tilt_deg=15.0, tilt_toward_deg=250.0, speed_mm_s=200.0),
    Options(dropped=0.25),
    Options(empty_start=0.1, empty_end=0.1),
]


def name(options):
    return ", ".join(f"{key}={getattr(options, key)}" for key in difficulties(options)) or "plain"


@pytest.mark.parametrize("options", MEASURED, ids=name)
def test_a_recording_with_one_difficulty_is_measured_right(options, tmp_path):
    outcome = judge.try_out(options, tmp_path)
    assert outcome.kind == "right", outcome.line()


@pytest.mark.parametrize(
    ("options", "kind"),
    [
        (Options(animals=0), "rejected"),
        (Options(empty_start=0.5), "rejected"),
        (Options(duration_s=2.0), "rejected"),
        (Options(counts="tenths", declared=False), "refused"),
    ],
    ids=["no animal", "half empty", "too short", "unit unknown"],
)
def test_what_cannot_be_measured_is_told(options, kind, tmp_path):
    outcome = judge.try_out(options, tmp_path)
    assert outcome.kind == kind, outcome.line()


@pytest.mark.parametrize("seed", [0, 1, 3, 4, 5, 6, 7, 8])
def test_no_number_of_a_random_recording_is_wrong_without_a_word(seed, tmp_path):
    outcome = judge.try_out(draw(seed), tmp_path)
    assert outcome.kind in judge.RIGHT, outcome.line()


def test_a_recording_is_drawn_from_its_seed_alone_and_plain_takes_one_difficulty_away():
    options = next(o for o in map(draw, range(100)) if len(difficulties(o)) > 3)
    assert draw(options.seed) == options
    first, *others = difficulties(options)
    assert difficulties(plain(options, first)) == others
