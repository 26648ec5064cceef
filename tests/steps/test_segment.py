"""Step ``segment``: posterior of a recording, whatever its syllables are."""

import inspect

import numpy as np
import pytest

from syllabary.errors import SyllabaryError
from syllabary.records.crops import Crops
from syllabary.records.posterior import Posterior
from syllabary.steps import segment


def run(results, tmp_path, **changes):
    segment(
        **{
            "crops": results.recording("a", "crops.h5"),
            "model": results.folder / "models" / "m" / "model.safetensors",
            "posterior": tmp_path / "m.h5",
            **changes,
        }
    )
    return Posterior.load(tmp_path / "m.h5")


def test_every_tick_has_probabilities_and_its_place(trained, tmp_path):
    posterior = run(trained, tmp_path)
    assert len(posterior.states) == 150
    # Stored in half precision.
    np.testing.assert_allclose(posterior.states.sum(1), 1, atol=2e-3)
    with Crops(trained.recording("a", "crops.h5")) as crops:
        np.testing.assert_array_equal(posterior.frame, crops.frame)
        np.testing.assert_array_equal(posterior.time_s, crops.time_s)
    assert np.isfinite(posterior.surprise_nats).mean() > 0.9


def test_it_sees_neither_names_nor_merges():
    assert set(inspect.signature(segment).parameters) == {"crops", "model", "posterior"}


def test_a_file_that_is_no_model_is_refused(trained, tmp_path):
    wrong = tmp_path / "model.safetensors"
    wrong.write_text("not a model")
    with pytest.raises(SyllabaryError, match=r"model\.safetensors"):
        run(trained, tmp_path, model=wrong)
