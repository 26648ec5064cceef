"""Raw depth frames to upright crops of one mouse, and what is wrong with them.

In reading order: ``settings``; ``sources`` (which reader opens a path; cheap checks) and
``readers/`` (one file per raw format); ``ticks`` (timestamps to a clock without holes); ``camera``
(pixels and depths to millimetres and back); ``background`` (the empty arena) and ``ordering`` (its
samples sorted); ``planes``, ``floor`` and ``outline`` (which pixels are the arena's); ``arena``
(its frame); ``shape`` (a body's place, axis and size from its surface) and ``surface`` (pixels of a
body as points); ``tracking`` (where the mouse is and how it lies); ``tether`` (a cable that hangs
on it); ``heading/`` (which end is the head); ``bridging`` (short losses); ``scalars`` (what tables
hold); ``crops`` (the one warp); ``blocks`` (reading ahead) and ``windows`` (what waits for the
heading); ``extraction`` (the pass over a recording); ``legacy`` (what MoSeq2 has already
extracted); ``preview`` (a movie to look at); ``quality`` (the verdict); ``conversion`` (a raw
recording in another format).

F frames of a raw recording, T ticks of its clock. Depth is mm along the optical axis,
images are ``[row, column]``, pixel positions ``(x, y)`` with the center of the first pixel
at (0, 0). The *camera frame* has its origin in the lens, x image right, y image down, z away
from the camera; the *arena frame* has its origin on the floor at the arena's center, x image
right, y image down along the floor, z up. Angles are rad from +x towards +y.
"""

__all__ = [
    "arena",
    "background",
    "blocks",
    "bridging",
    "camera",
    "conversion",
    "crops",
    "extraction",
    "floor",
    "heading",
    "legacy",
    "ordering",
    "outline",
    "planes",
    "preview",
    "quality",
    "readers",
    "scalars",
    "settings",
    "shape",
    "sources",
    "surface",
    "tether",
    "ticks",
    "tracking",
    "windows",
]
