import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from syllabary.depth.heading import evidence

NOTHING = np.zeros(0)
INDEX = {name: i for i, name in enumerate(evidence.FEATURES)}


def pear(rng, count=3000):
    """Points of a body that is narrow and high in front."""
    along = rng.uniform(-40, 40, count)
    along = along[rng.random(count) < 0.7 - along / 100]
    return along - along.mean(), 20 + 0.2 * along


def test_odd_features_change_their_sign_with_the_end_and_even_ones_do_not(rng):
    along, height = pear(rng)
    thin = rng.uniform(-90, 50, 40)
    ahead = evidence.shape(along, height, thin)
    from_rear = evidence.shape(-along, height, -thin)
    assert_allclose(from_rear, ahead * evidence.SIGNS, atol=1e-12)
    assert np.abs(ahead[: len(evidence.ODD)]).max() > 0.1


def test_a_body_that_is_the_same_from_both_ends_has_no_odd_feature(rng):
    half = rng.uniform(0, 40, 500)
    along = np.concatenate([half, -half])
    features = evidence.shape(along, np.full(1000, 20.0), NOTHING)
    assert_allclose(features[: len(evidence.ODD)], 0, atol=1e-9)


def test_size_does_not_matter(rng):
    along, height = pear(rng)
    small, large = (
        evidence.shape(size * along, size * height, size * np.array([-80.0])) for size in (0.7, 1.3)
    )
    assert_allclose(small, large, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(("side", "sign"), [(-95.0, -1), (95.0, 1)])
def test_a_tail_is_evidence_of_its_side(rng, side, sign):
    along, height = pear(rng)
    without = evidence.shape(along, height, NOTHING)
    with_tail = evidence.shape(along, height, np.full(60, side))
    assert without[INDEX["thin_side"]] == 0
    assert np.sign(with_tail[INDEX["thin_side"]]) == sign
    others = np.delete(np.arange(len(evidence.FEATURES)), INDEX["thin_side"])
    assert_array_equal(with_tail[others], without[others])


def test_ears_and_nose_are_no_tail(rng):
    along, height = pear(rng)
    near = evidence.shape(along, height, np.array([45.0, -45.0, 50.0]))
    assert near[INDEX["thin_side"]] == 0


def test_a_body_of_one_point_has_no_shape():
    assert_array_equal(evidence.shape(np.zeros(1), np.full(1, 20.0), NOTHING), 0)


def test_features_are_bounded(rng):
    along = np.append(rng.normal(0, 1, 50), 5000.0)
    features = evidence.shape(along - along.mean(), np.full(51, 20.0), np.full(10_000, -5000.0))
    assert np.abs(features[:2]).max() <= 2


def test_walking_backward_is_evidence_for_the_other_end():
    time = np.arange(30) / 30
    position = np.stack([120 * time, np.zeros(30)], axis=-1)
    forward = evidence.motion(position, time, np.zeros(30), 40.0)
    backward = evidence.motion(position, time, np.full(30, np.pi), 40.0)
    assert_allclose(forward, 3.0)
    assert_allclose(backward, -forward)
    assert_allclose(evidence.motion(position, time, np.full(30, np.pi / 2), 40.0), 0, atol=1e-9)


def test_no_frame_of_motion_is_worth_more_than_4_nats():
    time = np.arange(30) / 30
    position = np.stack([9000 * time, np.zeros(30)], axis=-1)
    assert_allclose(evidence.motion(position, time, np.zeros(30), 40.0), 4)


def test_frames_without_a_place_have_no_motion():
    time = np.arange(30) / 30
    position = np.stack([120 * time, np.zeros(30)], axis=-1)
    position[10:20] = np.nan
    nats = evidence.motion(position, time, np.zeros(30), 40.0)
    assert_array_equal(nats[11:19], 0)
    assert np.isfinite(nats).all()
    assert_array_equal(evidence.motion(position[:1], time[:1], np.zeros(1), 40.0), [0])
