"""Results under the names of keypoint-MoSeq."""

import h5py
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from syllabary.errors import BadInput
from syllabary.export import keypoint_moseq
from syllabary.provenance import Provenance

PROVENANCE = Provenance("export", {}, 1, {}, "code")


def frames(recording, rng, count=9):
    return pd.DataFrame(
        {
            "recording": recording,
            "syllable": rng.integers(-1, 4, count).astype(np.int16),
            "x_mm": rng.standard_normal(count).astype(np.float32),
            "y_mm": rng.standard_normal(count).astype(np.float32),
            "heading_rad": rng.standard_normal(count).astype(np.float32),
        }
    )


def test_results_have_the_arrays_of_each_recording(tmp_path, rng):
    tables = [frames("a", rng), frames("b", rng, 4)]
    written = keypoint_moseq.write(tmp_path, {"frames": iter(tables)}, PROVENANCE)
    assert {path.name for path in written} == {"results.h5", "a.csv", "b.csv", "provenance.json"}
    with h5py.File(tmp_path / "results.h5") as results:
        assert set(results) == {"a", "b"}
        for table in tables:
            name = table["recording"][0]
            assert_array_equal(results[name]["syllable"], table["syllable"])
            assert_allclose(results[name]["centroid"], table[["x_mm", "y_mm"]])
            assert_allclose(results[name]["heading"], table["heading_rad"])
            csv = pd.read_csv(tmp_path / f"{name}.csv")
            assert list(csv) == ["syllable", "centroid x", "centroid y", "heading"]
            assert_array_equal(csv["syllable"], table["syllable"])
            assert_allclose(csv["heading"], table["heading_rad"], rtol=1e-6)


def test_a_table_that_lacks_a_column_is_told(tmp_path, rng):
    with pytest.raises(BadInput, match="lacks heading_rad"):
        keypoint_moseq.write(
            tmp_path, {"frames": [frames("a", rng).drop(columns="heading_rad")]}, PROVENANCE
        )
    with pytest.raises(BadInput, match="has no recording"):
        keypoint_moseq.write(tmp_path, {}, PROVENANCE)
