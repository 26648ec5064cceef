"""What a recording may be like, drawn from one seed.

``Options()`` is a recording without any difficulty. ``draw`` changes about a third of the options of
each, so that most difficulties meet others. ``plain`` takes one difficulty away again.
"""

from dataclasses import dataclass, fields, replace

import numpy as np

__all__ = ["CLOCKS", "Options", "difficulties", "draw", "plain"]

CLOCKS = (
    "ms", "s", "us", "100ns", "epoch_s", "epoch_ms", "iso", "count_first", "count_header", "count_last",
)  # fmt: skip
COUNTS = ("mm", "tenths", "quarters", "player_bits", "float_mm", "float_m")
RATES = (5.0, 10.0, 15.0, 25.0, 60.0, 90.0, 120.0)


@dataclass(frozen=True)
class Options:
    """One recording; lengths in mm, times in s, fractions from 0 to 1.

    ``declared`` is whether the user knows the unit and the animal's size and says so in the config.
    """

    seed: int = 0
    fps: float = 30.0
    duration_s: float = 6.0
    counts: str = "mm"
    container: str = "dat"
    big_endian: bool = False
    invalid: int = 0
    clock: str = "ms"
    dropped: float = 0.0
    size: float = 1.0
    tilt_deg: float = 0.0
    tilt_toward_deg: float = 0.0
    empty_start: float = 0.0
    empty_end: float = 0.0
    animals: int = 1
    holes: float = 0.0
    hole_px: float = 0.0
    noise_mm: float = 1.0
    speed_mm_s: float = 120.0
    declared: bool = True


NO_DIFFICULTY = ("seed", "tilt_toward_deg", "hole_px", "speed_mm_s", "duration_s")


def draw(seed: int) -> Options:
    """Return the recording of a seed."""
    rng = np.random.default_rng([20161123, seed])

    def maybe(chance, value, otherwise):
        return value if rng.random() < chance else otherwise

    fps = maybe(0.7, float(rng.choice(RATES)), 30.0)
    container = str(rng.choice(["dat", "dat", "hdf5", "avi"]))
    counts = maybe(0.4, str(rng.choice(COUNTS[1:])), "mm")
    if container != "hdf5" and counts == "float_m":
        counts = "float_mm"
    if container == "avi" and counts == "float_mm":
        counts = "tenths"
    invalid = maybe(0.3, int(rng.choice([65535, 4095, 2047])), 0)
    return Options(
        seed=seed,
        fps=fps,
        duration_s=float(max(rng.uniform(3.5, 6.0), 40 / fps)),
        counts=counts,
        container=container,
        big_endian=maybe(0.25, True, False) and container == "dat",
        invalid=0 if counts.startswith("float") else invalid,
        clock=maybe(0.5, str(rng.choice(CLOCKS[1:])), "ms"),
        dropped=maybe(0.35, float(rng.uniform(0.02, 0.4)), 0.0),
        size=maybe(0.6, float(rng.uniform(0.6, 2.5)), 1.0),
        tilt_deg=maybe(0.5, float(rng.uniform(1, 15)), 0.0),
        tilt_toward_deg=float(rng.uniform(0, 360)),
        empty_start=maybe(0.2, float(rng.uniform(0.05, 0.5)), 0.0),
        empty_end=maybe(0.2, float(rng.uniform(0.05, 0.4)), 0.0),
        animals=int(rng.choice([0, 1, 2], p=[0.06, 0.84, 0.1])),
        holes=maybe(0.4, float(rng.uniform(0.02, 0.6)), 0.0),
        hole_px=float(rng.choice([0.0, 1.5])),
        noise_mm=float(rng.uniform(0.5, 1.7)),
        speed_mm_s=float(rng.uniform(60, 220)),
        declared=bool(rng.random() < 0.75),
    )


def difficulties(options: Options) -> list[str]:
    """Return the names of the options that differ from a recording without difficulty."""
    easy = Options()
    return [
        field.name
        for field in fields(options)
        if field.name not in NO_DIFFICULTY and getattr(options, field.name) != getattr(easy, field.name)
    ]


def plain(options: Options, name: str) -> Options:
    """Return the recording without one difficulty."""
    return replace(options, **{name: getattr(Options(), name)})
