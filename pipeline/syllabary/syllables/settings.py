"""Settings of change points (in the section `reduce`), of `summarize` and of `suggest`."""

from ..settings import Field, Settings

__all__ = ["ChangepointSettings", "SuggestSettings", "SummarizeSettings"]


class ChangepointSettings(Settings):
    """Where behaviour changes, found without a model."""

    lag_s: float = Field(0.3, gt=0, description="time over which latents are compared, s")
    smoothing_s: float = Field(
        0.03, ge=0, description="SD of the Gaussian that smooths the change, s; 0 = none"
    )
    projections: int = Field(300, ge=1, description="random projections of the latents")
    min_prominence_sd: float = Field(
        0.5,
        ge=0,
        description="how far a peak of the log change stands out, in SDs over its recording",
    )


class SummarizeSettings(Settings):
    """Tables of a study: what is counted, and how groups are compared."""

    min_probability: float = Field(
        0.0, ge=0, le=1, description="bouts of a smaller mean probability are left out of the tables"
    )
    min_usage: float = Field(
        0.005,
        ge=0,
        le=1,
        description="syllables rarer than this share of time in every group are not tested",
    )
    bootstrap_samples: int = Field(2000, ge=100, description="resamplings of animals for intervals")
    confidence: float = Field(0.95, gt=0, lt=1, description="coverage of intervals")
    permutations: int = Field(
        10_000, ge=100, description="permutations of animals; all of them where they are fewer"
    )


class SuggestSettings(Settings):
    """Which clips a human should label next."""

    clips: int = Field(20, ge=1, description="how many clips to propose")
    clip_s: float = Field(2.0, gt=0, description="length of a clip, s")
