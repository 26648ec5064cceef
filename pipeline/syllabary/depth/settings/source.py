"""Settings of what a raw recording holds and which camera made it."""

from typing import Literal, Self

from pydantic import model_validator

from ...settings import Field, Settings

__all__ = ["CameraSettings", "SourceSettings"]


class CameraSettings(Settings):
    """The depth camera: a model, or the numbers of a calibration."""

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
        description="Camera model, for recordings that hold no calibration; auto = the only model with "
        "images of that size.",
    )
    fx_px: float | None = Field(None, gt=0, description="Horizontal focal length, px.")
    fy_px: float | None = Field(None, gt=0, description="Vertical focal length, px.")
    cx_px: float | None = Field(None, description="Column of the optical axis, px.")
    cy_px: float | None = Field(None, description="Row of the optical axis, px.")
    distortion: tuple[float, ...] = Field(
        (),
        max_length=8,
        description="Distortion coefficients k1, k2, p1, p2, k3, k4, k5, k6 in the order of OpenCV; "
        "later ones may be left out.",
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
    """How to read raw recordings that do not describe themselves."""

    timestamps: Literal["strict", "cut", "even"] = Field(
        "strict",
        description="If frames and timestamps do not match: strict refuses the recording; cut pairs "
        "them from the start and drops the rest; even ignores timestamps and spaces frames "
        "by frames_per_second.",
    )
    frames_per_second: float | None = Field(
        None, ge=1, le=240, description="Frame rate of the camera, 1/s, for timestamps: even."
    )
    timestamp_column: int | str | None = Field(
        None,
        description="Column of a file of timestamps that holds the times, by its name or its number "
        "from 1; null = the one that can be a camera's clock.",
    )
    timestamp_unit: Literal["s", "ms", "us", "100ns", "ns", "min", "h", "d"] | None = Field(
        None,
        description="Unit of timestamps; null = the one that a column or dataset names, or that makes "
        "the values a rate of 1 to 240 frames/s.",
    )
    video_rate: Literal["check", "ignore"] = Field(
        "check",
        description="Frame rate that a video file states: check refuses times whose rate differs from "
        "it by more than a factor of 1.5; ignore trusts the times.",
    )
    rows: int | None = Field(
        None,
        ge=1,
        le=4096,
        description="Rows of a frame in a .dat file; null = from metadata.json, or 424.",
    )
    columns: int | None = Field(
        None,
        ge=1,
        le=4096,
        description="Columns of a frame in a .dat file; null = from metadata.json, or 512.",
    )
    dtype: Literal["uint8", "uint16", "int16", "uint32", "int32", "float32", "float64"] | None = Field(
        None, description="Type of a pixel in a .dat file; null = from metadata.json, or uint16."
    )
    byte_order: Literal["little", "big"] | None = Field(
        None, description="Byte order of a .dat file; null = from metadata.json, or little."
    )
    unit_mm: float = Field(
        1.0,
        gt=0,
        description="Depth of one count (after bit_shift), mm; a unit in the recording's metadata goes "
        "before.",
    )
    bit_shift: int | None = Field(
        None,
        ge=0,
        le=8,
        description="Low bits of a count that hold something else than depth, such as 3 of a player's "
        "number; null = 0, or 3 where unit_mm is 0.125 and the values show it.",
    )
    invalid: tuple[float, ...] | None = Field(
        None,
        description="Counts (after bit_shift) other than 0 that mean 'not measured', such as 65535; "
        "null = found in the values.",
    )
    hdf5_frames: str | None = Field(
        None, description="Dataset of frames in HDF5 files; null = the only one with three axes."
    )
    hdf5_timestamps: str | None = Field(
        None,
        description="Dataset of timestamps in HDF5 files; null = the only one with one axis and 'time' "
        "in its name.",
    )

    @model_validator(mode="after")
    def _belong_together(self) -> Self:
        if (self.rows is None) != (self.columns is None):
            raise ValueError("give both of rows and columns, or neither")
        if (self.frames_per_second is None) != (self.timestamps != "even"):
            raise ValueError("frames_per_second goes with timestamps: even, and each needs the other")
        return self
