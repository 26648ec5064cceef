"""A mouse of known syllables, seen from above by a depth camera.

In reading order: ``settings``; ``body`` (build and skeleton: a pose becomes solids),
``movements`` (a template for each syllable), ``grammar`` (sequence and duration of syllables),
``compositions`` and ``worlds`` (other animals, drawn from a seed), ``wander`` (slow drifts),
``cable`` (a cable on the neck), ``motion`` (pose and path of a session), ``rendering`` (solids to
depth through a pinhole), ``scene`` (the empty arena), ``sensor`` (noise and losses), ``truth``
(one row per tick). ``acquisition`` writes a session folder of raw depth, and ``crops`` writes
crops directly, for large studies. ``variety`` draws mice and cameras of all sizes. ``latent``
holds chains of known parameters without a mouse; ``linear`` makes crops of them.

Notation: T ticks of the camera, P channels of a pose, S solids of a body. Body frame: +x
forward, +y to the animal's right, +z up. Arena frame: origin on the floor at the arena's
center, +x image right, +y image down, z up; mm, s, rad.
"""

__all__ = [
    "acquisition",
    "body",
    "cable",
    "compositions",
    "crops",
    "grammar",
    "latent",
    "linear",
    "motion",
    "movements",
    "rendering",
    "scene",
    "sensor",
    "settings",
    "truth",
    "variety",
    "wander",
    "worlds",
]
