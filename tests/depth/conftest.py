"""Fixtures of the depth room: a small recording with a known answer."""

import numpy as np
import pytest

from oracles.depth_scene import CAMERA, INTERVAL_MS, Scene, render, stroll, write_session
from syllabary.depth import extraction
from syllabary.depth.settings import ExtractSettings
from syllabary.provenance import Provenance


@pytest.fixture(scope="session")
def scene(tmp_path_factory) -> Scene:
    """70 frames of 73 ticks with 1 mm of noise: 1 and 2 ticks dropped."""
    rng = np.random.default_rng(5)
    x, y, heading = stroll(73)
    kept = np.ones(73, bool)
    kept[[10, 40, 41]] = False
    frames = [
        render(*p, rng=rng, noise_mm=1.0) for p in zip(x[kept], y[kept], heading[kept], strict=True)
    ]
    times = 5e8 + (np.arange(73) * INTERVAL_MS + rng.normal(0, 1, 73))[kept]
    path = write_session(tmp_path_factory.mktemp("raw") / "m1", frames, times)
    return Scene(path, x, y, heading, kept)


@pytest.fixture
def settings() -> ExtractSettings:
    return ExtractSettings.model_validate({"camera": CAMERA})


@pytest.fixture
def made() -> Provenance:
    return Provenance("extract", {}, None, {}, "")


@pytest.fixture
def extract(tmp_path, settings, made):
    """Extract a source and return the path of its crops."""

    def run(source, settings=settings, name="crops", **options):
        crops = tmp_path / f"{name}.h5"
        movie = tmp_path / f"{name}.mp4"
        extraction.extract(source, crops, movie, settings, recording="m1", provenance=made, **options)
        return crops

    return run
