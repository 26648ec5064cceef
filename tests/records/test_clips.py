import dataclasses

import h5py
import numpy as np
import pytest

from syllabary.errors import BadInput, ShapeError
from syllabary.provenance import Provenance
from syllabary.records.clips import Clips

MADE = Provenance("fit", {}, 1, {}, "code")


def clips(rng, states=3, frames=5):
    heights = rng.integers(0, 255, (states, frames, 8, 6)).astype(np.uint8)
    return Clips(
        np.arange(states), np.full(states, frames), rng.standard_normal((states, frames, 2)),
        heights, np.zeros((2, 7), int), rng.random((2, 7)) < 0.5,
        rng.integers(0, 255, (2, 7, 8, 6)).astype(np.uint8), 30.0, 1.85,
    )  # fmt: skip


def test_what_is_saved_is_read_back(tmp_path, rng):
    original = clips(rng)
    original.save(tmp_path / "clips.h5", MADE)
    again = Clips.load(tmp_path / "clips.h5")
    drawn = ("simulated_states", "simulated_limited", "simulated_heights")
    for name in ("state", "length", "poses", *drawn):
        np.testing.assert_array_equal(getattr(again, name), getattr(original, name))
    np.testing.assert_allclose(again.latents, original.latents, rtol=1e-6)
    assert (again.fps, again.pixel_mm) == (30.0, 1.85)


def test_other_files_are_refused(tmp_path, rng):
    with pytest.raises(BadInput, match="'syllabary fit'"):
        Clips.load(tmp_path / "none.h5")
    path = tmp_path / "clips.h5"
    clips(rng).save(path, MADE)
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(BadInput, match="run 'syllabary fit' again"):
        Clips.load(path)


def test_clips_of_another_version_are_refused(tmp_path, rng):
    path = tmp_path / "clips.h5"
    clips(rng).save(path, MADE)
    with h5py.File(path, "r+") as h5:
        assert h5.attrs["height_step_mm"] == 1.0
        assert Provenance.from_json(h5.attrs["provenance"]) == MADE
        h5.attrs["schema"] = 99
    with pytest.raises(BadInput, match="schema is 99"):
        Clips.load(path)


def test_a_state_for_each_drawn_frame(tmp_path, rng):
    original = dataclasses.replace(clips(rng), simulated_states=np.zeros((2, 6), int))
    with pytest.raises(ShapeError, match="one of each per frame"):
        original.save(tmp_path / "clips.h5", MADE)
    assert not list(tmp_path.iterdir())


def test_a_movie_for_each_state(tmp_path, rng):
    original = clips(rng)
    with pytest.raises(ShapeError, match="one of each per state"):
        Clips(original.state[:2], *list(vars(original).values())[1:]).save(tmp_path / "clips.h5", MADE)
