"""The teacher alone: membership of its states, and soft labels."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from svae.discovery.conftest import FPS, QUICK
from syllabary.svae.discovery.teacher import fit_teacher


def fit(series, **changes):
    settings = QUICK.model_copy(update=changes)
    return fit_teacher(series, settings, target_duration_s=0.4, fps=FPS, seed=1)


@pytest.fixture(scope="module")
def teacher(study):
    return fit(study[0])


def test_every_state_belongs_to_one_syllable_and_every_syllable_has_a_state(teacher):
    states, syllables = teacher.membership.shape
    assert states == QUICK.states >= syllables
    assert set(np.unique(teacher.membership)) <= {0.0, 1.0}
    assert_array_equal(teacher.membership.sum(1), 1)
    assert (teacher.membership.sum(0) >= 1).all()


def test_soft_labels_are_probabilities_by_recording_in_the_order_of_names(teacher, study):
    assert len(teacher.soft_labels) == len(study[0])
    for labels in teacher.soft_labels:
        assert labels.shape == (1000, teacher.membership.shape[1])
        assert_allclose(labels.sum(1), 1, rtol=1e-12)
        assert (labels > 0).all()


def test_a_high_threshold_merges_all_states(study):
    merged = fit({"r0": study[0]["r0"]}, merge_threshold_nats=100.0)
    used = merged.soft_labels[0].mean(0) > 1e-3
    # States without frames are not merged, because that neither raises nor lowers the bound.
    assert used.sum() == 1


def test_the_teacher_of_the_labeler_is_the_fitted_one(teacher, discovered):
    for left, right in zip(
        teacher.parameters.dynamics, discovered.labeler.teacher.dynamics, strict=True
    ):
        assert_array_equal(left, right)
    assert bool(discovered.labeler.use_teacher) == teacher.is_reliable
    # Columns of the labeler are syllables of the teacher in the order of usage, less the unused.
    columns = {tuple(column) for column in teacher.membership.T}
    assert {tuple(column) for column in discovered.labeler.membership.T.tolist()} <= columns
