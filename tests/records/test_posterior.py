import numpy as np
import pytest

from syllabary.errors import BadInput, ShapeError
from syllabary.provenance import Provenance
from syllabary.records.posterior import Posterior

MADE = Provenance("segment", {}, 1, {}, "code")


def test_round_trip(tmp_path, rng):
    path = tmp_path / "posterior.h5"
    written = Posterior(rng.random((9, 3)), rng.random((9, 3)), rng.random((9, 4)))
    written.save(path, MADE)
    loaded = Posterior.load(path)
    np.testing.assert_allclose(loaded.mean, written.mean, rtol=1e-6)
    assert loaded.states.dtype == np.float16


def test_ticks_must_agree(tmp_path):
    with pytest.raises(ShapeError, match="2, 2 and 3 ticks"):
        Posterior(np.ones((2, 1)), np.ones((2, 1)), np.ones((3, 1))).save(tmp_path / "p.h5", MADE)


def test_a_missing_posterior_names_its_step(tmp_path):
    with pytest.raises(BadInput, match="'syllabary segment'"):
        Posterior.load(tmp_path / "p.h5")
