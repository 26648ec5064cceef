"""Movements composed at random of primitives.

Primitives are postures that are held, one-way movements, oscillations of a body part, steps, turns and
rears. ``MOVEMENT_TYPES`` draws a movement of each type. The distance of two ``Composition.signature``
says how visibly they differ.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Literal

import numpy as np
import numpy.typing as npt

from .movements import Bout, Movement, bell, ease

__all__ = ["MOVEMENT_TYPES", "Composition"]

F64 = npt.NDArray[np.float64]

# How far a posture goes: the range of goals of a channel, and what counts as a visible difference.
POSTURES: Mapping[str, tuple[float, float, float]] = {
    "arch": (-0.15, 0.35, 0.15),
    "stretch": (-0.15, 0.32, 0.12),
    "lift": (-2.5, 3.0, 2.0),
    "bend": (-0.7, 0.7, 0.35),
    "roll": (-0.3, 0.3, 0.15),
    "head_pitch": (-0.5, 0.4, 0.25),
    "head_yaw": (-0.8, 0.8, 0.4),
    "pitch": (0.0, 0.35, 0.15),
}
# Amplitudes of oscillations of a body part.
OSCILLATIONS: Mapping[str, tuple[float, float]] = {
    "head_pitch": (0.2, 0.4),
    "head_yaw": (0.12, 0.35),
    "roll": (0.08, 0.18),
    "bend": (0.10, 0.30),
    "lift": (0.8, 1.6),
    "stretch": (0.06, 0.14),
    "arch": (0.08, 0.16),
}
RATE_HZ = (2.0, 10.0)
LIMBS = ("paw_left", "paw_right", "foot_left", "foot_right", "gait")


@dataclass(frozen=True)
class Composition:
    """A movement made of primitives; called with a bout, it says what the bout wants.

    Attributes
    ----------
    speed_mm_s, turn_rad_s : float
        Locomotion. A negative turn is to the left.
    pulse : bool
        The speed rises and falls once in a bout; otherwise it is constant.
    hold : mapping of channel to goal
        Posture that the bout goes to and keeps.
    shift : mapping of channel to amplitude
        One-way movement over the whole bout.
    beat : mapping of channel to (amplitude, rate in Hz, phase in rad)
        Oscillations.
    rear : str
        ``up``, ``down``, ``hold``, or nothing.
    height_rad : float
        Elevation of the trunk at the top of a rear.
    """

    speed_mm_s: float = 0.0
    turn_rad_s: float = 0.0
    pulse: bool = False
    hold: Mapping[str, float] = field(default_factory=dict)
    shift: Mapping[str, float] = field(default_factory=dict)
    beat: Mapping[str, tuple[float, float, float]] = field(default_factory=dict)
    rear: Literal["", "up", "down", "hold"] = ""
    height_rad: float = 1.2

    def __call__(self, bout: Bout) -> Movement:
        """Return speed, turning, targets and rhythms of a bout."""
        rise = bell(bout.phase) ** 0.7 if self.pulse else 0.7 + 0.3 * bout.swell()
        targets = bout.toward(**self.hold)
        for channel, amplitude in self.shift.items():
            targets[channel] = bout.at(channel) + amplitude * bout.strength * ease(bout.phase)
        targets |= self._rear(bout)
        return Movement(
            speed=self.speed_mm_s * bout.strength * rise,
            turn=self.turn_rad_s * bout.strength * bell(bout.phase) + 0.3 * bout.toss * bout.swell(),
            targets=targets,
            rhythms={
                channel: amplitude * bout.strength * bout.wave(hertz, phase)
                for channel, (amplitude, hertz, phase) in self.beat.items()
            },
        )

    def _rear(self, bout: Bout) -> dict[str, F64]:
        pitch, lift, done = bout.at("pitch"), bout.at("lift"), ease(bout.phase)
        still = np.ones_like(bout.phase)
        if self.rear == "up":
            top = max(pitch + 0.2, self.height_rad * bout.strength**0.5)
            return {"pitch": pitch + (top - pitch) * done, "lift": lift + 9 * done}
        if self.rear == "down":
            return {"pitch": pitch * (1 - done), "lift": lift * (1 - done)}
        return {"pitch": pitch * still, "lift": lift * still} if self.rear else {}

    def signature(self) -> F64:
        """Place of the movement in units of visible differences."""
        posture = [
            (self.hold.get(name, 0.0) + self.shift.get(name, 0.0)) / visible
            for name, (_, _, visible) in POSTURES.items()
        ]
        ways = [float(name in self.shift) for name in POSTURES]
        beats = [self.beat.get(name, (0.0, 0.0, 0.0))[:2] for name in (*OSCILLATIONS, *LIMBS)]
        rates = [hertz / 3 for _, hertz in beats]
        travel = [self.speed_mm_s / 100, self.turn_rad_s / 2, 1.5 * self.pulse]
        rears = [3.0 * (self.rear == way) for way in ("up", "down", "hold")]
        return np.array([*posture, *ways, *rates, *travel, *rears])


def _travel(rng: np.random.Generator, low: float, high: float, *, pulse: bool = False) -> Composition:
    stride = float(rng.uniform(3.5, 7.0))
    return Composition(
        speed_mm_s=float(rng.uniform(low, high)),
        pulse=pulse,
        hold=_postures(rng, 1, among=("stretch", "arch", "head_pitch")),
        beat={
            "gait": (float(rng.uniform(6, 11)), stride, 0.0),
            "bend": (float(rng.uniform(0.1, 0.35)), stride, _angle(rng)),
        },
    )


def _turn(rng: np.random.Generator, side: float) -> Composition:
    return Composition(
        speed_mm_s=float(rng.uniform(15, 60)),
        turn_rad_s=side * float(rng.uniform(2.5, 5.5)),
        hold={
            "bend": side * float(rng.uniform(0.3, 1.0)),
            "head_yaw": side * float(rng.uniform(0.2, 0.7)),
        },
        beat={"gait": (6.0, 4.0, 0.0)},
    )


def _groom(rng: np.random.Generator) -> Composition:
    """Paws at the mouth, the body rounded, to one side or straight."""
    reach, strokes = float(rng.uniform(0.5, 0.8)), float(rng.uniform(3.5, 8.0))
    lean = _side(rng) * float(rng.uniform(0.0, 0.6)) * float(rng.random() < 0.6)
    return Composition(
        hold={
            "arch": float(rng.uniform(0.15, 0.35)),
            "head_pitch": -float(rng.uniform(0.2, 0.5)),
            "bend": lean,
            "head_yaw": lean,
            "paw_left": reach,
            "paw_right": reach,
        },
        beat={
            "paw_left": (0.35, strokes, 0.0),
            "paw_right": (0.35, strokes, 0.4),
            "head_pitch": (float(rng.uniform(0.12, 0.3)), strokes, 0.0),
            "lift": (float(rng.uniform(0.5, 1.4)), strokes, 1.0),
        },
    )


def _scratch(rng: np.random.Generator) -> Composition:
    side, strokes = _side(rng), float(rng.uniform(6, 10))
    foot = "foot_right" if side > 0 else "foot_left"
    return Composition(
        hold={foot: 0.8, "roll": -side * float(rng.uniform(0.2, 0.4)), "bend": side * 0.3},
        beat={foot: (0.45, strokes, 0.0), "roll": (float(rng.uniform(0.06, 0.15)), strokes, 0.4)},
    )


def _rear(rng: np.random.Generator, way: Literal["up", "down", "hold"]) -> Composition:
    beat = _beats(rng, "head_pitch", "head_yaw") if way == "hold" else {}
    return Composition(rear=way, height_rad=float(rng.uniform(0.7, 1.4)), beat=beat)


def _sniff(rng: np.random.Generator) -> Composition:
    beat = _beats(rng, "head_pitch", "head_yaw", "lift")
    return Composition(speed_mm_s=float(rng.uniform(0, 30)), hold=_postures(rng, 1), beat=beat)


def _wag(rng: np.random.Generator) -> Composition:
    return Composition(hold=_postures(rng, 1), beat=_beats(rng, "bend", "roll", "stretch", "arch"))


def _shift(rng: np.random.Generator) -> Composition:
    shift = {name: 0.8 * goal for name, goal in _postures(rng, 2).items()}
    return Composition(speed_mm_s=float(rng.uniform(0, 30)), shift=shift)


def _hold(rng: np.random.Generator) -> Composition:
    return Composition(hold=_postures(rng, int(rng.integers(2, 4))))


def _pause(rng: np.random.Generator) -> Composition:
    return Composition(
        hold={"stretch": -0.04}, beat={"breath": (0.035, float(rng.uniform(2, 3)), _angle(rng))}
    )


def _postures(
    rng: np.random.Generator, count: int, among: tuple[str, ...] = tuple(POSTURES)
) -> dict[str, float]:
    """Draw goals of some channels, a visible difference from rest each if the range allows."""
    goals = {}
    for name in rng.choice(among, count, replace=False):
        low, high, visible = POSTURES[str(name)]
        side = high if rng.random() < high / (high - low) else low
        goals[str(name)] = float(np.sign(side) * rng.uniform(min(visible, abs(side)), abs(side)))
    return goals


def _beats(rng: np.random.Generator, *among: str) -> dict[str, tuple[float, float, float]]:
    """Draw the oscillation of one of some channels."""
    name = str(rng.choice(among))
    hertz = float(np.exp(rng.uniform(*np.log(RATE_HZ))))
    return {name: (float(rng.uniform(*OSCILLATIONS[name])), hertz, _angle(rng))}


def _angle(rng: np.random.Generator) -> float:
    return float(rng.uniform(-np.pi, np.pi))


def _side(rng: np.random.Generator) -> float:
    return float(rng.choice([-1.0, 1.0]))


MOVEMENT_TYPES: Mapping[str, Callable[[np.random.Generator], Composition]] = {
    "walk": partial(_travel, low=70, high=170),
    "pause": _pause,
    "groom": _groom,
    "rear_up": partial(_rear, way="up"),
    "rear_down": partial(_rear, way="down"),
    "turn_left": partial(_turn, side=-1.0),
    "turn_right": partial(_turn, side=1.0),
    "creep": partial(_travel, low=20, high=50),
    "dart": partial(_travel, low=250, high=450, pulse=True),
    "rear_hold": partial(_rear, way="hold"),
    "scratch": _scratch,
    "sniff": _sniff,
    "wag": _wag,
    "shift": _shift,
    "hold": _hold,
}
