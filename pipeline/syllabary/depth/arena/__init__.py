"""The arena: the empty background, the floor's plane, its outline, and the frame of reference.

In reading order: ``background`` and ``ordering`` (its samples sorted); ``planes``, ``floor`` and
``outline`` (which pixels belong to the arena); ``geometry`` (the arena, and its coordinates);
``units`` (in which a recording has a floor); ``stillness`` (did it move?), ``alignment`` (the arena of a
recording in which it does) and ``eras`` (where it was in which frame).
"""

__all__ = [
    "alignment",
    "background",
    "eras",
    "floor",
    "geometry",
    "ordering",
    "outline",
    "planes",
    "stillness",
    "units",
]
