"""Bouts of small studies, written by hand."""

import numpy as np
import pandas as pd
import pytest

from syllabary.syllables import bouts


@pytest.fixture
def study():
    def make(runs, fps=10):
        """Bouts of recordings given as {(recording, subject, group): [(syllable, ticks), ...]}."""
        tables = []
        for (recording, subject, group), parts in runs.items():
            stop = np.cumsum([n for _, n in parts])
            rows = pd.DataFrame({"syllable": [s for s, _ in parts], "stop_tick": stop})
            rows["start_tick"] = stop - [n for _, n in parts]
            rows = rows.assign(
                recording=recording, subject=subject, group=group, role="train", probability=1.0
            )
            rows["bout"], rows["name"] = range(len(rows)), pd.NA
            rows["start_s"], rows["stop_s"] = rows["start_tick"] / fps, rows["stop_tick"] / fps
            rows["duration_s"] = rows["stop_s"] - rows["start_s"]
            tables.append(rows[list(bouts.COLUMNS)].astype(bouts.COLUMNS))
        return bouts.join(tables)

    return make
