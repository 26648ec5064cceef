"""A mouse of known syllables, seen from above by a depth camera.

In the order data flow: ``settings``; ``body`` (build and skeleton: a pose becomes solids),
``movements`` (what moves in each syllable), ``grammar`` (which syllable follows which, and
for how long), ``wander`` (slow drifts), ``cable`` (what may hang on it), ``motion`` (pose and path
of a session), ``rendering`` (solids to depth through a pinhole), ``scene`` (the arena without a
mouse), ``sensor`` (what the camera makes of it), ``truth`` (what really happened), then what is
written: ``acquisition`` (a session folder of raw depth) or ``crops`` (crops directly, for large
studies). ``variety`` draws mice and cameras of all sizes. ``latent`` holds chains of known
parameters without a mouse; ``linear`` makes crops of them.

Notation: T ticks of the camera, P channels of a pose, S solids of a body. Body frame: +x
forward, +y to the animal's right, +z up. Arena frame: origin on the floor at the arena's
center, +x image right, +y image down, z up; mm, s, rad.
"""

__all__ = [
    "acquisition",
    "body",
    "cable",
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
]
