"""Settings of the steps ``extract`` and ``check``.

In reading order: ``source`` (what a recording holds, and the camera), ``extract``, ``check``.
"""

from .check import CheckSettings
from .extract import (
    ArenaSettings,
    BackgroundSettings,
    CropSettings,
    ExtractSettings,
    HeadingSettings,
    HeadingTrainingSettings,
    PreviewSettings,
    TrackingSettings,
)
from .source import CameraSettings, SourceSettings

__all__ = [
    "ArenaSettings",
    "BackgroundSettings",
    "CameraSettings",
    "CheckSettings",
    "CropSettings",
    "ExtractSettings",
    "HeadingSettings",
    "HeadingTrainingSettings",
    "PreviewSettings",
    "SourceSettings",
    "TrackingSettings",
]
