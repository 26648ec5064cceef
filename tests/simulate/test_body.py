"""The skeleton: channels do what their names say."""

import numpy as np
import pytest

from syllabary.simulate import body
from syllabary.simulate.settings import MouseSettings

SNOUT = body.AXIAL - 1


@pytest.fixture
def build():
    return body.grow(MouseSettings(build_sd=0, tempo_sd=0), np.random.default_rng(0))


def posed(build, **channels):
    pose = np.zeros((1, len(body.CHANNELS)))
    for name, value in channels.items():
        pose[0, body.CHANNELS.index(name)] = value
    centers, shapes = body.solids(pose, build)
    return centers[0], shapes[0]


def test_rest_is_symmetric_and_stands_on_the_floor(build):
    centers, shapes = posed(build)
    np.testing.assert_allclose(centers[: body.AXIAL, 1], 0, atol=1e-12)
    low = (centers[:, 2] - np.sqrt(shapes[:, 2, 2])).min()
    assert -3 < low < 3
    top = (centers[:, 2] + np.sqrt(shapes[:, 2, 2])).max()
    assert 28 < top < 40


def test_shapes_are_ellipsoids(build):
    _, shapes = posed(build, pitch=0.9, bend=0.5, roll=0.2, head_yaw=-0.4)
    np.testing.assert_allclose(shapes, shapes.swapaxes(-1, -2))
    assert (np.linalg.eigvalsh(shapes) > 0).all()


@pytest.mark.parametrize(
    ("channel", "value", "axis", "sign"),
    [
        ("pitch", 1.0, 2, 1),
        ("stretch", 0.2, 0, 1),
        ("bend", 0.5, 1, 1),
        ("head_yaw", 0.5, 1, 1),
        ("head_pitch", 0.4, 2, 1),
        ("lift", 5.0, 2, 1),
        ("arch", 0.4, 0, -1),
    ],
)
def test_snout_goes_where_the_channel_says(build, channel, value, axis, sign):
    moved = posed(build, **{channel: value})[0][SNOUT] - posed(build)[0][SNOUT]
    assert sign * moved[axis] > 1


def test_left_is_left(build):
    reach = posed(build, foot_left=1.0)[0] - posed(build)[0]
    moved = np.flatnonzero(np.abs(reach).max(1) > 1)
    assert len(moved) == 1
    assert posed(build)[0][moved[0], 1] < 0


def test_build_scales():
    small, large = (
        body.grow(MouseSettings(length_mm=length, build_sd=0, tempo_sd=0), np.random.default_rng(0))
        for length in (70.0, 98.0)
    )
    extents = [np.ptp(posed(b)[0][: body.AXIAL, 0]) for b in (small, large)]
    assert extents[1] / extents[0] == pytest.approx(1.4, rel=0.01)
