"""Settings of the prior ``gmm``."""

from ... import settings
from ...settings import Field

__all__ = ["TRAINS_NETWORKS", "Settings"]

TRAINS_NETWORKS = False


class Settings(settings.Settings):
    """Strengths of the prior; latents are whitened, so that none depends on their units."""

    states: int = Field(50, ge=1, le=1000, description="Largest number of components K.")
    alpha: float = Field(
        5.7, gt=0, description="Concentration of the usage of components, summed over them."
    )
    extra_degrees: float = Field(
        2.0,
        gt=1,
        description="Degrees of freedom of the noise of a component, beyond the latent dimensions.",
    )
    coefficient_variance: float = Field(
        10.0, gt=0, description="Prior variance of the means, in units of the noise."
    )
    noise_floor: float = Field(
        1e-4, gt=0, description="Smallest expected variance of the noise; latents have variance 1."
    )
