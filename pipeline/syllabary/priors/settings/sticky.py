"""Settings that the sticky models share."""

import pydantic

from ... import settings
from ...settings import Field

__all__ = ["Settings"]


class Settings(settings.Settings):
    """Prior of the states and of their dynamics. Latents are whitened, so that values have no unit."""

    states: int = Field(
        50,
        ge=1,
        le=1000,
        description="Largest number of states K. States that no frame needs stay unused.",
    )
    alpha: float = Field(
        5.7,
        gt=0,
        description="Concentration of the transitions from a state. Raise it for more varied "
        "transitions.",
    )
    gamma: float = Field(
        1000.0, gt=0, description="Concentration of the usage of states; at least the number of states."
    )
    kappa: float | None = Field(
        None,
        ge=0,
        description="Pseudo-count of staying in a state. Raise it for longer bouts; null = solved "
        "for the target duration.",
    )
    extra_degrees: float = Field(
        2.0,
        gt=1,
        description="Degrees of freedom of the noise of a state, beyond the latent dimensions.",
    )
    coefficient_variance: float = Field(
        10.0, gt=0, description="Prior variance of the coefficients, in units of the noise."
    )
    noise_floor: float = Field(
        1e-4, gt=0, description="Smallest expected variance of the noise; latents have variance 1."
    )

    start_window: int = Field(
        9,
        ge=1,
        description="Frames of the study's clock over which motion is averaged for the first clusters; "
        "odd.",
    )

    @pydantic.model_validator(mode="after")
    def _sound(self) -> "Settings":
        if self.gamma < self.states:
            raise ValueError(f"gamma {self.gamma:g} is below the number of states, {self.states}")
        if self.start_window % 2 == 0:
            raise ValueError(f"start_window {self.start_window} is even")
        return self
