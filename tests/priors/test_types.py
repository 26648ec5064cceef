"""Records that pass through a prior."""

from typing import NamedTuple

import torch
from torch import Tensor

from syllabary.priors.types import GaussianEvidence, PointEvidence, add, recordings, scaled, total


class Inner(NamedTuple):
    counts: Tensor


class Outer(NamedTuple):
    inner: Inner
    sums: Tensor


def outer(value):
    return Outer(Inner(torch.full((2,), value)), torch.full((3, 3), 10 * value))


def test_records_add_and_scale_field_by_field():
    result = add(outer(1.0), scaled(outer(2.0), 0.5))
    assert isinstance(result, Outer) and isinstance(result.inner, Inner)
    assert torch.equal(result.inner.counts, torch.full((2,), 2.0))
    assert torch.equal(total([outer(1.0), outer(2.0), outer(3.0)]).sums, torch.full((3, 3), 60.0))


def test_evidence_of_both_kinds_has_values_and_observed_frames():
    latents = torch.tensor([[1.0, 2.0], [torch.nan, 3.0], [torch.nan, torch.nan]])
    finite = torch.isfinite(latents)
    gaussian = GaussianEvidence(latents, torch.where(finite, 4.0, 0.0))
    assert gaussian.observed.tolist() == [True, True, False]
    point = PointEvidence(latents, finite.all(-1))
    assert point.values is latents and gaussian.values is latents


def test_recordings_are_cut_to_their_lengths():
    batch = torch.zeros((2, 5, 3))
    batch[1, 1, 0] = torch.nan
    first, second = recordings(batch, [2, 4])
    assert first.latents.shape == (2, 3) and second.observed.tolist() == [True, False, True, True]
