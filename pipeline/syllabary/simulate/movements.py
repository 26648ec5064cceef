"""Movement templates of the syllables: targets, rhythms and locomotion over a bout.

A syllable here is a movement, not a posture. A template holds targets of some channels, rhythms that
are added to them, and the speed of the animal. A channel without a target follows the animal's slowly
drifting posture. Amplitude and tempo differ from bout to bout, and every time course starts at the
pose in which the bout before ended.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from .body import CHANNELS

__all__ = ["MOVEMENTS", "Bout", "Movement", "MovementTemplate"]

F64 = npt.NDArray[np.float64]
RAMP_S = 0.045
EASE_S = 0.15


class Bout(NamedTuple):
    """One performance of a syllable; n time steps."""

    time: F64  # (n,) s since its start
    phase: F64  # (n,) from 0 to 1
    start: F64  # (P,) pose at its start
    strength: float  # amplitude, 1 on average
    tempo: float  # speed of rhythms, 1 on average
    beat: float  # rad, where rhythms start
    toss: float  # uniform in [-1, 1], for what each bout does differently

    def at(self, channel: str) -> float:
        """Return where a channel was when the bout began."""
        return float(self.start[CHANNELS.index(channel)])

    def toward(self, share: float = 0.75, **goals: float) -> dict[str, F64]:
        """Return courses of channels that go part of the way to a goal, and stay.

        Only ``share`` of the way is covered, so the posture at the start remains visible.
        """
        there = ease(np.clip(self.time / EASE_S, 0, 1)) * share * (1 + 0.25 * self.toss)
        return {name: self.at(name) + (goal - self.at(name)) * there for name, goal in goals.items()}

    def swell(self) -> F64:
        """Return the envelope of a rhythm, which fades in and out at the borders."""
        left = np.minimum(self.time, self.time[-1] - self.time) / RAMP_S
        return ease(np.clip(left, 0, 1))

    def wave(self, hertz: float, shift: float = 0.0) -> F64:
        """Return a sine of ``hertz`` cycles per second at tempo 1, under the envelope."""
        angle = 2 * np.pi * hertz * self.tempo * self.time + self.beat + shift
        return 1.15 * np.sin(angle) * self.swell()


class Movement(NamedTuple):
    """The movement of one bout; every array (n,)."""

    speed: F64  # mm/s forward
    turn: F64  # rad/s, positive to the right
    targets: dict[str, F64]
    rhythms: dict[str, F64]


class MovementTemplate(NamedTuple):
    """A syllable: its behavior, movement, duration, usage and place in a sequence."""

    behavior: str
    move: Callable[[Bout], Movement]
    median_s: float
    usage: float  # weight in the control group, before the grammar's preferences
    drug: float  # factor of its usage under the drug
    starts: str = "down"
    ends: str = "down"
    tremor: float = 1.0


def ease(u: F64) -> F64:
    """Go from 0 to 1 without a jump in speed."""
    return u * u * (3 - 2 * u)


def bell(u: F64) -> F64:
    """Rise from 0 and fall back to it."""
    return np.sin(np.pi * u) ** 2


def _walk(b: Bout) -> Movement:
    stride = 4.6
    return Movement(
        speed=115 * b.strength * (0.7 + 0.3 * b.swell()),
        turn=0.5 * b.toss * np.ones_like(b.phase) + 0.4 * b.wave(stride),
        targets=b.toward(stretch=0.06, arch=-0.06, bend=0.0, head_yaw=0.0, head_pitch=0.12, roll=0.0),
        rhythms={
            "gait": 10 * b.wave(stride),
            "bend": 0.32 * b.wave(stride),
            "head_yaw": -0.20 * b.wave(stride, 0.6),
            "lift": 1.1 * b.wave(2 * stride),
            "tail": 0.5 * b.wave(stride, 2.0),
        },
    )


def _dart(b: Bout) -> Movement:
    bound, rush = 7.0, bell(b.phase) ** 0.7
    return Movement(
        speed=420 * b.strength * rush,
        turn=0.8 * b.toss * rush,
        targets={
            "stretch": b.at("stretch") + 0.28 * b.strength * rush,
            "arch": b.at("arch") - 0.20 * rush,
            **b.toward(bend=0.0, head_yaw=0.0),
        },
        rhythms={
            "gait": 11 * b.wave(bound),
            "arch": 0.16 * b.wave(bound),
            "stretch": 0.10 * b.wave(bound, 2.6),
            "pitch": 0.08 * b.wave(bound, 1.0),
        },
    )


def _turn(b: Bout, side: int) -> Movement:
    lead, swing = bell(np.minimum(b.phase * 1.2, 1)), bell(b.phase)
    back = 1 - ease(b.phase)
    return Movement(
        speed=25 + 20 * b.swell(),
        turn=side * 4.6 * b.strength * swing,
        targets={
            "bend": b.at("bend") * back + side * 1.0 * b.strength * swing,
            "head_yaw": b.at("head_yaw") * back + side * 0.5 * b.strength * lead,
            "roll": b.at("roll") * back + side * 0.16 * b.strength * swing,
        },
        rhythms={"gait": 6 * b.wave(4.0)},
    )


def _turn_left(b: Bout) -> Movement:
    return _turn(b, -1)


def _turn_right(b: Bout) -> Movement:
    return _turn(b, 1)


def _sniff(b: Bout) -> Movement:
    rate = 8.2
    return Movement(
        speed=22 * b.strength * b.swell(),
        turn=0.3 * b.toss * b.swell(),
        targets=b.toward(head_pitch=-0.25, stretch=0.05, lift=-1.5),
        rhythms={
            "head_pitch": 0.36 * b.strength * b.wave(rate),
            "lift": 0.7 * b.wave(rate, 1.5),
        },
    )


def _scan(b: Bout) -> Movement:
    # The head, held high, sweeps to the other side and back: where it starts decides where it goes.
    side = -1.0 if b.at("head_yaw") > 0 else 1.0
    swing = np.sin(2 * np.pi * 2.6 * b.tempo * b.time) * ease(np.clip(b.time / 0.1, 0, 1))
    return Movement(
        speed=8 * np.ones_like(b.phase),
        turn=0.25 * side * b.swell(),
        targets={
            "head_yaw": b.at("head_yaw") * (1 - b.phase) + side * 0.85 * b.strength * swing,
            **b.toward(pitch=0.22, head_pitch=0.2, bend=0.0),
        },
        rhythms={},
    )


def _rear_up(b: Bout) -> Movement:
    top = max(b.at("pitch") + 0.2, 1.25 * b.strength**0.5)
    rise = ease(b.phase)
    return Movement(
        speed=20 * bell(b.phase),
        turn=0.2 * b.toss * b.swell(),
        targets={
            "pitch": b.at("pitch") + (top - b.at("pitch")) * rise,
            "lift": b.at("lift") + 9 * rise,
            "stretch": b.at("stretch") + 0.1 * rise,
            "arch": b.at("arch") * (1 - rise),
            "paw_left": b.at("paw_left") * (1 - rise),
            "paw_right": b.at("paw_right") * (1 - rise),
        },
        rhythms={},
    )


def _rear_down(b: Bout) -> Movement:
    fall = ease(b.phase)
    return Movement(
        speed=25 * bell(b.phase),
        turn=0.3 * b.toss * b.swell(),
        targets={
            "pitch": b.at("pitch") * (1 - fall) - 0.06 * bell(b.phase),
            "lift": b.at("lift") * (1 - fall),
        },
        rhythms={},
    )


def _rear_sniff(b: Bout) -> Movement:
    still = np.ones_like(b.phase)
    return Movement(
        speed=0 * still,
        turn=0.3 * b.toss * still,
        targets={"pitch": b.at("pitch") * still, "lift": b.at("lift") * still},
        rhythms={
            "head_pitch": 0.18 * b.strength * b.wave(6.5),
            "head_yaw": 0.08 * b.strength * b.wave(3.0, 0.7),
            "roll": 0.02 * b.wave(3.0),
        },
    )


def _groom_face(b: Bout) -> Movement:
    rate, tuck = 5.8, ease(np.clip(b.time / 0.2, 0, 1))
    reach = 0.55 + 0.2 * b.toss
    return Movement(
        speed=0 * b.phase,
        turn=0 * b.phase,
        targets={
            **b.toward(arch=0.32, stretch=-0.13, head_pitch=-0.45, bend=0.0, head_yaw=0.0),
            "paw_left": b.at("paw_left") * (1 - tuck) + reach * tuck,
            "paw_right": b.at("paw_right") * (1 - tuck) + reach * tuck,
        },
        rhythms={
            "paw_left": 0.35 * b.wave(rate),
            "paw_right": 0.35 * b.wave(rate, 0.4),
            "head_pitch": 0.20 * b.strength * b.wave(rate),
            "pitch": 0.05 * b.strength * b.wave(rate, 0.5),
            "lift": 1.0 * b.strength * b.wave(rate, 1.0),
        },
    )


def _groom_flank(b: Bout, side: int) -> Movement:
    rate = 4.8
    return Movement(
        speed=0 * b.phase,
        turn=0 * b.phase,
        targets=b.toward(
            arch=0.30, stretch=-0.12, bend=side * 0.65, head_yaw=side * 0.7, roll=-side * 0.12
        ),
        rhythms={
            "head_pitch": 0.30 * b.strength * b.wave(rate),
            "roll": side * 0.13 * b.strength * b.wave(rate, 1.0),
            "lift": 1.2 * b.strength * b.wave(rate, 0.5),
        },
    )


def _groom_left(b: Bout) -> Movement:
    return _groom_flank(b, -1)


def _groom_right(b: Bout) -> Movement:
    return _groom_flank(b, 1)


def _scratch(b: Bout, side: int) -> Movement:
    rate, lift = 9.6, ease(np.clip(b.time / 0.12, 0, 1))
    foot, other = ("foot_right", "foot_left") if side > 0 else ("foot_left", "foot_right")
    return Movement(
        speed=0 * b.phase,
        turn=-0.3 * side * b.swell(),
        targets={
            foot: b.at(foot) * (1 - lift) + 0.8 * lift,
            other: b.at(other) * (1 - lift),
            **b.toward(roll=-side * 0.4, stretch=-0.08, bend=side * 0.3, head_yaw=-side * 0.1),
        },
        rhythms={
            foot: 0.45 * b.strength * b.wave(rate),
            "roll": side * 0.12 * b.strength * b.wave(rate, 0.4),
            "bend": side * 0.10 * b.strength * b.wave(rate, 1.2),
            "lift": 0.9 * b.wave(rate, 0.8),
        },
    )


def _scratch_left(b: Bout) -> Movement:
    return _scratch(b, -1)


def _scratch_right(b: Bout) -> Movement:
    return _scratch(b, 1)


def _pause(b: Bout) -> Movement:
    return Movement(
        speed=5 * b.swell(),
        turn=0.15 * b.toss * b.swell(),
        targets=b.toward(share=0.3, stretch=-0.04, lift=0.0),
        rhythms={
            "breath": 0.035 * b.wave(2.6),
            "roll": 0.05 * b.strength * b.wave(1.3),
            "bend": 0.07 * b.strength * b.wave(1.1, 0.9),
            "head_yaw": 0.08 * b.strength * b.wave(1.5, 2.0),
        },
    )


def _freeze(b: Bout) -> Movement:
    held = {name: np.full_like(b.phase, b.at(name)) for name in CHANNELS if name != "breath"}
    return Movement(speed=0 * b.phase, turn=0 * b.phase, targets=held, rhythms={})


def _stretch(b: Bout) -> Movement:
    out = ease(b.phase)
    return Movement(
        speed=35 * b.strength * bell(b.phase),
        turn=0.1 * b.toss * b.swell(),
        targets={
            "stretch": b.at("stretch") + 0.38 * b.strength * out,
            "arch": b.at("arch") - 0.20 * out,
            "head_pitch": b.at("head_pitch") * (1 - out) + 0.2 * out,
            "lift": b.at("lift") - 2.5 * out,
        },
        rhythms={},
    )


# The order is the number of the syllable in every truth table.
MOVEMENTS: dict[str, MovementTemplate] = {
    "walk": MovementTemplate("walk", _walk, 0.50, 1.6, 1.3),
    "dart": MovementTemplate("dart", _dart, 0.30, 0.6, 2.0),
    "turn_left": MovementTemplate("turn_left", _turn_left, 0.36, 1.0, 1.0),
    "turn_right": MovementTemplate("turn_right", _turn_right, 0.36, 1.0, 1.0),
    "sniff": MovementTemplate("sniff", _sniff, 0.42, 1.4, 0.7),
    "scan": MovementTemplate("sniff", _scan, 0.42, 1.0, 1.0),
    "rear_up": MovementTemplate("rear_up", _rear_up, 0.36, 1.3, 0.5, "down", "up", tremor=0.6),
    "rear_down": MovementTemplate("rear_down", _rear_down, 0.33, 1.0, 1.0, "up", "down", tremor=0.6),
    "rear_sniff": MovementTemplate("sniff", _rear_sniff, 0.40, 1.0, 1.0, "up", "up", tremor=0.6),
    "groom_face": MovementTemplate("groom", _groom_face, 0.60, 1.1, 0.5),
    "groom_left": MovementTemplate("groom", _groom_left, 0.45, 0.6, 1.0),
    "groom_right": MovementTemplate("groom", _groom_right, 0.45, 0.6, 1.0),
    "scratch_left": MovementTemplate("scratch", _scratch_left, 0.40, 0.5, 1.8),
    "scratch_right": MovementTemplate("scratch", _scratch_right, 0.40, 0.5, 1.8),
    "pause": MovementTemplate("pause", _pause, 0.40, 1.3, 1.0, tremor=0.5),
    "freeze": MovementTemplate("freeze", _freeze, 0.50, 0.6, 2.0, tremor=0.0),
    "stretch": MovementTemplate("stretch", _stretch, 0.42, 0.8, 0.6),
}
