import itertools

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from syllabary.depth.heading import chain, evidence
from syllabary.depth.heading.decode import decode
from syllabary.depth.settings import HeadingSettings


def weigh_paths(odds, steps):
    """Log weight of all 2**T paths, one by one."""
    weights = {}
    for states in itertools.product((0, 1), repeat=len(odds)):
        weight = sum(o for o, z in zip(odds, states, strict=True) if z == 0)
        pairs = itertools.pairwise(states)
        weights[states] = weight + sum(s[int(a != b)] for s, (a, b) in zip(steps, pairs, strict=True))
    return weights


def test_chain_matches_enumeration(rng):
    odds, steps = rng.normal(0, 2, 8), rng.normal(0, 2, (7, 2))
    weights = weigh_paths(odds, steps)
    total = np.logaddexp.reduce(list(weights.values()))
    upright = [np.logaddexp.reduce([w for z, w in weights.items() if z[t] == 0]) for t in range(8)]
    assert_allclose(chain.marginals(odds, steps), np.exp(np.array(upright) - total), rtol=1e-10)


def test_chain_of_none_and_one():
    assert len(chain.marginals(np.zeros(0), np.zeros((0, 2)))) == 0
    assert_allclose(chain.marginals(np.array([2.0]), np.zeros((0, 2))), 1 / (1 + np.exp(-2)))


def test_a_step_is_the_same_from_pi_to_minus_pi():
    inside = chain.link(np.array([1.0, 1.1]), np.array([0.2]), 1e-3)
    across = chain.link(np.array([1.55, 1.65 - np.pi]), np.array([0.2]), 1e-3)
    assert_allclose(across[0], inside[0, ::-1], rtol=1e-9)
    assert inside[0, 0] > inside[0, 1] + 4


def test_a_jump_of_a_quarter_turn_prefers_no_state():
    stay, change = chain.link(np.array([0.0, np.pi / 2]), np.array([0.3]), 1e-3)[0]
    assert stay == pytest.approx(change)


def test_features_know_which_end_they_are_seen_from(rng):
    along, height = rng.normal(2, 10, 400), rng.uniform(10, 40, 400)
    along -= along.mean()
    thin = rng.uniform(10, 60, 30)
    there, back = evidence.shape(along, height, thin), evidence.shape(-along, height, -thin)
    assert_allclose(there, back * evidence.SIGNS, atol=1e-12)
    assert np.count_nonzero(there) > len(there) / 2
    assert len(there) == len(evidence.FEATURES) == len(evidence.SIGNS)
    assert_array_equal(evidence.SIGNS < 0, np.arange(len(there)) < len(evidence.ODD))


def test_walking_forward_is_evidence_and_standing_is_none():
    time = np.arange(20) / 30
    position = np.stack([200 * time, np.zeros(20)], axis=-1)
    ahead = evidence.motion(position, time, np.zeros(20), 50.0)
    assert_allclose(ahead, 4.0)
    assert_allclose(evidence.motion(position, time, np.full(20, np.pi), 50.0), -4.0)
    assert_allclose(evidence.motion(position, time, np.full(20, np.pi / 2), 50.0), 0, atol=1e-12)
    assert_allclose(evidence.motion(0 * position, time, np.zeros(20), 50.0), 0)


def wander(rng, count=900):
    """A mouse that walks and rests; axes have no sign and noise; rest teaches by shape alone."""
    turn = np.where(rng.random(count) < 0.3, rng.normal(0, 0.15, count), 0)
    heading = np.cumsum(turn)
    speed = np.where((np.arange(count) // 150) % 2, 120.0, 0.0)
    step = speed[:, None] / 30 * np.stack([np.cos(heading), np.sin(heading)], axis=-1)
    axis = heading + rng.normal(0, 0.05, count)
    axis = (axis + np.pi / 2) % np.pi - np.pi / 2
    sign = np.sign(np.cos(axis - heading))
    return heading, np.cumsum(step, axis=0), axis, sign


def wrong(headings, heading):
    return np.mean(np.cos(headings - heading) < 0)


def test_walking_teaches_a_shape_that_contradicts_the_prior(rng):
    heading, position, axis, sign = wander(rng)
    features = rng.normal(0, 0.3, (900, len(evidence.FEATURES)))
    # An implant makes the head end wide: skewness says the opposite of a bare mouse's.
    features[:, 0] += -0.3 * sign
    features[:, 7] += 0.5 * sign
    time = np.arange(900) / 30
    elongation = np.full(900, 0.6)
    trained = decode(axis, elongation, position, time, features, HeadingSettings())
    assert wrong(trained.heading_rad, heading) < 0.01
    assert np.mean(trained.confidence) > 0.95


def test_naming_the_axis_by_its_other_end_changes_nothing(rng):
    _, position, axis, sign = wander(rng)
    features = rng.normal(0, 0.3, (900, len(evidence.FEATURES))) + 0.2 * sign[:, None]
    time, elongation = np.arange(900) / 30, np.full(900, 0.6)
    renamed = rng.random(900) < 0.5
    other = np.where(renamed, axis + np.pi, axis)
    flipped = np.where(renamed[:, None], evidence.SIGNS * features, features)
    headings = decode(axis, elongation, position, time, features, HeadingSettings())
    two = decode(other, elongation, position, time, flipped, HeadingSettings())
    assert_allclose(np.cos(headings.heading_rad - two.heading_rad), 1, atol=1e-9)
    assert_allclose(headings.confidence, two.confidence, atol=1e-9)


def test_frames_without_mouse_stay_missing(rng):
    _, position, axis, sign = wander(rng)
    features = np.tile(0.3 * sign[:, None], (1, len(evidence.FEATURES)))
    axis[100:130] = np.nan
    position[100:130] = np.nan
    headings = decode(
        axis, np.full(900, 0.5), position, np.arange(900) / 30, features, HeadingSettings()
    )
    assert_array_equal(np.isnan(headings.heading_rad), np.isnan(axis))
    assert_array_equal(np.isnan(headings.confidence), np.isnan(axis))


def test_no_mouse_at_all():
    nothing = np.full(3, np.nan)
    headings = decode(
        nothing,
        nothing,
        np.full((3, 2), np.nan),
        np.arange(3.0),
        np.zeros((3, len(evidence.FEATURES))),
        HeadingSettings(),
    )
    assert np.isnan(headings.heading_rad).all()
