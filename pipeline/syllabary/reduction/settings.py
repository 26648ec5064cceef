"""Settings of the step ``reduce``."""

from ..settings import Field, Settings

__all__ = ["ReduceSettings"]


class ReduceSettings(Settings):
    """Principal components of the crops, from which networks start."""

    frames_per_second: float | None = Field(
        None,
        gt=0,
        le=240,
        description="Rate of the study's clock, frames per second: models read recordings of other "
        "rates by the frames nearest to its ticks. null = the rate at which most of the training "
        "recordings' time was recorded.",
    )
    components: int = Field(10, ge=1, le=100, description="Latent dimensions D.")
    frames: int = Field(
        50_000,
        ge=100,
        description="Largest number of frames that components are fitted to, spread over all "
        "recordings.",
    )
    smoothing_mm: float = Field(
        2.0,
        ge=0,
        description="Standard deviation of the Gaussian that smooths crops while components are "
        "fitted, mm; 0 = none.",
    )
    min_observed_fraction: float = Field(
        0.5,
        gt=0,
        le=1,
        description="Smallest fraction of measured pixels of a frame that has latents.",
    )
    min_pixel_observed_fraction: float = Field(
        0.1,
        gt=0,
        le=1,
        description="Smallest fraction of frames in which a pixel is measured; other pixels are "
        "left out.",
    )
    noise_floor_mm: float = Field(
        1.0, gt=0, description="Smallest standard deviation of a pixel's noise, mm: that of the camera."
    )
    outlier_sd: float = Field(
        5.0,
        ge=0,
        description="Height above the animal from which narrow parts count as a cable, in standard "
        "deviations of a pixel's noise (and at least 15 mm). Applies to registered "
        "crops if most frames show such parts; 0 = never.",
    )
    passes: int = Field(
        12,
        ge=1,
        description="Largest number of passes over the frames; fitting stops earlier when it has "
        "converged.",
    )
    registration_frames: int = Field(
        8000,
        ge=100,
        description="Largest number of frames that the registration template is learned from.",
    )
    shift_sd_mm: float = Field(
        2.0, gt=0, description="Expected standard deviation of errors of the tracked position, mm."
    )
    turn_sd_degrees: float = Field(
        3.0, gt=0, description="Expected standard deviation of errors of the tracked heading, degrees."
    )
