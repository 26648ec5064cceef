"""Settings of the prior ``slds``."""

from . import sticky

__all__ = ["TRAINS_NETWORKS", "Settings"]

TRAINS_NETWORKS = True


class Settings(sticky.Settings):
    """Strengths of the prior; latents are whitened, so that none depends on their units."""
