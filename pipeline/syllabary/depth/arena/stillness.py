"""Is the floor still where the background has it, and is it in sight?

A camera or an arena that moves changes the inverse depth of the floor by a function linear in the
ray r of a pixel: 1/z = 1/background + r·pose. The three numbers of the pose are fitted to a few
hundred pixels of the floor in every frame, by reweighted least squares that disregard the animal.
Walls tell of shifts along the floor, which leave its depth as it was.
"""

from collections import deque
from typing import NamedTuple

import numba
import numpy as np
import numpy.typing as npt

from ..settings import TrackingSettings
from .geometry import Arena

__all__ = ["FOLLOW_MM", "Look", "Watch"]

# Pixels that are looked at in a frame.
FLOOR_PIXELS, RIM_PIXELS = 320, 120
# Distance within which a pixel belongs to the floor, mm; and those of successive fits to a jump.
REACH_MM, NARROWING_MM = 10.0, (60.0, 30.0, 15.0, 10.0, 10.0)
# Smallest change that is followed, and change beyond which heights of a frame are wrong, mm.
FOLLOW_MM, LOST_MM = 1.0, 4.0
# Largest change of a camera or a floor that is not another scene, mm.
MAX_SHIFT_MM = 100.0
# Frames whose median is followed.
RECENT = 9
# Smallest share of the measured floor that is in sight, and of the floor that is measured.
IN_SIGHT, MEASURED = 0.5, 0.2
# Change of depth at the rim that no noise makes, mm, and share of the rim that shows a moved wall.
RIM_MM, MOVED_RIM = 25.0, 0.25
# Largest area higher than an animal, mm²: more than a cable.
HIGH_MM2 = 5000.0

Array = npt.NDArray[np.float64]


class Look(NamedTuple):
    """A frame compared with the background.

    Attributes
    ----------
    pose : (3,)
        Pose of the floor, 1/mm.
    shift_mm : float
        Largest change of the floor's depth between this pose and the one that was assumed.
    on_floor, measured : float
        Share of the measured floor that lies on it, and of the floor that is measured.
    rim : float
        Share of the rim that is farther or nearer than it should be, whichever is larger.
    high : float
        Share of the floor that something higher than an animal hides.
    """

    pose: Array
    shift_mm: float
    on_floor: float
    measured: float
    rim: float
    high: float


class Watch:
    """Watch the floor in successive frames, and follow it.

    Parameters
    ----------
    arena : Arena
        The arena at pose 0.
    settings : TrackingSettings

    Attributes
    ----------
    pose : (3,)
        Pose of the floor that counts, 1/mm.
    """

    def __init__(self, arena: Arena, settings: TrackingSettings) -> None:
        floor = _spread(arena.mask & (arena.background_mm > 0), FLOOR_PIXELS)
        rim = _spread(arena.search & ~arena.mask & (arena.background_mm > 0), RIM_PIXELS)
        self._pixels = np.ascontiguousarray(np.concatenate([floor, rim], axis=1))
        rows, columns = self._pixels
        self._depth = arena.background_mm[rows, columns].astype(np.float64)
        self._rays = np.ascontiguousarray(arena.rays[rows, columns])
        self._floor = floor.shape[1]
        rows, columns = arena.corners_px
        self._corner_rays = np.ascontiguousarray(arena.rays[rows, columns])
        self._corner_mm = arena.plane_mm[rows, columns].astype(np.float64)
        self._arena = arena
        self._high_mm = float(settings.max_height_mm)
        area_mm2 = np.count_nonzero(arena.mask) * arena.mm_per_px**2
        self._max_high = max(HIGH_MM2 / area_mm2, 3 / FLOOR_PIXELS)
        self.pose = np.zeros(3)
        self._recent: deque[Array] = deque(maxlen=RECENT)
        self._waiting = 0

    def is_sure(self, depth_mm: npt.NDArray[np.uint16]) -> tuple[bool, bool]:
        """Look at the next frame; ``pose`` follows the floor.

        Returns
        -------
        (bool, bool)
            The floor is where ``pose`` has it; it is in sight.
        """
        look = self._look(depth_mm, self.pose, REACH_MM)
        if look.measured < MEASURED:
            return True, True
        if look.shift_mm > 2.5 * FOLLOW_MM or look.on_floor < IN_SIGHT + 0.1 or not self._recent:
            now = self.find(depth_mm)
            if now is None:
                return True, False
            self._recent.append(now)
            self._follow()
            moved = self.shift_mm(now) > LOST_MM
            look = self._look(depth_mm, self.pose, REACH_MM)
        else:
            self._recent.append(look.pose)
            moved = False
            # A slow drift may wait.
            self._waiting += 1
            if self._waiting >= RECENT:
                self._follow()
        return not (moved or look.rim > MOVED_RIM), look.high <= self._max_high

    def _follow(self) -> None:
        """Take over the median of recent poses where it differs."""
        self._waiting = 0
        usual = np.sort(self._recent, axis=0)[len(self._recent) // 2]
        if self.shift_mm(usual) > FOLLOW_MM:
            self.pose = usual

    def find(self, depth_mm: npt.NDArray[np.uint16]) -> Array | None:
        """Return the pose of the floor in a frame, wherever it is; None if it is out of sight."""
        near = self._narrowed(depth_mm, self.pose, NARROWING_MM[2:])
        if near.on_floor >= IN_SIGHT + 0.1:
            return near.pose
        far = self._narrowed(depth_mm, self._raised(depth_mm), NARROWING_MM)
        best = max(near, far, key=lambda look: look.on_floor)
        if best.on_floor < IN_SIGHT or best.measured < MEASURED:
            return None
        # A lid before the lens is no floor that moved.
        return best.pose if np.abs(self._arena.shift_mm(best.pose)).max() <= MAX_SHIFT_MM else None

    def shift_mm(self, pose: Array) -> float:
        """Return the largest change of the floor's depth between a pose and the one that counts."""
        depth, usual = (1 / (1 / self._corner_mm + self._corner_rays @ at) for at in (pose, self.pose))
        return float(np.abs(depth - usual).max())

    def _narrowed(
        self, depth_mm: npt.NDArray[np.uint16], pose: Array, reaches: tuple[float, ...]
    ) -> Look:
        for reach in reaches:
            look = self._look(depth_mm, pose, reach)
            pose = look.pose
        return self._look(depth_mm, pose, REACH_MM)._replace(pose=pose)

    def _raised(self, depth_mm: npt.NDArray[np.uint16]) -> Array:
        """Return the pose of a floor raised or lowered by the median of what was measured."""
        rows, columns = self._pixels[:, : self._floor]
        depth = depth_mm[rows, columns].astype(np.float64)
        measured = depth > 0
        change = (
            np.median(1 / depth[measured] - 1 / self._depth[: self._floor][measured])
            if measured.any()
            else 0.0
        )
        return np.array([0.0, 0.0, change])

    def _look(self, depth_mm: npt.NDArray[np.uint16], pose: Array, reach_mm: float) -> Look:
        return Look(
            *_compare(
                depth_mm, self._pixels, self._depth, self._rays, self._floor, self._corner_rays,
                self._corner_mm, pose, reach_mm, self._high_mm,
            )
        )  # fmt: skip


def _spread(mask: npt.NDArray[np.bool_], count: int) -> npt.NDArray[np.int64]:
    """Return rows and columns of about ``count`` pixels of a mask, evenly spread, (2, n)."""
    pixels = np.argwhere(mask)
    step = max(1, int(np.sqrt(len(pixels) / count)))
    chosen = pixels[(pixels % step == 0).all(axis=1)]
    return np.asarray((chosen if len(chosen) else pixels).T, np.int64)


@numba.njit(cache=True)
def _compare(
    depth_mm: npt.NDArray[np.uint16],
    pixels: npt.NDArray[np.int64],
    background: Array,
    rays: Array,
    floor: int,
    corner_rays: Array,
    corner_mm: Array,
    pose: Array,
    reach_mm: float,
    high_mm: float,
) -> tuple[Array, float, float, float, float, float]:
    """Return the fields of ``Look``; the first ``floor`` pixels are the floor's, others the rim's."""
    # Moments of a = z expected r, weighted; scalars stay in registers.
    xx = xy = xz = yy = yz = zz = x = y = up = 0.0
    measured, on_floor, high, rim, farther, nearer = 0, 0, 0, 0, 0, 0
    for i in range(pixels.shape[1]):
        z = float(depth_mm[pixels[0, i], pixels[1, i]])
        if z == 0:
            continue
        turn = rays[i, 0] * pose[0] + rays[i, 1] * pose[1] + rays[i, 2] * pose[2]
        expected = background[i] / (1 + background[i] * turn)
        off = expected - z
        if i >= floor:
            # Walls may move with the floor or stay.
            rim += 1
            farther += z > max(expected, background[i]) + RIM_MM
            nearer += z < min(expected, background[i]) - RIM_MM
            continue
        measured, high = measured + 1, high + (off > high_mm)
        if abs(off) >= reach_mm:
            continue
        on_floor += 1
        # Tukey's biweight.
        share = off / reach_mm
        root = 1 - share * share
        scale = root * z * expected
        a, b, c = scale * rays[i, 0], scale * rays[i, 1], scale * rays[i, 2]
        xx, xy, xz = xx + a * a, xy + a * b, xz + a * c
        yy, yz, zz = yy + b * b, yz + b * c, zz + c * c
        off *= root
        x, y, up = x + a * off, y + b * off, up + c * off
    out = pose.copy()
    if on_floor >= 12:
        ridge = 1e-9 * (xx + yy + zz)
        moment = np.array([[xx + ridge, xy, xz], [xy, yy + ridge, yz], [xz, yz, zz + ridge]])
        out += np.linalg.solve(moment, np.array([x, y, up]))
    shift = 0.0
    for j in range(len(corner_mm)):
        before = after = 1 / corner_mm[j]
        for k in range(3):
            before += corner_rays[j, k] * pose[k]
            after += corner_rays[j, k] * out[k]
        shift = max(shift, abs(1 / after - 1 / before))
    return (
        out,
        shift,
        on_floor / max(measured, 1),
        measured / max(floor, 1),
        max(farther, nearer) / max(rim, 1),
        high / max(measured, 1),
    )
