"""Place and heading of the mouse over short losses.

They are interpolated between the frames before and after the loss. Over a longer loss they stay
missing. Size, height and crop stay missing over any loss.
"""

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from .heading.decode import Headings
from .tracking.tracker import Track

__all__ = ["bridge"]

PLACE = ("x_px", "y_px", "x_mm", "y_mm")


def bridge(
    track: Track, headings: Headings, time_s: npt.NDArray[np.float64], longest_s: float
) -> tuple[Track, Headings]:
    """Fill in place and heading of losses between two frames that show the mouse.

    Parameters
    ----------
    time_s : (F,)
    longest_s : float
        Longest time between these frames, s. The confidence of a filled-in heading stays NaN.
    """
    detected = np.flatnonzero(track.detected)
    if len(detected) < 2:
        return track, headings
    lost = np.flatnonzero(~track.detected)
    after = np.searchsorted(detected, lost)
    inside = (after > 0) & (after < len(detected))
    lost, after = lost[inside], after[inside]
    short = time_s[detected[after]] - time_s[detected[after - 1]] <= longest_s
    lost = lost[short]

    def filled(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        out = values.copy()
        out[lost] = np.interp(time_s[lost], time_s[detected], values[detected])
        return out

    # The shorter way around the circle.
    turned = headings.heading_rad.copy()
    turned[detected] = np.unwrap(turned[detected])
    heading = filled(turned)
    heading = np.pi - (np.pi - heading) % (2 * np.pi)
    heading[detected] = headings.heading_rad[detected]
    x_px, y_px, x_mm, y_mm = (filled(getattr(track, name)) for name in PLACE)
    track = replace(track, x_px=x_px, y_px=y_px, x_mm=x_mm, y_mm=y_mm)
    return track, headings._replace(heading_rad=heading)
