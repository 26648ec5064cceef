"""Which of several models to use: the stable variant that predicts best, and its most typical seed."""

import itertools
import json

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from syllabary.errors import BadInput, ShapeError
from syllabary.provenance import Provenance
from syllabary.records import tables
from syllabary.steps import select
from syllabary.syllables import decode, selection
from syllabary.syllables.selection import TrainedModel

MADE = Provenance("test", {}, None, {}, "")
SEEDS = (0, 1, 2)


def named(*variants, seeds=SEEDS):
    return [TrainedModel(f"m.{v}.{seed}", v, seed) for v in variants for seed in seeds]


def likelihood(candidate, nats, subjects=("a", "b"), *, role="held_out"):
    """Return rows with one value for every measure and animal."""
    rows = [
        {
            **{"recording": f"{subject}1", "subject": subject, "role": role, "measure": measure},
            **{"horizon": horizon, "samples": samples, "frames": 10},
            **{"nats_per_frame": float(nats) if samples == 8 else 0.0, "nats_per_pixel": 0.0},
        }
        for subject in subjects
        for measure, horizon, samples in (
            *(("bound", 0, 8), ("iwae", 0, 1), ("iwae", 0, 8)),
            *(("pixels", 1, 8), ("pixels", 3, 8), ("components", 1, 8)),
        )
    ]
    return pd.DataFrame(rows).assign(candidate=candidate)


def agreeing(candidates, ami):
    """Return pairs of candidates; ``ami`` gives the agreement by variant or by pair of names."""
    rows = []
    for a, b in itertools.combinations(candidates, 2):
        value = ami.get((a.name, b.name), ami.get(a.variant) if a.variant == b.variant else 0.1)
        rows.append((a.name, b.name, value, 100))
    return pd.DataFrame(rows, columns=["candidate", "other", "ami", "ticks"])


def chosen(nats, ami, *, margin=0.05, **options):
    candidates = named(*nats, **options)
    scores = pd.concat([likelihood(candidate.name, nats[candidate.variant]) for candidate in candidates])
    return selection.choose(candidates, scores, agreeing(candidates, ami), margin=margin)


def test_the_better_predictor_is_chosen_of_two_that_are_about_as_stable():
    assert chosen({"plain": 1.0, "fine": 2.0}, {"plain": 0.80, "fine": 0.75})["variant"] == "fine"


def test_a_lottery_of_seeds_is_not_chosen_however_well_it_predicts():
    result = chosen({"plain": 1.0, "fine": 2.0}, {"plain": 0.80, "fine": 0.74})
    assert result["variant"] == "plain"
    assert not result["variants"]["fine"]["is_stable"]
    assert result["variants"]["fine"]["rank"] < result["variants"]["plain"]["rank"]


def test_the_most_typical_seed_is_chosen_and_not_the_one_of_highest_likelihood():
    candidates = named("v")
    scores = pd.concat([likelihood(candidate.name, candidate.seed) for candidate in candidates])
    pairs = agreeing(candidates, {"v": 0.8, ("m.v.0", "m.v.2"): 0.5})
    result = selection.choose(candidates, scores, pairs, margin=0.05)
    assert result["chosen"] == "m.v.1"
    assert result["seed"] == 1
    assert result["candidates"]["m.v.2"]["rank"] == 1
    assert_allclose(result["candidates"]["m.v.1"]["mean_ami"], 0.8)
    assert_allclose(result["variants"]["v"]["stability"], 0.7)


def test_of_two_seeds_that_are_equally_typical_the_better_predictor_is_chosen():
    candidates = named("v", seeds=(3, 4))
    scores = pd.concat([likelihood(candidate.name, candidate.seed) for candidate in candidates])
    pairs = agreeing(candidates, {"v": 0.8})
    assert selection.choose(candidates, scores, pairs, margin=0.05)["chosen"] == "m.v.4"


def test_one_syllable_under_every_seed_is_no_stability():
    result = chosen({"one": 2.0, "many": 1.0}, {"one": np.nan, "many": 0.6})
    assert result["variant"] == "many"
    assert result["variants"]["one"]["stability"] is None
    json.dumps(result, allow_nan=False)


def test_where_all_find_one_syllable_the_likelihood_decides():
    result = chosen({"a": 1.0, "b": 2.0}, {"a": np.nan, "b": np.nan})
    assert result["variant"] == "b"
    assert result["variants"]["a"]["is_stable"]


def test_ranks_are_counted_animal_by_animal():
    """One animal on which a model does terribly is one animal."""
    candidates = named("v", "w", seeds=(0,))
    parts = (likelihood("m.v.0", 2, "ab"), likelihood("m.v.0", -99, "c"), likelihood("m.w.0", 1, "abc"))
    scores = pd.concat(parts)
    result = selection.choose(candidates, scores, agreeing(candidates, {}), margin=0.05)
    assert result["chosen"] == "m.v.0"
    assert_allclose(result["candidates"]["m.v.0"]["rank"], 4 / 3)


def test_components_do_not_count_for_they_are_each_models_own():
    candidates = named("v", "w", seeds=(0,))
    scores = pd.concat([likelihood("m.v.0", 2), likelihood("m.w.0", 1)])
    other = (scores["measure"] == "components") & (scores["candidate"] == "m.w.0")
    scores.loc[other, "nats_per_frame"] = 1e6
    result = selection.choose(candidates, scores, agreeing(candidates, {}), margin=0.05)
    assert result["chosen"] == "m.v.0"


def test_a_candidate_that_could_not_be_scored_is_last():
    candidates = named("v", "w", seeds=(0,))
    scores = pd.concat([likelihood("m.v.0", 2), likelihood("m.w.0", 9).assign(frames=0)])
    result = selection.choose(candidates, scores, agreeing(candidates, {}), margin=0.05)
    assert result["chosen"] == "m.v.0"
    with pytest.raises(BadInput, match="no held-out animal could be scored"):
        selection.choose(candidates, scores.assign(frames=0), agreeing(candidates, {}), margin=0.05)


def test_likelihoods_are_weighted_by_frames_and_by_the_most_samples():
    rows = pd.concat([likelihood("m.v.0", 1, "a"), likelihood("m.v.0", 4, "b").assign(frames=20)])
    result = selection.likelihoods(rows)
    assert set(result) == {
        "bound_nats",
        "iwae_nats",
        "pixels_1_nats",
        "pixels_3_nats",
        "components_1_nats",
    }
    assert_allclose(list(result.values()), 3.0)


def test_agreement_ignores_numbering_and_unlabeled_ticks(rng):
    first = rng.integers(0, 5, 600)
    other = rng.permutation(5)[first]
    other[::7] = -1  # unlabeled there
    result = selection.agreement(
        {
            "a": {"r": first[:300], "s": first[300:]},
            "b": {"r": other[:300], "s": other[300:]},
            "c": {"s": rng.integers(0, 5, 300), "r": rng.integers(0, 5, 300)},
        }
    )
    assert result[["candidate", "other"]].to_numpy().tolist() == [["a", "b"], ["a", "c"], ["b", "c"]]
    assert_allclose(result["ami"][0], 1)
    assert result["ticks"].tolist() == [600 - 86, 600, 600 - 86]
    assert (result["ami"][1:].abs() < 0.05).all()  # by chance: adjusted


def test_two_that_find_one_syllable_agree_about_nothing():
    result = selection.agreement({"a": {"r": np.zeros(9, int)}, "b": {"r": np.full(9, 3)}})
    assert result["ami"].isna().all()


def test_candidates_must_label_the_same_ticks():
    with pytest.raises(ShapeError, match="b labels 8 ticks of 1 recordings and a 9 of 1"):
        selection.agreement({"a": {"r": np.zeros(9, int)}, "b": {"r": np.zeros(8, int)}})


@pytest.fixture
def results(tmp_path, rng):
    """Results of two variants under two seeds on three animals, one of them held out."""
    true = {name: rng.integers(0, 6, 400) for name in ("t1", "h1", "bad")}
    candidates = named("base", "coarse", seeds=(0, 1))
    files = {"likelihoods": [], "labels": [], "models": [], "quality": []}
    for candidate in candidates:
        path = tmp_path / "tables" / candidate.name / "likelihood.parquet"
        good = 1.0 if candidate.variant == "base" else 2.0
        scores = [
            likelihood(candidate.name, good, "h"),
            likelihood(candidate.name, -9 * good, "t", role="train"),
        ]
        tables.write(path, pd.concat(scores), MADE, tables.LIKELIHOOD)
        files["likelihoods"].append(path)
        path = tmp_path / "models" / candidate.name / "model.safetensors"
        path.parent.mkdir(parents=True)
        path.write_text(candidate.name)
        files["models"].append(path)
        for recording, states in true.items():
            # The held-out animal tells the variants apart: coarse is random there.
            lost = candidate.variant == "coarse" and recording == "h1"
            path = tmp_path / recording / "labels" / f"{candidate.name}.parquet"
            path_states = rng.integers(0, 6, 400) if lost else states
            posterior = np.eye(6)[path_states]
            table = decode.table(
                np.arange(400),
                np.arange(400) / 30,
                syllable=path_states,
                probabilities=posterior,
                surprise_nats=np.zeros(400),
                names={},
            )
            tables.write(path, table, MADE, tables.LABELS)
            files["labels"].append(path)
    for recording in true:
        path = tmp_path / recording / "quality.json"
        path.write_text(json.dumps({"verdict": "reject" if recording == "bad" else "good"}))
        files["quality"].append(path)
    rows = [
        {"recording": name, "subject": name[0], "group": "g", "role": role}
        for name, role in (("t1", "train"), ("h1", "held_out"), ("bad", "held_out"))
    ]
    return {
        **files,
        **{"choice": tmp_path / "choice.json", "stability": tmp_path / "stability.parquet"},
        **{"model": tmp_path / "select/model.safetensors", "recordings": rows},
        "settings": {"model": "m", "seeds": 2, "settings": {"base": {}, "coarse": {}}},
    }


def test_the_step_judges_by_held_out_animals_and_copies_the_model(results):
    select(**results)
    choice = json.loads(results["choice"].read_text())
    assert choice["chosen"] == "m.base.0"
    assert choice["held_out"] == ["h"]
    assert "at most 0.05 below the best" in choice["rule"]
    assert choice["candidates"]["m.coarse.1"]["likelihoods"]["iwae_nats"] == 2.0
    assert choice["candidates"]["m.base.1"]["syllables"] == 6
    assert choice["provenance"]["step"] == "select"
    assert {"t1/labels/m.base.0.parquet", "m.base.0/model.safetensors"} <= set(
        choice["provenance"]["inputs"]
    )
    assert results["model"].read_text() == "m.base.0"
    stability = tables.read(results["stability"])
    assert len(stability) == 2 * 6
    coarse = stability[(stability["candidate"] == "m.coarse.0") & (stability["other"] == "m.coarse.1")]
    ami = coarse.set_index("role")["ami"]
    assert_allclose(ami["train"], 1)
    assert abs(ami["held_out"]) < 0.1


def test_the_step_refuses_what_it_cannot_judge(results):
    train = [{**row, "role": "train"} for row in results["recordings"]]
    with pytest.raises(BadInput, match="no recording with the role 'held_out' is good enough"):
        select(**{**results, "recordings": train})
    with pytest.raises(BadInput, match=r"no labels of '\w+' by 'm.base.0'; label it first"):
        select(**{**results, "labels": results["labels"][3:]})
    with pytest.raises(BadInput, match=r"'m\.base\.0' is not a candidate of select\.model = 'other'"):
        select(**{**results, "settings": {"model": "other"}})
