"""Settings of the step ``check``."""

from ...settings import Field, Settings

__all__ = ["CheckSettings"]


class CheckSettings(Settings):
    """Step ``check``: limits beyond which a recording gets a warning or is rejected."""

    dropped_warn: float = Field(
        0.05, ge=0, le=1, description="Fraction of dropped frames for a warning."
    )
    dropped_reject: float = Field(
        0.3, ge=0, le=1, description="Fraction of dropped frames for rejection."
    )
    missing_mouse_warn: float = Field(
        0.02, ge=0, le=1, description="Fraction of frames without a mouse for a warning."
    )
    missing_mouse_reject: float = Field(
        0.25, ge=0, le=1, description="Fraction of frames without a mouse for rejection."
    )
    implausible_warn: float = Field(
        0.01,
        ge=0,
        le=1,
        description="Fraction of frames that show something other than an animal for a warning.",
    )
    implausible_reject: float = Field(
        0.25,
        ge=0,
        le=1,
        description="Fraction of frames that show something other than an animal for rejection.",
    )
    several_animals_warn: float = Field(
        0.01,
        ge=0,
        le=1,
        description="Fraction of frames that show several animals, or things of that size, for a "
        "warning.",
    )
    several_animals_reject: float = Field(
        0.05,
        ge=0,
        le=1,
        description="Fraction of frames that show several animals, or things of that size, for "
        "rejection.",
    )
    background_moved_warn: float = Field(
        0.002,
        ge=0,
        le=1,
        description="Fraction of frames lost to a moved camera, floor or wall for a warning.",
    )
    background_moved_reject: float = Field(
        0.05,
        ge=0,
        le=1,
        description="Fraction of frames lost to a moved camera, floor or wall for rejection.",
    )
    background_jump_mm: float = Field(
        3.0, gt=0, description="Smallest sudden move of the floor that is listed, mm."
    )
    background_shift_warn_mm: float = Field(
        3.0, ge=0, description="Move of the floor, sudden or slow, for a warning, mm."
    )
    background_shift_reject_mm: float = Field(
        60.0, ge=0, description="Move of the floor, sudden or slow, for rejection, mm."
    )
    uncertain_heading_warn: float = Field(
        0.05, ge=0, le=1, description="Fraction of frames with an uncertain heading for a warning."
    )
    uncertain_heading_below: float = Field(
        0.9, ge=0.5, le=1, description="Confidence below which a heading is uncertain."
    )
    clipped_warn: float = Field(
        0.05, ge=0, le=1, description="Fraction of crops whose border the mouse touches for a warning."
    )
    jump_speed_mm_s: float = Field(
        2000.0, gt=0, description="Speed above which a step is a tracking jump, mm/s."
    )
    jumps_warn: float = Field(
        0.005, ge=0, le=1, description="Fraction of frames with tracking jumps for a warning."
    )
    min_duration_s: float = Field(10.0, ge=0, description="Shortest recording that is accepted, s.")
    use_rejected: bool = Field(
        False,
        description="Use rejected recordings like all others, if a mouse was found; by default they are "
        "left out of training, tables, statistics, figures and exports.",
    )
