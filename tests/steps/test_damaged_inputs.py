"""A missing, truncated or foreign input of any step gets one sentence, and no output is left."""

import shutil

import h5py
import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import save_file

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


def missing(source, place):
    pass


def folder(source, place):
    place.mkdir()


def empty(source, place):
    place.touch()


def truncated(source, place):
    content = source.read_bytes()
    place.write_bytes(content[: len(content) // 2])


def truncated_at_the_end(source, place):
    place.write_bytes(source.read_bytes()[:-7])


def text(source, place):
    place.write_text("not what the name says\n" * 9)


def wrong_content(source, place):
    """A whole file of the same format that holds something else."""
    if place.suffix == ".h5":
        with h5py.File(place, "w") as h5:
            h5["heights/group"] = np.zeros(3)
    elif place.suffix == ".parquet":
        pd.DataFrame({"a": [1, 2]}).to_parquet(place)
    elif place.suffix == ".safetensors":
        save_file({"a": np.zeros(3)}, place, {"syllabary": "{}"})
    else:
        place.write_text("[1, 2]")


DAMAGES = [missing, folder, empty, truncated, truncated_at_the_end, text, wrong_content]


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize(("step", "name"), CASES)
def test_a_damaged_input_is_named_and_nothing_is_written(step, name, damage, results, tmp_path):
    source = original(step, name, results)
    place = beside(source, tmp_path / "damaged")
    place.parent.mkdir(parents=True)
    damage(source, place)
    with pytest.raises(SyllabaryError, match=place.name) as error:
        run_with(step, name, place, results, tmp_path / "output")
    assert "\n" not in str(error.value)
    assert files_of(tmp_path / "output") == []


LISTS = [
    ("reduce", "crops"), ("fit", "quality"), ("evaluate", "crops"), ("summarize", "labels"),
    ("summarize", "crops"), ("score", "labels"), ("score", "truth"), ("score", "posteriors"),
    ("export", "crops"),
]  # fmt: skip


@pytest.mark.parametrize(("step", "name"), LISTS)
def test_lists_of_different_recordings_are_refused(step, name, results, tmp_path):
    values = arguments(step, *results, tmp_path / "output")
    shorter, moved = values[name][:-1], values[name][::-1]
    if step != "evaluate":
        with pytest.raises(BadInput, match=r"one of each|same order"):
            getattr(steps, step)(**{**values, name: shorter})
        with pytest.raises(BadInput, match="same order"):
            getattr(steps, step)(**{**values, name: moved})
    with pytest.raises(BadInput, match=r"two files|same order|one of each"):
        getattr(steps, step)(**{**values, name: [*values[name], values[name][0]]})
    assert files_of(tmp_path / "output") == []


def test_files_in_another_order_than_the_table_keep_their_animals(results, tmp_path):
    tables_of = []
    for order in (1, -1):
        output = tmp_path / str(order)
        values = arguments("summarize", *results, output)
        moved = {name: values[name][::order] for name in ("labels", "crops")}
        steps.summarize(**{**values, **moved})
        table = tables.read(output / "usage.parquet")
        tables_of.append(table.sort_values(["recording", "syllable"]).reset_index(drop=True))
    pd.testing.assert_frame_equal(*tables_of)
    assert dict(zip(table["recording"], table["group"], strict=True)) == {
        "m1": "control", "m2": "drug", "m3": "control", "m4": "drug"
    }  # fmt: skip


def test_files_of_some_recordings_are_enough(results, tmp_path):
    values = arguments("evaluate", *results, tmp_path)
    steps.evaluate(**{**values, "crops": values["crops"][1:]})
    table = tables.read(tmp_path / "likelihood.parquet")
    assert set(table["recording"]) == {"b"} and set(table["subject"]) == {"b"}


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


SEVERAL = [
    ("reduce", {"changepoints": "pca.h5"}), ("reduce", {"pca": "changepoints.parquet"}),
    ("summarize", {"results": "bouts.parquet"}), ("summarize", {"results": "usage.parquet"}),
    ("export", {"folder": "columns.json"}), ("export", {"folder": "README.md"}),
]  # fmt: skip


@pytest.mark.parametrize(("step", "blocked"), SEVERAL)
def test_of_several_outputs_all_or_none_are_written(step, blocked, results, tmp_path):
    """One of the outputs can't be written, because a folder has its name."""
    values = arguments(step, *results, tmp_path / "output")
    name = next(iter(blocked))
    value = values[name]
    if step == "export":
        place = value / blocked[name]
    elif isinstance(value, list):
        place = next(path for path in value if path.name == blocked[name])
    else:
        place = value
    place.mkdir(parents=True)
    with pytest.raises(BadInput, match="is a folder; name a file to write"):
        getattr(steps, step)(**values)
    assert files_of(tmp_path / "output") == []
