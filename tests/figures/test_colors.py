import colorsys
import dataclasses
import itertools

import numpy as np
import pandas as pd

from figures.conftest import QUICK
from figures.synthetic import PROVENANCE, label_table
from syllabary.figures import coloring
from syllabary.figures.colors import MISSING, Colors, hexadecimal, palette
from syllabary.figures.study import ModelResults, RecordingResults, StudyResults
from syllabary.records import tables


def save(path, syllables, rng):
    tables.write(path, label_table(np.asarray(syllables), rng), PROVENANCE, tables.LABELS)
    return path


def test_equal_behavior_has_equal_color_for_any_number(tmp_path, rng):
    syllables = np.repeat([0, 1, 2, 0, 3], 40)
    renamed = np.array([2, 0, 3, 1])[syllables]
    models = tuple(
        ModelResults(name, labels={"m1": save(tmp_path / f"{name}.parquet", values, rng)})
        for name, values in (("one", syllables), ("two", renamed))
    )
    colors = coloring.shared(StudyResults(recordings=(RecordingResults("m1"),), models=models), QUICK)
    for s, other in enumerate((2, 0, 3, 1)):
        assert colors.of("one", s) == colors.of("two", other)
    assert len({colors.of("one", s) for s in range(4)}) == 4


def test_truth_sets_the_colors_and_a_split_behavior_takes_shades(study):
    colors = coloring.shared(study, QUICK)
    assert set(colors.truth) == {"walk", "rear_up", "groom", "pause", "turn_left", "sniff"}
    assert colors.of("slds", 0) == colors.truth["walk"]
    assert colors.of("slds", 1) == colors.truth["rear_up"]
    used = [colors.of("pca-arhmm", s) for s in range(8)]
    assert len(set(used)) == 8


def test_no_label_is_gray_and_unknown_syllables_have_colors():
    assert Colors().of("any", -1) == MISSING
    assert Colors().of("any", 37) == palette(38)[37]


def test_neighbors_in_usage_differ_in_hue():
    hues = [colorsys.rgb_to_hsv(*c)[0] for c in palette(20)]
    gaps = [min(abs(a - b), 1 - abs(a - b)) for a, b in itertools.pairwise(hues)]
    assert min(gaps) > 0.12


def test_forty_syllables_have_forty_colors_that_differ():
    colors = np.array(palette(40))
    apart = np.linalg.norm(colors[:, None] - colors[None], axis=2) + np.eye(40)
    assert apart.min() > 0.05


def test_without_labels_there_is_nothing_to_match(study):
    bare = dataclasses.replace(study, models=(ModelResults("slds"),))
    assert coloring.shared(bare, QUICK).models == {"slds": {}}


def test_hexadecimal_is_what_browsers_read():
    assert hexadecimal((0.0, 0.5, 1.0)) == "#0080ff"
    assert pd.Series([hexadecimal(c) for c in palette(12)]).str.fullmatch("#[0-9a-f]{6}").all()
