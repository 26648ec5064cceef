"""Step ``fit``: a model, its history, what it generates, and the settings it was made with."""

import json

import pytest

from syllabary.errors import BadInput, BadSetting
from syllabary.records import tables
from syllabary.records.clips import Clips
from syllabary.records.crops import Crops
from syllabary.steps import fit
from syllabary.svae import segmentation
from syllabary.svae.model import Model

from .conftest import MODEL, write_quality


def arguments(results, folder, **changes):
    return {
        "crops": results.each("crops.h5"),
        "quality": results.each("quality.json"),
        "pca": results.folder / "models" / "pca.h5",
        "changepoints": results.folder / "models" / "changepoints.parquet",
        "folder": folder,
        "settings": MODEL,
        "seed": 1,
        **changes,
    }


def test_its_folder_holds_the_model_and_what_belongs_to_it(trained):
    folder = trained.folder / "models" / "m"
    assert {path.name for path in folder.iterdir()} == {
        "model.safetensors", "settings.json", "history.parquet", "clips.h5",
    }  # fmt: skip
    assert Model.load(folder / "model.safetensors").settings.prior == "arhmm"
    assert len(tables.read(folder / "history.parquet")) > 3
    assert Clips.load(folder / "clips.h5").fps == pytest.approx(30)
    provenance = json.loads((folder / "settings.json").read_text())["provenance"]
    assert (provenance["step"], provenance["seed"]) == ("fit", 1)
    assert set(provenance["inputs"]) == {
        "a/crops.h5", "b/crops.h5", "models/pca.h5", "models/changepoints.parquet",
    }  # fmt: skip


def test_the_same_seed_trains_the_same_model(trained, tmp_path):
    fit(**arguments(trained, tmp_path / "m"))
    before = trained.folder / "models" / "m" / "model.safetensors"
    assert (tmp_path / "m" / "model.safetensors").read_bytes() == before.read_bytes()


def test_without_a_recording_that_is_good_enough_it_stops(trained, tmp_path):
    quality = [write_quality(tmp_path / n / "quality.json", n, "reject", ["short"]) for n in "ab"]
    with pytest.raises(BadInput, match="every training recording was rejected"):
        fit(**arguments(trained, tmp_path / "m", quality=quality))


def test_animals_of_one_recording_each_change_no_bit(trained, tmp_path):
    rows = [{"recording": name, "subject": f"mouse of {name}"} for name in "ab"]
    fit(**arguments(trained, tmp_path / "m", recordings=rows))
    before = trained.folder / "models" / "m" / "model.safetensors"
    assert (tmp_path / "m" / "model.safetensors").read_bytes() == before.read_bytes()


def test_the_animals_of_the_study_reach_discovery(trained, tmp_path, monkeypatch):
    subjects = {}

    def learn(latents, *arguments, **options):
        subjects.update({name: series.subject for name, series in latents.items()})
        raise KeyboardInterrupt

    monkeypatch.setattr("syllabary.svae.fitting.learn", learn)
    rows = [{"recording": name, "subject": "m1"} for name in "cab"]
    with pytest.raises(KeyboardInterrupt):
        fit(**arguments(trained, tmp_path / "m", recordings=rows))
    assert subjects == {"a": "m1", "b": "m1"}


def test_a_wrong_setting_is_named(trained, tmp_path):
    with pytest.raises(BadSetting, match=r"unknown setting model\.prio; did you mean 'prior'"):
        fit(**arguments(trained, tmp_path / "m", settings={"prio": "arhmm"}))


def test_labels_of_people_are_an_input_and_unused_without_discovery(trained, tmp_path, caplog):
    table = tmp_path / "labels.csv"
    table.write_text("recording,start_s,stop_s,behavior\na,1,2,walk\n")
    fit(**arguments(trained, tmp_path / "m", human_labels=table))
    assert "labels of people are used by models with 'discovery' alone" in caplog.text
    provenance = json.loads((tmp_path / "m" / "settings.json").read_text())["provenance"]
    assert f"{tmp_path.name}/labels.csv" in provenance["inputs"]


def test_a_model_with_discovery_has_a_tree_and_labels_what_it_was_fitted_to(trained, tmp_path):
    discovery = {"states": 6, "lags": 2, "iterations": 3}
    settings = {"prior": "slds", "discovery": discovery, "training": {"target_duration_s": 0.5}}
    for place in ("m", "again"):
        fit(**arguments(trained, tmp_path / place, settings=settings))
    assert {path.name for path in (tmp_path / "m").iterdir()} == {
        "model.safetensors", "settings.json", "history.parquet", "clips.h5",
    }  # fmt: skip
    files = [(tmp_path / place / "model.safetensors").read_bytes() for place in ("m", "again")]
    assert files[0] == files[1]
    model = Model.load(tmp_path / "m" / "model.safetensors")
    number = len(model.parameters.weights)
    # Dynamics of two lags and an intercept.
    size = model.parameters.dynamics.precision_mean.shape[-2]
    assert model.parameters.dynamics.precision_mean.shape == (number, size, 2 * size + 1)
    assert model.linkage.shape == (number - 1, 4) and model.classes == ("",) * number
    assert model.agreement.shape == (number, number)
    with Crops(trained.recording("a", "crops.h5")) as crops:
        result = segmentation.segment(model, model.latents(crops), crops)
    assert result.states.shape == (len(result.path), number)
    assert result.path.max() < number


def test_a_table_of_labels_without_behaviors_is_refused(trained, tmp_path):
    table = tmp_path / "labels.csv"
    table.write_text("recording,start_s,stop_s\na,1,2\n")
    with pytest.raises(BadInput, match=r"labels\.csv"):
        fit(**arguments(trained, tmp_path / "m", human_labels=table))
