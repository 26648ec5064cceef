"""Derivative of the optimum: a gradient by the marginals, sent back through the fixed point."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from .. import hmm, lds
from .cross_potentials import chain_tangent, node_potentials, node_tangent, within
from .types import Cotangent, Derivative, Evidence, Latents, Optimum, Potentials

__all__ = ["derivative"]

Operator = Callable[[Tensor], Tensor]


def derivative(
    potentials: Potentials,
    evidence: Evidence,
    optimum: Optimum,
    cotangent: Cotangent,
    *,
    lengths: Tensor | None = None,
    tolerance: float = 1e-2,
    iterations: int = 8,
    damping: float | None = None,
) -> Derivative:
    """Send a gradient by the marginals back through the optimum, by conjugate gradients.

    With F_z and F_x the tangents of the two chains, M the cross potentials and B = M F_x Mᵀ, it solves
    (I − B F_z) a = g_w + M F_x g_x. In the inner product ⟨a, b⟩ = aᵀ F_z b the operator is
    self-adjoint, and positive where ``optimum`` is a strict one.

    Parameters
    ----------
    potentials, evidence
        As they were for ``solve``.
    optimum : Optimum
    cotangent : Cotangent
        Gradient by means and covariances, *without* the part through the objective itself.
    lengths : (B) int, optional
        As it was for ``solve``.
    tolerance : float
        Relative residual at which each sequence's iteration ends.
    iterations : int
        Largest number of steps; 0 holds the states fixed ("frozen").
    damping : float, optional
        For comparison: a ← (1 − d) a + d (right side + B F_z a) in place of conjugate gradients;
        one step with d = 1 is one Neumann term.

    Notes
    -----
    The gradient by the evidence is ``latents.means`` for R m, and −½ of the diagonal of
    d(S + μ μᵀ) for R: see ``priors``.

    Where the evidence holds potentials u of the states, the states do not depend on the latents, so
    nothing comes back from them. They are not the best ones given the latents either, so the objective
    itself has a gradient by them: with the potentials ℓ that the latents give, a = ℓ − u + M F_x g_x,
    and only ``transitions`` holds the states' part.
    """
    latents, marginals = optimum.latents, optimum.states
    regression = potentials.regression
    dynamic = potentials.start is not None
    g_means, g_covariances = (within(part, lengths) for part in cotangent[:2])
    pairs = torch.zeros_like(latents.cross)
    direct_change = (-(g_covariances + g_covariances.mT), pairs, g_means)

    def chain_of_states(direction: Tensor) -> Tensor:
        return tangent_of_states(potentials, marginals, direction, lengths).states

    def chain_of_latents(change: tuple[Tensor, Tensor, Tensor]) -> Latents:
        return Latents(*lds.tangent(optimum.gaussian, *change, lengths=lengths))

    def to_states(change: Latents) -> Tensor:
        return within(node_tangent(regression, latents, change, dynamic), lengths)

    def to_latents(weights: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return chain_tangent(regression, latents, weights, dynamic)

    def coupling(direction: Tensor) -> Tensor:
        return to_states(chain_of_latents(to_latents(direction)))

    direct = chain_of_latents(direct_change)
    right_side = to_states(direct)
    if cotangent.states is not None:
        right_side = right_side + within(cotangent.states, lengths)
    if evidence.states is not None:
        nodes = node_potentials(regression, latents, dynamic=dynamic)
        distance = within(nodes - evidence.states, lengths)
        answer = tangent_of_states(potentials, marginals, right_side + distance, lengths)
        none = torch.zeros_like(optimum.iterations)
        return Derivative(
            latents=direct,
            states=torch.zeros_like(answer.states),
            transitions=None if potentials.transition is None else answer.transitions.sum(0),
            iterations=none,
            residual=torch.zeros_like(optimum.residual),
            indefinite=none.bool(),
        )
    if damping is None:
        solution = _conjugate_gradients(chain_of_states, coupling, right_side, tolerance, iterations)
    else:
        solution = _damped(chain_of_states, coupling, right_side, tolerance, iterations, damping)
    answer = tangent_of_states(potentials, marginals, solution.value, lengths)
    back = to_latents(answer.states)
    total = (direct_change[0] + back[0], direct_change[1] + back[1], direct_change[2] + back[2])
    transitions = None if potentials.transition is None else answer.transitions.sum(0)
    return Derivative(
        latents=chain_of_latents(total),
        states=answer.states,
        transitions=transitions,
        iterations=solution.iterations,
        residual=solution.residual,
        indefinite=solution.indefinite,
    )


class _Solution(NamedTuple):
    """Solution a of (I − B F_z) a = b, of which F_z is ``metric`` and B ``coupling``."""

    value: Tensor
    """(B, T, K)"""
    iterations: Tensor
    """(B) int64"""
    residual: Tensor
    """(B), relative."""
    indefinite: Tensor
    """(B) bool, whether the operator is not positive."""


def _inner(left: Tensor, right: Tensor) -> Tensor:
    return (left.double() * right.double()).sum((-2, -1))


def _conjugate_gradients(
    metric: Operator, coupling: Operator, right_side: Tensor, tolerance: float, iterations: int
) -> _Solution:
    """Solve by conjugate gradients in the inner product of ``metric``."""
    solution = torch.zeros_like(right_side)
    residual, covariant = right_side, metric(right_side)
    step, stepped = residual, covariant
    size = _inner(residual, covariant).clamp(min=0)
    whole = torch.where(size > 0, size, 1.0)
    running = size > 0
    indefinite = torch.zeros_like(running)
    used = torch.zeros_like(size, dtype=torch.int64)
    for _ in range(iterations):
        if not bool(running.any()):
            break
        image = step - coupling(stepped)
        curvature = _inner(stepped, image)
        indefinite |= running & ~(curvature > 0)
        running = running & (curvature > 0)
        length = torch.where(running, size / torch.where(running, curvature, 1.0), 0.0)
        length = length[:, None, None].to(solution.dtype)
        solution = solution + length * step
        residual = residual - length * image
        used += running
        covariant = metric(residual)
        remaining = _inner(residual, covariant).clamp(min=0)
        share = torch.where(running, remaining / torch.where(size > 0, size, 1.0), 0.0)
        share = share[:, None, None].to(solution.dtype)
        step, stepped = residual + share * step, covariant + share * stepped
        size = torch.where(running, remaining, size)
        running = running & (size > tolerance**2 * whole)
    return _Solution(solution, used, (size / whole).sqrt(), indefinite)


def _damped(
    metric: Operator,
    coupling: Operator,
    right_side: Tensor,
    tolerance: float,
    iterations: int,
    damping: float,
) -> _Solution:
    """Solve by damped fixed-point iteration."""
    solution, residual = torch.zeros_like(right_side), right_side
    size = _inner(residual, metric(residual)).clamp(min=0)
    whole = torch.where(size > 0, size, 1.0)
    running = size > 0
    used = torch.zeros_like(size, dtype=torch.int64)
    for _ in range(iterations):
        if not bool(running.any()):
            break
        solution = solution + damping * residual
        residual = right_side - solution + coupling(metric(solution))
        used += running
        size = _inner(residual, metric(residual)).clamp(min=0)
        running = running & (size > tolerance**2 * whole)
    return _Solution(solution, used, (size / whole).sqrt(), torch.zeros_like(running))


def tangent_of_states(
    potentials: Potentials, optimum: hmm.ChainMarginals, direction: Tensor, lengths: Tensor | None
) -> hmm.ChainTangent:
    if potentials.transition is not None:
        return hmm.tangent(potentials.transition, optimum, direction, lengths=lengths)
    assert optimum.states is not None
    change = optimum.states * (direction - (optimum.states * direction).sum(-1, keepdim=True))
    return hmm.ChainTangent(change, change.new_zeros(0))
