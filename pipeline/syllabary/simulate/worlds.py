"""A world from a seed: an animal, its movements, its camera, and the errors of tracking it.

Settings that were chosen on one simulated mouse are choices for that mouse. A world is another one.
Its movements are composed at random of primitives: postures that are held, one-way movements,
oscillations of a body part at 2 to 10 Hz, steps, turns and rears. How long each lasts, how often it
is used, what follows what, how strongly it varies, and the noise of the camera are drawn too. Some
movements are rare: they take 1 to 3 % of the time.

The same seed gives the same world. Every world has at least one grooming movement (paws at the
mouth), one rear up, one rear down, one walk and one pause, so that these can be scored in all.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ..provenance import generator
from .compositions import MOVEMENT_TYPES, Composition
from .grammar import Repertoire, transitions
from .movements import MovementTemplate
from .settings import MouseSettings, NoiseSettings, SimulateSettings, TrackingErrorSettings

__all__ = ["World", "draw", "laid_over"]

F64 = npt.NDArray[np.float64]

MIN_MOVEMENTS, MAX_MOVEMENTS = 8, 30
RARE_SHARE = (0.01, 0.03)
# Movements nearer than this, in units of clearly visible differences, are the same to the eye.
MIN_DISTANCE = 1.0
# Attempts to draw one more movement that differs from all others.
ATTEMPTS = 200


class World(NamedTuple):
    """Settings of ``simulate`` and a repertoire of movements."""

    settings: SimulateSettings
    repertoire: Repertoire


def draw(seed: int, *, duration_s: float = 120.0) -> World:
    """Draw a world.

    Parameters
    ----------
    seed : int
        The same seed gives the same world.
    duration_s : float
        Length of a recording in it, s.
    """
    rng = generator(seed, "world")
    compositions = _compositions(int(rng.integers(MIN_MOVEMENTS, MAX_MOVEMENTS + 1)), rng)
    templates = {
        name: MovementTemplate(
            behavior=name,
            move=move,
            median_s=float(np.clip(0.42 * np.exp(0.35 * rng.standard_normal()), 0.2, 1.2)),
            usage=1.0,
            drug=float(np.exp(0.5 * rng.standard_normal())),
            starts="up" if move.rear in ("down", "hold") else "down",
            ends="up" if move.rear in ("up", "hold") else "down",
            tremor=float(rng.uniform(0.4, 1.0)),
        )
        for name, move in compositions.items()
    }
    names = list(templates)
    preferences = {
        (before, after): float(np.exp(rng.standard_normal()))
        for before in names
        for after in names
        if before != after and rng.random() < 0.4
    }
    shares = _shares(names, rng)
    raw = Repertoire(templates, preferences, duration_sd=float(rng.uniform(0.25, 0.5)))
    return World(_settings(seed, duration_s, rng), _with_shares(raw, shares))


def laid_over(settings: SimulateSettings) -> SimulateSettings:
    """Return settings with body, noise and errors of tracking of their world, if they name one."""
    if settings.world is None:
        return settings
    world = draw(settings.world).settings
    parts = {"mouse": world.mouse, "noise": world.noise, "tracking": world.tracking}
    return settings.model_copy(update=parts)


def _settings(seed: int, duration_s: float, rng: np.random.Generator) -> SimulateSettings:
    """Draw body, vigor, camera noise and errors of tracking."""

    def times(value: float, low: float, high: float) -> float:
        return float(value * np.exp(rng.uniform(np.log(low), np.log(high))))

    return SimulateSettings(
        duration_s=duration_s,
        world=seed,
        mouse=MouseSettings(
            length_mm=times(84, 0.88, 1.15),
            width_mm=times(33, 0.85, 1.15),
            height_mm=times(34, 0.85, 1.15),
            tail_mm=times(70, 0.7, 1.3),
            build_sd=float(rng.uniform(0.03, 0.08)),
            tempo_sd=float(rng.uniform(0.03, 0.12)),
            strength_sd=float(rng.uniform(0.15, 0.35)),
            posture_drift=float(rng.uniform(0.6, 1.5)),
            tremor=float(rng.uniform(0.6, 1.5)),
        ),
        noise=NoiseSettings(
            temporal_sd_mm=float(rng.uniform(1.0, 3.0)),
            edge_dropout=float(rng.uniform(0.01, 0.06)),
            flying=float(rng.uniform(0.1, 0.3)),
        ),
        tracking=TrackingErrorSettings.measured(times(1.0, 0.7, 1.5)),
    )


def _compositions(count: int, rng: np.random.Generator) -> dict[str, Composition]:
    """Draw movements that differ visibly from each other, the obligatory ones first."""
    chosen: dict[str, Composition] = {}
    signatures: list[F64] = []
    number: dict[str, int] = {}
    attempts = 0
    while len(chosen) < count and attempts < ATTEMPTS:
        obligatory = len(chosen) < len(OBLIGATORY)
        kind = OBLIGATORY[len(chosen)] if obligatory else str(rng.choice(OPTIONAL))
        move = MOVEMENT_TYPES[kind](rng)
        place = move.signature()
        attempts += 1
        if any(np.linalg.norm(place - other) < MIN_DISTANCE for other in signatures):
            continue
        attempts = 0
        number[kind] = number.get(kind, 0) + 1
        chosen[kind if number[kind] == 1 else f"{kind}_{number[kind]}"] = move
        signatures.append(place)
    return chosen


OBLIGATORY = ("walk", "pause", "groom", "rear_up", "rear_down", "turn_left", "turn_right")
# What a world may have beside these; twice what may often come again.
OPTIONAL = (
    "walk", "dart", "groom", "groom", "scratch", "sniff", "sniff", "hold", "hold", "shift", "shift",
    "wag", "rear_hold", "rear_up", "creep", "turn_left", "turn_right",
)  # fmt: skip


def _shares(names: list[str], rng: np.random.Generator) -> F64:
    """Draw the share of the time that each movement takes: one to three are rare."""
    shares = rng.gamma(4.0, size=len(names))
    movable = [
        i for i, name in enumerate(names) if name not in ("walk", "rear_up", "rear_down", "groom")
    ]
    rare = rng.choice(movable, min(len(movable), int(rng.integers(1, 4))), replace=False)
    shares[rare] = 0.0
    rest = rng.uniform(*RARE_SHARE, size=len(rare))
    shares *= (1 - rest.sum()) / shares.sum()
    shares[rare] = rest
    return shares / shares.sum()


def _with_shares(repertoire: Repertoire, shares: F64) -> Repertoire:
    """Set the usage of every movement so that its part of the time is as wanted, as far as can be.

    What stands up must come down again, so rears follow each other's counts.
    """
    medians = np.array([template.median_s for template in repertoire.movements.values()])
    usage = np.ones(len(shares))
    for _ in range(100):
        repertoire = _used(repertoire, usage)
        values, vectors = np.linalg.eig(transitions("control", repertoire).T)
        visits = np.abs(np.real(vectors[:, np.argmax(np.real(values))]))
        time = visits * medians / (visits @ medians)
        usage *= np.clip(shares / np.maximum(time, 1e-6), 0.2, 5.0) ** 0.5
        usage /= usage.mean()
    return _used(repertoire, usage)


def _used(repertoire: Repertoire, usage: F64) -> Repertoire:
    movements = {
        name: template._replace(usage=float(weight))
        for (name, template), weight in zip(repertoire.movements.items(), usage, strict=True)
    }
    return repertoire._replace(movements=movements)
