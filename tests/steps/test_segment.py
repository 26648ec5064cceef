"""Step ``segment``: posterior of a recording, whatever its syllables are."""

import inspect

import numpy as np
import pytest

from reduction import registered
from syllabary.errors import SyllabaryError
from syllabary.records import tables
from syllabary.records.crops import Crops
from syllabary.records.posterior import Posterior
from syllabary.steps import label, segment


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


def test_a_recording_in_which_nothing_was_found_has_no_label(trained, tmp_path, caplog):
    heights = np.zeros((40, *registered.SIZE), np.uint8)
    crops = registered.write(tmp_path / "empty.h5", heights, np.zeros(heights.shape, bool))
    posterior = run(trained, tmp_path, crops=crops)
    assert posterior.states.shape[0] == 40 and not posterior.states.any()
    assert "no mouse was found in empty, so no tick is labeled" in caplog.text
    label(
        posterior=tmp_path / "m.h5",
        model=trained.folder / "models" / "m" / "model.safetensors",
        labels=tmp_path / "labels.parquet",
    )
    labels = tables.read(tmp_path / "labels.parquet", tables.LABELS)
    assert (labels["syllable"] == -1).all() and (labels["bout"] == -1).all()
    assert labels["probability"].isna().all()


def test_it_sees_neither_names_nor_merges():
    assert set(inspect.signature(segment).parameters) == {"crops", "device", "model", "posterior"}


def test_a_file_that_is_no_model_is_refused(trained, tmp_path):
    wrong = tmp_path / "model.safetensors"
    wrong.write_text("not a model")
    with pytest.raises(SyllabaryError, match=r"model\.safetensors"):
        run(trained, tmp_path, model=wrong)
