"""Pixels and depths to millimeters and back.

In reading order: ``intrinsics`` (the calibration that a recording holds), ``distortion`` (of the
lens), ``camera`` (pixels to positions and back).
"""

__all__ = ["camera", "distortion", "intrinsics"]
