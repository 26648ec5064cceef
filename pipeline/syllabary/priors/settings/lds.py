"""Settings of the prior ``lds``."""

from typing import Literal

from ...settings import Field
from . import slds

__all__ = ["TRAINS_NETWORKS", "Settings"]

TRAINS_NETWORKS = True


class Settings(slds.Settings):
    """Strengths of the prior; latents are whitened, so that none depends on their units."""

    states: Literal[1] = Field(1, description="Always 1: there is one motion.")
    kappa: float | None = Field(0.0, ge=0, description="Without effect: there is no other state.")
