"""Settings of the steps ``extract`` and ``check``."""

from typing import Literal, Self

from pydantic import model_validator

from ..settings import Field, Settings

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


class CameraSettings(Settings):
    """Camera: a preset, or the numbers of a calibration."""

    preset: Literal[
        "auto",
        "kinect_v2",
        "azure_nfov",
        "azure_nfov_binned",
        "azure_wfov",
        "azure_wfov_binned",
        "realsense_d435",
    ] = Field(
        "auto",
        description="Camera whose usual calibration holds where neither settings nor recording have "
        "one; auto takes the one that alone has images of that size.",
    )
    fx_px: float | None = Field(None, gt=0, description="Horizontal focal length, px.")
    fy_px: float | None = Field(None, gt=0, description="Vertical focal length, px.")
    cx_px: float | None = Field(None, description="Column of the optical axis, px.")
    cy_px: float | None = Field(None, description="Row of the optical axis, px.")
    distortion: tuple[float, ...] = Field(
        (),
        max_length=8,
        description="Distortion of the calibration: k1, k2, p1, p2, k3, k4, k5, k6, or the first of "
        "them, as OpenCV orders them.",
    )

    @model_validator(mode="after")
    def _all_or_none(self) -> Self:
        is_set = [v is not None for v in (self.fx_px, self.fy_px, self.cx_px, self.cy_px)]
        if any(is_set) and not all(is_set):
            raise ValueError("give all of fx_px, fy_px, cx_px, cy_px, or none of them")
        if self.distortion and not all(is_set):
            raise ValueError("distortion belongs to a calibration: give fx_px, fy_px, cx_px, cy_px too")
        return self


class SourceSettings(Settings):
    """How raw recordings are read where they do not tell themselves."""

    timestamps: Literal["strict", "cut", "even"] = Field(
        "strict",
        description="Where frames and timestamps do not fit: strict refuses the recording; cut pairs "
        "them from the start and leaves out what is too many, or unfinished, at the end; even looks at "
        "no timestamp and spaces frames by frames_per_second.",
    )
    frames_per_second: float | None = Field(
        None, gt=0, le=10_000, description="Rate of the camera, for timestamps: even."
    )
    timestamp_unit: Literal["s", "ms"] | None = Field(
        None,
        description="Unit of timestamps beside or in HDF5; null = ms in *_ts.txt, s in *timestamps.csv, "
        "and what an HDF5 file says.",
    )
    rows: int | None = Field(
        None,
        ge=1,
        le=4096,
        description="Rows of a .dat; null = as metadata.json says, or a Kinect v2's.",
    )
    columns: int | None = Field(None, ge=1, le=4096, description="Columns of a .dat; null as for rows.")
    dtype: Literal["uint8", "uint16", "int16", "uint32", "int32", "float32", "float64"] | None = Field(
        None, description="Type of a pixel of a .dat; null = as metadata.json says, or uint16."
    )
    byte_order: Literal["little", "big"] | None = Field(
        None, description="Which byte of a .dat's pixel comes first; null as for dtype, or little."
    )
    unit_mm: float = Field(1.0, gt=0, description="Depth that one count stands for, mm.")
    hdf5_frames: str | None = Field(
        None, description="Dataset of frames in HDF5 files; null = the only one of three axes."
    )
    hdf5_timestamps: str | None = Field(
        None,
        description="Dataset of timestamps; null = the only one of one axis with 'time' in its name.",
    )

    @model_validator(mode="after")
    def _belong_together(self) -> Self:
        if (self.rows is None) != (self.columns is None):
            raise ValueError("give both of rows and columns, or neither")
        if (self.frames_per_second is None) != (self.timestamps != "even"):
            raise ValueError("frames_per_second goes with timestamps: even, and each needs the other")
        return self


class BackgroundSettings(Settings):
    """The empty arena, from frames spread over the recording."""

    method: Literal["median", "plane"] = Field(
        "median",
        description="What the floor is: median takes each pixel's usual depth, without resting animals; "
        "plane takes the floor's plane, for animals that hardly move and floors as flat as "
        "tracking.min_height_mm asks. Things on the floor then count as animal.",
    )
    frames: int = Field(100, ge=3, le=1000, description="Frames to look at, evenly spread.")


class ArenaSettings(Settings):
    """Floor plane and what belongs to the arena."""

    floor_range_mm: tuple[float, float] = Field(
        (300.0, 2000.0), description="Nearest and farthest depth of the floor, mm."
    )
    floor_tolerance_mm: float = Field(
        15.0, gt=0, description="Pixels this near to the floor plane, mm, are floor."
    )
    max_tilt_deg: float = Field(
        30.0, gt=0, lt=80, description="Largest angle between floor and image plane, degrees."
    )
    which: int | None = Field(
        None,
        ge=1,
        description="Which of several connected floors, 1 the first in reading order; null = the "
        "one most in the image's center.",
    )
    mask: str | None = Field(
        None,
        description="File (png, tiff, npy) of the size of a frame that outlines the floor, 0 outside; "
        "null = look for it.",
    )
    polygon_px: tuple[tuple[float, float], ...] = Field(
        (), description="Corners [column, row] of the floor, px, in order; none = look for it."
    )
    margin_mm: float = Field(
        10.0, ge=0, description="The mouse is looked for this far beyond the floor's edge, mm."
    )

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        near, far = self.floor_range_mm
        if not 0 < near < far:
            raise ValueError("floor_range_mm must be [nearest, farthest], both positive")
        if 0 < len(self.polygon_px) < 3:
            raise ValueError("polygon_px needs three corners or more")
        if sum((self.which is not None, self.mask is not None, bool(self.polygon_px))) > 1:
            raise ValueError("give one of which, mask and polygon_px: each says where the floor is")
        return self


class TrackingSettings(Settings):
    """What in a frame is the mouse."""

    min_height_mm: int = Field(10, ge=1, le=100, description="Lower than this is floor noise, mm.")
    max_height_mm: int = Field(200, ge=20, le=255, description="Higher than this is no mouse, mm.")
    median_px: Literal[1, 3, 5] = Field(3, description="Spatial median filter, px; 1 is none.")
    tail_width_mm: float = Field(
        10.0, ge=0, description="Thinner parts (tail, cable) do not count as body, mm."
    )
    min_area_mm2: float = Field(300.0, ge=0, description="A smaller thing is no mouse, mm².")
    max_length_mm: float = Field(
        120.0, gt=0, description="From nose to tail base; what is longer carries a cable, mm."
    )
    max_speed_mm_s: float = Field(
        2000.0, gt=0, description="Among several things the mouse is one it could have reached, mm/s."
    )
    bridge_s: float = Field(
        0.25, ge=0, description="Place and heading are filled in between sights this near, s; 0 = never."
    )


class HeadingSettings(Settings):
    """Which end is the head."""

    turn_rad_s: float = Field(
        8.0, gt=0, description="Typical turning speed, rad/s: how far the heading may move in a tick."
    )
    switch_probability: float = Field(
        1e-4, gt=0, lt=0.5, description="Probability per tick of a heading that follows no turn."
    )
    walking_speed_mm_s: float = Field(
        40.0, gt=0, description="Speed along its axis, mm/s, that gives motion one nat of evidence."
    )
    evidence_weight: float = Field(
        0.2, gt=0, le=1, description="Weight of one frame: neighbors tell nearly the same."
    )
    weights: str | None = Field(
        None, description="Network that train_heading taught (.safetensors); the shipped one by default."
    )
    learning_rounds: int = Field(
        3, ge=0, le=20, description="Rounds in which moving frames teach how the head end looks."
    )


class HeadingTrainingSettings(Settings):
    """Step ``train_heading``: simulated mice teach which end is the head."""

    animals: int = Field(120, ge=2, le=1000, description="Simulated mice.")
    seconds: float = Field(12.0, ge=1, le=600, description="Length of each one's recording, s.")
    smallest: float = Field(0.65, ge=0.6, le=1, description="Size of the smallest, times an adult's.")
    largest: float = Field(1.3, ge=1, le=1.5, description="Size of the largest, times an adult's.")
    cable_share: float = Field(0.3, ge=0, le=1, description="Fraction of the mice that carry a cable.")
    units: int = Field(32, ge=1, le=256, description="Hidden units of the network.")
    epochs: int = Field(400, ge=1, le=10000, description="Steps of gradient descent.")
    learning_rate: float = Field(0.01, gt=0, le=1, description="Size of each step.")
    feature_noise: float = Field(
        0.5, ge=0, le=2, description="Noise laid over the features, in standard deviations of each."
    )
    corrected_share: float = Field(
        0.5, ge=0, lt=1, description="Weight of corrected crops in all, where there are any."
    )


class CropSettings(Settings):
    """The upright crop."""

    pixel_mm: float = Field(1.85, gt=0, description="Side of a crop pixel on the floor, mm.")
    size_px: int = Field(80, ge=16, le=512, description="Rows and columns of a crop.")
    normalize_length_mm: float | None = Field(
        None,
        gt=0,
        le=1000,
        description="Crops are scaled so that every animal's own median length_mm becomes this, for "
        "models of animals of many sizes; heights stay as they are. null = true scale.",
    )


class PreviewSettings(Settings):
    """The movie to look at."""

    fps: float = Field(10.0, gt=0, le=60, description="Frames per second of the movie.")
    max_frames: int = Field(1800, ge=1, description="Longer recordings are shown faster.")
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


class CheckSettings(Settings):
    """Step ``check``: from which fraction on a recording is warned about or rejected."""

    dropped_warn: float = Field(0.05, ge=0, le=1, description="Fraction of dropped ticks.")
    dropped_reject: float = Field(0.3, ge=0, le=1, description="Fraction of dropped ticks.")
    missing_mouse_warn: float = Field(0.02, ge=0, le=1, description="Fraction of frames without mouse.")
    missing_mouse_reject: float = Field(
        0.25, ge=0, le=1, description="Fraction of frames without mouse."
    )
    uncertain_heading_warn: float = Field(
        0.05, ge=0, le=1, description="Fraction of frames whose head end is uncertain."
    )
    uncertain_heading_below: float = Field(
        0.9, ge=0.5, le=1, description="Less heading confidence than this is uncertain."
    )
    clipped_warn: float = Field(
        0.05, ge=0, le=1, description="Fraction of crops in which the mouse touches the border."
    )
    jump_speed_mm_s: float = Field(
        2000.0, gt=0, description="Faster than this is a tracking jump, mm/s."
    )
    jumps_warn: float = Field(0.005, ge=0, le=1, description="Fraction of frames with tracking jumps.")
    min_duration_s: float = Field(10.0, ge=0, description="Shorter recordings are rejected, s.")
