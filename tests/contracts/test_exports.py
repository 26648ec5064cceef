"""What every export format promises."""

import numpy as np
import pandas as pd
import pytest

from syllabary import registry
from syllabary.provenance import Provenance
from syllabary.records.crops import SCALARS
from syllabary.records.tables import LABELS

FORMATS = registry.names("syllabary.export")
READABLE = [name for name in FORMATS if hasattr(registry.find("syllabary.export", name), "read")]
PROVENANCE = Provenance("export", {"formats": FORMATS}, 7, {"a": "digest"}, "code")


def frames(rng, recording, T=40):
    """A frame table with everything that is hard to write: missing values, odd names, small types."""
    table = pd.DataFrame(
        {
            "recording": recording, "subject": 'mouse "1", é', "group": "NA", "role": "train",
            "frame": np.where(np.arange(T) % 7 == 3, -1, np.arange(T)), "time_s": np.arange(T) / 30,
            "syllable": rng.integers(-1, 3, T), "state": rng.integers(-1, 9, T),
            "probability": rng.random(T),
            "entropy_nats": np.where(np.arange(T) % 5 == 0, np.nan, rng.random(T)),
            "surprise_nats": 1e3 * rng.standard_normal(T), "bout": np.arange(T) // 4,
            "name": pd.array([None, "rear"] * (T // 2), dtype="string"),
        }
    )  # fmt: skip
    text = dict.fromkeys(["recording", "subject", "group", "role"], "string")
    table = table.astype({**text, **LABELS})
    for name in [*SCALARS, "x_px", "y_px", "px_mm"]:
        table[name] = rng.standard_normal(T).astype(np.float32)
    return table


@pytest.fixture
def tables(rng):
    parts = [frames(rng, "a"), frames(rng, "b", 10)]
    usage = pd.DataFrame({"syllable": np.arange(3, dtype=np.int16), "usage": [0.1, 1 / 3, np.nan]})
    return parts, {"usage": usage, "statistics": usage.iloc[:0]}


@pytest.mark.parametrize("name", READABLE)
def test_what_is_read_back_is_what_was_written(name, tables, tmp_path):
    parts, others = tables
    folder = registry.find("syllabary.export", name)
    written = folder.write(tmp_path, {"frames": iter(parts), **others}, PROVENANCE)
    tables_read = folder.read(tmp_path)
    assert set(tables_read) == {"frames", *others}
    whole = pd.concat(parts, ignore_index=True)
    pd.testing.assert_frame_equal(tables_read["frames"], whole, check_exact=True)
    for key, table in others.items():
        pd.testing.assert_frame_equal(tables_read[key], table, check_exact=True)
    assert all(path.is_file() for path in written)
    assert {path.name for path in tmp_path.iterdir()} == {path.name for path in written}


@pytest.mark.parametrize("name", FORMATS)
def test_the_same_tables_give_the_same_bytes(name, tables, tmp_path):
    parts, others = tables
    folder = registry.find("syllabary.export", name)
    for place in ("one", "two"):
        folder.write(tmp_path / place, {"frames": iter(parts), **others}, PROVENANCE)
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()


@pytest.mark.parametrize("name", FORMATS)
def test_recordings_are_written_one_at_a_time(name, tables, tmp_path):
    """The second recording is asked for when the first is already on disk or in a buffer."""
    import weakref

    alive = []

    def one_at_a_time():
        for part in tables[0] * 3:
            copy = part.assign(recording=pd.array([f"r{len(alive)}"] * len(part), dtype="string"))
            alive.append(weakref.ref(copy))
            yield copy
            del copy
            assert sum(ref() is not None for ref in alive) <= 2

    registry.find("syllabary.export", name).write(tmp_path, {"frames": one_at_a_time()}, PROVENANCE)
    assert len(alive) == 6


@pytest.mark.parametrize("name", FORMATS)
def test_a_failure_leaves_no_half_table(name, tables, tmp_path):
    def broken():
        yield tables[0][0]
        raise RuntimeError("disk on fire")

    with pytest.raises(RuntimeError, match="on fire"):
        registry.find("syllabary.export", name).write(tmp_path, {"frames": broken()}, PROVENANCE)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", FORMATS)
def test_recordings_with_other_columns_are_told(name, tables, tmp_path):
    from syllabary.errors import ShapeError

    parts = [tables[0][0], tables[0][1].assign(sex="f")]
    with pytest.raises(ShapeError, match="differ in the column sex"):
        registry.find("syllabary.export", name).write(tmp_path, {"frames": parts}, PROVENANCE)


@pytest.mark.parametrize("name", FORMATS)
def test_provenance_is_in_the_folder(name, tables, tmp_path):
    registry.find("syllabary.export", name).write(tmp_path, {"frames": tables[0]}, PROVENANCE)
    assert any(b'"digest"' in path.read_bytes() for path in tmp_path.iterdir())
