"""The recording as the simulator's camera sees it: arena, animals on known paths, noise, holes."""

from collections.abc import Iterator
from typing import NamedTuple

import cv2
import numpy as np

from syllabary.simulate import body, rendering, scene, sensor
from syllabary.simulate.settings import PinholeSettings, RoundArenaSettings, SimulateSettings

from .options import Options

__all__ = ["COLUMNS", "FOCAL_PX", "ROWS", "Animal", "Film", "cast", "frames"]

# An Azure Kinect, 2 x 2 binned, without its lens's distortion.
ROWS, COLUMNS, FOCAL_PX, CENTER = 288, 320, 252.2, (159.5, 165.5)


class Animal(NamedTuple):
    """One animal: its dimensions, and its course at every tick."""

    dimensions: body.Build
    pose: np.ndarray  # (T, P)
    x_mm: np.ndarray  # (T,) origin of the body
    y_mm: np.ndarray
    heading_rad: np.ndarray


class Film(NamedTuple):
    """Who is where at every tick, and what the camera kept."""

    time_s: np.ndarray  # (T,)
    kept: np.ndarray  # (T,) bool, the frame was not lost
    present: np.ndarray  # (T,) bool, the animals are in the arena
    animals: list[Animal]
    camera: rendering.Pinhole
    settings: SimulateSettings


def cast(options: Options) -> Film:
    """Lay down courses, times and losses of a recording."""
    rng = np.random.default_rng([1, options.seed])
    count = max(2, round(options.duration_s * options.fps))
    time_s = np.arange(count) / options.fps + rng.normal(0, 1e-4, count).clip(-3e-4, 3e-4)
    kept = _kept(count, options.dropped, rng)
    part = np.arange(count) / count
    present = (part >= options.empty_start) & (part < 1 - options.empty_end) & (options.animals > 0)
    large = max(1.0, options.size)
    radius = 170.0 * large**0.7
    animals = []
    first = rng.uniform(-np.pi, np.pi)
    for i in range(options.animals):
        size = options.size * (1 if i == 0 else rng.uniform(0.85, 1.15))
        circle = min(0.55 * radius, radius - 62 * size) * (1 if i == 0 else rng.uniform(0.9, 1.1))
        phase = first + i * np.pi
        animals.append(_animal(time_s, size, circle, phase, options.speed_mm_s, rng))
    arena = RoundArenaSettings(radius_mm=radius, wall_height_mm=120.0, center_x_mm=0, center_y_mm=0)
    settings = SimulateSettings(
        arena=arena,
        camera=PinholeSettings(
            columns=COLUMNS, rows=ROWS, focal_px=FOCAL_PX, center_x_px=CENTER[0], center_y_px=CENTER[1],
            height_mm=max(560.0, 2.7 * radius), tilt_x_deg=0, tilt_y_deg=0,
            interval_ms=1000 / options.fps,
        ),
    )  # fmt: skip
    noise = settings.noise.model_copy(update={"temporal_sd_mm": options.noise_mm, "texture_sd_mm": 0.7})
    settings = settings.model_copy(update={"noise": noise})
    camera = rendering.camera_of(settings.camera, arena)
    toward = np.deg2rad(options.tilt_toward_deg)
    turn, _ = cv2.Rodrigues(
        np.deg2rad(options.tilt_deg) * np.array([np.cos(toward), np.sin(toward), 0.0])
    )
    return Film(
        time_s, kept, present, animals, camera._replace(rotation=turn @ camera.rotation), settings
    )


def frames(film: Film, options: Options) -> Iterator[np.ndarray]:
    """Yield depth (rows, columns) float32, mm, of every frame that was kept; 0 = not measured."""
    rng = np.random.default_rng([2, options.seed])
    noise, camera = film.settings.noise, film.camera
    empty = scene.build(film.settings, camera, rng)
    field, depth = np.empty((ROWS, COLUMNS), np.float32), np.zeros((ROWS, COLUMNS), np.float32)
    frame = np.empty((ROWS, COLUMNS), np.uint16)
    moved = [body.solids(animal.pose, animal.dimensions) for animal in film.animals]
    for tick in np.flatnonzero(film.kept):
        keys = rng.integers(0, 2**63, 3, np.uint64)
        sensor.noise_field(keys[0], field)
        sensor.expose(empty.depth, empty.spread, empty.dropout, field, keys[1], frame)
        for animal, (centers, shapes) in zip(film.animals, moved, strict=True):
            if not film.present[tick]:
                continue
            where = animal.x_mm[tick], animal.y_mm[tick], animal.heading_rad[tick]
            solids = rendering.to_camera(centers[tick], shapes[tick], *where, camera)
            box = rendering.depth_of(*solids, camera, depth)
            sensor.stamp_body(
                depth, box, empty.depth, field, keys[2], np.float32(noise.temporal_sd_mm), noise.flying,
                noise.edge_dropout, frame,
            )  # fmt: skip
            _punch(frame, depth, box, options, rng)
        yield frame.astype(np.float32)


def _kept(count: int, dropped: float, rng: np.random.Generator) -> np.ndarray:
    """Lose half of the lost frames one by one, half in runs of 2 to 5."""
    lost = rng.random(count) < dropped / 2
    for start in np.flatnonzero(rng.random(count) < dropped / 7):
        lost[start : start + rng.integers(2, 6)] = True
    lost[[0, -1]] = False
    return ~lost


def _animal(
    time_s: np.ndarray, size: float, circle: float, phase: float, speed: float, rng: np.random.Generator
) -> Animal:
    """Walk along a circle at a speed that swells by a twentieth, bending and nodding a little."""
    dimensions = body.Build(
        length=size * 84 / 92, width=size, height=size, head=size * 84 / 92, tail_mm=70 * size,
        tempo=1.0, vigor=1.0, posture=np.zeros(len(body.CHANNELS)),
    )  # fmt: skip
    pose = np.zeros((len(time_s), len(body.CHANNELS)))
    for name, swing, hertz in (("bend", 0.1, 0.7), ("head_yaw", 0.1, 0.4), ("head_pitch", 0.1, 0.5)):
        cycles = hertz * time_s + rng.random()
        pose[:, body.CHANNELS.index(name)] = swing * np.sin(2 * np.pi * cycles)
    way = speed * (time_s - np.cos(np.pi * time_s) / (20 * np.pi))
    angle = phase + way / circle
    return Animal(dimensions, pose, circle * np.cos(angle), circle * np.sin(angle), angle + np.pi / 2)


def _punch(
    frame: np.ndarray, depth: np.ndarray, box: tuple, options: Options, rng: np.random.Generator
) -> None:
    """Lose a part of the animal's pixels, one by one or in patches, as dark fur does."""
    part = (slice(box[0], box[1]), slice(box[2], box[3]))
    on_body = depth[part] > 0
    if not options.holes or not on_body.any():
        return
    luck = rng.standard_normal(on_body.shape)
    if options.hole_px:
        luck = cv2.GaussianBlur(luck, (0, 0), options.hole_px)
    limit = np.quantile(luck[on_body], options.holes)
    frame[part][on_body & (luck <= limit)] = 0
