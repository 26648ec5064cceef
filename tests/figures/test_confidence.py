"""Figures of confidence and surprise."""

import dataclasses

import numpy as np

from figures.synthetic import PROVENANCE
from syllabary.figures import _axes, novelty, reliability
from syllabary.figures.colors import Colors
from syllabary.figures.settings import DrawSettings
from syllabary.figures.study import FigureData
from syllabary.records import tables

SETTINGS = DrawSettings()


def view(study, model):
    return FigureData(study, Colors(), model, None)


def draw(module, *arguments):
    with _axes.style():
        return module.draw(view(*arguments), SETTINGS)


def test_a_recording_unlike_training_is_dark_and_has_a_large_share(study, tmp_path):
    model = study.models[0]
    strange = tables.read(model.labels["m4"])
    strange["surprise_nats"] += 100
    tables.write(tmp_path / "m4.parquet", strange, PROVENANCE, tables.LABELS)
    model = dataclasses.replace(model, labels={**model.labels, "m4": tmp_path / "m4.parquet"})
    axes, _ = draw(novelty, study, model).axes
    image = np.asarray(axes.images[0].get_array())
    assert (image[3] > 99).all()
    assert abs(image[:3].mean() - 50) < 1  # training ticks are what ranks are of
    names = [tick.get_text() for tick in axes.get_yticklabels()]
    assert names[3] == "m4, held out: 100.0 %"
    shares = [float(name.split(": ")[1].rstrip(" %")) for name in names[:3]]
    assert abs(np.mean(shares) - 1) < 0.2


def test_reliability_has_a_panel_for_what_was_scored(study):
    model = study.models[0]
    assert len(draw(reliability, study, model).axes) == 2
    alone = {"syllable": model.scores["all"]["calibration"]["syllable"]}
    one_panel = dataclasses.replace(model, scores={"all": {"calibration": alone}})
    [axes] = draw(reliability, study, one_panel).axes
    assert [line.get_label() for line in axes.lines][1].startswith("all recordings: expected error 0.05")
    empty = {"syllable": {**alone["syllable"], "ticks": 0}}
    nothing = dataclasses.replace(model, scores={"all": {"calibration": empty}})
    assert draw(reliability, study, nothing) is None
