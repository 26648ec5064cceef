"""Step ``segment``: labels and posterior of a recording."""

import numpy as np
import pytest

from syllabary.errors import BadInput, SyllabaryError
from syllabary.records import tables
from syllabary.records.posterior import Posterior
from syllabary.steps import segment


def run(results, tmp_path, **changes):
    paths = {"posterior": tmp_path / "m.h5", "labels": tmp_path / "m.parquet"}
    segment(
        **{
            "crops": results.recording("a", "crops.h5"),
            "model": results.folder / "models" / "m" / "model.safetensors",
            **paths,
            **changes,
        }
    )
    return tables.read(paths["labels"], tables.LABELS), Posterior.load(paths["posterior"])


def test_every_tick_has_a_syllable_and_probabilities(trained, tmp_path):
    labels, posterior = run(trained, tmp_path)
    assert len(labels) == len(posterior.states) == 150
    assert labels["syllable"].between(0, posterior.states.shape[1] - 1).all()
    # Stored in half precision.
    np.testing.assert_allclose(posterior.states.sum(1), 1, atol=2e-3)
    made = tables.provenance_of(tmp_path / "m.parquet")
    assert (made.step, set(made.inputs)) == ("segment", {"a/crops.h5", "m/model.safetensors"})


def test_names_of_people_are_written_beside_the_syllables(trained, tmp_path):
    names = tmp_path / "names.tsv"
    names.write_text("syllable\tname\n0\tresting\n")
    labels, _ = run(trained, tmp_path, names=names)
    is_named = labels["name"].notna()
    assert (is_named == (labels["syllable"] == 0)).all()
    assert set(labels["name"].dropna()) <= {"resting"}


def test_a_table_of_names_with_another_column_is_refused(trained, tmp_path):
    names = tmp_path / "names.tsv"
    names.write_text("number\tname\n0\tresting\n")
    with pytest.raises(BadInput, match="lacks the column syllable"):
        run(trained, tmp_path, names=names)


def test_a_file_that_is_no_model_is_refused(trained, tmp_path):
    wrong = tmp_path / "model.safetensors"
    wrong.write_text("not a model")
    with pytest.raises(SyllabaryError, match=r"model\.safetensors"):
        run(trained, tmp_path, model=wrong)
