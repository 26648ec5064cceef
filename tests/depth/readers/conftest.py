"""Recordings of random frames, each value of uint16 possible."""

import json
from pathlib import Path

import av
import numpy as np
import pytest

COUNT, ROWS, COLUMNS = 23, 12, 20


@pytest.fixture
def frames(rng):
    return rng.integers(0, 2**16, (COUNT, ROWS, COLUMNS)).astype(np.uint16)


@pytest.fixture
def times_ms(rng):
    return 5e8 + np.cumsum(rng.uniform(30, 40, COUNT))


@pytest.fixture
def session(tmp_path, frames, times_ms):
    folder = tmp_path / "raw" / "m1"
    folder.mkdir(parents=True)
    frames.astype("<u2").tofile(folder / "depth.dat")
    (folder / "depth_ts.txt").write_text("".join(f"{t:.6f} 0\n" for t in times_ms))
    (folder / "metadata.json").write_text(
        json.dumps({"SubjectName": "m1", "DepthResolution": [COLUMNS, ROWS]})
    )
    return folder


@pytest.fixture
def ffv1():
    """Write FFV1 of 16-bit gray by PyAV alone."""

    def write(path: Path, frames, pixels="gray16le", codec="ffv1", **options) -> Path:
        settings = {"level": "3", "g": "4", "slices": "4", "slicecrc": "1"} | options
        with av.open(str(path), "w") as container:
            track = container.add_stream(codec, rate=30)
            track.height, track.width = frames.shape[1:]
            track.pix_fmt = pixels
            track.options = settings if codec == "ffv1" else {}
            for frame in frames:
                image = av.VideoFrame.from_ndarray(frame, format="gray16le")
                container.mux(track.encode(image.reformat(format=pixels)))
            container.mux(track.encode(None))
        return path

    return write
