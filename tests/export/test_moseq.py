import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from syllabary.errors import BadInput
from syllabary.export import moseq
from syllabary.provenance import Provenance

PROVENANCE = Provenance("export", {}, 0, {}, "code")


def frames(T=4):
    wanted = {*moseq.SAME.values(), *moseq.NEEDED}
    table = pd.DataFrame({name: np.arange(T, dtype=float) for name in sorted(wanted)})
    return table.assign(
        time_s=np.arange(T) / 30, speed_mm_s=90.0, bout=[0, 0, -1, 1][:T], recording="r", subject="m"
    )


def test_the_old_names_and_units(tmp_path):
    moseq.write(tmp_path, {"frames": frames()}, PROVENANCE)
    found = pd.read_csv(tmp_path / "moseq_df.csv")
    assert_allclose(found["velocity_2d_mm"], 3), "mm per frame"
    assert_allclose(found["velocity_3d_mm"][1:], np.hypot(3, 1))
    assert_allclose(found["velocity_theta"][1:], np.pi / 4)
    assert_allclose(found["angle"], [0, -1, -2, -3]), "counterclockwise"
    assert_allclose(found["timestamps"], [0, 100 / 3, 200 / 3, 100]), "ms"
    assert found["onset"].tolist() == [True, False, False, True]
    assert (found["SubjectName"] == "m").all() and (found["uuid"] == "r").all()
    for name in ("labels (original)", "labels (usage sort)", "syllable index", "frame index"):
        assert name in found


def test_what_is_missing_is_told(tmp_path):
    with pytest.raises(BadInput, match="has no recording"):
        moseq.write(tmp_path, {}, PROVENANCE)
    with pytest.raises(BadInput, match="lacks bout, which"):
        moseq.write(tmp_path, {"frames": frames().drop(columns="bout")}, PROVENANCE)
