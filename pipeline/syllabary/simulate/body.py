"""The mouse: a build, a skeleton, and the smooth solids that a pose makes of them.

A pose is a vector of P channels. The spine is a chain of directions from the hips to the
shoulders; the trunk, the head and the tail hang on it, the paws stand on the floor unless a
channel lifts them. Every solid is an ellipsoid, a center and a *shape* ``S = R diag(a²) Rᵀ``:
a point x is inside where ``(x - c)ᵀ S⁻¹ (x - c) <= 1``.
"""

from typing import NamedTuple

import numba
import numpy as np
import numpy.typing as npt

from .settings import MouseSettings

__all__ = ["CHANNELS", "SOLIDS", "Build", "Footprint", "footprint", "grow", "solids"]

F64 = npt.NDArray[np.float64]

CHANNELS = (
    "pitch",  # rad, elevation of the trunk about the hips
    "arch",  # rad, arching of the back
    "stretch",  # fraction, elongation of the trunk
    "lift",  # mm, whole body up
    "bend",  # rad, lateral bend of the spine, positive to the right
    "roll",  # rad, lean to the right
    "head_pitch",  # rad, nose up
    "head_yaw",  # rad, nose to the right
    "paw_left",  # 0 floor, 1 at the mouth
    "paw_right",
    "gait",  # mm, left fore and right hind paw forward, the others back
    "foot_left",  # 0 floor, 1 at the neck
    "foot_right",
    "tail",  # rad, bend of the tail to the right
    "breath",  # fraction, girth of the trunk
)
PITCH, ARCH, STRETCH, LIFT, BEND, ROLL, HEAD_PITCH, HEAD_YAW = range(8)
PAW_LEFT, PAW_RIGHT, GAIT, FOOT_LEFT, FOOT_RIGHT, TAIL, BREATH = range(8, 15)

TRUNK, HEAD, EARS, PAWS, TAIL_PARTS = 5, 3, 2, 4, 6
SOLIDS = TRUNK + HEAD + EARS + PAWS + TAIL_PARTS
AXIAL = TRUNK + HEAD
# Solids overlap: those at the ends cover more ground that no other solid covers.
OPEN_GROUND = np.array([1.1, 0.9, 0.65, 0.65, 0.7, 0.8, 0.8, 1.0])

# An average mouse, mm: half axes forward, sideways, upward, and height of the center.
SPINE = 34.0
REACH = 92.0
TRUNK_AXES = np.array(
    [[17.0, 15.5, 15.0], [16.5, 16.5, 16.5], [16.0, 15.8, 16.5], [15.0, 14.6, 15.5], [13.5, 13.2, 13.5]]
)
TRUNK_HEIGHTS = np.array([15.5, 17.0, 17.8, 17.5, 17.0])
HEAD_AXES = np.array([[12.0, 11.8, 11.5], [11.5, 10.2, 9.5], [9.0, 6.2, 5.8]])
HEAD_STEPS = np.array([10.0, 10.0, 10.5])
HIPS_X = -21.0


class Build(NamedTuple):
    """One animal's dimensions, as factors of an average mouse, and its manner."""

    length: float
    width: float
    height: float
    head: float
    tail_mm: float
    tempo: float
    vigor: float
    posture: F64  # (P,) lasting offsets of the pose


def grow(settings: MouseSettings, rng: np.random.Generator) -> Build:
    """Draw one animal."""
    size = 1 + settings.build_sd * rng.standard_normal()
    length, width, height, head = size * (1 + 0.5 * settings.build_sd * rng.standard_normal(4))
    posture = np.zeros(len(CHANNELS))
    for channel, spread in ((ARCH, 0.05), (STRETCH, 0.02), (HEAD_PITCH, 0.05), (LIFT, 0.7), (TAIL, 0.2)):
        posture[channel] = spread * rng.standard_normal()
    return Build(
        length=settings.length_mm / REACH * length,
        width=settings.width_mm / 33.0 * width,
        height=settings.height_mm / 34.0 * height,
        head=settings.length_mm / REACH * head,
        tail_mm=settings.tail_mm * (1 + 0.05 * rng.standard_normal()),
        tempo=float(np.exp(settings.tempo_sd * rng.standard_normal())),
        vigor=float(np.exp(0.08 * rng.standard_normal())),
        posture=posture,
    )


def solids(pose: F64, build: Build) -> tuple[F64, F64]:
    """Return the solids of every pose in the body frame.

    Parameters
    ----------
    pose : (T, P) float64

    Returns
    -------
    centers : (T, S, 3) float64, mm
    shapes : (T, S, 3, 3) float64, mm²
    """
    centers = np.empty((len(pose), SOLIDS, 3))
    shapes = np.empty((len(pose), SOLIDS, 3, 3))
    size = np.array([build.length, build.width, build.height, build.head, build.tail_mm])
    _solids(np.ascontiguousarray(pose), size, centers, shapes)
    return centers, shapes


@numba.njit(cache=True)
def _put(
    centers: F64,
    shapes: F64,
    i: int,
    center: F64,
    yaw: float,
    pitch: float,
    roll: float,
    a: float,
    b: float,
    c: float,
) -> None:
    """Write one ellipsoid that looks along (yaw, pitch) and leans by roll."""
    cy, sy, cp, sp = np.cos(yaw), np.sin(yaw), np.cos(pitch), np.sin(pitch)
    forward = (cp * cy, cp * sy, sp)
    side = (-sy, cy, 0.0)
    up = (-sp * cy, -sp * sy, cp)
    cr, sr = np.cos(roll), np.sin(roll)
    for m in range(3):
        centers[i, m] = center[m]
        for n in range(3):
            right_m, right_n = cr * side[m] - sr * up[m], cr * side[n] - sr * up[n]
            top_m, top_n = cr * up[m] + sr * side[m], cr * up[n] + sr * side[n]
            shapes[i, m, n] = a * a * forward[m] * forward[n]
            shapes[i, m, n] += b * b * right_m * right_n + c * c * top_m * top_n


@numba.njit(cache=True)
def _solids(pose: F64, size: F64, centers: F64, shapes: F64) -> None:
    spine = np.empty((3, TRUNK))
    for t in range(len(pose)):
        pitch = _trunk(pose[t], size, spine, centers[t], shapes[t])
        _head(pose[t], size, spine, pitch, centers[t], shapes[t])
        _paws(pose[t], size, spine, centers[t], shapes[t])
        _tail(pose[t], size, spine, centers[t], shapes[t])


@numba.njit(cache=True)
def _trunk(q: F64, size: F64, spine: F64, centers: F64, shapes: F64) -> float:
    """Write the trunk and its ``spine`` (3, TRUNK); return the pitch at the shoulders, rad."""
    length, width, height = size[0], size[1], size[2]
    at = np.empty(3)
    stretch = 1.0 + q[STRETCH]
    # A longer trunk is thinner: half of its volume is kept.
    girth = (1.0 + q[BREATH]) / stretch**0.5
    step = SPINE * length * stretch / (TRUNK - 1)
    x, y, rise = HIPS_X * length, 0.0, 0.0
    pitch = 0.0
    for i in range(TRUNK):
        along = i / (TRUNK - 1)
        yaw = q[BEND] * (along - 0.5)
        pitch = q[PITCH] * (0.75 + 0.5 * along) + q[ARCH] * (1.0 - 2.0 * along)
        if i:
            x += step * np.cos(pitch) * np.cos(yaw)
            y += step * np.cos(pitch) * np.sin(yaw)
            rise += step * np.sin(pitch)
        z = TRUNK_HEIGHTS[i] * height + q[LIFT] + rise
        lean = q[ROLL] * (0.4 + 0.6 * along)
        spine[0, i], spine[1, i], spine[2, i] = x, y, z
        at[0], at[1], at[2] = x, y + lean * 12.0, z
        axes = TRUNK_AXES[i]
        _put(centers, shapes, i, at, yaw, pitch, lean, axes[0] * length * (0.5 + 0.5 * stretch),
             axes[1] * width * girth, axes[2] * height * girth)  # fmt: skip
    return pitch


@numba.njit(cache=True)
def _head(q: F64, size: F64, spine: F64, pitch: float, centers: F64, shapes: F64) -> None:
    """Write head and ears, which hang on the shoulders."""
    head = size[3]
    at = np.empty(3)
    yaw, level = 0.5 * q[BEND], 0.55 * pitch - 0.22
    at[0], at[1], at[2] = spine[0, TRUNK - 1], spine[1, TRUNK - 1] + q[ROLL] * 12.0, spine[2, TRUNK - 1]
    for i in range(HEAD):
        part = (i + 1) / HEAD
        turn = yaw + part * q[HEAD_YAW] * 1.2
        nod = level + part * q[HEAD_PITCH] * 1.2 - 0.12 * i
        at[0] += HEAD_STEPS[i] * head * np.cos(nod) * np.cos(turn)
        at[1] += HEAD_STEPS[i] * head * np.cos(nod) * np.sin(turn)
        at[2] = max(at[2] + HEAD_STEPS[i] * head * np.sin(nod), 6.0)
        axes = HEAD_AXES[i]
        _put(centers, shapes, TRUNK + i, at, turn, nod, 0.0, axes[0] * head, axes[1] * head,
             axes[2] * head)  # fmt: skip
    turn, nod = yaw + 0.8 * q[HEAD_YAW], level + 0.8 * q[HEAD_PITCH]
    for i in range(EARS):
        side = (2 * i - 1) * 8.0 * head
        skull = centers[TRUNK + 1]
        at[0] = skull[0] - 5.0 * head * np.cos(turn) - side * np.sin(turn)
        at[1] = skull[1] - 5.0 * head * np.sin(turn) + side * np.cos(turn)
        at[2] = skull[2] + 5.5 * head
        _put(centers, shapes, AXIAL + i, at, turn, nod, 0.0, 3.0 * head, 5.0 * head, 5.0 * head)


@numba.njit(cache=True)
def _paws(q: F64, size: F64, spine: F64, centers: F64, shapes: F64) -> None:
    """Write fore and hind paws, which stand on the floor unless a channel lifts them."""
    length, width, height, head = size[0], size[1], size[2], size[3]
    at = np.empty(3)
    mouth, shoulder = centers[AXIAL - 1], centers[TRUNK - 1]
    for i in range(2):
        side = 2.0 * i - 1.0
        reach = q[PAW_LEFT + i]
        stand_x = shoulder[0] + 4.0 * length - side * q[GAIT]
        stand_y = shoulder[1] + side * 9.5 * width
        stand_z = max(4.0, shoulder[2] - 14.0 * height)
        at[0] = stand_x + reach * (mouth[0] - 4.0 * head - stand_x)
        at[1] = stand_y + reach * (mouth[1] + side * 6.0 * head - stand_y)
        at[2] = stand_z + reach * (mouth[2] - stand_z)
        _put(centers, shapes, AXIAL + EARS + i, at, 0.0, 0.0, 0.0, 7.0 * length, 4.0 * width, 4.0)
    for i in range(2):
        side = 2.0 * i - 1.0
        kick = min(q[FOOT_LEFT + i], 1.2)
        at[0] = spine[0, 0] + 7.0 * length + side * q[GAIT] + kick * 22.0 * length
        at[1] = side * (14.0 + 5.0 * kick) * width
        at[2] = 4.5 + kick * 15.0 * height
        _put(centers, shapes, AXIAL + EARS + 2 + i, at, side * 0.25, 0.0, 0.0, 11.0 * length,
             5.5 * width, 5.0)  # fmt: skip


@numba.njit(cache=True)
def _tail(q: F64, size: F64, spine: F64, centers: F64, shapes: F64) -> None:
    """Write the tail, which hangs on the hips and sinks to the floor."""
    length, height, tail_mm = size[0], size[2], size[4]
    at = np.empty(3)
    yaw = np.pi - 0.5 * q[BEND]
    at[0], at[1], at[2] = spine[0, 0] - 13.0 * length, spine[1, 0], spine[2, 0] - 4.0 * height
    segment = tail_mm / TAIL_PARTS
    for i in range(TAIL_PARTS):
        turn = yaw - q[TAIL] * (i + 1) / TAIL_PARTS
        at[0] += 0.9 * segment * np.cos(turn)
        at[1] += 0.9 * segment * np.sin(turn)
        at[2] = max(0.55 * at[2], 2.6)
        thick = 3.4 - 0.3 * i
        _put(centers, shapes, SOLIDS - TAIL_PARTS + i, at, turn, 0.0, 0.0, 0.75 * segment + 0.1, thick,
             thick)  # fmt: skip


class Footprint(NamedTuple):
    """Position and height of trunk and head, as seen from above without perspective."""

    center: F64  # (T, 3) mm, of the surface seen from above
    top_mm: F64  # (T,) highest point of the body


def footprint(centers: F64, shapes: F64) -> Footprint:
    """Summarize the solids (T, S, 3) and (T, S, 3, 3), without paws and tail."""
    center, shape = centers[:, :AXIAL], shapes[:, :AXIAL]
    area = OPEN_GROUND * np.sqrt(shape[..., 0, 0] * shape[..., 1, 1] - shape[..., 0, 1] ** 2)
    weight = area / area.sum(1, keepdims=True)
    middle = (weight[..., None] * center).sum(1)
    # The upper half of an ellipsoid is on average 2/3 of its half height above its center.
    middle[:, 2] += (weight * np.sqrt(shape[..., 2, 2])).sum(1) * 2 / 3
    top = (centers[..., 2] + np.sqrt(shapes[..., 2, 2])).max(1)
    return Footprint(middle, top)
