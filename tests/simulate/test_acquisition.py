"""A session folder: the same bytes from the same seed, and files that agree with each other."""

import json

import numpy as np
import pytest
from numpy.testing import assert_allclose

from syllabary.provenance import Provenance
from syllabary.records import tables
from syllabary.simulate import acquisition, motion, rendering, sensor, truth
from syllabary.simulate.settings import NoiseSettings, PinholeSettings, SimulateSettings

FILES = ("depth.dat", "depth_ts.txt", "metadata.json", "truth.parquet")


def test_same_seed_same_bytes(session, short, made, tmp_path):
    acquisition.record(
        tmp_path, short, recording="r1", subject="m1", group="control", seed=5, provenance=made
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(FILES)
    for name in FILES:
        assert (tmp_path / name).read_bytes() == (session / name).read_bytes(), name


@pytest.mark.parametrize("change", [{"seed": 6}, {"recording": "r2"}, {"subject": "m2"}])
def test_anything_else_differs(session, short, made, tmp_path, change):
    names = {"recording": "r1", "subject": "m1", "group": "control", "seed": 5, **change}
    brief = short.model_copy(update={"duration_s": 0.3})
    acquisition.record(tmp_path, brief, **names, provenance=made)
    size = (tmp_path / "depth.dat").stat().st_size
    with (session / "depth.dat").open("rb") as file:
        assert file.read(size) != (tmp_path / "depth.dat").read_bytes()


def test_files_agree(session, short):
    table = tables.read(session / "truth.parquet", tables.TRUTH)
    stamps = np.loadtxt(session / "depth_ts.txt")
    kept = table[~table["dropped"]]
    assert len(table) == short.ticks
    assert (session / "depth.dat").stat().st_size == len(kept) * 424 * 512 * 2
    assert stamps.shape == (len(kept), 2)
    assert (stamps[:, 1] == 0).all()
    assert np.array_equal(kept["frame"], np.arange(len(kept)))
    assert (table["frame"][table["dropped"]] == -1).all()
    assert not table["dropped"].iloc[[0, -1]].any()
    assert table["time_s"].iloc[0] == 0
    assert_allclose((stamps[:, 0] - stamps[0, 0]) / 1000, kept["time_s"], atol=1e-7)


def test_gaps_in_time_are_the_lost_frames(session):
    table = tables.read(session / "truth.parquet", tables.TRUTH)
    steps = np.diff(np.loadtxt(session / "depth_ts.txt")[:, 0])
    ticks = np.rint(steps / np.median(steps)).astype(int)
    lost = np.diff(np.flatnonzero(~table["dropped"]))
    assert np.array_equal(ticks, lost)
    assert (lost == 2).any()
    assert (lost > 2).any()


def test_metadata_is_what_readers_expect(session):
    about = json.loads((session / "metadata.json").read_text())
    assert about["SubjectName"] == "m1"
    assert about["SessionName"] == "r1"
    assert about["DepthResolution"] == [512, 424]
    assert about["DepthDataType"] == "UInt16[]"
    assert about["IsLittleEndian"] is True
    assert about["StartTime"][19] == "."
    assert {"ColorResolution", "ColorDataType", "NidaqChannels", "NidaqSamplingRate"} <= set(about)


def test_frames_are_an_arena_in_millimeters(session):
    frames = np.memmap(session / "depth.dat", "<u2", "r").reshape(-1, 424, 512)
    middle = frames[0, 180:240, 220:290].astype(float)
    assert np.median(middle[middle > 0]) == pytest.approx(673, abs=5)
    corners = np.concatenate([frames[0, :20, 200:300].ravel(), frames[0, -20:, 200:300].ravel()])
    assert (corners == 0).mean() > 0.3
    # Frames do not repeat, and noise has the spread that was asked for.
    still = frames[:40, 150:190, 200:240].astype(float)
    spread = np.where((still > 660).all(0), still.std(0), np.nan)
    assert np.nanmedian(spread) == pytest.approx(1.7, abs=0.25)
    assert len({frame.tobytes() for frame in frames[:40]}) == 40


def test_a_failed_session_leaves_no_file(short, tmp_path, monkeypatch, made):
    def fail(*_: object) -> None:
        raise RuntimeError("lens cap")

    monkeypatch.setattr(sensor, "stamp_body", fail)
    with pytest.raises(RuntimeError, match="lens cap"):
        acquisition.record(
            tmp_path, short, recording="r", subject="m", group="control", seed=0, provenance=made
        )
    assert list(tmp_path.iterdir()) == []


def test_truth_is_where_a_clean_image_shows_the_mouse():
    clean = NoiseSettings(
        temporal_sd_mm=0, texture_sd_mm=0, dropout=0, edge_dropout=0, flying=0, reflections=0
    )
    level = PinholeSettings(tilt_x_deg=0, tilt_y_deg=0)
    settings = SimulateSettings(duration_s=3, camera=level, noise=clean)
    camera = rendering.camera_of(settings.camera, settings.arena)
    row, column = np.mgrid[:424, :512]
    off, turned, too_low = [], [], []
    for subject in "abcdef":
        performed = motion.perform(settings, recording="r", subject=subject, group="control", seed=5)
        visible = motion.footprints(performed)
        where = truth.in_arena(performed, 0, visible.center)
        none = np.zeros(settings.ticks, bool)
        shots = acquisition.frames(performed, settings, none, np.random.default_rng(0))
        for tick, frame in enumerate(shots):
            if tick % 5 or np.hypot(*where[tick, :2]) > 120:  # clear of the wall
                continue
            x_px, y_px = rendering.project(where[tick], camera)
            near = np.hypot(column - x_px, row - y_px) < 45
            mask = near & (frame > 0) & (frame < 663)
            z = frame[mask].astype(float)
            x, y = (column[mask] - 256) / 365.5 * z - 6, (row[mask] - 212) / 365.5 * z + 4
            off.append(np.hypot(x.mean() - where[tick, 0], y.mean() - where[tick, 1]))
            spread = np.cov(x, y)
            axis = 0.5 * np.arctan2(2 * spread[0, 1], spread[0, 0] - spread[1, 1])
            turned.append(abs((axis - performed.heading_rad[tick] + np.pi / 2) % np.pi - np.pi / 2))
            too_low.append(visible.top_mm[tick] - (673 - z).max())
    assert len(off) > 60
    # A bent or rearing animal has no one axis: the middle of the sessions, not their extremes.
    assert np.median(off) < 3
    assert np.percentile(off, 90) < 6
    assert np.median(np.rad2deg(turned)) < 6
    assert abs(np.median(too_low)) < 3


def test_provenance_is_in_the_truth(session):
    provenance = tables.provenance_of(session / "truth.parquet")
    assert isinstance(provenance, Provenance)
    assert provenance.step == "simulate"
