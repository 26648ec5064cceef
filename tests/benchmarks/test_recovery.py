"""How methods of the recovery benchmark are decoded, scored and listed."""

import json
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest


def probabilities(path, K, p=0.9):
    """Marginals that favor a path."""
    return np.where(np.eye(K, dtype=bool)[path], p, (1 - p) / (K - 1))


@pytest.fixture
def restless(rng):
    """A path of long bouts whose marginals waver at every fifth tick."""
    path = np.repeat(rng.permutation(np.arange(60) % 3), 20)
    states = probabilities(path, 3, 0.6)
    wrong = np.arange(len(path)) % 5 == 4
    states[wrong] = np.roll(states[wrong], 1, axis=1)
    return path, states


def test_a_median_bout_is_counted_over_all_paths():
    from recovery import decoding

    assert decoding.median_bout([np.array([0, 0, 0, 1, 1]), np.array([2] * 7)]) == 3


def test_smoothing_keeps_probabilities_and_their_sum(rng):
    from recovery import decoding

    states = rng.dirichlet(np.ones(4), 50)
    np.testing.assert_allclose(decoding.smooth(states).sum(1), 1)
    np.testing.assert_allclose(decoding.smooth(np.full((9, 2), 0.5)), 0.5)


def test_a_path_that_may_leave_at_any_time_is_the_most_probable_state(rng):
    from recovery import decoding

    states = rng.dirichlet(np.full(4, 0.3), 200)
    np.testing.assert_array_equal(decoding.path(states, 0.25), states.argmax(1))


def test_a_path_that_stays_has_the_state_of_the_largest_sum(rng):
    from recovery import decoding

    states = probabilities(rng.permutation(np.arange(90) % 3), 3, 0.36)
    states[:5] = probabilities(np.full(5, 2), 3, 0.5)
    assert (decoding.path(states, 1 - 1e-12) == 2).all()


def test_a_single_state_is_a_path_of_zeros():
    from recovery import decoding

    assert decoding.path(np.ones((5, 1)), 0.9).tolist() == [0] * 5


def test_paths_reach_the_duration_that_is_asked_for(restless):
    from recovery import decoding

    _, states = restless
    shorter, small = decoding.at_duration({"m1": states}, ["m1"], 20.0)
    longer, large = decoding.at_duration({"m1": states}, ["m1"], 60.0)
    assert 1 / 3 <= small < large < 1
    assert decoding.median_bout([shorter["m1"]]) == pytest.approx(20, abs=3)
    assert decoding.median_bout([longer["m1"]]) == pytest.approx(60, abs=20)


def test_the_decodings_are_plain_smoothed_and_matched(restless):
    from recovery import decoding

    path, states = restless
    predicted = {"m1": (states.argmax(1), states)}
    without_truth = decoding.paths(predicted, ["m1"], None)
    assert list(without_truth) == ["plain", "smoothed"]
    assert without_truth["plain"][1] is None
    matched, _ = decoding.paths(predicted, ["m1"], 20.0)["matched"]
    agreement = (matched["m1"] == path).mean()
    assert agreement > (states.argmax(1) == path).mean() and agreement > 0.95


@pytest.fixture
def rows():
    columns = ["study", "seed", "method", "setting", "decoding", "pool"]
    cases = [
        ("linear", seed, method, setting, "plain", pool)
        for seed in (1, 2, 3)
        for method, setting in (("arhmm", "auto"), ("arhmm", "kappa-1e5"), ("kmeans", "clusters-10"))
        for pool in ("all", "trained", "held_out")
    ]
    rows = pd.DataFrame(cases, columns=columns)
    from recovery import table

    for _, measure, _ in table.COLUMNS:
        rows[measure] = rows["seed"] / 10
    rows.loc[rows["setting"] == "kappa-1e5", "ami"] = 0.9
    return rows


def test_scores_are_medians_over_seeds(rows):
    from recovery import table

    medians = table.medians(rows)
    assert len(medians) == 3
    assert medians.set_index("setting")["AMI"].to_dict() == {
        "auto": 0.2, "kappa-1e5": 0.9, "clusters-10": 0.2,
    }  # fmt: skip


def test_the_best_setting_of_a_method_is_that_of_highest_ami(rows):
    from recovery import table

    best = table.best(table.medians(rows))
    assert sorted(best["setting"]) == ["clusters-10", "kappa-1e5"]


def test_the_text_lists_studies_and_their_seeds(rows, tmp_path):
    from recovery import table

    text = table.text(rows)
    assert "linear: 3" in text and "## All settings" in text
    assert "| arhmm | kappa-1e5 | plain | 0.900 |" in text


@pytest.mark.parametrize(
    ("value", "text"), [(np.nan, "–"), (0.12345, "0.123"), (1234.5, "1234"), ("auto", "auto")]
)
def test_cells_are_short(value, text):
    from recovery import table

    assert table.cell(value) == text


def test_groups_and_roles_of_a_study_are_balanced(tmp_path):
    from recovery import studies

    study = studies.simulate("linear", 1, 4, 0.05, tmp_path)
    assert study.groups == {"m1": "control", "m2": "drug", "m3": "control", "m4": "drug"}
    assert study.trained == ["m1", "m2"] and study.recordings == ["m1", "m2", "m3", "m4"]
    assert json.loads((tmp_path / "study.json").read_text())["kind"] == "linear"
    assert study.fps == pytest.approx(30, abs=1)
    assert len(study.truth("m1")) > 60


def test_gaps_of_latents_are_filled_by_straight_lines():
    from recovery.methods import _points

    from syllabary.reduction.latents import LatentSeries

    values = np.array([[np.nan], [1.0], [np.nan], [3.0], [np.nan]])
    filled = _points.filled(LatentSeries(values, np.isfinite(values[:, 0])))
    np.testing.assert_array_equal(filled.values, [[1], [1], [2], [3], [3]])
    assert filled.observed.all()


def test_every_method_has_latents_and_few_settings():
    import recovery.methods

    from syllabary import registry

    names = registry.names("recovery.methods")
    assert {"arhmm", "kmeans", "shipped"} <= set(names)
    for name in names:
        method = registry.find("recovery.methods", name)
        assert 1 <= len(method.SETTINGS) <= 8
        assert set(method.LATENTS) <= {"pca", "reduction", "autoencoder"}
    assert recovery.methods.__doc__


def tables_of(labels, behaviors):
    frame = np.arange(len(labels))
    return (
        pd.DataFrame({"frame": frame, "syllable": labels}),
        pd.DataFrame({"frame": frame, "syllable": 0, "behavior": behaviors}),
    )


def test_a_split_behavior_is_recalled_and_one_that_shares_its_label_is_not():
    from recovery import score

    labels = [0] * 30 + [1] * 30 + [2] * 40
    behaviors = ["walk"] * 60 + ["rear"] * 30 + ["groom"] * 10
    recalls = score.behavior_recalls([tables_of(labels, behaviors)])
    assert recalls == {"walk": 1.0, "rear": 1.0, "groom": 0.0}


def test_rare_behaviors_have_no_recall():
    from recovery import score

    labels, behaviors = [0] * 98 + [1] * 2, ["walk"] * 98 + ["hop"] * 2
    assert score.behavior_recalls([tables_of(labels, behaviors)]) == {"walk": 1.0}
    assert set(score.behavior_recalls([tables_of(labels, behaviors)], 0.01)) == {"walk", "hop"}


def test_a_world_study_has_the_movements_of_its_world(tmp_path):
    from recovery import studies

    from syllabary.simulate import worlds

    study = studies.simulate("world", 5, 3, 0.05, tmp_path)
    truth = study.truth("m1")
    assert set(truth["behavior"]) <= set(worlds.draw(5).repertoire.movements)
    assert study.trained == ["m1"]


def test_the_second_mouse_is_copied_and_its_truth_gets_the_columns_of_ours(tmp_path, monkeypatch):
    from recovery import studies

    source = tmp_path / "second" / "a1"
    source.mkdir(parents=True)
    (source / "crops.h5").write_bytes(b"crops")
    truth = {"frame": [0, -1], "time_s": [0.0, 0.03], "syllable": [2, -1], "behaviour": ["hop", None]}
    pd.DataFrame(truth | {"dropped": [False, True]}).to_parquet(source / "truth.parquet")
    monkeypatch.setenv("SYLLABARY_SECOND_MOUSE", str(source.parent))
    place = tmp_path / "m1"
    place.mkdir()
    studies.STUDIES["second_a"](place, 180, "m1", "control", 0)
    assert (place / "crops.h5").read_bytes() == b"crops"
    table = pd.read_parquet(place / "truth.parquet")
    assert table["behavior"][0] == "hop" and table["syllable"].tolist() == [2, -1]
    monkeypatch.delenv("SYLLABARY_SECOND_MOUSE")
    with pytest.raises(Exception, match="set SYLLABARY_SECOND_MOUSE"):
        studies.STUDIES["second_a"](place, 180, "m1", "control", 0)


@pytest.fixture
def two_movements(rng):
    """Latents of two linear movements, in three recordings of which one is held out, with gaps."""
    from syllabary.reduction.latents import LatentSeries

    series, truth = {}, {}
    for name in ("m1", "m2", "m3"):
        label = np.repeat(rng.integers(2, size=150), 20)
        values = np.zeros((len(label), 2))
        for t in range(1, len(label)):
            c, s = np.cos(0.4 * (2 * label[t] - 1)), np.sin(0.4 * (2 * label[t] - 1))
            values[t] = 0.95 * np.array([[c, -s], [s, c]]) @ values[t - 1] + rng.standard_normal(2)
        observed = rng.random(len(label)) > 0.05
        series[name] = LatentSeries(np.where(observed[:, None], values, np.nan), observed)
        truth[name] = label
    return SimpleNamespace(recordings=list(series), trained=["m1", "m2"]), series, truth


def test_true_labels_leave_white_gaussian_residuals_and_have_the_density_of_the_movement(two_movements):
    from recovery.gauges import gauges

    result = gauges(*two_movements)
    # The entropy of the noise, less what 60 frames of the other movement blur.
    assert result["left_out_nats"] == pytest.approx(-np.log(2 * np.pi * np.e), abs=0.06)
    assert result["tail_ratio"] == pytest.approx(1, abs=0.5)
    assert abs(result["residual_correlation"]) < 0.06 and abs(result["square_correlation"]) < 0.06


def test_wrong_labels_tell_less_and_leave_more(two_movements, rng):
    from recovery.gauges import gauges

    study, series, truth = two_movements
    best = gauges(study, series, truth)
    some = {name: np.where(rng.random(len(path)) < 0.1, 1 - path, path) for name, path in truth.items()}
    none = {name: 0 * path for name, path in truth.items()}
    densities = [gauges(study, series, labels)["left_out_nats"] for labels in (truth, some, none)]
    assert densities[0] > densities[1] + 0.05 > densities[2] + 0.1
    assert gauges(study, series, none)["square_correlation"] > best["square_correlation"] + 0.05
    # A label that no training animal has falls back on all frames.
    unseen = {**none, "m3": none["m3"] + 5}
    result = gauges(study, series, unseen)["left_out_nats"]
    assert result == pytest.approx(densities[2], abs=0.02)
