"""Linear dynamical system: one motion for all frames, without syllables.

``slds`` with a single state. It fills gaps and removes noise from latents; comparison with ``slds``
shows what states add.
"""

from typing import Literal

from ..settings import Field
from . import slds
from .slds import (
    TAKES_POINTS,
    Parameters,
    Statistics,
    blank,
    boundary_messages,
    dimensions,
    divergence,
    filter,
    from_autoregression,
    infer,
    initial,
    kappa_of,
    reorder,
    rescale_latents,
    sample,
    tangent,
    update,
    update_from_windows,
    update_hyperparameters,
    with_kappa,
)

__all__ = [
    "TAKES_POINTS",
    "Parameters",
    "Settings",
    "Statistics",
    "blank",
    "boundary_messages",
    "dimensions",
    "divergence",
    "filter",
    "from_autoregression",
    "infer",
    "initial",
    "kappa_of",
    "reorder",
    "rescale_latents",
    "sample",
    "tangent",
    "update",
    "update_from_windows",
    "update_hyperparameters",
    "with_kappa",
]


class Settings(slds.Settings):
    """Strengths of the prior; latents are whitened, so that none depends on their units."""

    states: Literal[1] = Field(1, description="Always 1: there is one motion.")
    kappa: float | None = Field(0.0, ge=0, description="Without effect: there is no other state.")
