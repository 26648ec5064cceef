"""A cable hangs on the neck, lies above the animal, and moves smoothly."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from syllabary.records import tables
from syllabary.records.crops import Crops
from syllabary.simulate import cable, crops
from syllabary.simulate.settings import CableSettings

ON = CableSettings(diameter_mm=4)


def test_there_is_none_by_default(rng):
    assert cable.sway(CableSettings(), 10, 0.033, rng) is None


def test_it_moves_smoothly(rng):
    course = cable.sway(ON, 6000, 0.033, rng)
    for column, spread in zip(course, (1.3, 27, 22), strict=True):
        assert 0.5 * spread < column.std() < 1.5 * spread
        assert np.abs(np.diff(column)).max() < 0.15 * spread
    assert (course.rise_mm > 0).all()


def test_it_is_a_chain_from_the_neck(rng):
    course = cable.sway(ON, 5, 0.033, rng)
    neck = np.tile([10.0, 2.0, 35.0], (5, 1))
    centers, shapes = cable.solids(course, neck, np.linspace(0, 3, 5), 4.0)
    assert centers.shape == (5, cable.PARTS, 3)
    assert np.linalg.norm(centers[:, 0] - neck, axis=1).max() < 8
    assert (np.linalg.norm(centers[:, -1, :2] - neck[:, :2], axis=1) > 120).all()
    axes = np.sqrt(np.linalg.eigvalsh(shapes))
    assert_allclose(axes[..., :2], 2.0)
    # Half axes along the cable reach into the neighbors.
    steps = np.linalg.norm(np.diff(centers, axis=1), axis=-1)
    assert (axes[:, 1:, 2] + axes[:, :-1, 2] > steps).all()


def test_its_direction_stays_when_the_animal_turns(rng):
    course = cable.Course(np.zeros(2), np.full(2, 100.0), np.zeros(2))
    centers, _ = cable.solids(course, np.zeros((2, 3)), np.array([0, np.pi / 2]), 4.0)
    assert_allclose(centers[0, -1, 0], -centers[1, -1, 1])


@pytest.fixture(scope="module")
def pair(tmp_path_factory, short, made):
    """Crops of one session without and with a cable."""
    folder = tmp_path_factory.mktemp("cable")
    sessions = []
    for name, settings in (("without", short), ("with", short.model_copy(update={"cable": ON}))):
        crops.render(
            folder / f"{name}.h5", folder / f"{name}.parquet", settings,
            recording="r1", subject="m1", group="control", seed=5, provenance=made,
        )  # fmt: skip
        with Crops(folder / f"{name}.h5") as crops_file:
            sessions.append((crops_file.heights().astype(int), tables.read(folder / f"{name}.parquet")))
    return sessions


def test_it_only_adds_higher_pixels_up_to_the_border(pair):
    (bare, before), (tethered, after) = pair
    assert before.equals(after)
    visible = ~before["dropped"].to_numpy()
    gain = (tethered - bare)[visible]
    assert (gain > 10).any((1, 2)).all()
    # Noise of an outline moves; nothing else gets lower.
    assert (gain < -10).mean() < 2e-3
    border = np.ones((80, 80), bool)
    border[1:-1, 1:-1] = False
    assert ((tethered[visible] > 10) & border).any((1, 2)).mean() > 0.9
