"""Settings of change points (in the section `reduce`), of `summarize`, `suggest` and `select`."""

from ..settings import Field, Settings

__all__ = ["ChangepointSettings", "SelectSettings", "SuggestSettings", "SummarizeSettings"]


class ChangepointSettings(Settings):
    """Where behavior changes, found without a model."""

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


class SelectSettings(Settings):
    """Training a model under several seeds and settings, to choose one by animals never trained on."""

    model: str | None = Field(
        None, description="name of the model in `models`; null trains and chooses nothing"
    )
    seeds: int = Field(
        5,
        ge=2,
        description="trainings of each variant: with the study's seed and those after it",
    )
    settings: dict[str, dict[str, object]] = Field(
        {"base": {}},
        min_length=1,
        description="variants by name: what each changes in the model's settings",
    )
    stability_margin: float = Field(
        0.05,
        ge=0,
        le=1,
        description="how far a variant's agreement between seeds (AMI) may be below the best one's",
    )
