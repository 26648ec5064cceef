import json

import pandas as pd
import pyarrow.parquet as pq
import pytest

from syllabary.errors import BadInput
from syllabary.export import parquet
from syllabary.provenance import Provenance
from syllabary.records import tables

PROVENANCE = Provenance("export", {}, 0, {}, "code")


def test_units_and_provenance_travel_in_the_file(tmp_path):
    path = parquet.write(tmp_path, {"bouts": pd.DataFrame({"start_s": [0.5]})}, PROVENANCE)[0]
    assert tables.provenance_of(path) == PROVENANCE
    assert json.loads(pq.read_schema(path).metadata[b"columns"])["start_s"]["unit"] == "s"


def test_a_recording_is_a_row_group(tmp_path):
    part = pd.DataFrame({"frame": [0, 1]})
    path = parquet.write(tmp_path, {"frames": iter([part, part, part])}, PROVENANCE)[0]
    assert pq.ParquetFile(path).num_row_groups == 3


def test_a_column_missing_everywhere_in_the_first_recording_keeps_its_type(tmp_path):
    parts = [pd.DataFrame({"name": pd.array([value], dtype="string")}) for value in (None, "rear")]
    parquet.write(tmp_path, {"frames": parts}, PROVENANCE)
    names = parquet.read(tmp_path)["frames"]["name"]
    assert names.isna().tolist() == [True, False] and names[1] == "rear"


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(BadInput, match="no parquet table"):
        parquet.read(tmp_path)
