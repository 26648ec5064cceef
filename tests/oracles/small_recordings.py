"""A small recording of every format, ten frames of a blunt thing that walks over a level floor.

Nothing here is shared with the package.
"""

import json
import tarfile
from pathlib import Path

import av
import h5py
import numpy as np

from oracles import matroska

COUNT, ROWS, COLUMNS, FOCAL, FLOOR_MM = 10, 60, 80, 70.0, 600
CAMERA = {"fx_px": FOCAL, "fy_px": FOCAL, "cx_px": 39.5, "cy_px": 29.5}
TIMES_MS = 1000 + 33.0 * np.arange(COUNT)


def frames() -> np.ndarray:
    """A blunt thing that walks over a level floor."""
    rows, columns = np.indices((ROWS, COLUMNS))
    depth = np.full((COUNT, ROWS, COLUMNS), FLOOR_MM, np.uint16)
    for i in range(COUNT):
        off = ((columns - 20 - 4 * i) / 6) ** 2 + ((rows - 30) / 3) ** 2
        depth[i][off < 1] -= np.rint(35 * np.sqrt(1 - off[off < 1])).astype(np.uint16)
    return depth


def recordings(folder: Path) -> dict[str, Path]:
    """Write a whole recording of each format; return their paths by name."""
    depth = frames()
    paths = {
        name: folder / name for name in ("session", "avi", "packed", "azure", "mkv", "hdf5", "legacy")
    }
    for path in paths.values():
        path.mkdir(parents=True)
    _session(paths["session"], depth)
    _video(paths["avi"] / "depth.avi", depth)
    _companions(paths["avi"])
    _video(paths["mkv"] / "m1.mkv", depth)
    small = np.full((COUNT, 288, 320), FLOOR_MM, np.uint16)
    small[:, 100:160, 100:180] = depth
    camera = {
        "Purpose": "CALIBRATION_CameraPurposeDepth",
        "Intrinsics": {"ModelParameters": [0.5, 0.5, 0.3, 0.3, *[0.0] * 10]},
    }
    text = json.dumps({"CalibrationInformation": {"Cameras": [camera]}}).encode()
    matroska.write(
        paths["azure"] / "m1.mkv",
        {"DEPTH": small, "IR": small[:, :8, :8]},
        33_333 * np.arange(COUNT),
        calibration=text,
    )
    with h5py.File(paths["hdf5"] / "m1.h5", "w") as h5:
        h5.create_dataset("frames", data=depth, chunks=(4, ROWS, COLUMNS), compression="gzip")
        h5["time_ms"] = TIMES_MS
    moseq2_extraction(paths["legacy"] / "results_00.h5")
    _pack(paths["packed"] / "m1.tar.gz", paths["session"])
    return {
        "session": paths["session"],
        "dat": paths["session"] / "depth.dat",
        "avi": paths["avi"] / "depth.avi",
        "mkv": paths["mkv"] / "m1.mkv",
        "azure": paths["azure"] / "m1.mkv",
        "hdf5": paths["hdf5"] / "m1.h5",
        "legacy": paths["legacy"] / "results_00.h5",
        "packed": paths["packed"] / "m1.tar.gz",
    }


def _pack(path: Path, session: Path) -> None:
    with tarfile.open(path, "w:gz", compresslevel=1) as archive:
        for file in sorted(session.iterdir()):
            archive.add(file, file.name)


def _companions(folder: Path) -> None:
    (folder / "depth_ts.txt").write_text("".join(f"{t:.4f} 0\n" for t in TIMES_MS))
    about = {"SubjectName": "m1", "StartTime": "2020-01-01", "DepthResolution": [COLUMNS, ROWS]}
    (folder / "metadata.json").write_text(json.dumps(about))


def _session(folder: Path, depth: np.ndarray) -> None:
    depth.astype("<u2").tofile(folder / "depth.dat")
    _companions(folder)


def _video(path: Path, depth: np.ndarray) -> None:
    with av.open(str(path), "w") as container:
        track = container.add_stream("ffv1", rate=30)
        track.height, track.width, track.pix_fmt = *depth.shape[1:], "gray16le"
        track.options = {"level": "3", "g": "3", "slices": "4", "slicecrc": "1", "threads": "1"}
        for frame in depth:
            container.mux(track.encode(av.VideoFrame.from_ndarray(frame, format="gray16le")))
        container.mux(track.encode(None))


def moseq2_extraction(path: Path) -> np.ndarray:
    """Write what MoSeq2 would extract; return its crops."""
    crops = np.zeros((COUNT, 80, 80), np.uint8)
    rows, columns = np.indices((80, 80)) - 40
    crops[:] = np.where((columns / 20) ** 2 + (rows / 9) ** 2 < 1, 30, 0)
    with h5py.File(path, "w") as h5:
        h5.create_dataset("frames", data=crops, compression="gzip")
        h5["timestamps"] = TIMES_MS
        h5["scalars/centroid_x_px"] = 20.0 + 4 * np.arange(COUNT)
        h5["scalars/centroid_y_px"] = np.full(COUNT, 30.0)
        h5["scalars/angle"] = np.zeros(COUNT)
        h5["metadata/extraction/background"] = np.full((ROWS, COLUMNS), float(FLOOR_MM))
        h5["metadata/extraction/roi"] = np.ones((ROWS, COLUMNS), bool)
        h5["metadata/acquisition/StartTime"] = "2020-01-01"
    return crops
