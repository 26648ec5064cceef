"""Crowd movies: many examples of one syllable at once.

``arena`` shows crops at their places and headings in the arena; a dot marks each animal during its
bout. ``aligned`` shows the same examples upright, in a grid. All examples start half a second
before the onset.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pandas as pd

from .. import movies
from ..provenance import generator
from ..records.crops import Crops
from .colors import Color
from .results import ModelResults, StudyResults
from .settings import DrawSettings

__all__ = ["Example", "aligned", "arena", "choose", "cut_examples", "ground_of", "paint", "write"]

Image = npt.NDArray[np.uint8]
TALLEST_MM = 90.0
WIDEST_PX = 448
LARGEST_ZOOM = 2.5
MARGIN_PX = 6
TILE_PX = 96


@dataclass(frozen=True)
class Example:
    """One example: L ticks of crops around a bout.

    Attributes
    ----------
    heights : (L, H, W) float32
        Heights, mm.
    place : (L, 3) float
        Column and row in the arena image, px, and heading, rad; NaN if not detected.
    is_on : (L,) bool
        Ticks of the bout.
    scale : float
        Image pixels per crop pixel.
    """

    heights: npt.NDArray[np.float32]
    place: npt.NDArray[np.float64]
    is_on: npt.NDArray[np.bool_]
    scale: float


def choose(bouts: pd.DataFrame, syllable: int, examples: int, rng: np.random.Generator) -> pd.DataFrame:
    """Choose bouts of one syllable, spread over animals, then over their recordings.

    Very short and very long bouts are left out if enough others remain.

    Parameters
    ----------
    bouts : DataFrame
        Columns of ``syllables.bouts.COLUMNS``.
    syllable : int
    examples : int
        Largest number of bouts.
    rng : Generator
        Chooses among equal ones.

    Returns
    -------
    DataFrame
        At most ``examples`` rows of ``bouts``, by recording and time.
    """
    candidates = bouts[bouts["syllable"] == syllable]
    if len(candidates) > 2 * examples:
        low, high = candidates["duration_s"].quantile([0.2, 0.9])
        candidates = candidates[candidates["duration_s"].between(low, high)]
    candidates = candidates.iloc[rng.permutation(len(candidates))]
    rank_in_recording = candidates.groupby(["subject", "recording"]).cumcount()
    candidates = candidates.assign(turn=rank_in_recording).sort_values("turn", kind="stable")
    candidates = candidates.assign(turn=candidates.groupby("subject").cumcount()).sort_values(
        "turn", kind="stable"
    )
    return candidates.drop(columns="turn").head(examples).sort_values(["recording", "start_tick"])


def cut_examples(
    study: StudyResults, chosen: pd.DataFrame, settings: DrawSettings
) -> tuple[list[Example], Image, float]:
    """Read the crops of the chosen bouts.

    Parameters
    ----------
    study : StudyResults
    chosen : DataFrame
        Result of ``choose``.
    settings : DrawSettings

    Returns
    -------
    examples : list of Example
        All have one length L: lead, longest bout (at most ``longest_s``), lead.
    ground : (H, W) uint8
        Dim picture of the first recording's empty arena; the middles of other arenas are
        placed on its middle.
    ticks_per_s : float
    """
    paths = {r.name: r.crops_path for r in study.recordings}
    examples: list[Example] = []
    ground: Image | None = None
    rate, lead, longest = 0.0, 0, 0
    for name, bouts in chosen.groupby("recording", sort=True):
        path = paths.get(str(name))
        if path is None or not path.is_file():
            continue
        with Crops(path) as crops:
            picture, corner = ground_of(crops)
            if ground is None:
                ground, rate = picture, _rate(crops)
                lead = round(rate * settings.lead_s)
                longest = max(
                    1, round(rate * min(settings.longest_s, float(chosen["duration_s"].max())))
                )
            shift = (np.array(ground.shape) - np.array(picture.shape))[::-1] / 2 - corner
            scale = crops.pixel_mm / _pixel_mm(crops)
            examples += [
                _cut(crops, (start, stop), (start - lead, start + longest + lead), shift, scale)
                for start, stop in zip(bouts["start_tick"], bouts["stop_tick"], strict=True)
            ]
    return examples, np.zeros((2, 2), np.uint8) if ground is None else ground, rate


def _rate(crops: Crops) -> float:
    steps = np.diff(crops.time_s)
    return float(1 / np.median(steps)) if len(steps) and np.median(steps) > 0 else 30.0


def _cut(
    crops: Crops,
    bout: tuple[int, int],
    window: tuple[int, int],
    shift: npt.NDArray[np.float64],
    scale: float,
) -> Example:
    """Read a window of ticks; beyond the ends of the recording the last crop is repeated."""
    when = np.arange(*window)
    ticks = np.clip(when, 0, len(crops) - 1)
    block = crops.heights(int(ticks[0]), int(ticks[-1]) + 1)[ticks - ticks[0]]
    track = crops.tracking.iloc[ticks]
    place = track[["x_px", "y_px", "heading_rad"]].to_numpy(float) + np.append(shift, 0.0)
    is_detected = track["detected"].to_numpy(bool)[:, None]
    return Example(
        heights=block.astype(np.float32) * np.float32(crops.height_step_mm),
        place=np.where(is_detected, place, np.nan),
        is_on=(when >= bout[0]) & (when < bout[1]),
        scale=scale,
    )


def _pixel_mm(crops: Crops) -> float:
    """Return mm per image pixel on the floor, from the spread of positions in both units."""
    px = crops.tracking[["x_px", "y_px"]].to_numpy(float)
    mm = crops.scalars[["x_mm", "y_mm"]].to_numpy(float)
    both = np.isfinite(px).all(1) & np.isfinite(mm).all(1)
    if both.sum() < 2 or (spread := float(px[both].var(0).sum())) < 1e-3:
        return crops.pixel_mm
    ratio = float(np.sqrt(mm[both].var(0).sum() / spread))
    return ratio if ratio > 0 else crops.pixel_mm


def arena(
    examples: list[Example], ground: Image, color: Color, since_onset_s: npt.NDArray[np.float64]
) -> Iterator[Image]:
    """Yield (H, W, 3) frames with every example at its place; the taller pixel is on top.

    Parameters
    ----------
    examples : list of Example
    ground : (H, W) uint8
        Picture of the empty arena in image pixels.
    color : (float, float, float)
        Color of the dot.
    since_onset_s : (L,) float
        Time since the onset, written in the corner, s.
    """
    height, width = ground.shape
    zoom = min(LARGEST_ZOOM, WIDEST_PX / width)
    size = (round(width * zoom), round(height * zoom))
    floor = cv2.resize(ground, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    dot = tuple(round(255 * c) for c in color)
    for t in range(len(examples[0].is_on)):
        heights = np.zeros(size[::-1], np.float32)
        for example in examples:
            if np.isfinite(example.place[t]).all():
                warp = _warp(example.heights.shape[1:], example.place[t], example.scale, zoom)
                crop = cv2.warpAffine(example.heights[t], warp, size, flags=cv2.INTER_LINEAR)
                np.maximum(heights, crop, out=heights)
        frame = paint(heights, floor)
        for example in examples:
            if example.is_on[t] and np.isfinite(example.place[t]).all():
                x, y = (round(float(v) * zoom) for v in example.place[t, :2])
                cv2.circle(frame, (x, y), 5, (255, 255, 255), -1, cv2.LINE_AA)
                cv2.circle(frame, (x, y), 4, dot, -1, cv2.LINE_AA)
        text = f"{since_onset_s[t]:+.1f} s"
        cv2.putText(
            frame,
            text,
            (6, size[1] - 8),
            cv2.FONT_HERSHEY_SIMPLEX,
            0.42,
            (210, 210, 210),
            1,
            cv2.LINE_AA,
        )
        yield frame


def _warp(
    shape: tuple[int, ...], place: npt.NDArray[np.float64], scale: float, zoom: float
) -> npt.NDArray[np.float64]:
    """Return the 2×3 map from crop pixels to arena pixels: rotation, scale and shift."""
    x, y, heading = place
    rotation = scale * zoom * np.array(
        [[np.cos(heading), -np.sin(heading)], [np.sin(heading), np.cos(heading)]]
    )  # fmt: skip
    middle = np.array([(shape[1] - 1) / 2, (shape[0] - 1) / 2])
    move = zoom * np.array([x, y]) - rotation @ middle
    return np.column_stack([rotation, move])


def aligned(examples: list[Example], color: Color) -> Iterator[Image]:
    """Yield (H, W, 3) frames of a grid of upright examples, framed during their bouts.

    Parameters
    ----------
    examples : list of Example
    color : (float, float, float)
        Color of the frame.
    """
    columns = int(np.ceil(np.sqrt(len(examples) * 1.3)))
    rows = -(-len(examples) // columns)
    frame_color = np.array([round(255 * c) for c in color], np.uint8)
    for t in range(len(examples[0].is_on)):
        heights = np.zeros((rows * TILE_PX, columns * TILE_PX), np.float32)
        framed = np.zeros(heights.shape, bool)
        for i, example in enumerate(examples):
            top, left = (i // columns) * TILE_PX, (i % columns) * TILE_PX
            inner = np.s_[top + 3 : top + TILE_PX - 3, left + 3 : left + TILE_PX - 3]
            size = (TILE_PX - 6, TILE_PX - 6)
            heights[inner] = cv2.resize(example.heights[t], size, interpolation=cv2.INTER_LINEAR)
            if example.is_on[t]:
                framed[top + 1 : top + TILE_PX - 1, left + 1 : left + TILE_PX - 1] = True
                framed[inner] = False
        frame = paint(heights, np.full(heights.shape, 24, np.float32))
        frame[framed] = frame_color
        yield frame


def paint(heights: npt.NDArray[np.float32], ground: npt.NDArray[np.float32]) -> Image:
    """Return an RGB image (H, W, 3) of heights over a gray ground; low pixels are transparent.

    Parameters
    ----------
    heights : (H, W) float32
        Heights above the floor, mm.
    ground : (H, W) float32
        Gray levels, 0 to 255.
    """
    level = np.clip(heights * (255 / TALLEST_MM), 0, 255).astype(np.uint8)
    mouse = cv2.cvtColor(cv2.applyColorMap(level, cv2.COLORMAP_INFERNO), cv2.COLOR_BGR2RGB)
    # Pixels below 4 mm are mostly noise of the floor.
    weight = np.clip(heights / 8, 0, 1)[..., None]
    mixed = weight * mouse + (1 - weight) * ground[..., None]
    return mixed.round().astype(np.uint8)


def ground_of(crops: Crops) -> tuple[Image, npt.NDArray[np.float64]]:
    """Return a dim picture of the empty arena, and its top left corner (x, y) in the image, px.

    Without an outline of the arena, the picture is a plain field around the animal's path.
    """
    mask = np.asarray(crops.arena.get("mask", np.zeros((1, 1))), bool)
    if not mask.any():
        px = crops.tracking[["x_px", "y_px"]].to_numpy(float)
        px = px[np.isfinite(px).all(1)] if np.isfinite(px).any() else np.zeros((1, 2))
        reach = max(crops.size) / 2 * crops.pixel_mm / _pixel_mm(crops)
        low, high = np.floor(px.min(0) - reach), np.ceil(px.max(0) + reach)
        rows, columns = (high - low).astype(int)[::-1]
        return np.full((rows, columns), 34, np.uint8), low
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    top, left = max(0, rows[0] - MARGIN_PX), max(0, columns[0] - MARGIN_PX)
    inside = mask[top : rows[-1] + MARGIN_PX + 1, left : columns[-1] + MARGIN_PX + 1].astype(np.uint8)
    wall = cv2.morphologyEx(inside, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8))
    picture = np.where(wall > 0, 110, np.where(inside > 0, 46, 18)).astype(np.uint8)
    return picture, np.array([left, top], float)


def write(
    folder: Path,
    study: StudyResults,
    model: ModelResults,
    syllable: int,
    settings: DrawSettings,
    color: Color,
    *,
    seed: int,
) -> dict[str, Path]:
    """Write ``<folder>/<syllable>-arena.mp4`` and ``-aligned.mp4``.

    Parameters
    ----------
    folder : Path
    study : StudyResults
    model : ModelResults
    syllable : int
    settings : DrawSettings
    color : (float, float, float)
        Color of the dot and of the frame.
    seed : int
        Seed of the study; it chooses the examples.

    Returns
    -------
    dict of str to Path
        Movies by kind; empty if no example has crops.
    """
    bouts = model.table("bouts")
    if bouts is None or settings.examples == 0:
        return {}
    rng = generator(seed, "crowd", model.name, syllable)
    chosen = choose(bouts, syllable, settings.examples, rng)
    examples, ground, rate = cut_examples(study, chosen, settings)
    if not examples:
        return {}
    fps = settings.fps or rate
    since_onset_s = (np.arange(len(examples[0].is_on)) - round(rate * settings.lead_s)) / rate
    paths = {}
    for kind, frames in (
        ("arena", arena(examples, ground, color, since_onset_s)),
        ("aligned", aligned(examples, color)),
    ):
        paths[kind] = folder / f"{syllable:03d}-{kind}.mp4"
        movies.write(paths[kind], frames, fps)
    return paths
