"""Which clips to label next: the doubtful ones, of all kinds, and the same ones every time."""

import itertools

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from syllabary.errors import BadInput, ShapeError
from syllabary.provenance import Provenance
from syllabary.records import annotations, tables
from syllabary.records.posterior import Posterior
from syllabary.steps import suggest
from syllabary.syllables import decode, queries

MADE = Provenance("test", {}, None, {}, "")
FPS = 10


def posterior(states, name="m1", **changes):
    T = len(states)
    values = {
        "time_s": np.arange(T) / FPS,
        "observed": np.ones(T, bool),
        "labeled": np.zeros(T, bool),
    }
    return queries.RecordingPosterior(name, probabilities=np.asarray(states), **{**values, **changes})


def sure(T, K=4, state=0):
    return np.eye(K)[np.full(T, state)]


def unsure(T, between, K=4):
    return np.tile(np.isin(np.arange(K), between) / len(between), (T, 1))


def test_the_most_doubtful_clip_comes_first_with_its_reason():
    states = np.concatenate([sure(40), unsure(10, (1, 3)), sure(50)])
    [row] = queries.propose([posterior(states)], clips=1, clip_s=1).to_dict("records")
    assert row["recording"] == "m1" and row["behavior"] == ""
    assert row["start_s"] <= 4 + 0.2 and row["stop_s"] == pytest.approx(row["start_s"] + 1)
    assert "1 (" in row["reason"] and "3 (" in row["reason"] and "nats" in row["reason"]


def test_a_certain_model_proposes_no_clip():
    assert queries.propose([posterior(sure(100))], clips=3, clip_s=1).empty


def test_clips_cover_other_syllables_before_more_of_the_same():
    states = np.concatenate([unsure(60, (0, 1)), sure(20), unsure(20, (2, 3))])
    proposed = queries.propose([posterior(states)], clips=2, clip_s=2)
    assert sorted(start > 6 for start in proposed["start_s"]) == [False, True]


def test_clips_come_from_several_recordings():
    same = unsure(100, (0, 1))
    proposed = queries.propose([posterior(same, "m1"), posterior(same, "m2")], clips=4, clip_s=2)
    assert proposed["recording"].value_counts().to_dict() == {"m1": 2, "m2": 2}


def test_labeled_clips_are_not_proposed_and_lower_the_gain_of_similar_ones():
    states = np.concatenate([unsure(40, (0, 1)), unsure(40, (2, 3)), unsure(40, (0, 1))])
    labeled = np.arange(120) < 40
    proposed = queries.propose([posterior(states, labeled=labeled)], clips=1, clip_s=2)
    assert 4 <= proposed["start_s"][0] <= 6, "0 and 1 are known from the labels"
    everything = queries.propose([posterior(states, labeled=labeled)], clips=99, clip_s=2)
    assert everything["start_s"].min() >= 4


def test_clips_do_not_overlap(rng):
    states = rng.dirichlet(np.ones(5), 300)
    proposed = queries.propose([posterior(states)], clips=99, clip_s=1.7).sort_values("start_s")
    assert len(proposed) > 10
    assert (proposed["start_s"].to_numpy()[1:] >= proposed["stop_s"].to_numpy()[:-1] - 1e-9).all()


def test_ticks_without_a_frame_are_not_proposed():
    states = np.concatenate([unsure(30, (0, 1, 2, 3)), unsure(30, (0, 1))])
    proposed = queries.propose([posterior(states, observed=np.arange(60) >= 30)], clips=1, clip_s=1)
    assert proposed["start_s"][0] >= 2.5


def test_the_same_input_gives_the_same_clips(rng):
    first, second = (posterior(rng.dirichlet(np.ones(6), 500), name) for name in ("m1", "m2"))
    proposed = queries.propose([first, second], clips=10, clip_s=2)
    pd.testing.assert_frame_equal(proposed, queries.propose([first, second], clips=10, clip_s=2))


def test_greedy_is_near_the_best_set(rng):
    """Within 1 - 1/e of the best of all sets, judged by the sum that the module's text names."""
    states = rng.dirichlet(np.full(4, 0.3), 80)
    doubt = states * -(states * np.log(states)).sum(1)[:, None] / FPS

    def value(starts):
        sums = sum(doubt[s : s + 10].sum(0) for s in starts)
        return np.log1p(sums).sum() + np.log1p(sums.sum())

    possible = range(0, 71, 2)
    best = max(
        value(c) for c in itertools.combinations(possible, 3) if min(np.diff(c)) >= 10
    )  # sets of three that do not overlap
    proposed = queries.propose([posterior(states)], clips=3, clip_s=1)
    chosen = value(np.rint(proposed["start_s"].to_numpy() * FPS).astype(int))
    assert (1 - np.exp(-1)) * best < chosen <= best + 1e-9


def test_disagreement_is_half_the_variation_of_information(rng):
    a, b = rng.integers(0, 4, 4000), rng.integers(0, 3, 4000)
    b = np.where(a == 0, 2, b)
    joint = np.zeros((4, 3))
    np.add.at(joint, (a, b), 1 / 4000)
    joint_entropy = -(joint[joint > 0] * np.log(joint[joint > 0])).sum()
    entropies = [-(p * np.log(p)).sum() for p in (joint.sum(0), joint.sum(1))]
    nats = queries.disagreement([{"m": a}, {"m": b}])["m"]
    assert_allclose(nats.mean(), joint_entropy - sum(entropies) / 2)
    assert (nats >= -1e-12).all()


def test_renumbered_syllables_agree_and_unlabeled_ticks_do_not_count(rng):
    a = rng.integers(0, 5, 500)
    renamed = np.array([3, 0, 4, 1, 2])[a]
    assert_allclose(queries.disagreement([{"m": a}, {"m": renamed}])["m"], 0, atol=1e-12)
    renamed[:50] = -1
    assert_allclose(queries.disagreement([{"m": a}, {"m": renamed}])["m"], 0, atol=1e-12)
    assert not queries.disagreement([{"m": a}])["m"].any()
    assert queries.disagreement([]) == {}


def test_clips_of_disagreement_are_proposed(rng):
    a = np.repeat(rng.integers(0, 4, 30), 10)
    b = a.copy()
    b[150:160] = (a[150:160] + 1) % 4
    apart = queries.disagreement([{"m1": a}, {"m1": b}])["m1"]
    recording = posterior(np.eye(4)[a], disagreement_nats=apart)
    [row] = queries.propose([recording], clips=1, clip_s=1).to_dict("records")
    assert 14 < row["start_s"] < 16 and "models disagree" in row["reason"]


def test_wrong_inputs_are_refused():
    with pytest.raises(BadInput, match="no recording to choose clips from"):
        queries.propose([], clips=1, clip_s=1)
    with pytest.raises(BadInput, match=r"choose shorter clips with the setting suggest\.clip_s"):
        queries.propose([posterior(unsure(5, (0, 1)))], clips=1, clip_s=1)
    with pytest.raises(ShapeError, match="m1: times, probabilities and labels have 5, 6 ticks"):
        queries.propose([posterior(sure(5), observed=np.ones(6, bool))], clips=1, clip_s=1)
    with pytest.raises(ShapeError, match="m: models label 2 and 3 ticks"):
        queries.disagreement([{"m": np.zeros(2, int)}, {"m": np.zeros(3, int)}])


def test_the_step_writes_a_table_that_people_fill_in(tmp_path, rng):
    labels, posteriors = [], []
    for name in ("m1", "m2", "m3"):
        states = rng.dirichlet(np.full(4, 0.2), 200)
        place = tmp_path / name
        posteriors.append(place / "posterior" / "slds.h5")
        time_s, none = np.arange(200) / FPS, np.zeros(200)
        Posterior(states[:, :1], states[:, :1], states, none, np.arange(200), time_s).save(
            posteriors[-1], MADE
        )
        for model in ("slds", "other"):
            path = states.argmax(1) if model == "slds" else rng.integers(0, 3, 200)
            labels.append(place / "labels" / f"{model}.parquet")
            table = decode.table(
                np.arange(200), time_s, syllable=path, probabilities=states, surprise_nats=none
            )
            tables.write(labels[-1], table, MADE, tables.LABELS, syllable_of=np.arange(4))
    roles = {"m1": "train", "m2": "train", "m3": "held_out"}
    rows = [{"recording": name, "role": role} for name, role in roles.items()]
    labels_path = tmp_path / "labels.csv"
    labels_path.write_text("recording,start_s,stop_s,behavior\nm1,0,2,walk\n")
    suggest(
        labels=labels, posteriors=posteriors, queries=tmp_path / "queries.tsv", recordings=rows,
        settings={"clips": 5, "clip_s": 2.0}, human_labels=labels_path,
    )  # fmt: skip
    text = (tmp_path / "queries.tsv").read_text()
    assert text.startswith("recording\tstart_s\tstop_s\tbehavior\treason\n")
    assert annotations.bouts(tmp_path / "queries.tsv", roles) == []
    filled = text.replace("\t\tsyllable", "\twalk\tsyllable")
    (tmp_path / "filled.tsv").write_text(filled)
    proposed = annotations.bouts(tmp_path / "filled.tsv", roles)
    assert len(proposed) == 5
    assert {bout.recording for bout in proposed} == {"m1", "m2"}, "held-out animals are not asked about"
    assert all(bout.start_s >= 2 for bout in proposed if bout.recording == "m1")
