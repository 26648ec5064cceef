"""Any result file as named arrays, without its provenance."""

import json

import h5py
import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import save_file

from syllabary.errors import BadInput
from syllabary.provenance import Provenance
from syllabary.records import tables
from syllabary.records.contents import open_contents

MADE = Provenance("test", {}, 1, {}, "code")


def arrays(path):
    with open_contents(path) as contents:
        return {name: np.asarray(array[() if array.shape == () else slice(None)])
                for name, array in contents.items()}  # fmt: skip


def test_datasets_and_attributes_of_hdf5(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as h5:
        h5["group/values"] = [1.0, 2.0]
        h5.attrs.update({"fps": 30.0, "provenance": "{}", "schema": 3})
        h5["group"].attrs["unit"] = "mm"
    contents = arrays(tmp_path / "a.h5")
    assert set(contents) == {"group/values", "@fps", "group@unit"}
    np.testing.assert_array_equal(contents["group/values"], [1, 2])


def test_columns_of_parquet_keep_their_types(tmp_path):
    table = pd.DataFrame({"count": np.array([1, 2], "int32"), "name": pd.array(["a", pd.NA], "string")})
    tables.write(tmp_path / "a.parquet", table, MADE)
    contents = arrays(tmp_path / "a.parquet")
    assert contents["count"].dtype == np.int32
    assert contents["count@type"] == "int32"
    assert contents["name"].tolist() == ["a", None]


def test_tensors_and_their_metadata_without_settings(tmp_path):
    about = {"fps": 30.0, "settings": {"network": "conv"}, "names": ["a", "b"]}
    metadata = {"syllabary": json.dumps(about)}
    save_file({"weights": np.arange(3.0)}, tmp_path / "a.safetensors", metadata)
    contents = arrays(tmp_path / "a.safetensors")
    assert set(contents) == {"weights", "@fps", "@names.0", "@names.1"}


def test_values_of_json_have_dotted_names(tmp_path):
    nested = {"scores": {"all": {"ami": 0.5, "rows": [{"label": 1}, {"label": None}]}}, "bins": [1, 2]}
    (tmp_path / "a.json").write_text(json.dumps({**nested, "provenance": {"step": "score"}}))
    contents = arrays(tmp_path / "a.json")
    assert set(contents) == {
        "scores.all.ami", "scores.all.rows.0.label", "scores.all.rows.1.label", "bins",
    }  # fmt: skip
    np.testing.assert_array_equal(contents["bins"], [1, 2])


@pytest.mark.parametrize(("suffix", "separator"), [(".csv", ","), (".tsv", "\t")])
def test_text_tables_are_columns_of_text(tmp_path, suffix, separator):
    text = "# {}\na,b\n1,x\n2,\n".replace(",", separator)
    (tmp_path / f"a{suffix}").write_text(text)
    contents = arrays(tmp_path / f"a{suffix}")
    assert {name: array.tolist() for name, array in contents.items()} == {
        "a": ["1", "2"],
        "b": ["x", ""],
    }


@pytest.mark.parametrize("suffix", [".h5", ".parquet", ".safetensors", ".json"])
def test_a_damaged_file_is_refused(tmp_path, suffix):
    (tmp_path / f"a{suffix}").write_bytes(b"\x00\x01not a file")
    with pytest.raises(BadInput, match="cannot be read"), open_contents(tmp_path / f"a{suffix}"):
        pass


def test_rows_of_unequal_length_are_refused(tmp_path):
    (tmp_path / "a.csv").write_text("a,b\n1\n")
    with pytest.raises(BadInput, match="unequal length"), open_contents(tmp_path / "a.csv"):
        pass
