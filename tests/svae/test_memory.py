"""A GPU whose memory is full: half as much at once, and the log says so."""

import pytest
import torch

from syllabary.svae import memory


def needs_no_more_than(limit):
    tried = []

    def run(size):
        tried.append(size)
        if size > limit:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return "done"

    return run, tried


def test_half_as_many_are_done_at_once_until_they_fit(caplog):
    run, tried = needs_no_more_than(20)
    assert memory.halved(run, 128, "frames") == "done"
    assert tried == [128, 64, 32, 16]
    assert "goes on with 16 frames at once, not 32" in caplog.text


def test_what_does_not_fit_alone_is_an_error():
    run, tried = needs_no_more_than(0)
    with pytest.raises(torch.OutOfMemoryError):
        memory.halved(run, 4, "frames")
    assert tried == [4, 2, 1]
