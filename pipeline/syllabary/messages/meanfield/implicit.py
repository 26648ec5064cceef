"""Derivative of the optimum: a gradient by the marginals, sent back through the fixed point."""

import torch
from torch import Tensor

from .. import hmm, lds
from .cross_potentials import chain_tangent, node_tangent, within
from .types import Cotangent, Derivative, Evidence, Latents, Optimum, Potentials

__all__ = ["derivative"]


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

    With F_z and F_x the tangents of the two chains and B = M F_x Mᵀ, M being the link, it solves
    (I − B F_z) a = g_w + M F_x g_x. In the inner product ⟨a, b⟩ = aᵀ F_z b the operator is
    self-adjoint, and positive where ``optimum`` is a strict optimum.

    Parameters
    ----------
    potentials, evidence, lengths
        As they were for ``solve``.
    optimum : Optimum
    cotangent : Cotangent
        Gradient by means and covariances *without* what runs through the objective itself.
    tolerance : float
        Relative residual at which each sequence's iteration ends.
    iterations : int
        Steps at most; 0 holds the states fixed ("frozen").
    damping : float, optional
        For comparison: a ← (1 − d) a + d (right side + B F_z a) in place of conjugate gradients;
        one step with d = 1 is one Neumann term.

    Notes
    -----
    The gradient by the evidence is ``latents.means`` for R m, and −½ of the diagonal of
    d(S + μ μᵀ) for R: see ``priors``.
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

    def inner(left: Tensor, right: Tensor) -> Tensor:
        return (left.double() * right.double()).sum((-2, -1))

    direct = chain_of_latents(direct_change)
    right_side = to_states(direct)
    if cotangent.states is not None:
        right_side = right_side + within(cotangent.states, lengths)
    # Without a step, what the states would answer is left out.
    solution = torch.zeros_like(right_side)
    if evidence.states is not None:
        # Said states are no function of the latents: nothing comes back from them.
        iterations = 0
    residual, covariant = right_side, chain_of_states(right_side)
    step, stepped = residual, covariant
    size = inner(residual, covariant).clamp(min=0)
    whole = torch.where(size > 0, size, 1.0)
    running = size > 0
    indefinite = torch.zeros_like(running)
    used = torch.zeros_like(size, dtype=torch.int64)
    for _ in range(iterations):
        if not bool(running.any()):
            break
        if damping is not None:
            solution = solution + damping * residual
            residual = (
                right_side
                - solution
                + to_states(chain_of_latents(to_latents(chain_of_states(solution))))
            )
            used += running
            size = inner(residual, chain_of_states(residual)).clamp(min=0)
            running = running & (size > tolerance**2 * whole)
            continue
        image = step - to_states(chain_of_latents(to_latents(stepped)))
        curvature = inner(stepped, image)
        indefinite |= running & ~(curvature > 0)
        running = running & (curvature > 0)
        length = torch.where(running, size / torch.where(running, curvature, 1.0), 0.0)
        length = length[:, None, None].to(solution.dtype)
        solution = solution + length * step
        residual = residual - length * image
        used += running
        covariant = chain_of_states(residual)
        left = inner(residual, covariant).clamp(min=0)
        turn = torch.where(running, left / torch.where(size > 0, size, 1.0), 0.0)
        turn = turn[:, None, None].to(solution.dtype)
        step, stepped = residual + turn * step, covariant + turn * stepped
        size = torch.where(running, left, size)
        running = running & (size > tolerance**2 * whole)
    answer = tangent_of_states(potentials, marginals, solution, lengths)
    back = to_latents(answer.states)
    total = (direct_change[0] + back[0], direct_change[1] + back[1], direct_change[2] + back[2])
    transitions = None if potentials.transition is None else answer.transitions.sum(0)
    return Derivative(
        latents=chain_of_latents(total),
        states=answer.states,
        transitions=transitions,
        iterations=used,
        residual=(size / whole).sqrt(),
        indefinite=indefinite,
    )


def tangent_of_states(
    potentials: Potentials, optimum: hmm.ChainMarginals, direction: Tensor, lengths: Tensor | None
) -> hmm.ChainTangent:
    if potentials.transition is not None:
        return hmm.tangent(potentials.transition, optimum, direction, lengths=lengths)
    assert optimum.states is not None
    change = optimum.states * (direction - (optimum.states * direction).sum(-1, keepdim=True))
    return hmm.ChainTangent(change, change.new_zeros(0))
