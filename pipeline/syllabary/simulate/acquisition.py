"""A session folder as an acquisition program writes it, and the truth beside it."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..progress import track
from ..provenance import Provenance, generator
from ..records import files, tables
from . import motion, rendering, scene, sensor, truth
from .settings import SimulateSettings

__all__ = ["START_TIME", "frames", "record"]

BLOCK_TICKS = 128
# All simulated sessions begin at the same time, so that files do not depend on when they were made.
START_TIME = "2016-11-23T10:00:00.0000000-05:00"
# The wall mirrors an animal that is nearer than this.
MIRROR_WITHIN_MM = 75.0


def record(
    folder: Path | str,
    settings: SimulateSettings,
    *,
    recording: str,
    subject: str,
    group: str,
    seed: int,
    provenance: Provenance,
) -> None:
    """Write ``depth.dat, depth_ts.txt, metadata.json, truth.parquet``, each whole or not at all.

    Memory grows with the session by its poses alone, some 300 bytes a tick.

    Parameters
    ----------
    folder : path
        Made if it does not exist.
    recording, subject, group : str
        Name the session; the animal's build depends on ``subject``, how often it uses each
        syllable on ``group``.
    seed : int
        The study's seed. The same arguments write the same bytes.
    """
    folder = Path(folder)
    performed = motion.perform(settings, recording=recording, subject=subject, group=group, seed=seed)
    rng = generator(seed, "sensor", subject, recording)
    stamps_ms, dropped = sensor.clock(settings.ticks, settings.camera, settings.drops, rng)
    with files.create(folder / "depth.dat") as temporary, temporary.open("wb") as file:
        shots = frames(performed, settings, dropped, rng)
        for frame in track(shots, f"simulate {recording}", total=int((~dropped).sum()), unit="frames"):
            file.write(frame.astype("<u2", copy=False).data)
    with files.create(folder / "depth_ts.txt") as temporary:
        lines = (f"{stamp:.4f} 0\n" for stamp in stamps_ms[~dropped])
        temporary.write_text("".join(lines), encoding="ascii")
    with files.create(folder / "metadata.json") as temporary:
        about = _metadata(settings, subject=subject, recording=recording)
        temporary.write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")
    footprint = motion.footprints(performed)
    table = truth.table(performed, footprint, stamps_ms, dropped)
    tables.write(folder / "truth.parquet", table, provenance, tables.TRUTH)


def frames(
    performed: motion.Motion,
    settings: SimulateSettings,
    dropped: npt.NDArray[np.bool_],
    rng: np.random.Generator,
) -> Iterator[npt.NDArray[np.uint16]]:
    """Yield the frame (rows, columns) uint16, mm, of every tick that was not dropped.

    The array is reused: copy what is to be kept.
    """
    noise = settings.noise
    camera = rendering.camera_of(settings.camera, settings.arena)
    empty = scene.build(settings, camera, rng)
    keys = rng.integers(0, 2**63, (len(dropped), 4), np.uint64)
    size = (camera.rows, camera.columns)
    field, depth = np.empty(size, np.float32), np.zeros(size, np.float32)
    frame = np.empty(size, np.uint16)
    for start in range(0, len(dropped), BLOCK_TICKS):
        centers, shapes = motion.solids(performed, slice(start, start + BLOCK_TICKS))
        for i in range(len(centers)):
            tick = start + i
            if dropped[tick]:
                continue
            x, y = performed.x_mm[tick], performed.y_mm[tick]
            heading = performed.heading_rad[tick]
            sensor.noise_field(keys[tick, 0], field)
            sensor.expose(empty.depth, empty.spread, empty.dropout, field, keys[tick, 1], frame)
            to_wall = settings.arena.radius_mm - np.hypot(x, y)
            if noise.reflections > 0 and to_wall < MIRROR_WITHIN_MM:
                mirrored = _mirrored(camera, x, y, settings.arena.radius_mm)
                solids = rendering.to_camera(centers[i], shapes[i], x, y, heading, mirrored)
                box = rendering.depth_of(*solids, camera, depth)
                sensor.reflect(
                    depth, box, empty.depth, empty.floor, field, keys[tick, 2], noise.reflections, frame
                )
            solids = rendering.to_camera(centers[i], shapes[i], x, y, heading, camera)
            box = rendering.depth_of(*solids, camera, depth)
            sensor.stamp_body(
                depth, box, empty.depth, field, keys[tick, 3], np.float32(noise.temporal_sd_mm),
                noise.flying, noise.edge_dropout, frame,
            )  # fmt: skip
            yield frame


def _mirrored(
    camera: rendering.Pinhole, x_mm: float, y_mm: float, radius_mm: float
) -> rendering.Pinhole:
    """Return the camera as mirrored by the wall nearest to (x, y)."""
    out = np.array([x_mm, y_mm, 0.0]) / max(np.hypot(x_mm, y_mm), 1e-9)
    flip = np.eye(3) - 2 * np.outer(out, out)
    return camera._replace(
        rotation=camera.rotation @ flip,
        origin=camera.origin + camera.rotation @ (2 * radius_mm * out),
    )


def _metadata(settings: SimulateSettings, *, subject: str, recording: str) -> dict[str, object]:
    return {
        "SubjectName": subject,
        "SessionName": recording,
        "StartTime": START_TIME,
        "DepthResolution": [settings.camera.columns, settings.camera.rows],
        "ColorResolution": [settings.camera.columns, settings.camera.rows],
        "DepthDataType": "UInt16[]",
        "ColorDataType": "Byte[]",
        "IsLittleEndian": True,
        "NidaqChannels": 0,
        "NidaqSamplingRate": 0.0,
    }
