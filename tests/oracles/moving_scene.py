"""A round arena whose camera, floor and visitors move; a mouse of one ellipsoid on a circle.

Depth is found by crossing rays with solids; nothing here is shared with the package.
"""

import json
from pathlib import Path

import numpy as np

ROWS, COLUMNS, FOCAL, FLOOR_MM = 288, 320, 252.2, 640.0
RADIUS_MM, WALL_MM, OUTSIDE_MM = 190.0, 140.0, 1400.0
CAMERA = {"fx_px": FOCAL, "fy_px": FOCAL, "cx_px": 159.5, "cy_px": 143.5}
FPS, SPEED_MM_S, CIRCLE_MM = 30.0, 130.0, 95.0
LENGTH_MM, WIDTH_MM, HEIGHT_MM = 80.0, 34.0, 30.0

V, U = np.mgrid[:ROWS, :COLUMNS].astype(float)
X, Y = (U - CAMERA["cx_px"]) / FOCAL, (V - CAMERA["cy_px"]) / FOCAL


def empty(floor_mm: float = FLOOR_MM, slope: tuple[float, float] = (0.0, 0.0)) -> np.ndarray:
    """Depth of the arena without an animal; its wall stays where the slope tilts its floor."""
    floor = floor_mm / (1 - slope[0] * X - slope[1] * Y)
    wall = RADIUS_MM / np.maximum(np.hypot(X, Y), 1e-9)
    return np.where(wall >= floor, floor, np.where(wall >= floor_mm - WALL_MM, wall, OUTSIDE_MM))


def laid(depth, place, heading, *, size=1.0, floor_mm=FLOOR_MM):
    """Lay an ellipsoid of a mouse's size on the floor."""
    rx, ry, rz = (0.5 * size * s for s in (LENGTH_MM, WIDTH_MM, HEIGHT_MM))
    c, s = np.cos(heading), np.sin(heading)
    px, py = (c * X + s * Y) / rx, (-s * X + c * Y) / ry
    qx, qy = (c * place[0] + s * place[1]) / rx, (-s * place[0] + c * place[1]) / ry
    qz = (floor_mm - rz) / rz
    a, b = px**2 + py**2 + 1 / rz**2, px * qx + py * qy + qz / rz
    root = b**2 - a * (qx**2 + qy**2 + qz**2 - 1)
    hit = root > 0
    return np.where(hit, np.minimum(depth, (b - np.sqrt(np.where(hit, root, 0))) / a), depth)


def circle(times_s, *, phase=0.0, speed=SPEED_MM_S):
    """Place and heading on a circle."""
    angle = phase + np.asarray(times_s) * speed / CIRCLE_MM
    return CIRCLE_MM * np.stack([np.cos(angle), np.sin(angle)], axis=-1), angle + np.pi / 2


def film(count: int, *, absent=(), floor_mm=FLOOR_MM, slope=(0.0, 0.0), seed=0) -> np.ndarray:
    """Frames (count, rows, columns) float mm with 1 mm of noise; ``floor_mm`` may be one per frame."""
    rng = np.random.default_rng(seed)
    floors = np.broadcast_to(floor_mm, count)
    place, heading = circle(np.arange(count) / FPS)
    out = np.empty((count, ROWS, COLUMNS), np.float32)
    for i in range(count):
        depth = empty(floors[i], slope)
        if i not in absent:
            depth = laid(depth, place[i], heading[i], floor_mm=floors[i])
        out[i] = depth + rng.normal(0, 1, depth.shape)
    return out


def session(folder: Path, frames: np.ndarray) -> Path:
    """Write frames as a session folder."""
    folder.mkdir(parents=True)
    np.rint(frames).astype("<u2").tofile(folder / "depth.dat")
    times = 1000 * np.arange(len(frames)) / FPS
    (folder / "depth_ts.txt").write_text("".join(f"{t:.4f} 0\n" for t in times))
    (folder / "metadata.json").write_text(json.dumps({"DepthResolution": [COLUMNS, ROWS]}))
    return folder
