"""Settings of figures, crowd movies and the report: section ``draw`` of the config."""

from ..settings import Field, Settings

__all__ = ["DrawSettings"]


class DrawSettings(Settings):
    """Section ``draw`` of the config."""

    figures: tuple[str, ...] | None = Field(
        default=None, description="Names of the figures to draw (files in figures/); null draws all."
    )
    palette: str = Field(
        "golden",
        description="Colors of syllables: 'golden' (hues a golden angle apart) or the name of a "
        "matplotlib color map, sampled at golden steps.",
    )
    formats: tuple[str, ...] = Field(("png", "svg"), description="File formats: png, svg, pdf.")
    dpi: int = Field(150, ge=50, le=600, description="Resolution of PNG figures, dots per inch.")
    max_syllables: int = Field(
        40, ge=1, description="Commonest syllables shown in figures and given crowd movies."
    )
    max_recordings: int = Field(
        24, ge=0, description="Recordings with figures of their own; every recording has a page."
    )
    bootstrap_samples: int = Field(
        1000, ge=100, description="Resamplings of subjects for the intervals of usage."
    )
    examples: int = Field(20, ge=0, description="Examples in a crowd movie; 0 makes none.")
    lead_s: float = Field(
        0.5, ge=0, description="Time shown before a syllable's onset and after its end, s."
    )
    longest_s: float = Field(
        2.0, gt=0, description="A crowd movie shows at most so much after the onset, s."
    )
    fps: float | None = Field(
        default=None, gt=0, description="Frames per second of crowd movies; null plays in real time."
    )
    inline_mb: float = Field(
        30.0, gt=1, description="Largest index.html, MB; movies beyond it lie beside the page."
    )
