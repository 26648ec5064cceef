"""Linear dynamical system: one motion for all frames, smooth and no syllables.

``slds`` with a single state. What it is for: to fill gaps, to take noise out of latents, and to
tell what states add.
"""

from typing import Literal

from ..settings import Field
from . import slds
from .slds import (
    Evidence,
    Parameters,
    Statistics,
    dimensions,
    divergence,
    filter,
    infer,
    initial,
    reorder,
    rescale_latents,
    sample,
    tangent,
    update,
    update_hyperparameters,
    with_kappa,
)

__all__ = [
    "Evidence",
    "Parameters",
    "Settings",
    "Statistics",
    "dimensions",
    "divergence",
    "filter",
    "infer",
    "initial",
    "reorder",
    "rescale_latents",
    "sample",
    "tangent",
    "update",
    "update_hyperparameters",
    "with_kappa",
]


class Settings(slds.Settings):
    """Strengths of the prior; latents are whitened, so that none depends on their units."""

    states: Literal[1] = Field(1, description="there is one motion")
    kappa: float | None = Field(0.0, ge=0, description="of no influence: there is no other state")
