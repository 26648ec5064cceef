"""The arena: the empty background, the floor's plane, its outline, and the frame of reference.

In reading order: ``background`` and ``ordering`` (its samples sorted); ``planes``, ``floor`` and
``outline`` (which pixels belong to the arena); ``geometry`` (the arena, and its coordinates);
``units`` (in which a recording has a floor).
"""

__all__ = ["background", "floor", "geometry", "ordering", "outline", "planes", "units"]
