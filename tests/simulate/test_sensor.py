"""Noise has the moments it claims; clocks lose frames as they say."""

import numpy as np
import pytest

from syllabary.simulate import sensor
from syllabary.simulate.settings import DropSettings, PinholeSettings


@pytest.fixture(scope="module")
def fields():
    stack = np.empty((30, 120, 160), np.float32)
    for i, field in enumerate(stack):
        sensor.noise_field(np.uint64(1000 + i), field)
    return stack.astype(float)


def test_noise_is_standard(fields):
    # 30 frames of some 2000 independent patches: errors of a few thousandths.
    assert fields.mean() == pytest.approx(0, abs=0.02)
    assert fields.std() == pytest.approx(1, abs=0.02)
    assert (np.abs(fields) > 3).mean() == pytest.approx(0.0027, abs=0.001)


def test_neighbors_share_noise(fields):
    def correlation(rows, columns):
        a = fields[:, : 120 - rows, : 160 - columns]
        return (a * fields[:, rows:, columns:]).mean()

    assert correlation(0, 1) == pytest.approx(2 / 3, abs=0.03)
    assert correlation(1, 0) == pytest.approx(2 / 3, abs=0.03)
    assert correlation(0, 3) == pytest.approx(0, abs=0.03)
    # And frames share none.
    assert (fields[:-1] * fields[1:]).mean() == pytest.approx(0, abs=0.01)


def test_dropout_has_its_probability():
    size = (100, 128)
    frame = np.empty(size, np.uint16)
    flat = np.zeros(size, np.float32)
    chance = np.full(size, 65536 // 8, np.uint16)
    lost = []
    for key in range(40):
        sensor.expose(flat + 700, flat, chance, flat, np.uint64(key), frame)
        lost.append((frame == 0).mean())
    assert np.mean(lost) == pytest.approx(1 / 8, abs=0.003)
    assert set(np.unique(frame)) == {0, 700}


def test_flying_pixels_lie_between_animal_and_floor():
    size = (60, 60)
    body, floor = np.zeros(size, np.float32), np.full(size, 700, np.float32)
    body[20:40, 15:45] = 660
    frame = floor.astype(np.uint16)
    still = np.zeros(size, np.float32)
    sensor.stamp_body(body, (20, 40, 15, 45), floor, still, np.uint64(3), np.float32(0), 0.5, 0.2, frame)
    inside = frame[21:39, 16:44]
    assert (inside == 660).all()
    outline = np.concatenate([frame[20, 15:45], frame[39, 15:45]])
    between = (outline > 660) & (outline < 700)
    assert between.mean() == pytest.approx(0.5, abs=0.2)
    assert (outline == 0).any()
    frame[20:40, 15:45] = 700
    assert (frame == 700).all()


def test_an_animal_behind_something_is_not_seen():
    size = (10, 10)
    body, wall = np.full(size, 650, np.float32), np.full(size, 600, np.float32)
    frame = wall.astype(np.uint16)
    sensor.stamp_body(body, (0, 10, 0, 10), wall, 0 * wall, np.uint64(3), np.float32(1), 0.5, 0.2, frame)
    assert (frame == 600).all()


def test_clock(rng):
    stamps, dropped = sensor.clock(
        20_000, PinholeSettings(), DropSettings(single=0.01, run=0.002, longest_run=4), rng
    )
    assert stamps[0] > 1e7
    assert (np.diff(stamps) > 0).all()
    assert np.median(np.diff(stamps)) == pytest.approx(33.03, abs=0.01)
    assert not dropped[[0, -1]].any()
    # Singles, and runs of 2 to 4 (3 on average) from one tick in 500.
    assert dropped.mean() == pytest.approx(0.01 + 0.002 * 3, abs=0.004)


def test_nothing_lost_where_nothing_may_be(rng):
    _, dropped = sensor.clock(1000, PinholeSettings(), DropSettings(single=0, run=0), rng)
    assert not dropped.any()
