"""The same recording in any format gives the same crops, to the bit."""

import tarfile

import h5py
import numpy as np
import pytest

from syllabary.depth import conversion, sources
from syllabary.depth.settings import SourceSettings
from syllabary.records.crops import Crops

AS_IT_IS = SourceSettings()


def content(path):
    with Crops(path) as crops:
        return (
            crops.time_s.tobytes(),
            crops.heights().tobytes(),
            crops.observed().tobytes(),
            crops.scalars.to_numpy().tobytes(),
            crops.tracking.astype(float).to_numpy().tobytes(),
        )


@pytest.fixture
def convert(scene, tmp_path):
    def convert(kind):
        if kind == "tgz":
            path = tmp_path / "m1.tgz"
            with tarfile.open(path, "w:gz", compresslevel=1) as archive:
                archive.add(scene.path, "session")
            return path
        if kind == "h5":
            path = tmp_path / "m1.h5"
            with sources.open_recording(scene.path) as video, h5py.File(path, "w") as h5:
                h5["frames"], h5["time_s"] = video.read(0, len(video)), video.timestamps_s
            return path
        path = tmp_path / kind / f"m1.{kind}"
        conversion.convert(scene.path, path, AS_IT_IS)
        return path

    return convert


@pytest.mark.parametrize("kind", ["avi", "mkv", "dat", "tgz", "h5"])
def test_the_same_crops_from_any_format(scene, extract, convert, kind):
    expected = content(extract(scene.path))
    path = convert(kind)
    assert content(extract(path, name="other")) == expected
    assert np.frombuffer(expected[1], np.uint8).any()
