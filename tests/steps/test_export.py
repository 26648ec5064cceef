"""Step ``export``: labels and tables for other programs."""

import pandas as pd
import pytest

from syllabary.errors import UnknownName
from syllabary.provenance import Provenance
from syllabary.records import tables
from syllabary.steps import export


def run(results, folder, name, tmp_path):
    usage = tmp_path / "usage.parquet"
    content = pd.DataFrame({"recording": ["m1"], "syllable": [0], "usage": [0.5]})
    tables.write(usage, content, Provenance("test", {}, None, {}, ""))
    export(
        labels=results.each("labels", "m.parquet"),
        crops=results.each("crops.h5"),
        results=[usage],
        folder=folder,
        format=name,
        recordings=results.rows,
        settings={},
    )


def test_frames_of_every_recording_carry_their_animal_and_place(labeled, tmp_path):
    run(labeled, tmp_path / "csv", "csv", tmp_path)
    frames = pd.read_csv(tmp_path / "csv" / "frames.csv", comment="#")
    assert list(frames.columns[:4]) == ["recording", "subject", "group", "role"]
    assert frames["recording"].value_counts().to_dict() == dict.fromkeys(("m1", "m2", "m3", "m4"), 600)
    assert {"syllable", "x_px", "y_px", "px_mm", "speed_mm_s"} <= set(frames)
    assert (tmp_path / "csv" / "usage.csv").is_file()


def test_an_unknown_format_gets_the_nearest_one(labeled, tmp_path):
    with pytest.raises(UnknownName, match="no export 'cvs'; did you mean 'csv'"):
        run(labeled, tmp_path / "cvs", "cvs", tmp_path)
