"""Settings of change points (in the section `reduce`), of `summarize`, `suggest` and `select`."""

from typing import Literal, get_args

from ..settings import Field, Settings

__all__ = [
    "PER_ANIMAL",
    "PER_SYLLABLE",
    "ChangepointSettings",
    "SelectSettings",
    "SuggestSettings",
    "SummarizeSettings",
]

PER_SYLLABLE = ("usage", "bouts_per_min", "duration_s", "speed_mm_s")
PER_ANIMAL = ("entropy_nats", "repertoire", "transitions")
Measures = Literal[
    "usage", "bouts_per_min", "duration_s", "speed_mm_s", "entropy_nats", "repertoire", "transitions"
]


class ChangepointSettings(Settings):
    """Change points of behavior, found without a model."""

    lag_s: float = Field(0.3, gt=0, description="Time over which latents are compared, s.")
    smoothing_s: float = Field(
        0.03,
        ge=0,
        description="Standard deviation of the Gaussian that smooths the change, s; 0 = none.",
    )
    projections: int = Field(300, ge=1, description="Number of random projections of the latents.")
    min_prominence_sd: float = Field(
        0.5,
        ge=0,
        description="Smallest prominence of a peak of the log change, in standard deviations over "
        "its recording. Raise it for fewer change points.",
    )


class SummarizeSettings(Settings):
    """Tables of results, and the comparison of groups."""

    compare: str = Field(
        "group",
        description="What is compared: a column of recordings.tsv, such as group, sex or day. With "
        "subject, animals are compared, and each recording is a unit.",
    )
    pair_by: str | None = Field(
        None,
        description="Column of recordings.tsv whose values are pairs, such as subject or litter; null = "
        "animals are pairs if all animals of a condition are in the other one too.",
    )
    control: str | None = Field(
        None,
        description="Group that all others are compared with; null = every pair of groups is compared. "
        "Fewer comparisons leave each one a smaller q.",
    )
    measures: list[Measures] = Field(
        list(get_args(Measures)),
        min_length=1,
        description="What is compared. Of each syllable: usage, bouts_per_min, duration_s (mean of a "
        "bout) and speed_mm_s. Of each animal: entropy_nats (of the next syllable given this one), "
        "repertoire (usage of all syllables at once) and transitions (all of them at once).",
    )
    min_probability: float = Field(
        0.0, ge=0, le=1, description="Bouts with a smaller mean probability are left out of the tables."
    )
    min_usage: float = Field(
        0.005,
        ge=0,
        le=1,
        description="Syllables with a smaller usage in every group are not tested, fraction of time.",
    )
    bootstrap_samples: int = Field(
        2000,
        ge=100,
        description="Bootstrap samples of animals for intervals. More samples are slower and more "
        "exact.",
    )
    confidence: float = Field(0.95, gt=0, lt=1, description="Coverage of intervals.")
    permutations: int = Field(
        10_000,
        ge=100,
        description="Random permutations of animals; all permutations if there are fewer.",
    )


class SuggestSettings(Settings):
    """Clips that a person should label next."""

    clips: int = Field(20, ge=1, description="Number of clips to propose.")
    clip_s: float = Field(2.0, gt=0, description="Length of a clip, s.")


class SelectSettings(Settings):
    """Choice among models of several seeds and settings, by animals that none was trained on."""

    model: str | None = Field(
        None, description="Name of the model in models; null = train and choose none."
    )
    seeds: int = Field(
        5,
        ge=2,
        description="Seeds of each variant: the study's seed and the next ones. More seeds take "
        "longer and judge stability better.",
    )
    settings: dict[str, dict[str, object]] = Field(
        {"base": {}},
        min_length=1,
        description="Variants by name: the settings of the model that each changes.",
    )
    stability_margin: float = Field(
        0.05,
        ge=0,
        le=1,
        description="Largest difference of a variant's stability from the best one's, AMI between "
        "seeds.",
    )
