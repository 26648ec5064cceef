"""Settings of the step ``reduce``."""

from ..settings import Field, Settings

__all__ = ["ReduceSettings"]


class ReduceSettings(Settings):
    """PCA of the crops: what the networks start from, and the baseline by itself."""

    components: int = Field(10, ge=1, le=100, description="latent dimensions D")
    frames: int = Field(
        50_000,
        ge=100,
        description="frames that components are fitted on, at most; spread over all recordings",
    )
    smoothing_mm: float = Field(
        2.0, ge=0, description="SD of the Gaussian that crops are smoothed with while fitting; 0 = none"
    )
    min_observed_fraction: float = Field(
        0.5,
        gt=0,
        le=1,
        description="a frame with a smaller share of measured pixels has no latents",
    )
    min_pixel_observed_fraction: float = Field(
        0.1, gt=0, le=1, description="a pixel measured in a smaller share of frames is left out"
    )
    noise_floor_mm: float = Field(
        1.0, gt=0, description="SD of the noise of a pixel, mm, at least: what the camera itself adds"
    )
    outlier_sd: float = Field(
        5.0,
        ge=0,
        description="where crops are registered, narrow things so many SDs of a pixel's noise above the "
        "animal, and 15 mm, are a cable and count as missing if most frames show some; 0 = none",
    )
    passes: int = Field(12, ge=1, description="passes over the frames, at most; it stops when settled")
    registration_frames: int = Field(
        8000, ge=100, description="frames that the template for registered crops is learned of, at most"
    )
    shift_sd_mm: float = Field(
        2.0, gt=0, description="SD of the error of the tracked position that registration expects, mm"
    )
    turn_sd_degrees: float = Field(
        3.0, gt=0, description="SD of the error of the heading that registration expects, degrees"
    )
