"""Linear dynamical system: one motion for all frames, without syllables.

``slds`` with a single state. It fills gaps and removes noise from latents; comparison with ``slds``
shows what states add.
"""

from .settings.lds import Settings
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
