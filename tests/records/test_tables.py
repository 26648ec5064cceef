import pandas as pd
import pytest

from syllabary.errors import BadInput
from syllabary.provenance import Provenance
from syllabary.records import tables

MADE = Provenance("segment", {}, 1, {}, "code")


def labels(rows=3):
    values = {
        name: ["x"] * rows if kind == "string" else [0] * rows for name, kind in tables.LABELS.items()
    }
    return pd.DataFrame(values)


def test_round_trip_keeps_types_values_and_provenance(tmp_path):
    path = tmp_path / "labels.parquet"
    tables.write(path, labels(), MADE, tables.LABELS)
    loaded = tables.read(path, tables.LABELS)
    assert loaded["syllable"].dtype == "int16"
    assert loaded["time_s"].dtype == "float64"
    assert len(loaded) == 3
    assert tables.provenance_of(path) == MADE


def test_the_same_table_gives_the_same_bytes(tmp_path):
    for name in "ab":
        tables.write(tmp_path / name, labels(), MADE)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_table_without_its_columns_is_refused(tmp_path):
    with pytest.raises(BadInput, match="lacks bout"):
        tables.write(tmp_path / "x", labels().drop(columns="bout"), MADE, tables.LABELS)
    tables.write(tmp_path / "x", labels().drop(columns="bout"), MADE)
    with pytest.raises(BadInput, match="lacks the column bout; it has frame"):
        tables.read(tmp_path / "x", tables.LABELS)


def test_a_truncated_table_says_so(tmp_path):
    path = tmp_path / "x.parquet"
    tables.write(path, labels(), MADE)
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(BadInput, match="not a whole parquet table"):
        tables.read(path)
