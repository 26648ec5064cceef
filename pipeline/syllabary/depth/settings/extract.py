"""Settings of the step ``extract``."""

from typing import Literal, Self

from pydantic import model_validator

from ...settings import Field, Settings
from .source import CameraSettings, SourceSettings

__all__ = [
    "ArenaSettings",
    "BackgroundSettings",
    "CropSettings",
    "ExtractSettings",
    "HeadingSettings",
    "HeadingTrainingSettings",
    "PreviewSettings",
    "TrackingSettings",
]


class BackgroundSettings(Settings):
    """The empty arena, from frames spread over the recording."""

    method: Literal["median", "plane"] = Field(
        "median",
        description="How the empty floor is estimated: median = usual depth of each pixel; plane = the "
        "floor's plane, for animals that hardly move on a flat, empty floor.",
    )
    frames: int = Field(
        100, ge=3, le=1000, description="Frames from which the background is estimated, evenly spread."
    )


class ArenaSettings(Settings):
    """Floor plane and what belongs to the arena."""

    floor_range_mm: tuple[float, float] = Field(
        (300.0, 2000.0), description="Nearest and farthest depth of the floor, mm."
    )
    floor_tolerance_mm: float = Field(
        15.0, gt=0, description="Largest distance of floor pixels from the floor plane, mm."
    )
    max_tilt_deg: float = Field(
        30.0, gt=0, lt=80, description="Largest angle between floor and image plane, degrees."
    )
    which: int | None = Field(
        None,
        ge=1,
        description="Number of the arena in a frame that shows several, from 1 in reading order; null = "
        "the most central one.",
    )
    mask: str | None = Field(
        None,
        description="Image of the floor (png, tiff, npy) with the size of a frame, 0 outside; null = "
        "the floor is detected.",
    )
    polygon_px: tuple[tuple[float, float], ...] = Field(
        (), description="Corners [column, row] of the floor, px, in order; none = the floor is detected."
    )
    margin_mm: float = Field(
        10.0,
        ge=0,
        description="Distance beyond the floor's edge in which the mouse is still detected, mm.",
    )

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        near, far = self.floor_range_mm
        if not 0 < near < far:
            raise ValueError("floor_range_mm must be [nearest, farthest], both positive")
        if 0 < len(self.polygon_px) < 3:
            raise ValueError("polygon_px needs three corners or more")
        if sum((self.which is not None, self.mask is not None, bool(self.polygon_px))) > 1:
            raise ValueError("give one of which, mask and polygon_px: each defines where the floor is")
        return self


class TrackingSettings(Settings):
    """Which pixels of a frame are the mouse."""

    min_height_mm: int = Field(
        10,
        ge=1,
        le=100,
        description="Lowest height of the mouse, mm; lower pixels are noise of the floor.",
    )
    max_height_mm: int = Field(
        200,
        ge=20,
        le=255,
        description="Largest height of the mouse, mm; higher pixels are something else.",
    )
    median_px: Literal[1, 3, 5] = Field(
        3, description="Width of the spatial median filter, px; 1 = no filter."
    )
    tail_width_mm: float = Field(
        10.0, ge=0, description="Width below which parts (tail, cable) do not count as body, mm."
    )
    min_area_mm2: float = Field(300.0, ge=0, description="Smallest area of a mouse, mm².")
    max_area_mm2: float = Field(
        25000.0,
        gt=0,
        description="Largest area of an animal, mm²; frames with something larger show no animal.",
    )
    max_length_mm: float = Field(
        120.0,
        gt=0,
        description="Largest length from nose to tail base, mm; a longer body is cut, as it carries a "
        "cable.",
    )
    max_speed_mm_s: float = Field(
        2000.0, gt=0, description="Largest speed of a mouse, mm/s; it chooses among several objects."
    )
    bridge_s: float = Field(
        0.25,
        ge=0,
        description="Longest loss of the mouse over which place and heading are interpolated, s; 0 = "
        "never.",
    )


class HeadingSettings(Settings):
    """Which end of the mouse is the head."""

    turn_rad_s: float = Field(8.0, gt=0, description="Typical turning speed, rad/s.")
    switch_probability: float = Field(
        1e-4, gt=0, lt=0.5, description="Probability per frame that the heading jumps to any direction."
    )
    walking_speed_mm_s: float = Field(
        40.0, gt=0, description="Speed along the body axis that is worth 1 nat of evidence, mm/s."
    )
    evidence_weight: float = Field(
        0.2,
        gt=0,
        le=1,
        description="Weight of one frame; below 1 because neighboring frames are nearly the same.",
    )
    weights: str | None = Field(
        None,
        description="Weights of the heading network (.safetensors) from train_heading; null = the "
        "shipped ones.",
    )
    learning_rounds: int = Field(
        3,
        ge=0,
        le=20,
        description="Rounds in which frames of a moving mouse correct the network for this animal.",
    )


class HeadingTrainingSettings(Settings):
    """Step ``train_heading``: train the heading network on simulated mice."""

    animals: int = Field(120, ge=2, le=1000, description="Number of simulated mice.")
    seconds: float = Field(12.0, ge=1, le=600, description="Length of the recording of each mouse, s.")
    smallest: float = Field(
        0.65, ge=0.6, le=1, description="Size of the smallest mouse, relative to an adult."
    )
    largest: float = Field(
        1.3, ge=1, le=1.5, description="Size of the largest mouse, relative to an adult."
    )
    cable_share: float = Field(0.3, ge=0, le=1, description="Fraction of the mice that carry a cable.")
    units: int = Field(32, ge=1, le=256, description="Hidden units of the network.")
    epochs: int = Field(400, ge=1, le=10000, description="Steps of gradient descent.")
    learning_rate: float = Field(0.01, gt=0, le=1, description="Learning rate.")
    feature_noise: float = Field(
        0.5, ge=0, le=2, description="Noise added to the features, in standard deviations of each."
    )
    corrected_share: float = Field(
        0.5, ge=0, lt=1, description="Weight of corrected crops among all examples, if there are any."
    )


class CropSettings(Settings):
    """The upright crop."""

    pixel_mm: float = Field(1.85, gt=0, description="Side of a crop pixel on the floor, mm.")
    size_px: int = Field(80, ge=16, le=512, description="Rows and columns of a crop.")
    normalize_length_mm: float | None = Field(
        None,
        gt=0,
        le=1000,
        description="Median body length to which every animal is scaled, mm; heights are not scaled. "
        "null = true scale.",
    )


class PreviewSettings(Settings):
    """The preview movie."""

    fps: float = Field(10.0, gt=0, le=60, description="Frames per second of the movie.")
    max_frames: int = Field(
        1800, ge=1, description="Most frames in the movie; longer recordings are shown faster."
    )
    height_px: int = Field(240, ge=80, le=1080, description="Height of the movie, px.")


class ExtractSettings(Settings):
    """Step ``extract``: raw depth to upright crops."""

    source: SourceSettings = SourceSettings()
    camera: CameraSettings = CameraSettings()
    background: BackgroundSettings = BackgroundSettings()
    arena: ArenaSettings = ArenaSettings()
    tracking: TrackingSettings = TrackingSettings()
    heading: HeadingSettings = HeadingSettings()
    crop: CropSettings = CropSettings()
    preview: PreviewSettings = PreviewSettings()
