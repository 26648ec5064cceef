"""A rejected recording, covariates and a crossover, from the steps' inputs to every result."""

import json

import numpy as np
import pandas as pd
import pytest

from syllabary.errors import BadInput, BadSetting
from syllabary.records import tables
from syllabary.steps import check, evaluate, export, fit, score, suggest

from .conftest import summarize, write_quality
from .test_fit import arguments

NAMES = ("m1", "m2", "m3", "m4")
# Day by name: m1 and m3 are one animal before and after, and so are m2 and m4.
COVARIATES = {
    "m1": {"sex": "f", "day": 1.0, "cage": "007"},
    "m2": {"sex": "m", "day": 1.0, "cage": None},
    "m3": {"sex": "f", "day": 2.0, "cage": "007"},
    "m4": {"sex": "m", "day": 2.0, "cage": None},
}
SUBJECTS = {"m1": "x", "m3": "x", "m2": "y", "m4": "y"}


@pytest.fixture(scope="module")
def crossover(labeled):
    rows = [
        {**row, "subject": SUBJECTS[row["recording"]], **COVARIATES[row["recording"]]}
        for row in labeled.rows
    ]
    return labeled._replace(rows=rows)


def verdicts(folder, **others):
    """Quality of every recording: good, unless it is named with another verdict or content."""
    places = []
    for name in NAMES:
        place = write_quality(folder / name / "quality.json", name)
        quality = others.get(name, {})
        content = {"verdict": "reject", "reasons": ["31 % dropped"]} if quality == "reject" else quality
        place.write_text(json.dumps({**json.loads(place.read_text()), **content}))
        places.append(place)
    return places


def exported(results, folder, quality, name):
    made = summarize(results, folder / "tables", quality=quality)
    export(
        labels=results.each("labels", "m.parquet"),
        crops=results.each("crops.h5"),
        quality=quality,
        results=[folder / "tables" / f"{table}.parquet" for table in made],
        folder=folder / name,
        format=name,
        recordings=results.rows,
        settings={},
    )
    return folder / name


def test_a_rejected_recording_is_in_no_table(crossover, tmp_path):
    made = summarize(crossover, tmp_path / "t", quality=verdicts(tmp_path, m2="reject"))
    for name in ("bouts", "usage", "transitions"):
        assert set(made[name]["recording"]) == {"m1", "m3", "m4"}, name
    everything = tables.read(crossover.recording("m1", "labels", "m.parquet"))
    others = [tables.read(crossover.recording(n, "labels", "m.parquet")) for n in ("m3", "m4")]
    counted = pd.concat([everything, *others])["syllable"].value_counts(normalize=True)
    syllables = made["syllables"].set_index("syllable")["usage"]
    for syllable, share in counted.items():
        assert syllables[syllable] == pytest.approx(share)
    assert set(tables.provenance_of(tmp_path / "t" / "bouts.parquet").inputs) == {"labels/m.parquet"}


@pytest.mark.parametrize(
    ("quality", "used"),
    [
        ({"verdict": "warn", "reasons": ["?"]}, True),
        ({"verdict": "reject", "used": True}, True),
        ({"verdict": "reject", "used": False}, False),
        ({"verdict": "good", "used": False}, False),
    ],
)
def test_the_quality_file_decides_what_counts(crossover, tmp_path, quality, used):
    made = summarize(crossover, tmp_path / "t", quality=verdicts(tmp_path, m2=quality))
    for name in ("bouts", "usage", "transitions"):
        verdict = made[name].set_index("recording")["verdict"].to_dict()
        assert verdict.get("m2") == (quality["verdict"] if used else None)
        assert verdict["m1"] == "good"


def test_covariates_reach_every_table_with_their_type(crossover, tmp_path):
    made = summarize(crossover, tmp_path / "t", quality=verdicts(tmp_path))
    for name in ("bouts", "usage", "transitions"):
        table = made[name]
        assert list(table)[:8] == [
            "recording", "subject", "group", "role", "sex", "day", "cage", "verdict"
        ]  # fmt: skip
        assert table["day"].dtype == np.float64
        about = table.drop_duplicates("recording").set_index("recording")
        assert about["sex"].to_dict() == {"m1": "f", "m2": "m", "m3": "f", "m4": "m"}
        assert about["day"].to_dict() == {"m1": 1, "m2": 1, "m3": 2, "m4": 2}
        assert about["cage"].isna().to_dict() == {"m1": False, "m2": True, "m3": False, "m4": True}
        assert about.loc["m1", "cage"] == "007"
    assert len(made["usage"]) == 4 * made["usage"]["syllable"].nunique()


@pytest.mark.parametrize("name", ["csv", "parquet", "moseq"])
def test_exports_hold_what_counts_with_its_covariates(crossover, tmp_path, name):
    place = exported(crossover, tmp_path, verdicts(tmp_path, m3="reject"), name)
    if name == "parquet":
        frames = tables.read(place / "frames.parquet")
        assert frames["day"].dtype == np.float64
    else:
        file = {"csv": "frames.csv", "moseq": "moseq_df.csv"}[name]
        frames = pd.read_csv(place / file, dtype={"cage": str})
    frames = frames.rename(columns={"SessionName": "recording"})
    about = frames.drop_duplicates("recording").set_index("recording")
    assert set(about.index) == {"m1", "m2", "m4"}
    assert about["sex"].to_dict() == {"m1": "f", "m2": "m", "m4": "m"}
    assert about["day"].to_dict() == {"m1": 1, "m2": 1, "m4": 2}
    assert about["verdict"].eq("good").all()
    assert about.loc["m1", "cage"] == "007" and pd.isna(about.loc["m2", "cage"])
    if name == "csv":
        assert set(pd.read_csv(place / "usage.csv")["sex"]) == {"f", "m"}


def test_the_export_lists_every_recording_and_why_one_is_left_out(crossover, tmp_path):
    place = exported(crossover, tmp_path, verdicts(tmp_path, m3="reject"), "csv")
    listed = pd.read_csv(place / "recordings.csv", dtype={"cage": str}).set_index("recording")
    assert listed["used"].to_dict() == {"m1": True, "m2": True, "m3": False, "m4": True}
    assert listed.loc["m3", ["verdict", "reasons", "sex"]].tolist() == ["reject", "31 % dropped", "f"]


def test_the_same_animals_on_two_days_are_compared_in_pairs(crossover, tmp_path):
    made = summarize(crossover, tmp_path / "t", quality=verdicts(tmp_path), compare="day")["statistics"]
    assert set(made["comparison"]) == {"1 vs 2"} and set(made["test"]) == {
        "paired permutation", "paired permutation of profiles"
    }  # fmt: skip
    usage = tables.read(tmp_path / "t" / "usage.parquet").set_index(["syllable", "day", "subject"])
    for _, row in made[made["measure"] == "usage"].iterrows():
        share = usage["usage"].loc[row["syllable"]]
        assert row["difference"] == pytest.approx((share[2.0] - share[1.0]).mean())
        assert row["p"] in (0.5, 1.0), "two pairs have four signs"


def test_an_animal_that_lost_a_recording_is_left_out_of_the_pairs_and_counted(crossover, tmp_path):
    quality = verdicts(tmp_path, m4="reject")
    made = summarize(crossover, tmp_path / "t", quality=quality, compare="day")["statistics"]
    assert set(made["subjects_a"]) == {1} and set(made["subjects_left_out"]) == {1}
    assert (made["p"] == 1).all()


def test_a_column_that_is_not_there_is_named(crossover, tmp_path):
    with pytest.raises(BadSetting, match=r"compare = 'dya': .* did you mean 'day'"):
        summarize(crossover, tmp_path / "t", quality=verdicts(tmp_path), compare="dya")


def test_without_a_recording_that_counts_there_is_nothing_to_summarize(crossover, tmp_path):
    quality = verdicts(tmp_path, **dict.fromkeys(NAMES, "reject"))
    with pytest.raises(BadInput, match=r"every recording was rejected, .* set check.use_rejected"):
        summarize(crossover, tmp_path / "t", quality=quality)


def test_scores_are_of_recordings_that_count(labeled, tmp_path):
    def scored(place, quality, rows=labeled.rows):
        names = [row["recording"] for row in rows]
        score(
            labels=labeled.each("labels", "m.parquet", names=names),
            truth=[labeled.folder / "simulated" / name / "truth.parquet" for name in names],
            scores=tmp_path / place,
            recordings=rows,
            quality=quality,
        )
        return json.loads((tmp_path / place).read_text())["scores"]

    left_out = scored("some.json", verdicts(tmp_path, m4="reject"))
    assert left_out == scored("three.json", (), labeled.rows[:3])
    assert "held_out" not in left_out
    assert scored("none.json", verdicts(tmp_path, **dict.fromkeys(NAMES, "reject"))) == {}


def test_a_likelihood_of_nothing_is_an_empty_table(trained, tmp_path):
    evaluate(
        crops=trained.each("crops.h5"),
        model=trained.folder / "models" / "m" / "model.safetensors",
        likelihood=tmp_path / "likelihood.parquet",
        recordings=trained.rows,
        settings={},
        seed=1,
        quality=[write_quality(tmp_path / n / "quality.json", n, "reject") for n in "ab"],
    )
    assert tables.read(tmp_path / "likelihood.parquet", tables.LIKELIHOOD).empty


def test_clips_are_not_of_recordings_that_are_left_out(labeled, tmp_path):
    suggest(
        labels=labeled.each("labels", "m.parquet", names=NAMES[:3]),
        posteriors=labeled.each("posterior", "m.h5", names=NAMES[:3]),
        queries=tmp_path / "q.tsv",
        recordings=labeled.rows,
        settings={"clips": 4},
        quality=verdicts(tmp_path, m1={"verdict": "reject", "used": True}, m2="reject"),
    )
    proposed = pd.read_csv(tmp_path / "q.tsv", sep="\t", comment="#")
    assert set(proposed["recording"]) == {"m1", "m3"}


@pytest.mark.parametrize(
    ("limit", "settings", "verdict", "used"),
    [
        (0, {}, "warn", True),
        (30, {}, "reject", False),
        (30, {"use_rejected": True}, "reject", True),
    ],
)
def test_the_check_says_whether_a_recording_counts(labeled, tmp_path, limit, settings, verdict, used):
    place = tmp_path / "quality.json"
    chosen = {"min_duration_s": limit, "uncertain_heading_warn": 0, "uncertain_heading_below": 0.95}
    check(crops=labeled.recording("m1", "crops.h5"), quality=place, settings={**chosen, **settings})
    judged = json.loads(place.read_text())
    assert (judged["verdict"], judged["used"]) == (verdict, used)


def test_a_model_can_be_trained_on_rejected_recordings_that_count(trained, tmp_path):
    quality = []
    for name in "ab":
        quality.append(write_quality(tmp_path / name / "quality.json", name, "reject"))
        content = json.loads(quality[-1].read_text())
        quality[-1].write_text(json.dumps({**content, "used": True}))
    fit(**arguments(trained, tmp_path / "m", quality=quality))
    before = trained.folder / "models" / "m" / "model.safetensors"
    assert (tmp_path / "m" / "model.safetensors").read_bytes() == before.read_bytes()
