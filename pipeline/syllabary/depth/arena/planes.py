"""The best supported planes of a depth image, without random sampling.

Every patch of the image proposes the plane through its pixels. The support of a plane is the weight
of all pixels near it. Unlike RANSAC, this is deterministic: a floor is found wherever a single patch
lies within it, however large other planes are.
"""

import numpy as np
import numpy.typing as npt

__all__ = ["propose"]

PATCH_PX = 16
# Smallest fraction of measured pixels in a patch, and smallest support relative to the best plane.
MIN_MEASURED, MIN_SUPPORT = 0.5, 0.05
# Distance of the rows and columns at which support is counted.
STEP_PX = 4

Array = npt.NDArray[np.float64]


def propose(
    rays: Array,
    depth: Array,
    weight: Array,
    tolerance_mm: float,
    *,
    max_tilt_deg: float,
    max_planes: int,
) -> list[Array]:
    """Return at most ``max_planes`` planes, the best supported first.

    Pixels that support a plane do not count for later ones.

    Parameters
    ----------
    rays : (rows, columns, 3)
        Position at depth 1 of every pixel.
    depth, weight : (rows, columns)
        Depth, mm; pixels of weight 0 are unknown.
    tolerance_mm : float
        How far a pixel may be from a plane that it supports.
    max_tilt_deg : float
        Planes tilted more against the image are walls.

    Returns
    -------
    list of (4,)
        Unit normal away from the camera, and distance from the lens, mm: n·X = d.
    """
    planes = _of_patches(rays, depth, weight > 0)
    planes = planes[planes[:, 2] > np.cos(np.deg2rad(max_tilt_deg))]
    grid = (slice(STEP_PX // 2, None, STEP_PX),) * 2
    measured = weight[grid] > 0
    left, points = weight[grid][measured], (rays[grid] * depth[grid][..., None])[measured]
    near = np.empty((len(planes), len(points)), bool)
    for i, plane in enumerate(planes):
        near[i] = np.abs(points @ plane[:3] - plane[3]) <= tolerance_mm
    chosen: list[Array] = []
    min_support = 0.0
    while len(chosen) < max_planes and len(planes):
        support = near @ left
        best = int(np.argmax(support))
        min_support = min_support or MIN_SUPPORT * float(support[best])
        if support[best] <= 0 or support[best] < min_support:
            break
        chosen.append(planes[best])
        left = np.where(near[best], 0.0, left)
    return chosen


def _of_patches(rays: Array, depth: Array, measured: npt.NDArray[np.bool_]) -> Array:
    """Fit inverse depth, linear in the ray, in every patch; (n, 4)."""
    rows, columns = (n // PATCH_PX for n in depth.shape)
    if not rows * columns:
        return np.empty((0, 4))
    inverse = np.where(measured, 1 / np.where(measured, depth, 1.0), 0.0)
    rays = np.where(measured[..., None], rays, 0.0)

    def patches(image: Array) -> Array:
        cut = image[: rows * PATCH_PX, : columns * PATCH_PX]
        cut = cut.reshape(rows, PATCH_PX, columns, PATCH_PX, -1)
        return np.moveaxis(cut, 2, 1).reshape(rows * columns, PATCH_PX**2, -1)

    r, q = patches(rays), patches(inverse)
    r, q = (part[np.count_nonzero(q, axis=(1, 2)) >= MIN_MEASURED * PATCH_PX**2] for part in (r, q))
    moment = np.swapaxes(r, 1, 2) @ r
    sound = np.linalg.cond(moment) < 1e12
    moment, side = moment[sound], (np.swapaxes(r, 1, 2) @ q)[sound]
    normal = np.linalg.solve(moment, side)[..., 0]
    length = np.linalg.norm(normal, axis=-1, keepdims=True)
    ahead = (length > 0).ravel()
    return np.column_stack([normal, np.ones(len(normal))])[ahead] / length[ahead]
