"""The steps of MoSeq2's extraction, as a reference for speed; none of the code is MoSeq2's.

It is written from a description of that program: full frames in float64 minus the background, boolean
indexing, median and opening of the arena's box, moments of the largest outline, three crops with a
padded window and a rotation each, the 17 scalars, HDF5. It has no flip classifier and no movie. The
connected components that MoSeq2 computes without using them are an option.
"""

from pathlib import Path
from typing import NamedTuple

import cv2
import h5py
import numpy as np

SHAPE = (424, 512)
CROP = 80
MIN_MM, MAX_MM = 10, 100
EVERY = 500
PLANES, TOLERANCE = 1000, 30
COLUMNS = (
    "centroid_x_px", "centroid_y_px", "centroid_x_mm", "centroid_y_mm", "width_px", "length_px",
    "width_mm", "length_mm", "area_px", "area_mm", "height_ave_mm", "angle", "velocity_2d_px",
    "velocity_2d_mm", "velocity_3d_px", "velocity_3d_mm", "velocity_theta",
)  # fmt: skip


class Body(NamedTuple):
    """Moments of an outline."""

    x: float
    y: float
    angle: float
    length: float
    width: float


def extract(source: Path, out: Path, *, chunk: int = 1000, idle_components: bool = False) -> None:
    """Extract a session folder into ``out`` (HDF5).

    Parameters
    ----------
    source : path
        Folder with a Kinect v2's ``depth.dat`` and ``depth_ts.txt``.
    chunk : int
        Frames at once. MoSeq2 takes 1000 to 3000; fewer are kinder to it, for its arrays are of
        full frames.
    idle_components : bool
        Also label the connected components of every frame, as MoSeq2 does to no effect.
    """
    dat = source / "depth.dat"
    count = dat.stat().st_size // (2 * SHAPE[0] * SHAPE[1])
    frames = np.memmap(dat, "<u2", "r", shape=(count, *SHAPE))
    times = np.loadtxt(source / "depth_ts.txt", usecols=0)
    assert len(times) == count
    background = np.median([cv2.medianBlur(np.array(f), 5) for f in frames[::EVERY]], axis=0)
    roi = find_roi(background)
    depth = float(np.median(background[roi > 0]))
    rows, columns = np.nonzero(roi)
    box = (slice(rows.min(), rows.max()), slice(columns.min(), columns.max()))
    scalars: dict[str, list[np.ndarray]] = {name: [] for name in COLUMNS}
    with h5py.File(out, "w") as h5:
        size = (count, CROP, CROP)
        datasets = [
            h5.create_dataset(name, size, dtype, compression="gzip")
            for name, dtype in (("frames", np.uint8), ("frames_mask", np.bool_))
        ]
        for start in range(0, count, chunk):
            raw = np.array(frames[start : start + chunk])
            heights = stand_out(raw, background, roi, box)
            filtered = clean(heights)
            bodies = [measure(f, idle_components) for f in filtered]
            angle = np.unwrap(2 * np.array([b.angle for b in bodies])) / 2
            crops, cleaned, masks = (
                np.stack([upright(f, b, a) for f, b, a in zip(part, bodies, angle, strict=True)])
                for part in (heights, filtered, (filtered > MIN_MM).astype(np.uint8))
            )
            stop = start + len(raw)
            datasets[0][start:stop], datasets[1][start:stop] = crops, masks > 0
            for name, values in describe(bodies, angle, cleaned, depth).items():
                scalars[name].append(values)
        h5["timestamps"] = times
        for name, parts in scalars.items():
            h5[f"scalars/{name}"] = np.concatenate(parts).astype(np.float32)


def find_roi(background: np.ndarray) -> np.ndarray:
    """Fit the floor by random planes and label the pixels on it; the best-ranked part is the arena."""
    rng = np.random.default_rng(0)
    rows, columns = np.indices(background.shape)
    total = background.sum()
    middle = background[
        int((rows * background).sum() / total), int((columns * background).sum() / total)
    ]
    near = np.abs(background - middle) < 50
    points = np.stack([columns[near], rows[near], background[near]], axis=1)
    best, max_inside, min_off, plane = None, 0.1 * len(points), np.inf, None
    for _ in range(PLANES):
        some = points[rng.choice(len(points), 3, replace=False)]
        normal = np.cross(some[1] - some[0], some[2] - some[0])
        if not np.any(normal):
            continue
        normal = normal / np.linalg.norm(normal)
        off = np.abs((points - some[0]) @ normal)
        inside = np.count_nonzero(off < TOLERANCE)
        if inside > max_inside and off.mean() < min_off:
            best, max_inside, min_off, plane = some, inside, off.mean(), normal
    everywhere = np.stack([columns, rows, background], axis=-1) - best[0]
    flat = (np.abs(everywhere @ plane) < TOLERANCE).astype(np.uint8)
    parts, labels, stats, _ = cv2.connectedComponentsWithStats(flat)
    middle_rc = np.array(background.shape) / 2
    areas, extents, reaches = [], [], []
    for label in range(1, parts):
        rr, cc = np.nonzero(labels == label) if stats[label, 4] > 500 else (np.zeros(1), np.zeros(1))
        areas.append(-stats[label, 4])
        extents.append(-stats[label, 4] / (stats[label, 2] * stats[label, 3]))
        reaches.append(np.hypot(rr - middle_rc[0], cc - middle_rc[1]).max())
    ranks = [np.argsort(np.argsort(v)) for v in (areas, extents, reaches)]
    chosen = 1 + int(np.argmin(ranks[0] + 0.1 * ranks[1] + ranks[2]))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (10, 10))
    roi = cv2.dilate((labels == chosen).astype(np.uint8), disc)
    outlines, _ = cv2.findContours(roi, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return cv2.drawContours(np.zeros_like(roi), outlines, -1, 1, cv2.FILLED)


def stand_out(raw: np.ndarray, background: np.ndarray, roi: np.ndarray, box: tuple) -> np.ndarray:
    """Return heights above the background of whole frames, cut to the arena's box."""
    heights = background - raw
    heights[raw == 0] = 0
    heights = heights.astype(np.uint8)
    heights[(heights < MIN_MM) | (heights > MAX_MM)] = 0
    return (heights * roi)[:, box[0], box[1]]


def clean(heights: np.ndarray) -> np.ndarray:
    """Return a frame after a median over 3 pixels and an opening that removes the tail."""
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (9, 9))
    return np.stack([
        cv2.morphologyEx(cv2.medianBlur(np.ascontiguousarray(f), 3), cv2.MORPH_OPEN, disc)
        for f in heights
    ])  # fmt: skip


def measure(frame: np.ndarray, idle_components: bool) -> Body:
    """Return the moments of the largest outline."""
    mask = (frame > MIN_MM).astype(np.uint8)
    if idle_components:
        cv2.connectedComponentsWithStats(np.ones_like(mask))
    outlines, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    if not outlines:
        return Body(*[np.nan] * 5)
    m = cv2.moments(max(outlines, key=cv2.contourArea))
    if m["m00"] == 0:
        return Body(*[np.nan] * 5)
    spread = np.sqrt(4 * m["mu11"] ** 2 + (m["mu20"] - m["mu02"]) ** 2)
    total = m["mu20"] + m["mu02"]
    return Body(
        m["m10"] / m["m00"],
        m["m01"] / m["m00"],
        -0.5 * np.arctan2(2 * m["mu11"], m["mu20"] - m["mu02"]),
        2 * np.sqrt(2) * np.sqrt((total + spread) / m["m00"]),
        2 * np.sqrt(2) * np.sqrt(max(total - spread, 0) / m["m00"]),
    )


def upright(frame: np.ndarray, body: Body, angle: float) -> np.ndarray:
    """Take the window around the truncated center and turn it about its middle."""
    if np.isnan(body.x):
        return np.zeros((CROP, CROP), np.uint8)
    half = CROP // 2
    padded = cv2.copyMakeBorder(frame, half, half, half, half, cv2.BORDER_CONSTANT, value=0)
    x, y = int(body.x), int(body.y)
    window = padded[y : y + CROP, x : x + CROP]
    turn = cv2.getRotationMatrix2D((half, half), -np.rad2deg(angle), 1)
    return cv2.warpAffine(window, turn, (CROP, CROP), flags=cv2.INTER_LINEAR)


def describe(
    bodies: list[Body], angle: np.ndarray, cleaned: np.ndarray, depth: float
) -> dict[str, np.ndarray]:
    """Return the 17 scalars, as MoSeq2 defines them."""
    rows, columns = SHAPE
    k_x, k_y = depth * 2 * np.deg2rad(35.3) / columns, depth * 2 * np.deg2rad(30) / rows
    x, y, _, length, width = np.array(bodies).T
    inside = (cleaned > MIN_MM) & (cleaned < MAX_MM)
    area = inside.sum(axis=(1, 2)).astype(np.float64)
    height = (cleaned * inside).sum(axis=(1, 2)) / np.maximum(area, 1)
    x_mm, y_mm = (x - columns / 2) * k_x, (y - rows / 2) * k_y

    def step(values: np.ndarray) -> np.ndarray:
        return np.diff(values, prepend=values[:1])

    return {
        "centroid_x_px": x,
        "centroid_y_px": y,
        "centroid_x_mm": x_mm,
        "centroid_y_mm": y_mm,
        "width_px": width,
        "length_px": length,
        "width_mm": width * k_y,
        "length_mm": length * k_x,
        "area_px": area,
        "area_mm": area * (k_x + k_y) / 2,
        "height_ave_mm": height,
        "angle": angle,
        "velocity_2d_px": np.hypot(step(x), step(y)),
        "velocity_2d_mm": np.hypot(step(x_mm), step(y_mm)),
        "velocity_3d_px": np.sqrt(step(x) ** 2 + step(y) ** 2 + step(height) ** 2),
        "velocity_3d_mm": np.sqrt(step(x_mm) ** 2 + step(y_mm) ** 2 + step(height) ** 2),
        "velocity_theta": np.arctan2(step(y), step(x)),
    }
