"""Settings of figures, crowd movies and the report: section ``draw`` of the config."""

from ..settings import Field, Settings

__all__ = ["DrawSettings"]


class DrawSettings(Settings):
    """Figures, crowd movies and the report."""

    figures: tuple[str, ...] | None = Field(
        default=None, description="Figures to draw: names of files in figures/; null = all."
    )
    palette: str = Field(
        "golden",
        description="Colors of syllables: golden (hues a golden angle apart) or the name of a "
        "matplotlib color map.",
    )
    formats: tuple[str, ...] = Field(
        ("png", "svg"), description="File formats of figures: png, svg, pdf."
    )
    dpi: int = Field(150, ge=50, le=600, description="Resolution of PNG figures, dots per inch.")
    max_syllables: int = Field(
        40, ge=1, description="Number of syllables in figures and crowd movies, most used first."
    )
    max_recordings: int = Field(24, ge=0, description="Number of recordings with figures of their own.")
    bootstrap_samples: int = Field(
        1000, ge=100, description="Bootstrap samples of animals for the intervals of usage."
    )
    examples: int = Field(20, ge=0, description="Examples in a crowd movie; 0 = no movies.")
    lead_s: float = Field(
        0.5, ge=0, description="Time shown before the onset of a syllable and after its end, s."
    )
    longest_s: float = Field(
        2.0, gt=0, description="Longest time shown after the onset of a syllable, s."
    )
    fps: float | None = Field(
        default=None, gt=0, description="Frames per second of crowd movies, Hz; null = real time."
    )
    inline_mb: float = Field(
        30.0, gt=1, description="Largest size of index.html, MB; further movies are files beside it."
    )
