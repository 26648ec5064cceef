"""Settings of the prior ``arhmm``."""

from ...settings import Field
from . import sticky

__all__ = ["TRAINS_NETWORKS", "Settings"]

TRAINS_NETWORKS = False


class Settings(sticky.Settings):
    """Strengths of the prior; latents are whitened, so that none depends on their units."""

    lags: int = Field(
        3, ge=1, le=20, description="Past frames L of the study's clock from which a frame is predicted."
    )
