"""A trained prior, and the columns of the history of its training."""

from typing import NamedTuple, TypeAlias

import pandas as pd
import torch

from ...priors.interface import GlobalParameters

__all__ = ["COLUMNS", "FIRST_ITERATIONS", "START_TYPE", "USED_SHARE", "Fitted", "Row", "row"]

# Share of the frames from which on a state counts as used.
USED_SHARE = 0.005
# Iterations between latents and states at the first visit of a recording, which starts from the
# latents as points; later visits start from the states of the visit before.
FIRST_ITERATIONS = 20
# Two digits are enough for a start, and a study has ten million of them.
START_TYPE = torch.float16
COLUMNS = (
    "restart", "phase", "iteration", "bound_nats_per_frame", "kappa", "states_used",
    "median_duration_s",
)  # fmt: skip
Row: TypeAlias = dict[str, int | float | str]


class Fitted(NamedTuple):
    """A trained prior.

    Attributes
    ----------
    parameters : NamedTuple of tensors
        Posterior of the prior's global parameters; states numbered by usage, 0 commonest.
    history : DataFrame
        A row per iteration: ``restart, phase, iteration, bound_nats_per_frame, kappa,
        states_used`` (of at least 0.5 % of the frames) ``, median_duration_s``.
    order : tensor (K,) of int, optional
        Number that each state had before it was numbered by usage.
    """

    parameters: GlobalParameters
    history: pd.DataFrame
    order: torch.Tensor | None = None


def row(*values: int | float | str) -> Row:
    """Return a row of the history, its values in the order of ``COLUMNS``."""
    return dict(zip(COLUMNS, values, strict=True))
