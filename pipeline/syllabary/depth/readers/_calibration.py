"""What an Azure Kinect says of its depth camera, in the mode in which it recorded.

The attachment ``calibration.json`` describes the whole sensor, in units of its width and height from
its upper left corner. A mode shows a part of the sensor, with pixels joined in twos or not.
"""

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import BadInput
from ..video import Intrinsics

if TYPE_CHECKING:
    from av.container import InputContainer

__all__ = ["attached", "from_sensor"]

NAME = "calibration.json"
PURPOSE = "CALIBRATION_CameraPurposeDepth"
MAX_BYTES = 16 << 20
# Rows and columns of a mode: pixels of the whole sensor in that mode, first column and row shown.
MODES = {
    (288, 320): (512, 96, 90),
    (576, 640): (1024, 192, 180),
    (512, 512): (512, 0, 0),
    (1024, 1024): (1024, 0, 0),
}


def attached(container: "InputContainer", shape: tuple[int, int], path: Path) -> Intrinsics | None:
    """Return the depth camera's calibration in a container; None if it holds none.

    Raises
    ------
    BadInput
        There is one which cannot be understood.
    """
    for item in container.streams.attachments:
        if item.name == NAME:
            return from_sensor(item.data, shape, path)
    return None


def from_sensor(text: bytes, shape: tuple[int, int], path: Path) -> Intrinsics:
    """Return the calibration of the depth camera for frames of ``shape`` (rows, columns).

    Parameters
    ----------
    text : bytes
        ``calibration.json``; its 14 model parameters are cx, cy, fx, fy, k1 to k6, the two centers
        of distortion, p2 and p1.
    """
    try:
        if len(text) > MAX_BYTES:
            raise ValueError("too long")
        # The camera's own memory ends in zeros.
        said = json.loads(bytes(text).rstrip(b"\0 \r\n"))
        cameras = said["CalibrationInformation"]["Cameras"]
        camera: Any = next(camera for camera in cameras if camera["Purpose"] == PURPOSE)
        values = [float(v) for v in camera["Intrinsics"]["ModelParameters"]]
        cx, cy, fx, fy, k1, k2, k3, k4, k5, k6, _, _, p2, p1 = values[:14]
        if not all(map(math.isfinite, values)) or fx <= 0 or fy <= 0:
            raise ValueError("focal length")
    except (KeyError, TypeError, ValueError, StopIteration, RecursionError, OverflowError):
        raise BadInput(
            f"{path}: its attachment {NAME} does not describe a depth camera as an Azure Kinect's does; "
            "copy the recording again."
        ) from None
    if shape not in MODES:
        rows, columns = shape
        raise BadInput(
            f"{path}: has an Azure Kinect's calibration but frames of {columns}x{rows}, which no mode "
            "of it has; copy the recording again."
        )
    side, left, top = MODES[shape]
    return Intrinsics(
        fx_px=fx * side,
        fy_px=fy * side,
        # From the corner of the first pixel to its center.
        cx_px=cx * side - left - 0.5,
        cy_px=cy * side - top - 0.5,
        distortion=(k1, k2, p1, p2, k3, k4, k5, k6),
    )
