"""Pixels and depths to millimeters and back: ``camera``, and the ``distortion`` of its lens."""

__all__ = ["camera", "distortion"]
