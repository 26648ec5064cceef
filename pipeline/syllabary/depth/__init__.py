"""Raw depth frames to upright crops of one mouse, and what is wrong with them.

In reading order: ``settings``; ``video`` (an open recording); ``sources`` (which reader opens a
path; cheap checks) and ``readers/`` (one file per raw format); ``ticks`` (timestamps to a clock
without holes); ``lens/`` (pixels and depths to millimeters and back); ``arena/`` (the empty arena
and its coordinates); ``tracking/`` (where the mouse is and how it lies); ``heading/`` (which end
is the head) and ``heading_training/``; ``bridging`` (short losses); ``scalars`` (what tables
hold); ``crops`` (the one warp); ``blocks`` (reading ahead) and ``windows`` (what waits for the
heading); ``extraction`` (the pass over a recording); ``legacy`` (what MoSeq2 has already
extracted); ``preview`` (a movie to look at); ``quality`` (the verdict); ``conversion`` (a raw
recording in another format).

F frames of a raw recording, T ticks of its clock. Depth is mm along the optical axis,
images are ``[row, column]``, pixel positions ``(x, y)`` with the center of the first pixel
at (0, 0). The *camera frame* has its origin in the lens, x image right, y image down, z away
from the camera; the *arena frame* has its origin on the floor at the arena's center, x image
right, y image down along the floor, z up. Angles are rad from +x toward +y.
"""

__all__ = [
    "arena",
    "blocks",
    "bridging",
    "conversion",
    "crops",
    "extraction",
    "heading",
    "heading_training",
    "legacy",
    "lens",
    "preview",
    "quality",
    "readers",
    "scalars",
    "settings",
    "sources",
    "ticks",
    "tracking",
    "video",
    "windows",
]
