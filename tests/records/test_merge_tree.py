"""What ``label`` reads of a model file; that a model writes it is tested with the model."""

import json

import numpy as np
import pytest
from safetensors.numpy import save_file

from syllabary.errors import BadInput
from syllabary.records.merge_tree import MergeTree

TREE = np.array([[0, 1, 0.5, 2.0]])


def write(path, tensors, **about):
    save_file({"other": np.ones(3), **tensors}, path, {"syllabary": json.dumps(about)})
    return path


def test_tree_and_names_are_read(tmp_path):
    path = write(tmp_path / "m.safetensors", {"linkage": TREE}, kind="model", classes=["a"])
    tree = MergeTree.load(path)
    np.testing.assert_array_equal(tree.linkage, TREE)
    assert tree.classes == ("a",)


def test_a_model_of_before_has_no_tree(tmp_path):
    tree = MergeTree.load(write(tmp_path / "m.safetensors", {}, kind="model", classes=[]))
    assert tree.linkage.shape == (0, 4)
    assert tree.classes == ()


def test_what_is_no_model_is_refused(tmp_path):
    with pytest.raises(BadInput, match="'syllabary fit'"):
        MergeTree.load(tmp_path / "none.safetensors")
    path = write(tmp_path / "m.safetensors", {}, kind="training")
    with pytest.raises(BadInput, match=r"m\.safetensors: holds no model"):
        MergeTree.load(path)
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(BadInput, match=r"m\.safetensors: not a whole model"):
        MergeTree.load(path)
