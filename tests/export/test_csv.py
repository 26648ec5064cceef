import json

import pandas as pd
import pytest

from syllabary.errors import BadInput
from syllabary.export import csv
from syllabary.provenance import Provenance

PROVENANCE = Provenance("export", {}, 0, {}, "code")


def test_units_are_written_for_people_and_programs(tmp_path):
    csv.write(tmp_path, {"bouts": pd.DataFrame({"start_s": [0.5], "sex": ["f"]})}, PROVENANCE)
    about = json.loads((tmp_path / "columns.json").read_text())
    assert about["tables"]["bouts"]["start_s"] == {
        "unit": "s", "meaning": "start of the bout", "type": "float64"
    }  # fmt: skip
    assert about["provenance"]["step"] == "export"
    assert "| start_s | s | start of the bout |" in (tmp_path / "README.md").read_text()
    assert (tmp_path / "bouts.csv").read_bytes() == b"start_s,sex\n0.5,f\n"


def test_an_iterable_without_parts_makes_no_file(tmp_path):
    csv.write(tmp_path, {"frames": iter([])}, PROVENANCE)
    assert not (tmp_path / "frames.csv").exists()
    assert csv.read(tmp_path) == {}


def test_a_folder_without_columns_is_refused(tmp_path):
    with pytest.raises(BadInput, match=r"columns\.json: no such file"):
        csv.read(tmp_path)
