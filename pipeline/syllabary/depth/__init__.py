"""Raw depth frames to upright crops of one mouse, and the quality of a recording.

In reading order: ``settings``; ``counts`` (what they mean); ``video`` (an open recording); ``sources``
(choice of a reader, and checks of inputs) and ``readers/`` (one file per format); ``timing`` (timestamps
to a regular clock); ``lens/`` (pixels and depths to
millimeters and back); ``arena/`` (the empty arena and its coordinates); ``tracking/`` (position, axis
and size of the mouse); ``heading/`` (the head end) and ``heading_training/``; ``bridging`` (short
losses); ``scalars`` (columns of tables); ``crops`` (warp to upright crops); ``blocks`` (reading ahead)
and ``windows`` (parts of frames for the second pass); ``extraction`` (a recording to crops);
``remeasuring`` (crops that were extracted already); ``preview`` (the movie); ``quality`` (the verdict);
``conversion`` (to another raw format); ``finding`` (the recordings under a folder).

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
    "counts",
    "crops",
    "extraction",
    "finding",
    "heading",
    "heading_training",
    "lens",
    "preview",
    "quality",
    "readers",
    "remeasuring",
    "scalars",
    "settings",
    "sources",
    "timing",
    "tracking",
    "video",
    "windows",
]
