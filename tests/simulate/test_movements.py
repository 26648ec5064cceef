"""Templates of movement: every bout starts where the one before it ended, and moves as it is named."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from syllabary.simulate.body import CHANNELS
from syllabary.simulate.movements import MOVEMENTS, Bout, bell, ease

STEP_S = 1 / 120
MIRRORED = [
    ("turn_left", "turn_right"),
    ("groom_left", "groom_right"),
    ("scratch_left", "scratch_right"),
]
SIDEWAYS = ("bend", "roll", "head_yaw", "tail")


def bout(rng=None, *, seconds=0.5, **changes):
    steps = round(seconds / STEP_S)
    values = {
        "time": STEP_S * np.arange(steps),
        "phase": np.arange(steps) / (steps - 1),
        "start": np.zeros(len(CHANNELS)) if rng is None else rng.normal(0, 0.1, len(CHANNELS)),
        "strength": 1.0,
        "tempo": 1.0,
        "beat": 0.7,
        "toss": 0.0 if rng is None else rng.uniform(-1, 1),
    }
    return Bout(**{**values, **changes})


@pytest.mark.parametrize("name", MOVEMENTS)
def test_every_course_has_a_value_a_step(rng, name):
    performed = bout(rng)
    movement = MOVEMENTS[name].move(performed)
    for course in (
        movement.speed,
        movement.turn,
        *movement.targets.values(),
        *movement.rhythms.values(),
    ):
        assert np.broadcast_shapes(np.shape(course), performed.time.shape) == performed.time.shape
        assert np.isfinite(course).all()
    assert {*movement.targets, *movement.rhythms} <= set(CHANNELS)


@pytest.mark.parametrize("name", MOVEMENTS)
def test_targets_start_at_the_pose_of_the_bout_before(rng, name):
    performed = bout(rng)
    targets = MOVEMENTS[name].move(performed).targets
    for channel, course in targets.items():
        assert_allclose(course[0], performed.at(channel), atol=1e-9, err_msg=channel)


@pytest.mark.parametrize("name", MOVEMENTS)
def test_rhythms_begin_and_end_at_zero(rng, name):
    for course in MOVEMENTS[name].move(bout(rng)).rhythms.values():
        assert_allclose(course[[0, -1]], 0, atol=1e-9)


@pytest.mark.parametrize("name", MOVEMENTS)
def test_nothing_jumps_from_step_to_step(rng, name):
    movement = MOVEMENTS[name].move(bout(rng))
    for channel, course in movement.targets.items():
        size = 10 if channel in ("lift", "gait") else 1
        assert np.abs(np.diff(course)).max() < 0.25 * size, channel


@pytest.mark.parametrize(("left", "right"), MIRRORED)
def test_left_and_right_are_mirror_images(left, right):
    there, mirrored = (MOVEMENTS[name].move(bout()) for name in (left, right))
    assert_allclose(there.turn, -mirrored.turn, atol=1e-12)
    assert_allclose(there.speed, mirrored.speed)
    for channel, course in there.targets.items():
        if channel in SIDEWAYS:
            assert_allclose(course, -mirrored.targets[channel], atol=1e-12)
        elif not channel.startswith("foot"):
            assert_allclose(course, mirrored.targets[channel])


def test_movements_are_what_they_are_called():
    moved = {name: template.move(bout()) for name, template in MOVEMENTS.items()}
    mean = {name: np.mean(movement.speed) for name, movement in moved.items()}
    assert mean["dart"] > mean["walk"] > mean["sniff"] > mean["pause"]
    assert mean["freeze"] == mean["groom_face"] == 0
    assert moved["turn_right"].turn.max() > 2 > -2 > moved["turn_left"].turn.min()
    assert moved["rear_up"].targets["pitch"][-1] > 1
    assert moved["stretch"].targets["stretch"][-1] > 0.3
    assert moved["freeze"].rhythms == {}


def test_a_strong_bout_moves_more():
    weak, strong = (
        MOVEMENTS["walk"].move(bout(strength=strength)).speed.mean() for strength in (0.7, 1.4)
    )
    assert strong == pytest.approx(2 * weak)


def test_a_quick_animal_has_a_quick_rhythm():
    def crossings(tempo):
        course = bout(seconds=2.0, tempo=tempo).wave(5.0)
        return np.count_nonzero(np.diff(np.sign(course[20:-20])))

    assert crossings(1.4) == pytest.approx(1.4 * crossings(1.0), rel=0.1)


def test_easing_goes_from_0_to_1_and_a_bell_back_to_0():
    phase = np.linspace(0, 1, 101)
    assert_allclose(ease(phase)[[0, 50, -1]], [0, 0.5, 1])
    assert (np.diff(ease(phase)) >= 0).all()
    assert_allclose(bell(phase)[[0, 50, -1]], [0, 1, 0], atol=1e-12)
