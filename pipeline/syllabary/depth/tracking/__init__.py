"""Where the mouse is and how it lies.

In reading order: ``shape`` (place, axis and size of a body, from its surface), ``surface`` (pixels of
a body as points), ``tether`` (a cable that hangs on it) and ``tracker``.
"""

__all__ = ["shape", "surface", "tether", "tracker"]
