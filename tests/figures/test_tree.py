"""The tree of states: branches in the colors of syllables, leaves with state and syllable."""

import dataclasses

import numpy as np
import pytest

from figures.synthetic import PROVENANCE, label_table
from syllabary.figures import _axes, tree
from syllabary.figures.colors import Colors
from syllabary.figures.settings import DrawSettings
from syllabary.figures.study import FigureData, ModelResults, StudyResults
from syllabary.records import tables

# 0 and 2 first, then 1 and 3, then all.
LINKAGE = np.array([[0, 2, 0.1, 2], [1, 3, 0.3, 2], [4, 5, 0.9, 4.0]])
RED, BLUE = (1.0, 0.0, 0.0), (0.0, 0.0, 1.0)


@pytest.fixture
def model(tmp_path, rng):
    path = tmp_path / "labels.parquet"
    table = label_table(np.zeros(5, int), rng)
    tables.write(path, table, PROVENANCE, tables.LABELS, syllable_of=np.array([0, 1, 0, 1]))
    return ModelResults("m", labels={"m1": path}, linkage=LINKAGE)


def draw(model):
    data = FigureData(StudyResults(models=(model,)), Colors(models={"m": {0: RED, 1: BLUE}}), model)
    with _axes.style():
        return tree.draw(data, DrawSettings())


def test_nodes_of_one_syllable_have_it():
    assert tree.syllables_of_nodes(LINKAGE, np.array([0, 1, 0, 1])) == [0, 1, 0, 1, 0, 1, -1]
    assert tree.syllables_of_nodes(LINKAGE, np.zeros(4, int)) == [0] * 7
    assert tree.syllables_of_nodes(LINKAGE, np.arange(4)) == [0, 1, 2, 3, -1, -1, -1]


def test_branches_have_the_colors_of_syllables_and_heights_of_merges(model):
    [axes] = draw(model).axes
    branches = {max(line.get_xdata()): line.get_color() for line in axes.lines}
    assert branches == {0.1: "#ff0000", 0.3: "#0000ff", 0.9: _axes.MUTED}
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert sorted(labels) == ["0:  0", "1:  1", "2:  0", "3:  1"]


def test_a_model_without_a_tree_has_no_figure(model):
    assert draw(dataclasses.replace(model, linkage=None)) is None
    assert draw(dataclasses.replace(model, linkage=np.zeros((0, 4)))) is None
