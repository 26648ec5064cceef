"""A chain of states and a chain of latents coupled by cross potentials, and their joint optimum.

Given its state k, a frame is a regression on the frame before it, x_t = W_k s_t + noise with
s_t = [x_{t-1}; 1] ("dynamic"), or on nothing but the constant, s_t = [1] ("static"). In mean field
each chain receives potentials that are linear in the other's expected statistics: matrix
products over all frames at once. They are written in residual form, which keeps digits where
raw moments of latents far from zero would cancel.

In reading order: ``types`` (inputs and results), ``cross_potentials`` (potentials that one chain gives
the other, sums, and their derivatives), ``optimum`` (found by alternating updates), ``implicit`` (its
derivative, by conjugate gradients with the tangents of both chains), ``windows`` (boundary messages at
the ends of a window). The expected parameters are inputs; priors compute them.

References
----------
docs/mathematics.md, "States and latents by mean field". Implicit differentiation of the fixed point:
doi:10.48550/arXiv.2306.08230, which solves it by another iteration.
"""

from .cross_potentials import node_potentials, sums
from .implicit import derivative
from .optimum import solve
from .types import (
    BoundaryMessages,
    Cotangent,
    Derivative,
    Evidence,
    Latents,
    Optimum,
    Potentials,
    Regression,
)
from .windows import boundary_of

__all__ = [
    "BoundaryMessages",
    "Cotangent",
    "Derivative",
    "Evidence",
    "Latents",
    "Optimum",
    "Potentials",
    "Regression",
    "boundary_of",
    "derivative",
    "node_potentials",
    "solve",
    "sums",
]
