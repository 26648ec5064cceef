"""An arena's floor that a person outlined, as a mask or a polygon."""

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from ...errors import BadInput
from ..settings import ArenaSettings

__all__ = ["mask", "require"]

SUFFIXES = (".png", ".tif", ".tiff", ".npy")
# Fractional bits of polygon corners, which can lie between pixels.
SHIFT = 4


def require(settings: ArenaSettings) -> None:
    """Raise ``BadInput`` unless the file of the outline, if there is one, can be read."""
    if settings.mask is not None:
        _read(Path(settings.mask))


def mask(
    settings: ArenaSettings, shape: tuple[int, ...], *, where: Path | str
) -> npt.NDArray[np.bool_] | None:
    """Return the outlined floor, (rows, columns) bool; None without an outline.

    Raises
    ------
    BadInput
        The file cannot be read, is of images of another size, or nothing is inside.
    """
    if settings.mask is not None:
        inside = _read(Path(settings.mask))
        if inside.shape != shape:
            raise BadInput(
                f"{settings.mask}: a mask of {_size(inside.shape)} for images of {_size(shape)} of "
                f"{where}; draw it on a frame of that recording."
            )
    elif settings.polygon_px:
        corners = np.rint(np.array(settings.polygon_px) * 2**SHIFT).astype(np.int32)
        inside = cv2.fillPoly(np.zeros(shape, np.uint8), [corners], 1, shift=SHIFT).astype(bool)
    else:
        return None
    if not inside.any():
        raise BadInput(f"{where}: the outlined arena (extract.arena) has no pixel inside the image.")
    return inside


def _read(path: Path) -> npt.NDArray[np.bool_]:
    """Read an image whose nonzero pixels are floor."""
    if path.suffix.lower() not in SUFFIXES or not path.is_file():
        raise BadInput(
            f"{path}: no such mask; extract.arena.mask names a file that ends in {', '.join(SUFFIXES)}."
        )
    image: npt.NDArray[np.generic] | None
    try:
        if path.suffix.lower() == ".npy":
            image = np.load(path, allow_pickle=False)
        else:
            image = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED)
    except (ValueError, EOFError, OSError, cv2.error):
        image = None
    if image is not None and image.ndim == 3 and image.dtype.kind in "biu":
        # An alpha channel is full everywhere.
        image = image[..., :3].max(axis=-1)
    if image is None or image.ndim != 2 or image.dtype.kind not in "biuf":
        raise BadInput(
            f"{path}: not a picture of rows and columns; give a mask as png, tiff or npy, "
            "0 outside the floor."
        )
    return np.asarray(image != 0)


def _size(shape: tuple[int, ...]) -> str:
    return "x".join(str(n) for n in reversed(shape))
