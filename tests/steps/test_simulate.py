"""Step ``simulate``: settings to raw depth video of known syllables."""

import pytest

from syllabary.errors import BadSetting
from syllabary.records import tables
from syllabary.steps import simulate

NAMES = {
    "depth": "depth.dat", "timestamps": "depth_ts.txt", "metadata": "metadata.json",
    "truth": "truth.parquet",
}  # fmt: skip


def run(folder, **settings):
    files = {name: folder / file for name, file in NAMES.items()}
    simulate(
        **files, recording="m1", subject="m1", group="control", settings=settings or {"duration_s": 1},
        seed=1,
    )  # fmt: skip
    return files


def test_it_writes_a_session_and_its_truth(tmp_path):
    files = run(tmp_path)
    truth = tables.read(files["truth"], tables.TRUTH)
    frames = int((~truth["dropped"]).sum())
    assert files["depth"].stat().st_size == frames * 512 * 424 * 2
    assert len(files["timestamps"].read_text().splitlines()) == frames
    assert tables.provenance_of(files["truth"]).settings["duration_s"] == 1


def test_a_wrong_setting_is_named(tmp_path):
    with pytest.raises(BadSetting, match=r"simulate\.duration; did you mean 'duration_s'"):
        run(tmp_path, duration=3)
