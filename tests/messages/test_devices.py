"""What a GPU needs of message passing before any kernel runs: devices, reads, precision of products."""

import math

import numpy as np
import pytest
import torch

from syllabary.errors import ImpossibleEvidence
from syllabary.messages import dispatch, hmm, lds
from syllabary.messages.backends.cuda.links import products

ELSEWHERE = torch.device("meta")


def test_potentials_and_lengths_follow_the_evidence():
    evidence = torch.zeros(2, 5, 3, device=ELSEWHERE)
    chain = hmm._checked(np.zeros(3), torch.zeros(3, 3), evidence, np.array([5, 2]))
    assert {part.device for part in chain[:4]} == {ELSEWHERE}
    mean = torch.zeros(2, 5, 3, device=ELSEWHERE)
    blocks = np.zeros((2, 5, 3, 3)), torch.zeros(2, 4, 3, 3)
    gaussian = lds._checked(*blocks, mean, torch.tensor([5, 2]))
    assert {part.device for part in gaussian[:4]} == {ELSEWHERE}


def test_faults_are_read_where_they_lie():
    assert dispatch.no_fault(2).tolist() == [-1, -1]
    assert dispatch.no_fault(0).device.type == "cpu"


@pytest.mark.parametrize("frames", [1, 4])
@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_transitions_that_are_no_numbers_make_every_state_impossible(bad, frames, monkeypatch):
    """That is how a GPU, whose potentials nobody looks at first, comes to refuse them."""
    monkeypatch.setattr(dispatch, "refuse_endless", lambda name, potential: None)
    transition, initial = (
        torch.zeros(2, 3, 3, dtype=torch.float64),
        torch.zeros(1, 3, dtype=torch.float64),
    )
    transition[1, 2, 0] = bad
    spoiled = dispatch.spoiled(initial, transition)
    assert torch.equal(spoiled[0], initial[0])
    assert spoiled[1].isnan().all()
    with pytest.raises(ImpossibleEvidence, match="sequence 1, frame 0"):
        hmm.marginals(spoiled, torch.zeros(3, 3), torch.zeros(2, frames, 3))


def test_products_are_in_full_precision_and_leave_the_programs_choice():
    settings = torch.backends.cuda.matmul
    if not hasattr(settings, "fp32_precision"):
        pytest.skip("this torch has the older setting alone")
    before = settings.fp32_precision
    try:
        settings.fp32_precision = "tf32"  # after this, to read the older setting raises
        with products._full_precision():
            assert settings.fp32_precision == "ieee"
        assert settings.fp32_precision == "tf32"
    finally:
        settings.fp32_precision = before
