import math
from typing import NamedTuple

import numpy as np
import pytest
import safetensors.torch
import torch

from syllabary.errors import BadInput
from syllabary.svae import checkpoint


class Inner(NamedTuple):
    scale: torch.Tensor


class Outer(NamedTuple):
    inner: Inner
    weight: torch.Tensor


def test_round_trip_is_exact(tmp_path, rng):
    tensors = {
        "b": torch.from_numpy(rng.standard_normal((3, 4))),
        "a": rng.standard_normal(5).astype(np.float32),
        "flag": np.array([True, False]),
        "count": torch.tensor(7),
        "turned": torch.arange(6).reshape(2, 3).T,
        "empty": torch.zeros(0, 3),
    }
    metadata = {"bound": -math.inf, "kappa": 1 / 3, "nested": {"x": [1, None]}}
    path = tmp_path / "new" / "model.safetensors"
    checkpoint.save(path, tensors, metadata)
    result, about = checkpoint.load(path)
    assert about == metadata
    assert result.keys() == tensors.keys()
    for name, value in tensors.items():
        assert torch.equal(result[name], torch.as_tensor(value))
        assert result[name].dtype == torch.as_tensor(value).dtype


def test_same_content_same_bytes_in_any_order(tmp_path):
    first = {"a": torch.ones(2), "b": torch.zeros(3)}
    checkpoint.save(tmp_path / "1", first, {"x": 1, "y": 2})
    checkpoint.save(tmp_path / "2", dict(reversed(first.items())), {"y": 2, "x": 1})
    assert (tmp_path / "1").read_bytes() == (tmp_path / "2").read_bytes()


def test_records_of_records_come_back():
    record = Outer(Inner(torch.ones(2)), torch.zeros(1))
    named = checkpoint.flatten(record, "parameters.")
    assert list(named) == ["parameters.inner.scale", "parameters.weight"]
    again = checkpoint.restore(Outer, named, "parameters.")
    assert torch.equal(again.inner.scale, record.inner.scale)
    del named["parameters.inner.scale"]
    with pytest.raises(BadInput, match=r"no tensor 'parameters\.inner\.scale'"):
        checkpoint.restore(Outer, named, "parameters.")


@pytest.mark.parametrize("length", [0, 4, 60, -1])
def test_truncated_files_say_so(tmp_path, length):
    path = tmp_path / "model.safetensors"
    checkpoint.save(path, {"a": torch.ones(100)}, {"kind": "model"})
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(BadInput, match=r"not a whole safetensors file|is empty"):
        checkpoint.load(path)


def test_missing_and_foreign_files_say_so(tmp_path):
    with pytest.raises(BadInput, match="no such file"):
        checkpoint.load(tmp_path / "none")
    path = tmp_path / "other.safetensors"
    safetensors.torch.save_file({"a": torch.ones(1)}, path)
    with pytest.raises(BadInput, match="of another program"):
        checkpoint.load(path)
