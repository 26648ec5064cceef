import dataclasses

import numpy as np
import pytest

from syllabary.errors import BadInput, ShapeError
from syllabary.provenance import Provenance
from syllabary.records.posterior import Posterior

MADE = Provenance("segment", {}, 1, {}, "code")


def posterior(rng, T=9):
    return Posterior(
        rng.random((T, 3)), rng.random((T, 3)), rng.random((T, 4)), rng.random(T),
        np.arange(T) - 1, np.arange(T) / 30,
    )  # fmt: skip


def test_round_trip(tmp_path, rng):
    path = tmp_path / "posterior.h5"
    written = posterior(rng)
    written.save(path, MADE)
    loaded = Posterior.load(path)
    for name in ("mean", "sd", "surprise_nats"):
        np.testing.assert_allclose(getattr(loaded, name), getattr(written, name), rtol=1e-6)
    np.testing.assert_array_equal(loaded.frame, written.frame)
    np.testing.assert_array_equal(loaded.time_s, written.time_s)
    assert loaded.states.dtype == np.float16


def test_ticks_must_agree(tmp_path, rng):
    uneven = dataclasses.replace(posterior(rng, 2), states=np.ones((3, 1)))
    with pytest.raises(ShapeError, match="mean 2, sd 2, states 3, surprise_nats 2"):
        uneven.save(tmp_path / "p.h5", MADE)


def test_a_missing_posterior_names_its_step(tmp_path):
    with pytest.raises(BadInput, match="'syllabary segment'"):
        Posterior.load(tmp_path / "p.h5")


def test_a_posterior_of_an_earlier_version_names_its_step(tmp_path, rng):
    import h5py

    path = tmp_path / "p.h5"
    posterior(rng).save(path, MADE)
    with h5py.File(path, "a") as h5:
        del h5["time_s"]
    with pytest.raises(BadInput, match="run 'syllabary segment' again"):
        Posterior.load(path)
