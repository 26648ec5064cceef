"""Crops of a linear truth."""

import numpy as np
import pytest

from syllabary.records import tables
from syllabary.records.crops import Crops
from syllabary.simulate import linear
from syllabary.simulate.settings import DropSettings, SimulateSettings

NOISE_MM = 1.7


@pytest.fixture(scope="module")
def rendered(tmp_path_factory, made):
    folder = tmp_path_factory.mktemp("linear")
    settings = SimulateSettings(duration_s=20, drops=DropSettings(single=0.3))
    for name in ("r1", "r2"):
        paths = folder / f"{name}.h5", folder / f"{name}.parquet"
        linear.render(*paths, settings, states=5, recording=name, seed=3, provenance=made)
    return folder


def test_crops_are_linear_in_as_many_latents(rendered):
    with Crops(rendered / "r1.h5") as crops:
        heights = crops.heights()[crops.frame >= 0].astype(float)
    moves = linear.find_appearance(linear.DIMS, NOISE_MM).moves
    assert not heights[:, ~moves].any()
    assert heights[:, moves].min() > 0
    assert heights.max() < 255
    pixels = heights[:, moves]
    size = np.linalg.svd(pixels - pixels.mean(0), compute_uv=False) ** 2
    # What is left after all components is the noise: of the pixels, and of rounding to 1 mm.
    left = size[linear.DIMS :].sum() / (len(pixels) - 1 - linear.DIMS) / (moves.sum() - linear.DIMS)
    assert left == pytest.approx(NOISE_MM**2 + 1 / 12, rel=0.05)
    assert size[linear.DIMS - 1] > 3 * size[linear.DIMS]


def test_truth_knows_states_and_no_place(rendered):
    table = tables.read(rendered / "r1.parquet")
    assert set(table["syllable"]) == set(range(5))
    assert (table["behavior"] == "state " + table["syllable"].astype(str)).all()
    assert table[["x_mm", "y_mm", "heading_rad"]].isna().all(axis=None)
    with Crops(rendered / "r1.h5") as session:
        assert np.array_equal(session.frame, table["frame"])
        assert session.scalars.isna().all(axis=None)
        lost = session.frame < 0
        assert 0.2 < lost.mean() < 0.4
        assert not session.observed()[lost].any()


def test_recordings_share_parameters_not_draws(rendered):
    draw, other = (tables.read(rendered / f"{name}.parquet") for name in ("r1", "r2"))
    assert (draw["syllable"] != other["syllable"]).any()
    first, second = linear.chain(3, 5), linear.chain(3, 5)
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


def test_one_state_never_switches(tmp_path, made):
    settings = SimulateSettings(duration_s=2)
    linear.render(
        tmp_path / "c.h5", tmp_path / "t.parquet", settings,
        states=1, recording="r1", seed=3, provenance=made,
    )  # fmt: skip
    assert (tables.read(tmp_path / "t.parquet")["syllable"] == 0).all()
