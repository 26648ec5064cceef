"""Behavior: inside the arena, without jumps, different between groups and animals."""

import numpy as np
import pytest

from syllabary.simulate import body, grammar, motion
from syllabary.simulate.movements import MOVEMENTS
from syllabary.simulate.settings import SimulateSettings

NAMES = list(MOVEMENTS)
WANTED = {
    "rear_up", "rear_down", "groom", "walk", "dart", "turn_left", "turn_right", "sniff", "pause",
    "freeze", "stretch", "scratch",
}  # fmt: skip


@pytest.fixture(scope="module")
def performed():
    settings = SimulateSettings(duration_s=180)
    return motion.perform(settings, recording="r", subject="m", group="drug", seed=5)


def test_every_behavior_has_a_template():
    assert {template.behavior for template in MOVEMENTS.values()} == WANTED


def test_stays_inside_the_wall(performed):
    centers, _ = body.solids(performed.pose, performed.build)
    cos, sin = np.cos(performed.heading_rad), np.sin(performed.heading_rad)
    for solid in (0, body.TRUNK - 1, body.AXIAL - 1):  # rump, shoulders, snout
        x = performed.x_mm + cos * centers[:, solid, 0] - sin * centers[:, solid, 1]
        y = performed.y_mm + sin * centers[:, solid, 0] + cos * centers[:, solid, 1]
        assert np.hypot(x, y).max() < 198


def test_uses_the_arena(performed):
    from_center = np.hypot(performed.x_mm, performed.y_mm)
    assert from_center.min() < 90
    assert from_center.max() > 110


def test_pose_does_not_jump_at_borders(performed):
    border = np.flatnonzero(np.diff(performed.syllable))
    step = np.abs(np.diff(performed.pose, axis=0))
    within = np.setdiff1d(np.arange(len(step)), border)
    limit = np.percentile(step[within], 99.9, axis=0)
    # Larger than nearly all steps inside bouts: not one border in a hundred.
    assert ((step[border] > limit).mean(0) < 0.01).all()


def test_path_is_smooth(performed):
    speed = np.hypot(np.diff(performed.x_mm), np.diff(performed.y_mm)) / 0.03303
    assert np.median(speed) > 3
    assert speed.max() < 900
    assert np.abs(np.diff(performed.heading_rad)).max() / 0.03303 < 15


def test_rearing_is_entered_and_left_by_rearing(performed):
    up, down, stay = (NAMES.index(n) for n in ("rear_up", "rear_down", "rear_sniff"))
    order = performed.syllable[np.r_[True, np.diff(performed.syllable) != 0]]
    pairs = set(zip(order[:-1].tolist(), order[1:].tolist(), strict=True))
    assert {after for before, after in pairs if before == up} <= {down, stay}
    assert {before for before, after in pairs if after == down} <= {up, stay}
    pitch = performed.pose[:, body.CHANNELS.index("pitch")]
    assert np.median(pitch[performed.syllable == stay]) > 0.7
    top = motion.footprints(performed).top_mm
    assert 75 < np.percentile(top[performed.syllable == stay], 95) < 130


def test_durations(performed):
    starts = np.flatnonzero(np.r_[True, np.diff(performed.syllable) != 0, True])
    lengths = np.diff(starts)
    assert 9 <= np.median(lengths) <= 14
    assert lengths[:-1].min() >= 3


def test_freezing_is_still(performed):
    # Away from its borders, when easing is over.
    still = performed.syllable == NAMES.index("freeze")
    for shift in range(1, 7):
        still[shift:] &= performed.syllable[:-shift] == NAMES.index("freeze")
    moved = np.abs(np.diff(performed.pose, axis=0))[still[1:]]
    walking = np.abs(np.diff(performed.pose, axis=0))[performed.syllable[1:] == NAMES.index("walk")]
    assert moved.mean() < 0.03 * walking.mean()


def test_groups_use_syllables_differently():
    settings = SimulateSettings(duration_s=600)
    usage = {}
    for group in ("control", "drug"):
        syllables, lengths = grammar.sentence(
            group, settings.ticks * 5, 0.033, 1.0, np.random.default_rng(1)
        )
        assert lengths.sum() == settings.ticks * 5
        usage[group] = np.bincount(syllables, minlength=len(NAMES)) / len(syllables)
    ratio = usage["drug"] / usage["control"]
    assert ratio[NAMES.index("dart")] > 1.4
    assert ratio[NAMES.index("rear_up")] < 0.75
    assert (usage["control"] > 0.01).all()


def test_any_group_has_its_own_grammar():
    groups = ("control", "drug", "knockout", "wild type")
    matrices = [grammar.transitions(group) for group in groups]
    for matrix in matrices:
        np.testing.assert_allclose(matrix.sum(1), 1)
        assert (np.diag(matrix) == 0).all()
    assert np.array_equal(matrices[2], grammar.transitions("knockout"))
    for i in range(4):
        for j in range(i):
            assert np.abs(matrices[i] - matrices[j]).max() > 0.02


def test_animals_differ_and_sessions_of_one_do_not():
    settings = SimulateSettings(duration_s=1)

    def build(subject, recording):
        return motion.perform(
            settings, recording=recording, subject=subject, group="control", seed=5
        ).build

    first, again, other = build("a", "r1"), build("a", "r2"), build("b", "r1")
    assert first.length == again.length
    assert first.length != other.length
    assert first.tempo != other.tempo


def test_shortest_session():
    settings = SimulateSettings(duration_s=0.01)
    performed = motion.perform(settings, recording="r", subject="m", group="control", seed=0)
    assert performed.pose.shape == (2, len(body.CHANNELS))
