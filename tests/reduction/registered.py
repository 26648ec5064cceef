"""Simulated crops of a bent, asymmetric animal with errors of tracking."""

import numpy as np

from syllabary.provenance import Provenance
from syllabary.records.crops import SCALARS, TRACKING, CropsWriter

PROVENANCE = Provenance("test", {}, 0, {}, "code")
SIZE, PIXEL_MM, FPS = (40, 44), 4.0, 30.0


def animals(rng, T, *, jitter_px=1.0, jitter_rad=0.05, noise_mm=1.0):
    """Heights (T, H, W), mm, and shifts (T, 3); the animal bends slowly, the shifts are white noise."""
    walk = np.cumsum(rng.standard_normal((3, T)), 1)
    bend, length, raise_ = np.tanh(0.15 * (walk - walk.mean(1, keepdims=True)))[..., None, None]
    shifts = rng.standard_normal((T, 3)) * (jitter_px, jitter_px, jitter_rad)
    rows, columns = np.indices(SIZE, float)
    dx, dy, turn = shifts.T[..., None, None]
    x, y = columns - (SIZE[1] - 1) / 2 - dx, rows - (SIZE[0] - 1) / 2 - dy
    x, y = np.cos(turn) * x + np.sin(turn) * y, np.cos(turn) * y - np.sin(turn) * x
    y = y + 0.02 * bend * x**2
    body = 30 * np.exp(-((x + 2) ** 2) / (2 * (6 + length) ** 2) - y**2 / 18)
    head = (18 + 6 * raise_) * np.exp(-((x - 9) ** 2 + y**2) / 8)
    heights = body + head + noise_mm * rng.standard_normal((T, *SIZE))
    return np.clip(np.rint(heights), 0, 255).astype(np.uint8), shifts


def write(path, heights, observed=None, *, frame=None, scalars=None, fps=FPS):
    T = len(heights)
    frame = np.arange(T) if frame is None else frame
    missing = np.full(T, np.nan)
    with CropsWriter(path, recording=path.stem, pixel_mm=PIXEL_MM, size=heights.shape[1:]) as writer:
        writer.append(heights, np.ones(heights.shape, bool) if observed is None else observed)
        writer.finish(
            frame=frame,
            time_s=np.arange(T) / fps,
            start_time="",
            scalars=dict.fromkeys(SCALARS, missing) | (scalars or {}),
            tracking={name: missing if name != "detected" else frame >= 0 for name in TRACKING},
            arena={"mask": np.ones((2, 2), bool)},
            provenance=PROVENANCE,
        )
    return path


def tracked(rng, shifts, *, speed_mm_s=60.0, turning_rad_s=0.5):
    """Scalars of an animal that walks in a circle; the shifts correct their errors."""
    time = np.arange(len(shifts)) / FPS
    heading = turning_rad_s * time
    x = speed_mm_s / turning_rad_s * np.sin(heading)
    y = -speed_mm_s / turning_rad_s * np.cos(heading)
    heading = heading - shifts[:, 2]
    c, s = np.cos(heading), np.sin(heading)
    x = x - PIXEL_MM * (c * shifts[:, 0] - s * shifts[:, 1])
    y = y - PIXEL_MM * (s * shifts[:, 0] + c * shifts[:, 1])
    return {"x_mm": x, "y_mm": y, "heading_rad": heading}
