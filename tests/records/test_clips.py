import numpy as np
import pytest

from syllabary.errors import BadInput, ShapeError
from syllabary.provenance import Provenance
from syllabary.records.clips import Clips

MADE = Provenance("fit", {}, 1, {}, "code")


def clips(rng, syllables=3, frames=5):
    heights = rng.integers(0, 255, (syllables, frames, 8, 6)).astype(np.uint8)
    return Clips(
        np.arange(syllables), np.full(syllables, frames), rng.standard_normal((syllables, frames, 2)),
        heights, np.zeros((2, 7), int), rng.integers(0, 255, (2, 7, 8, 6)).astype(np.uint8), 30.0, 1.85,
    )  # fmt: skip


def test_what_is_saved_is_read_back(tmp_path, rng):
    one = clips(rng)
    one.save(tmp_path / "clips.h5", MADE)
    again = Clips.load(tmp_path / "clips.h5")
    for name in ("syllable", "length", "poses", "simulated_states", "simulated_heights"):
        np.testing.assert_array_equal(getattr(again, name), getattr(one, name))
    np.testing.assert_allclose(again.latents, one.latents, rtol=1e-6)
    assert (again.fps, again.pixel_mm) == (30.0, 1.85)


def test_other_files_say_what_is_wrong(tmp_path, rng):
    with pytest.raises(BadInput, match="'syllabary fit'"):
        Clips.load(tmp_path / "none.h5")
    path = tmp_path / "clips.h5"
    clips(rng).save(path, MADE)
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(BadInput, match="fit the model again"):
        Clips.load(path)


def test_a_movie_for_each_syllable(tmp_path, rng):
    one = clips(rng)
    with pytest.raises(ShapeError, match="one of each per syllable"):
        Clips(one.syllable[:2], *list(vars(one).values())[1:]).save(tmp_path / "clips.h5", MADE)
