"""A missing, truncated or foreign input of any step gets one sentence, and no output is left."""

import shutil

import numpy as np
import pytest

from reduction import registered
from syllabary import steps
from syllabary.errors import BadInput, SyllabaryError
from syllabary.records import tables

from .conftest import MADE, MODEL, REDUCE, write_quality
from .test_evaluate import QUICK

INPUTS = {
    "reduce": ("crops", "quality"),
    "fit": ("crops", "quality", "pca", "changepoints"),
    "segment": ("crops", "model"),
    "label": ("posterior", "model"),
    "evaluate": ("crops", "model"),
    "summarize": ("labels", "crops"),
    "score": ("labels", "truth", "posteriors"),
    "suggest": ("labels", "posteriors", "quality"),
    "export": ("labels", "crops"),
}
CASES = [(step, name) for step, names in INPUTS.items() for name in names]


def arguments(step, trained, labeled, output):
    """What a step is called with; it writes into ``output`` alone."""
    models = trained.folder / "models"
    training = {"crops": trained.each("crops.h5"), "quality": trained.each("quality.json")}
    reduced = {"pca": models / "pca.h5", "changepoints": models / "changepoints.parquet"}
    model = models / "m" / "model.safetensors"
    labels = {"labels": labeled.each("labels", "m.parquet"), "recordings": labeled.rows}
    posteriors = labeled.each("posterior", "m.h5")
    truth = [labeled.folder / "simulated" / r["recording"] / "truth.parquet" for r in labeled.rows]
    return {
        "reduce": {
            **training, "pca": output / "pca.h5", "changepoints": output / "changes.parquet",
            "settings": REDUCE, "seed": 1,
        },
        "fit": {**training, **reduced, "folder": output / "m", "settings": MODEL, "seed": 1},
        "segment": {
            "crops": trained.recording("a", "crops.h5"), "model": model,
            "posterior": output / "m.h5",
        },
        "label": {
            "posterior": trained.recording("a", "posterior", "m.h5"), "model": model,
            "labels": output / "m.parquet",
        },
        "evaluate": {
            "crops": trained.each("crops.h5"), "model": model, "recordings": trained.rows,
            "likelihood": output / "likelihood.parquet", "settings": QUICK, "seed": 1,
        },
        "summarize": {
            **labels, "crops": labeled.each("crops.h5"), "seed": 1,
            "results": [output / f"{name}.parquet" for name in steps.TABLES],
            "settings": {"bootstrap_samples": 100, "permutations": 100},
        },
        "score": {**labels, "truth": truth, "posteriors": posteriors, "scores": output / "s.json"},
        "suggest": {
            **labels, "posteriors": posteriors, "quality": labeled.each("quality.json"),
            "queries": output / "queries.tsv", "settings": {"clips": 4},
        },
        "export": {
            **labels, "crops": labeled.each("crops.h5"), "results": [], "folder": output / "csv",
            "format": "csv", "settings": {},
        },
    }[step]  # fmt: skip


def run_with(step, name, value, results, output):
    """Call a step with another first input of that name."""
    values = arguments(step, *results, output)
    values[name] = [value, *values[name][1:]] if isinstance(values[name], list) else value
    getattr(steps, step)(**values)


def original(step, name, results):
    value = arguments(step, *results, results[0].folder)[name]
    return value[0] if isinstance(value, list) else value


def beside(path, folder):
    """The same place in another folder: steps know recordings by it."""
    return folder.joinpath(*path.parts[-3:])


def files_of(folder):
    return [path for path in folder.rglob("*") if path.is_file()]


@pytest.fixture
def results(trained, labeled):
    return trained, labeled


@pytest.mark.parametrize(("step", "name"), CASES)
def test_a_missing_input_is_named_and_nothing_is_written(step, name, results, tmp_path):
    missing = beside(original(step, name, results), tmp_path / "missing")
    with pytest.raises(SyllabaryError, match=missing.name):
        run_with(step, name, missing, results, tmp_path / "output")
    assert files_of(tmp_path / "output") == []


@pytest.mark.parametrize(("step", "name"), CASES)
def test_a_truncated_input_is_named_and_nothing_is_written(step, name, results, tmp_path):
    source = original(step, name, results)
    truncated = beside(source, tmp_path / "truncated")
    truncated.parent.mkdir(parents=True)
    content = source.read_bytes()
    truncated.write_bytes(content[: len(content) // 2])
    with pytest.raises(SyllabaryError, match=truncated.name):
        run_with(step, name, truncated, results, tmp_path / "output")
    assert files_of(tmp_path / "output") == []


@pytest.mark.parametrize("step", ["summarize", "score", "suggest", "export"])
def test_labels_without_a_column_are_named_with_it(step, results, tmp_path):
    source = original(step, "labels", results)
    table = tables.read(source).drop(columns="syllable")
    incomplete = beside(source, tmp_path / "incomplete")
    tables.write(incomplete, table, MADE)
    with pytest.raises(BadInput, match=r"m\.parquet: lacks the column syllable"):
        run_with(step, "labels", incomplete, results, tmp_path / "output")
    assert files_of(tmp_path / "output") == []


def larger_crops(folder):
    rng = np.random.default_rng(3)
    heights, shifts = registered.animals(rng, 60)
    padded = np.pad(heights, ((0, 0), (2, 2), (2, 2)))
    return registered.write(folder / "large.h5", padded, scalars=registered.tracked(rng, shifts))


@pytest.mark.parametrize("step", ["reduce", "fit", "segment", "evaluate"])
def test_crops_of_another_size_are_refused(step, results, tmp_path):
    (tmp_path / "a").mkdir()
    with pytest.raises(SyllabaryError, match=r"44x48|\(44, 48\)"):
        run_with(step, "crops", larger_crops(tmp_path / "a"), results, tmp_path / "output")
    assert files_of(tmp_path / "output") == []


@pytest.mark.parametrize("step", ["reduce", "fit"])
def test_without_any_training_recording_it_stops(step, results, tmp_path):
    values = arguments(step, *results, tmp_path / "output")
    with pytest.raises(BadInput, match="no training recording; give one the role 'train'"):
        getattr(steps, step)(**{**values, "crops": [], "quality": []})


def test_a_quality_without_a_verdict_is_refused(results, tmp_path):
    path = write_quality(tmp_path / "a" / "quality.json", "a")
    path.write_text("{}")
    with pytest.raises(BadInput, match=r"quality\.json: lacks a verdict"):
        run_with("reduce", "quality", path, results, tmp_path / "output")


def test_a_changed_result_is_named(labeled, tmp_path):
    shutil.copytree(labeled.folder, tmp_path / "results")
    place = tmp_path / "results" / "recordings" / "m1" / "labels" / "m.parquet"
    table = tables.read(place)
    tables.write(place, table.assign(syllable=table["syllable"] + 1), MADE, tables.LABELS)
    text, is_equal = steps.compare_results(labeled.folder, tmp_path / "results")
    assert not is_equal
    assert "recordings/m1/labels/m.parquet" in text
