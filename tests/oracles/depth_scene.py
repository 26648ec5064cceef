"""A small scene with a known answer: a pear on a level floor, seen by a pinhole camera.

Depth is found along each ray by fixed-point iteration; nothing here is shared with the
package.
"""

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np

ROWS, COLUMNS, FOCAL, FLOOR_MM, HALF_MM = 240, 320, 240.0, 600.0, 200.0
CX, CY = (COLUMNS - 1) / 2 + 8, (ROWS - 1) / 2 - 5
CAMERA = {"fx_px": FOCAL, "fy_px": FOCAL, "cx_px": CX, "cy_px": CY}
INTERVAL_MS = 33.0


class Scene(NamedTuple):
    """A recording that was written, and its truth, one row per frame."""

    path: Path
    x_mm: np.ndarray
    y_mm: np.ndarray
    heading_rad: np.ndarray
    kept: np.ndarray


def pear(
    along: np.ndarray, across: np.ndarray, length: float = 80, width: float = 36, height: float = 34
):
    """Height of a mouse-like body: broad behind, narrow in front, no tail."""
    s = along / (length / 2)
    narrow = np.clip(1 - 0.45 * s, 0.3, 1.4)
    inside = 1 - s**2 - (across / (width / 2 * narrow)) ** 2
    return height * np.sqrt(np.clip(inside, 0, None))


def render(x, y, heading, *, body=pear, rng=None, noise_mm=0.0):
    """Depth image of the empty arena (x None) or with a body at (x, y) mm."""
    rows, columns = np.indices((ROWS, COLUMNS), dtype=float)
    ray_x, ray_y = (columns - CX) / FOCAL, (rows - CY) / FOCAL
    walled = np.maximum(np.abs(ray_x), np.abs(ray_y)) * FLOOR_MM > HALF_MM
    depth = np.where(walled, FLOOR_MM - 200, FLOOR_MM)
    if x is not None:
        mouse = np.full_like(depth, FLOOR_MM)
        for _ in range(12):
            dx, dy = ray_x * mouse - x, ray_y * mouse - y
            along = dx * np.cos(heading) + dy * np.sin(heading)
            across = -dx * np.sin(heading) + dy * np.cos(heading)
            mouse = 0.5 * mouse + 0.5 * (FLOOR_MM - body(along, across))
        depth = np.minimum(depth, mouse)
    if noise_mm:
        depth = depth + rng.normal(0, noise_mm, depth.shape)
    return np.rint(depth).astype("<u2")


def write_session(folder: Path, frames, times_ms) -> Path:
    folder.mkdir(parents=True)
    np.asarray(frames, "<u2").tofile(folder / "depth.dat")
    (folder / "depth_ts.txt").write_text("".join(f"{t:.4f} 0\n" for t in times_ms))
    metadata = {
        "SubjectName": "m1",
        "StartTime": "2020-01-01T00:00:00",
        "DepthResolution": [COLUMNS, ROWS],
    }
    (folder / "metadata.json").write_text(json.dumps(metadata))
    return folder


def stroll(count: int):
    """A mouse on a circle, which stands still for the second half."""
    walked = np.minimum(np.arange(count), count // 2)
    angle = walked * 0.05
    return 100 * np.cos(angle), 80 * np.sin(angle), np.arctan2(80 * np.cos(angle), -100 * np.sin(angle))
