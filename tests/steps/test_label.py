"""Step ``label``: labels of a recording from its posterior, the model's tree and people's tables."""

import dataclasses
import subprocess
import sys

import numpy as np
import pytest
import torch

from syllabary import steps
from syllabary.errors import BadInput
from syllabary.records import tables
from syllabary.records.posterior import Posterior
from syllabary.steps import label
from syllabary.svae.model import Model

from .conftest import MADE

# Merges of five states: 1 and 3, then 0 and 4, then both pairs, then all.
TREE = torch.tensor(
    [[1, 3, 0.01, 2], [0, 4, 0.05, 2], [5, 6, 0.2, 4], [2, 7, 0.9, 5]], dtype=torch.float64
)


def run(results, tmp_path, recording="a", **changes):
    place = tmp_path / recording / "labels" / "m.parquet"
    label(
        **{
            "posterior": results.recording(recording, "posterior", "m.h5"),
            "model": results.folder / "models" / "m" / "model.safetensors",
            "labels": place,
            **changes,
        }
    )
    return tables.read(place, tables.LABELS), tables.syllable_of_states(place)


def posterior_of(results, recording="a"):
    return Posterior.load(results.recording(recording, "posterior", "m.h5"))


@pytest.fixture
def table(tmp_path):
    def write(rows, name="merges.tsv", columns="state\tsyllable"):
        path = tmp_path / name
        path.write_text(f"{columns}\n{rows}")
        return path

    return write


@pytest.fixture
def with_tree(trained, tmp_path):
    """The model with a merge tree, and names of states."""

    def make(classes=()):
        model = Model.load(trained.folder / "models" / "m" / "model.safetensors")
        path = tmp_path / "model.safetensors"
        dataclasses.replace(model, linkage=TREE, classes=classes).save(path, MADE)
        return path

    return make


def test_without_a_tree_a_label_is_the_most_probable_state(trained, tmp_path):
    labels, syllable_of = run(trained, tmp_path)
    states = posterior_of(trained).states
    assert syllable_of.tolist() == list(range(states.shape[1]))
    assert labels["syllable"].tolist() == states.argmax(1).tolist()
    assert labels["state"].tolist() == labels["syllable"].tolist()
    made = tables.provenance_of(tmp_path / "a" / "labels" / "m.parquet")
    assert (made.step, set(made.inputs)) == ("label", {"posterior/m.h5", "m/model.safetensors"})


def test_people_cut_the_tree_elsewhere(trained, with_tree, table, tmp_path):
    labels, syllable_of = run(trained, tmp_path, model=with_tree(), merges=table("cut\t3\n"))
    assert syllable_of.tolist() == [0, 1, 2, 1, 0]
    states = posterior_of(trained).states.astype(float)
    states /= states.sum(1, keepdims=True)
    summed = np.stack([states[:, syllable_of == s].sum(1) for s in range(3)], 1)
    np.testing.assert_array_equal(labels["syllable"], summed.argmax(1))
    np.testing.assert_allclose(labels["probability"], summed.max(1), rtol=1e-5)
    assert labels["state"].tolist() == states.argmax(1).tolist()


def test_merging_all_by_hand_gives_one_syllable_in_one_bout(trained, table, tmp_path):
    merges = table("".join(f"{state}\tanything\n" for state in range(5)))
    labels, syllable_of = run(trained, tmp_path, merges=merges)
    assert set(syllable_of) == {0}
    assert (labels["syllable"] == 0).all() and (labels["bout"] == 0).all()
    np.testing.assert_allclose(labels["probability"], 1)
    np.testing.assert_allclose(labels["entropy_nats"], 0, atol=1e-6)
    assert set(labels["name"]) == {"anything"}
    assert labels["state"].nunique() > 1


def test_every_state_is_a_syllable_unless_people_cut_the_tree(trained, with_tree, tmp_path):
    _, syllable_of = run(trained, tmp_path, model=with_tree())
    assert syllable_of.tolist() == [0, 1, 2, 3, 4]


def test_names_of_states_follow_into_their_syllable(trained, with_tree, table, tmp_path):
    model, merges = with_tree(classes=("walk", "", "rear", "groom", "")), table("cut\t3\n")
    labels, _ = run(trained, tmp_path, model=model, merges=merges)
    named = labels.dropna(subset=["name"]).groupby("syllable")["name"].unique()
    expected = {0: "walk", 1: "groom", 2: "rear"}
    assert {s: list(v) for s, v in named.items()} == {s: [expected[s]] for s in named.index}
    names = table("0\tstroll\n", "names.tsv", "syllable\tname")
    labels, _ = run(trained, tmp_path, model=model, merges=merges, names=names)
    assert set(labels.loc[labels["syllable"] == 0, "name"]) <= {"stroll"}


def test_names_of_people_are_written_beside_the_syllables(trained, table, tmp_path):
    labels, _ = run(trained, tmp_path, names=table("0\tresting\n", "names.tsv", "syllable\tname"))
    assert (labels["name"].notna() == (labels["syllable"] == 0)).all()
    assert set(labels["name"].dropna()) <= {"resting"}


def test_bad_tables_are_refused_and_nothing_is_written(trained, table, tmp_path):
    names = table("0\tresting\n", "names.tsv", "number\tname")
    with pytest.raises(BadInput, match="lacks the column syllable"):
        run(trained, tmp_path, names=names)
    with pytest.raises(BadInput, match=r"merges\.tsv, line 2: the model has no state 7"):
        run(trained, tmp_path, merges=table("7\ta\n"))
    with pytest.raises(BadInput, match=r"line 2: the model has no merge tree to cut at 2 syllables"):
        run(trained, tmp_path, merges=table("cut\t2\n"))
    assert not (tmp_path / "a").exists()


def test_tables_of_results_follow_a_merge(trained, table, tmp_path):
    merges = table("0\ta\n1\ta\n2\ta\n")
    for recording in ("a", "b"):
        run(trained, tmp_path, recording, merges=merges)
    steps.summarize(
        labels=[tmp_path / name / "labels" / "m.parquet" for name in ("a", "b")],
        crops=trained.each("crops.h5"),
        results=[tmp_path / f"{name}.parquet" for name in steps.TABLES],
        recordings=trained.rows,
        settings={"bootstrap_samples": 100, "permutations": 100},
        seed=1,
    )
    summary = tables.read(tmp_path / "syllables.parquet").set_index("syllable")
    assert summary["states"].to_dict().items() <= {0: "0 1 2", 1: "3", 2: "4"}.items()
    assert summary["usage"].sum() == pytest.approx(1)
    bouts = tables.read(tmp_path / "bouts.parquet")
    assert set(bouts["syllable"]) == set(summary.index)
    assert set(bouts.loc[bouts["syllable"] == 0, "name"]) == {"a"}


def test_it_starts_without_torch(trained, tmp_path):
    command = "import sys; from pathlib import Path; from syllabary import steps; steps.label(" + (
        f"posterior=Path({str(trained.recording('a', 'posterior', 'm.h5'))!r}), "
        f"model=Path({str(trained.folder / 'models/m/model.safetensors')!r}), "
        f"labels=Path({str(tmp_path / 'm.parquet')!r})); sys.exit('torch' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", command], check=True)


def test_labels_of_different_cuts_are_not_mixed(trained, table, tmp_path):
    run(trained, tmp_path, "a", merges=table("0\ta\n1\ta\n"))
    run(trained, tmp_path, "b")
    with pytest.raises(BadInput, match=r"has other syllables than .* run 'syllabary label' on every"):
        steps.summarize(
            labels=[tmp_path / name / "labels" / "m.parquet" for name in ("a", "b")],
            crops=trained.each("crops.h5"),
            results=[tmp_path / f"{name}.parquet" for name in steps.TABLES],
            recordings=trained.rows,
            settings={"bootstrap_samples": 100, "permutations": 100},
            seed=1,
        )
