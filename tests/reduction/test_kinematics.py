"""Signs and units of motion."""

import numpy as np
from numpy.testing import assert_allclose

from reduction.registered import FPS, SIZE, tracked, write
from syllabary.records.crops import Crops
from syllabary.reduction import kinematics


def recording(path, scalars, **rest):
    return write(path, np.zeros((len(scalars["x_mm"]), *SIZE), np.uint8), scalars=scalars, **rest)


def test_walking_straight_turning_and_stepping_aside(tmp_path):
    T = 20
    time = np.arange(T) / FPS
    heading = np.full(T, np.pi / 2)
    still = np.full(T, 5.0)
    cases = {
        # Heading along +y, the animal walks along +y.
        "ahead": ({"x_mm": still, "y_mm": 90 * time, "heading_rad": heading}, (90, 0, 0)),
        # Sideways is from +x toward +y, which is along -x for a heading along +y.
        "aside": ({"x_mm": -30 * time, "y_mm": still, "heading_rad": heading}, (0, 30, 0)),
        # The heading passes 2 pi.
        "turn": ({"x_mm": still, "y_mm": still, "heading_rad": (6 + 3 * time) % (2 * np.pi)}, (0, 0, 3)),
    }
    for name, (scalars, expected) in cases.items():
        with Crops(recording(tmp_path / f"{name}.h5", scalars)) as crops:
            motion = kinematics.speeds(crops, None)
        assert np.isnan(motion[0]).all()
        assert_allclose(motion[1:], np.tile(expected, (T - 1, 1)), atol=1e-3)


def test_shifts_correct_errors_of_tracking(tmp_path, rng):
    shifts = rng.standard_normal((200, 3)) * (1, 1, 0.05)
    with Crops(recording(tmp_path / "m.h5", tracked(rng, shifts))) as crops:
        uncorrected, motion = kinematics.speeds(crops, None), kinematics.speeds(crops, shifts)
    assert uncorrected[1:, 0].std() > 50
    assert_allclose(motion[1:, 0], 60, atol=0.1)
    # The heading of the later tick is half a step ahead of the path.
    assert_allclose(motion[1:, 1], -60 * np.sin(0.5 / FPS / 2), atol=0.1)
    assert_allclose(motion[1:, 2], 0.5, atol=1e-3)


def test_missing_ticks_and_untracked_recordings(tmp_path, rng):
    frame = np.arange(30)
    frame[10] = -1
    scalars = tracked(rng, np.zeros((30, 3)))
    scalars["heading_rad"][20] = np.nan
    with Crops(recording(tmp_path / "gaps.h5", scalars, frame=frame)) as crops:
        motion = kinematics.speeds(crops, None, bridge_s=0)
        trusted = crops.frame != 3
        motion_of_trusted = kinematics.speeds(
            crops, np.zeros((30, 3)), trusted & (crops.frame >= 0), bridge_s=0
        )
        bridged = kinematics.speeds(crops, None)
    assert np.flatnonzero(np.isnan(motion).any(1)).tolist() == [0, 10, 11, 20, 21]
    assert np.flatnonzero(np.isnan(motion_of_trusted).any(1)).tolist() == [0, 3, 4, 10, 11, 20, 21]
    assert np.flatnonzero(np.isnan(bridged).any(1)).tolist() == [0]
    assert_allclose(bridged[[10, 11], 2], motion[[9, 12], 2], rtol=0.05)
    path = write(tmp_path / "untracked.h5", np.zeros((9, *SIZE), np.uint8))
    with Crops(path) as crops:
        assert np.isnan(kinematics.speeds(crops, np.zeros((9, 3)))).all()
