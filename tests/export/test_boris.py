"""A BORIS project comes back as the bouts that were written."""

import json

import numpy as np
import pandas as pd
import pytest

from syllabary.errors import BadInput
from syllabary.export import boris
from syllabary.provenance import Provenance
from syllabary.records import annotations

PROVENANCE = Provenance("export", {}, 1, {}, "code")


def frames(recording, syllable, bout, names=()):
    count = len(syllable)
    return pd.DataFrame(
        {
            "recording": recording, "subject": "m é", "frame": np.arange(count), "syllable": syllable,
            "time_s": np.arange(count) / 10, "bout": bout,
            "name": [dict(names).get(s) for s in syllable],
        }
    )  # fmt: skip


TWO = [
    # Unlabeled ticks in the middle; the last bout ends with the recording; two syllables of one name.
    frames("r1", [0, 0, -1, 1, 2, 2, 0], [0, 0, -1, 1, 2, 2, 3], {1: "rear", 2: "rear"}),
    frames("r2", [1, 1], [0, 0], {1: "rear", 2: "rear"}),
]


def bouts(folder, recordings=("r1", "r2")):
    """Bouts of a project by our reader, and by hand from its events."""
    path = folder / "syllables.boris"
    read = {
        (b.recording, round(b.start_s, 6), round(b.stop_s, 6), b.behavior)
        for b in annotations.bouts(path, recordings)
    }
    content = json.loads(path.read_text())
    by_hand = set()
    for name, observation in content["observations"].items():
        running = {}
        for time, _, code, _, _, _ in observation["events"]:
            if code in running:
                by_hand.add((name, round(running.pop(code), 6), round(time, 6), code))
            else:
                running[code] = time
        assert not running
    assert read == by_hand
    return read, content


def test_bouts_come_back(tmp_path):
    boris.write(tmp_path, {"frames": iter(TWO)}, PROVENANCE)
    read, content = bouts(tmp_path)
    assert read == {
        ("r1", 0.0, 0.2, "syllable 0"),
        ("r1", 0.3, 0.4, "rear"),
        ("r1", 0.4, 0.6, "rear"),
        ("r1", 0.6, 0.7, "syllable 0"),
        ("r2", 0.0, 0.2, "rear"),
    }
    codes = [behavior["code"] for behavior in content["behaviors_conf"].values()]
    assert codes == ["rear", "syllable 0"]
    observation = content["observations"]["r1"]
    assert observation["media_info"]["fps"] == {"r1.mp4": 10.0}
    assert observation["media_info"]["length"]["r1.mp4"] == pytest.approx(0.7)
    assert [event[5] for event in observation["events"]] == [0, 2, 3, 4, 4, 6, 6, 6]


def test_a_table_that_lacks_a_column_is_told(tmp_path):
    with pytest.raises(BadInput, match="lacks bout"):
        boris.write(tmp_path, {"frames": [TWO[0].drop(columns="bout")]}, PROVENANCE)
    with pytest.raises(BadInput, match="has no recording"):
        boris.write(tmp_path, {}, PROVENANCE)
