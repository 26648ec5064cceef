"""Position, axis and size of the mouse in every frame.

In reading order: ``shape`` (place, axis and size of a body, from its surface), ``surface`` (pixels of a
body as points), ``holes`` (pixels that are missing), ``tether`` (a cable that hangs on it), ``tracker``
(the mouse in one frame after the other), ``plausibility`` (frames that show something else),
``first_pass`` (a whole recording).
"""

__all__ = ["first_pass", "holes", "plausibility", "shape", "surface", "tether", "tracker"]
