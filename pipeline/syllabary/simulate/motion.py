"""Pose and path of a whole session, which follow movement templates and stay inside the wall.

Every channel is a damped spring that follows the template's target, or drifts back to the animal's
posture where the template has none. Position and speed never jump, not even at the border between two
syllables. Rhythms are added under an envelope that is zero at the borders.
"""

from typing import NamedTuple

import numba
import numpy as np
import numpy.typing as npt

from ..provenance import generator
from . import body, grammar, worlds
from .body import (
    BEND,
    CHANNELS,
    HEAD_YAW,
    HIPS_X,
    PITCH,
    SPINE,
    STRETCH,
    TRUNK,
    Build,
    Footprint,
    footprint,
    grow,
)
from .cable import Course, sway
from .cable import solids as cable_solids
from .grammar import MOUSE, Repertoire
from .movements import Bout
from .settings import SimulateSettings
from .wander import wander

__all__ = ["Motion", "footprints", "perform", "solids"]

F64 = npt.NDArray[np.float64]

STEPS_PER_TICK = 4
# Angular frequency of a channel's spring, rad/s; heads and paws are quicker than trunks.
FOLLOW = {"pitch": 42.0, "arch": 42.0, "stretch": 42.0, "lift": 42.0, "bend": 46.0, "roll": 42.0}
FOLLOW_OTHERS = 52.0
# A channel without a target: pull toward the own posture (1/s²) and drag (1/s).
PULL, DRAG = 9.0, 14.0
# Spread and memory of the slow drift of posture.
DRIFT = {
    "arch": (0.10, 5.0), "stretch": (0.05, 6.0), "lift": (1.2, 8.0), "bend": (0.17, 4.0),
    "roll": (0.04, 4.0), "head_pitch": (0.13, 4.0), "head_yaw": (0.17, 3.0), "tail": (0.5, 4.0),
    "pitch": (0.04, 5.0),
}  # fmt: skip
# Unsteadiness of a channel, as standard deviation while it follows a target.
TREMOR = {
    "pitch": 0.012, "arch": 0.02, "stretch": 0.012, "lift": 0.35, "bend": 0.03, "roll": 0.015,
    "head_pitch": 0.035, "head_yaw": 0.04, "paw_left": 0.03, "paw_right": 0.03, "tail": 0.1,
}  # fmt: skip
FREE_TREMOR = 3.0
AT_REST = {"paw_left": 0.0, "paw_right": 0.0, "foot_left": 0.0, "foot_right": 0.0, "gait": 0.0}


class State(NamedTuple):
    """State at the end of a bout, from which the next one starts; changed in place."""

    pose: F64  # (P,) without rhythms
    speed: F64  # (P,) of the pose
    path: F64  # (5,) x, y, heading, forward speed, turning speed


class Steps(NamedTuple):
    """Forces on the n steps of a bout."""

    targets: F64  # (n, P) NaN where a channel has none
    rhythms: F64  # (n, P) added to the pose
    kicks: F64  # (n, P) unsteadiness
    posture: F64  # (n, P) to which a channel without a target drifts back
    forward: F64  # (n,) mm/s
    turn: F64  # (n,) rad/s


class Motion(NamedTuple):
    """A session, one row per tick."""

    build: Build
    syllable: npt.NDArray[np.int16]  # (T,)
    pose: F64  # (T, P)
    x_mm: F64  # (T,) origin of the body frame, arena frame
    y_mm: F64  # (T,)
    heading_rad: F64  # (T,) not wrapped
    cable: Course | None = None
    cable_mm: float = 0.0  # diameter
    repertoire: Repertoire = MOUSE


def perform(
    settings: SimulateSettings, *, recording: str, subject: str, group: str, seed: int
) -> Motion:
    """Let one animal behave for one session.

    The animal's build depends on ``seed`` and ``subject``; what it does also on
    ``recording``. Memory grows with the session by about 150 bytes a tick.
    """
    build = grow(settings.mouse, generator(seed, "mouse", subject))
    rng = generator(seed, "motion", subject, recording)
    interval_s = settings.camera.interval_ms / 1000
    ticks = settings.ticks
    repertoire = MOUSE if settings.world is None else worlds.draw(settings.world).repertoire
    templates = list(repertoire.movements.values())
    syllables, lengths = grammar.sentence(group, ticks, interval_s, build.tempo, rng, repertoire)
    drift = _drift(settings, build, ticks, interval_s, rng)

    step_s = interval_s / STEPS_PER_TICK
    angle, radius = rng.uniform(-np.pi, np.pi), 0.5 * settings.arena.radius_mm * rng.random()
    # x, y, heading, forward speed, turning speed
    path = np.array([radius * np.cos(angle), radius * np.sin(angle), rng.uniform(-np.pi, np.pi), 0, 0])
    state = State(drift[0].copy(), np.zeros(len(CHANNELS)), path)
    poses, paths = np.empty((ticks, len(CHANNELS))), np.empty((ticks, 3))
    follow = np.array([FOLLOW.get(name, FOLLOW_OTHERS) for name in CHANNELS])
    unsteady = settings.mouse.tremor * np.array([TREMOR.get(name, 0.0) for name in CHANNELS])
    following = unsteady * 2 * (follow / step_s) ** 0.5 * follow
    free = FREE_TREMOR * unsteady * np.sqrt(2 * PULL * DRAG / step_s)
    done = 0
    for syllable, length in zip(syllables, lengths, strict=True):
        count = int(length) * STEPS_PER_TICK
        template = templates[syllable]
        strength = np.exp(settings.mouse.strength_sd * rng.standard_normal())
        bout = Bout(
            time=step_s * np.arange(count, dtype=np.float64),
            phase=np.arange(count) / max(count - 1, 1),
            start=state.pose.copy(),
            strength=build.vigor * float(np.clip(strength, 0.5, 1.8)),
            tempo=build.tempo * float(np.exp(0.06 * rng.standard_normal())),
            beat=rng.uniform(-np.pi, np.pi),
            toss=rng.uniform(-1, 1),
        )
        movement = template.move(bout)
        targets = np.full((count, len(CHANNELS)), np.nan)
        rhythms = np.zeros((count, len(CHANNELS)))
        for name, value in AT_REST.items():
            targets[:, CHANNELS.index(name)] = value
        if template.starts == template.ends == "down":
            targets[:, PITCH] = np.repeat(drift[done : done + length, PITCH], STEPS_PER_TICK)
        for name, course in movement.targets.items():
            targets[:, CHANNELS.index(name)] = course
        for name, course in movement.rhythms.items():
            rhythms[:, CHANNELS.index(name)] = course
        kicks = np.where(np.isnan(targets), free, following) * rng.standard_normal(targets.shape)
        kicks *= template.tremor
        posture = np.repeat(drift[done : done + length], STEPS_PER_TICK, axis=0)
        steps = Steps(targets, rhythms, kicks, posture, movement.speed * build.length, movement.turn)
        _advance(
            state, steps, follow, step_s, settings.arena.radius_mm, build.length,
            poses[done : done + length], paths[done : done + length],
        )  # fmt: skip
        done += int(length)
    hanging = sway(settings.cable, ticks, interval_s, generator(seed, "cable", subject, recording))
    performed = Motion(build, np.repeat(syllables, lengths), poses, *paths.T)
    return performed._replace(cable=hanging, cable_mm=settings.cable.diameter_mm, repertoire=repertoire)


def solids(performed: Motion, part: slice) -> tuple[F64, F64]:
    """Return the solids of the animal, then of its cable, at some ticks, in the body frame.

    Returns
    -------
    centers : (n, S, 3) float64, mm
    shapes : (n, S, 3, 3) float64, mm²
    """
    centers, shapes = body.solids(performed.pose[part], performed.build)
    if performed.cable is None:
        return centers, shapes
    # It is fixed on top of the shoulders.
    neck = centers[:, TRUNK - 1].copy()
    neck[:, 2] += np.sqrt(shapes[:, TRUNK - 1, 2, 2])
    course = Course(*(column[part] for column in performed.cable))
    more = cable_solids(course, neck, performed.heading_rad[part], performed.cable_mm)
    return np.concatenate([centers, more[0]], 1), np.concatenate([shapes, more[1]], 1)


def footprints(performed: Motion, block: int = 1024) -> Footprint:
    """Return where the body is and how high, at every tick, in the body frame."""
    parts = [
        footprint(*body.solids(performed.pose[start : start + block], performed.build))
        for start in range(0, len(performed.pose), block)
    ]
    return Footprint(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def _drift(
    settings: SimulateSettings, build: Build, ticks: int, interval_s: float, rng: np.random.Generator
) -> F64:
    """Own posture of the animal at every tick (T, P): stationary, smooth, forgetful."""
    drift = np.tile(build.posture, (ticks, 1))
    for name, (spread, memory_s) in DRIFT.items():
        course = wander(ticks, memory_s, interval_s, rng)
        drift[:, CHANNELS.index(name)] += settings.mouse.posture_drift * spread * course
    return drift


@numba.njit(cache=True)
def _advance(
    state: State,
    steps: Steps,
    follow: F64,
    step_s: float,
    radius_mm: float,
    size: float,
    poses: F64,
    paths: F64,
) -> None:
    """Follow one bout; fill in ``poses`` and ``paths`` of its ticks, at the end of their steps."""
    pose, speed, path = state
    targets, rhythms, kicks, posture, forward, turn = steps
    ticks_every = len(targets) // len(poses)
    for n in range(len(targets)):
        for p in range(len(pose)):
            if np.isnan(targets[n, p]):
                force = PULL * (posture[n, p] - pose[p]) - DRAG * speed[p]
            else:
                force = follow[p] ** 2 * (targets[n, p] - pose[p]) - 2.0 * follow[p] * speed[p]
            speed[p] += step_s * (force + kicks[n, p])
            pose[p] += step_s * speed[p]

        x, y, heading = path[0], path[1], path[2]
        # Snout and rump in the body frame.
        chest = size * (HIPS_X + SPINE * (1.0 + pose[STRETCH]) * np.cos(pose[PITCH]))
        aside = 0.5 * pose[BEND] + 0.8 * pose[HEAD_YAW]
        ends = (
            (chest + 31.0 * size * np.cos(aside), 31.0 * size * np.sin(aside), radius_mm - 9.0 * size),
            (size * (HIPS_X - 4.0), 0.0, radius_mm - 16.0 * size),
        )
        # An animal that runs toward the wall turns along it, to the side it already faces.
        ahead = np.hypot(x + 75.0 * size * np.cos(heading), y + 75.0 * size * np.sin(heading))
        near = min(max((ahead - 0.8 * radius_mm) / (0.3 * radius_mm), 0.0), 1.0)
        off = (heading - np.arctan2(y, x) + np.pi) % (2 * np.pi) - np.pi
        side = 1.0 if off >= 0 else -1.0
        facing = max(np.cos(off), 0.0)
        steer = side * near * facing * min(forward[n] / 40.0, 3.0) * 1.5
        path[3] += step_s * 16.0 * (forward[n] * (1.0 - 0.6 * near * facing) - path[3])
        path[4] += step_s * 22.0 * (turn[n] + steer - path[4])
        heading += step_s * path[4]
        cos, sin = np.cos(heading), np.sin(heading)
        x += step_s * path[3] * cos
        y += step_s * path[3] * sin
        # Both ends stay inside: the wall pushes back, gently at first.
        for end in ends:
            end_x, end_y = x + end[0] * cos - end[1] * sin, y + end[0] * sin + end[1] * cos
            out = np.hypot(end_x, end_y)
            depth = out - end[2]
            if depth > -8.0:
                push = (depth + 8.0) * 6.0 * step_s if depth < 0 else depth + 48.0 * step_s
                x -= push * end_x / out
                y -= push * end_y / out
        path[0], path[1], path[2] = x, y, heading
        if (n + 1) % ticks_every == 0:
            tick = n // ticks_every
            for p in range(len(pose)):
                poses[tick, p] = pose[p] + rhythms[n, p]
            paths[tick, 0], paths[tick, 1], paths[tick, 2] = x, y, heading
