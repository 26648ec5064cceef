"""The calibration that an Azure Kinect stores of its depth camera.

The attachment ``calibration.json`` describes the whole sensor, in units of its width and height from
its upper left corner. A mode shows a part of the sensor, either at full resolution or binned in twos.
"""

import json
import math
from pathlib import Path

from ...errors import BadInput
from ..video import Intrinsics

__all__ = ["ATTACHMENT", "AZURE_MODES", "AZURE_SHAPES", "of_azure_kinect"]

ATTACHMENT = "calibration.json"
PURPOSE = "CALIBRATION_CameraPurposeDepth"
MAX_BYTES = 16 << 20
# Pixels of the whole sensor, and first column and row shown, in each mode.
AZURE_MODES = {
    "azure_nfov": (1024, 192, 180),
    "azure_nfov_binned": (512, 96, 90),
    "azure_wfov": (1024, 0, 0),
    "azure_wfov_binned": (512, 0, 0),
}
# Rows and columns of the images of a mode.
AZURE_SHAPES = {
    (576, 640): "azure_nfov",
    (288, 320): "azure_nfov_binned",
    (1024, 1024): "azure_wfov",
    (512, 512): "azure_wfov_binned",
}


def of_azure_kinect(text: bytes, shape: tuple[int, int], path: Path) -> Intrinsics:
    """Return the calibration of the depth camera for frames of ``shape`` (rows, columns).

    Parameters
    ----------
    text : bytes
        ``calibration.json``; its 14 model parameters are cx, cy, fx, fy, k1 to k6, the two centers
        of distortion, p2 and p1.
    path : Path
        The recording, for the message.

    Raises
    ------
    BadInput
        The text does not describe a depth camera, or no mode of it has frames of this shape.
    """
    try:
        if len(text) > MAX_BYTES:
            raise ValueError("too long")
        # The camera's own memory ends in zeros.
        content = json.loads(bytes(text).rstrip(b"\0 \r\n"))
        cameras = content["CalibrationInformation"]["Cameras"]
        camera = next(camera for camera in cameras if camera["Purpose"] == PURPOSE)
        values = [float(v) for v in camera["Intrinsics"]["ModelParameters"]]
        cx, cy, fx, fy, k1, k2, k3, k4, k5, k6, _, _, p2, p1 = values[:14]
        if not all(map(math.isfinite, values)) or fx <= 0 or fy <= 0:
            raise ValueError("focal length")
    except (KeyError, TypeError, ValueError, StopIteration, RecursionError, OverflowError):
        raise BadInput(
            f"{path}: its attachment {ATTACHMENT} does not describe a depth camera as an Azure Kinect's "
            "does; copy the recording again."
        ) from None
    if shape not in AZURE_SHAPES:
        rows, columns = shape
        raise BadInput(
            f"{path}: has an Azure Kinect's calibration but frames of {columns}x{rows}, which no mode "
            "of it has; copy the recording again."
        )
    side, left, top = AZURE_MODES[AZURE_SHAPES[shape]]
    return Intrinsics(
        fx_px=fx * side,
        fy_px=fy * side,
        # From the corner of the first pixel to its center.
        cx_px=cx * side - left - 0.5,
        cy_px=cy * side - top - 0.5,
        distortion=(k1, k2, p1, p2, k3, k4, k5, k6),
    )
