"""Links between a chain of states and a chain of latents, and the optimum they settle at.

Given its state k, a frame is a regression on the frame before it, x_t = W_k s_t + noise with
s_t = [x_{t-1}; 1] ("dynamic"), or on nothing but the constant, s_t = [1] ("static"). In mean field
each chain receives potentials that are linear in the other's expected statistics: matrix
products over all frames at once. They are written in residual form, which keeps digits where
raw moments of latents far from zero would cancel.

The optimum is found by turns; its derivative by conjugate gradients, with the tangents of both
chains. Nothing here knows where the expected parameters come from.

References
----------
docs/mathematics.md, "States and latents". Implicit differentiation of the fixed point:
doi:10.48550/arXiv.2305.16543, there by another iteration.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from . import hmm, lds

__all__ = [
    "Cotangent",
    "Derivative",
    "Edges",
    "Evidence",
    "Latents",
    "Optimum",
    "Potentials",
    "Regression",
    "derivative",
    "node_potentials",
    "solve",
    "sums",
]

# Frames whose second moments are formed at once.
BLOCK = 4096


class Regression(NamedTuple):
    """What the links need of K regressions: means under the posterior of weights and noise."""

    mean: Tensor
    """(K, D, p) M, of the weights."""
    column_covariance: Tensor
    """(K, p, p) V, of a row of the weights in units of the noise."""
    precision: Tensor
    """(K, D, D) of Q⁻¹."""
    log_det: Tensor
    """(K) of log |Q⁻¹|, nats."""


class Potentials(NamedTuple):
    """What both chains are given by the global parameters."""

    initial: Tensor
    """(K) log potential of the first state; of every state where ``transition`` is None."""
    transition: Tensor | None
    """(K, K) log potentials of the steps, or None: states are independent."""
    start: Regression | None
    """Law of x_1, a regression of K = p = 1; None: no frame depends on another ("static")."""
    regression: Regression


class Evidence(NamedTuple):
    """What is seen of the latents: −½ Σ_d R_d (x_d − m_d)²."""

    mean: Tensor
    """(B, T, D) m; finite, also where nothing is seen."""
    precision: Tensor
    """(B, T, D) R ≥ 0; zero is missing."""


class Edges(NamedTuple):
    """What lies beyond the two ends of a window, as constant potentials of its end frames."""

    initial: Tensor
    """(B, K) of the first frame's state, in place of ``Potentials.initial``."""
    final: Tensor
    """(B, K) of the last frame's state."""
    first: tuple[Tensor, Tensor]
    """(B, D, D) precision and (B, D) precision times mean on the first latent, in place of its law."""
    last: tuple[Tensor, Tensor]
    """The same on the last latent."""


class Latents(NamedTuple):
    """Marginals of the latents, or their derivative."""

    means: Tensor
    """(B, T, D)"""
    covariances: Tensor
    """(B, T, D, D)"""
    cross: Tensor
    """(B, T - 1, D, D) of x_{t+1} (rows) with x_t."""


class Optimum(NamedTuple):
    """Both posteriors, each the best given the other; states were updated last."""

    gaussian: lds.GaussianMarginals
    states: hmm.ChainMarginals
    divergence: Tensor
    """(B) of latents and states from the prior, nats."""
    objective: Tensor
    """(B) mean log evidence −½ Σ R (x − m)² minus the divergence: what turns never lower, nats."""
    residual: Tensor
    """(B) largest change of a state's probability in the last turn."""
    sweeps: Tensor
    """(B) turns taken."""
    converged: Tensor
    """(B) bool."""

    @property
    def latents(self) -> Latents:
        """Return the marginals of the latents."""
        found = self.gaussian
        assert found.covariances is not None and found.cross is not None
        return Latents(found.means, found.covariances, found.cross)


class Cotangent(NamedTuple):
    """Gradient of some scalar by the marginals."""

    means: Tensor
    """(B, T, D)"""
    covariances: Tensor
    """(B, T, D, D), symmetric."""
    states: Tensor | None = None
    """(B, T, K)"""


class Derivative(NamedTuple):
    """Change of the optimum in the direction of a cotangent, which is the gradient sought."""

    latents: Latents
    """dμ, dS and the cross part."""
    states: Tensor
    """(B, T, K) dw, before the links send it on."""
    transitions: Tensor | None
    """(K, K) of the pair sums, summed over sequences: cotangent of the log transitions."""
    iterations: Tensor
    """(B) conjugate gradient steps."""
    residual: Tensor
    """(B) what is left of the equation, relative."""
    indefinite: Tensor
    """(B) bool: the optimum is none (a saddle), and the solution was cut short."""


def solve(
    potentials: Potentials,
    evidence: Evidence,
    *,
    lengths: Tensor | None = None,
    start: Tensor | None = None,
    edges: Edges | None = None,
    sweeps: int = 20,
    tolerance: float = 1e-4,
) -> Optimum:
    """Update latents and states by turns until neither moves.

    Parameters
    ----------
    potentials : Potentials
    evidence : Evidence
        Messages run in its dtype.
    lengths : (B) int, optional
        Frames that count in each sequence.
    start : (B, T, K), optional
        Probabilities of the states to begin with; without, those that the evidence's means give.
    edges : Edges, optional
        Of windows, all of T frames.
    sweeps : int
        Turns at most, one at least.
    tolerance : float
        Rise of the objective per frame in one turn, nats, below which it is settled.
    """
    inside = _inside(evidence, lengths)
    evidence = Evidence(*(torch.where(inside, part, 0.0) for part in evidence))
    count, frames = inside.shape[:2]
    if start is None:
        points = _from_points(potentials, evidence)
        start = _infer_states(potentials, points, edges, lengths).states
        assert start is not None
    weights = torch.where(inside, start.to(evidence.mean.dtype), 0.0)
    best: Optimum | None = None
    active = torch.arange(count, device=inside.device)
    least = tolerance * inside[..., 0].sum(-1)
    for _ in range(max(1, sweeps)):
        part = _turn(
            potentials,
            Evidence(*(own[active] for own in evidence)),
            weights[active],
            None if lengths is None else lengths[active],
            _pick(edges, active),
        )
        assert part.states.states is not None
        if best is None:
            rise = torch.full_like(part.objective, torch.inf)
            best = part
        else:
            rise = part.objective - best.objective[active]
            part = part._replace(sweeps=best.sweeps[active] + 1)
            best = _put(best, part, active)
        settled = rise <= least[active]
        best.converged[active] = settled
        weights[active] = part.states.states
        active = active[~settled]
        if not len(active) or not frames:
            break
    assert best is not None
    return best


def derivative(
    potentials: Potentials,
    evidence: Evidence,
    found: Optimum,
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
    self-adjoint, and positive where ``found`` is a strict optimum.

    Parameters
    ----------
    potentials, evidence, lengths
        As they were for ``solve``.
    found : Optimum
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
    latents, marginals = found.latents, found.states
    inside = _inside(evidence, lengths)
    regression = potentials.regression
    dynamic = potentials.start is not None
    g_means = torch.where(inside, cotangent.means, 0.0)
    g_covariances = torch.where(inside[..., None], cotangent.covariances, 0.0)
    pairs = torch.zeros_like(latents.cross)
    given = (-(g_covariances + g_covariances.mT), pairs, g_means)

    def chain_of_states(direction: Tensor) -> Tensor:
        return _tangent_of_states(potentials, marginals, direction, lengths).states

    def chain_of_latents(change: tuple[Tensor, Tensor, Tensor]) -> Latents:
        return Latents(*lds.tangent(found.gaussian, *change, lengths=lengths))

    def to_states(change: Latents) -> Tensor:
        return torch.where(inside, _node_tangent(regression, latents, change, dynamic), 0.0)

    def to_latents(weights: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return _chain_tangent(regression, latents, weights, dynamic)

    def inner(left: Tensor, right: Tensor) -> Tensor:
        return (left.double() * right.double()).sum((-2, -1))

    direct = chain_of_latents(given)
    right_side = to_states(direct)
    if cotangent.states is not None:
        right_side = right_side + torch.where(inside, cotangent.states, 0.0)
    # Without a step, what the states would answer is left out.
    solution = torch.zeros_like(right_side)
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
    answer = _tangent_of_states(potentials, marginals, solution, lengths)
    back = to_latents(answer.states)
    total = (given[0] + back[0], given[1] + back[1], given[2] + back[2])
    transitions = None if potentials.transition is None else answer.transitions.sum(0)
    return Derivative(
        latents=chain_of_latents(total),
        states=answer.states,
        transitions=transitions,
        iterations=used,
        residual=(size / whole).sqrt(),
        indefinite=indefinite,
    )


def node_potentials(regression: Regression, latents: Latents, *, dynamic: bool = True) -> Tensor:
    """Mean log density of every frame under every state's regression, (B, T, K) nats.

    −½ e'Pe − ½ D s'Vs − ½⟨P, S_t⟩ + ⟨P M_x, S_{t,t−1}⟩ − ½⟨M_x'P M_x + D V_xx, S_{t−1}⟩ + ½ log|P|
    − ½ D log 2π, with e = μ_t − M s at the means. Zero for the first frame of a dynamic model.
    """
    means, covariances, cross = latents
    targets, regressors = _frames(means, dynamic)
    scores = hmm.ar_log_likelihood(
        targets,
        regressors,
        regression.mean,
        regression.column_covariance,
        regression.precision,
        regression.log_det,
    )
    blocks = _blocks(regression, means.dtype, dynamic)
    own = covariances[:, 1:] if dynamic else covariances
    scores -= 0.5 * _against(own, blocks.own)
    if not dynamic:
        return scores
    scores += _against(cross, blocks.cross) - 0.5 * _against(covariances[:, :-1], blocks.past)
    return torch.nn.functional.pad(scores, (0, 0, 1, 0))


def sums(
    regression: Regression,
    latents: Latents,
    weights: Tensor,
    *,
    dynamic: bool = True,
    change: tuple[Latents, Tensor] | None = None,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Expected sums of every state's regression, weighted by the states, float64.

    Parameters
    ----------
    regression : Regression
        Tells K, D and p alone.
    latents : Latents
    weights : (B, T, K)
        Zero in padding.
    change : (Latents, (B, T, K)), optional
        Derivative of latents and of weights: then the derivative of the sums is returned.

    Returns
    -------
    (K, p, p), (K, D, p), (K, D, D) and (K)
        Σ s sᵀ, Σ x sᵀ, Σ x xᵀ, and the number of frames.
    """
    size, width = regression.mean.shape[-2:]
    joint = width + size
    states = weights.shape[-1]
    total = weights.new_zeros((states, joint * joint), dtype=torch.float64)
    count = weights.new_zeros(states, dtype=torch.float64)
    for own, share, moved in _pieces(latents, weights, change, dynamic):
        if moved is None:
            total += share.mT @ _moments(own, width, dynamic)
            count += share.sum(0)
        else:
            total += share.mT @ _moments(own, width, dynamic, moved[0])
            total += moved[1].mT @ _moments(own, width, dynamic)
            count += moved[1].sum(0)
    gram = total.reshape(states, joint, joint)
    gram = (gram + gram.mT) / 2
    return (
        gram[:, :width, :width].clone(),
        gram[:, width:, :width].clone(),
        gram[:, width:, width:].clone(),
        count,
    )


class _Blocks(NamedTuple):
    """What covariances and latents meet in a link, (K, D, D) and (K, D) in the messages' dtype."""

    own: Tensor  # P
    cross: Tensor  # P M_x
    past: Tensor  # M_x' P M_x + D V_xx
    own_mean: Tensor  # P M_1, adds to h_t
    past_mean: Tensor  # -(M_x' P M_1 + D V_x1), adds to h_{t-1}


def _blocks(regression: Regression, dtype: torch.dtype, dynamic: bool) -> _Blocks:
    mean, spread, precision, _ = (part.double() for part in regression)
    size = mean.shape[-2]
    weighted = precision @ mean
    constant = mean.shape[-1] - 1
    if not dynamic:
        nothing = mean.new_zeros(0)
        parts = (precision, nothing, nothing, weighted[..., 0], nothing)
    else:
        gram = mean.mT @ weighted + size * spread
        parts = (
            precision,
            weighted[..., :size],
            gram[:, :size, :size],
            weighted[..., constant],
            -gram[:, :size, constant],
        )
    return _Blocks(*(part.to(dtype).contiguous() for part in parts))


def _frames(means: Tensor, dynamic: bool) -> tuple[Tensor, Tensor]:
    """Targets and regressors of all regressions, at the means."""
    if not dynamic:
        return means, means.new_ones((*means.shape[:-1], 1))
    past = means[:, :-1]
    return means[:, 1:], torch.cat([past, past.new_ones((*past.shape[:-1], 1))], -1)


def _against(matrices: Tensor, blocks: Tensor) -> Tensor:
    """Inner products of (B, T, D, D) with (K, D, D), as one matrix product: (B, T, K)."""
    return matrices.flatten(-2) @ blocks.flatten(-2).T


def _chain(
    potentials: Potentials, evidence: Evidence, weights: Tensor, edges: Edges | None
) -> tuple[Tensor, Tensor, Tensor]:
    """Potentials of the chain of latents under the states' probabilities."""
    mean, precision = evidence
    size = mean.shape[-1]
    dynamic = potentials.start is not None
    blocks = _blocks(potentials.regression, mean.dtype, dynamic)
    share = weights[:, 1:] if dynamic else weights

    def mix(block: Tensor) -> Tensor:
        return (share @ block.flatten(1)).reshape(*share.shape[:-1], *block.shape[1:])

    diagonal = torch.diag_embed(precision)
    linear = precision * mean
    if not dynamic:
        lower = diagonal.new_zeros((len(mean), max(mean.shape[1] - 1, 0), size, size))
        return diagonal + mix(blocks.own), lower, linear + mix(blocks.own_mean)
    diagonal[:, 1:] += mix(blocks.own)
    diagonal[:, :-1] += mix(blocks.past)
    linear[:, 1:] += mix(blocks.own_mean)
    linear[:, :-1] += mix(blocks.past_mean)
    if edges is None:
        start = potentials.start
        assert start is not None
        diagonal[:, :1] += start.precision.to(diagonal)
        linear[:, :1] += (start.precision @ start.mean)[..., 0].to(linear)
    else:
        for frame, (own, own_mean) in ((0, edges.first), (-1, edges.last)):
            diagonal[:, frame] += own.to(diagonal)
            linear[:, frame] += own_mean.to(linear)
    return diagonal, -mix(blocks.cross), linear


def _infer_states(
    potentials: Potentials, nodes: Tensor, edges: Edges | None, lengths: Tensor | None
) -> hmm.ChainMarginals:
    """Posterior of the states; independent ones are chains of one frame, done in one stroke."""
    if edges is not None:
        nodes = nodes.clone()
        nodes[:, -1] += edges.final.to(nodes)
    initial = potentials.initial if edges is None else edges.initial
    if potentials.transition is not None:
        return hmm.marginals(initial, potentials.transition, nodes, lengths=lengths, cache=True)
    inside = _inside(nodes, lengths)
    scores = nodes.double() + initial
    scales = torch.logsumexp(scores, -1)
    states = torch.where(inside, torch.softmax(scores, -1).to(nodes.dtype), 0.0)
    scales = torch.where(inside[..., 0], scales, 0.0)
    return hmm.ChainMarginals(
        states, None, states[:, :1].double().sum(1), scales.sum(-1), scales, states
    )


def _tangent_of_states(
    potentials: Potentials, found: hmm.ChainMarginals, direction: Tensor, lengths: Tensor | None
) -> hmm.ChainTangent:
    if potentials.transition is not None:
        return hmm.tangent(potentials.transition, found, direction, lengths=lengths)
    assert found.states is not None
    change = found.states * (direction - (found.states * direction).sum(-1, keepdim=True))
    return hmm.ChainTangent(change, change.new_zeros(0))


def _from_points(potentials: Potentials, evidence: Evidence) -> Tensor:
    """Node potentials as if latents were where the evidence has its peak; none for missing frames.

    What is seen jitters by its own noise beside that of the motion. Taken for motion, the jitter
    would make the states of most motion look best, and turns do not find back from there.
    """
    mean, precision = evidence
    dynamic = potentials.start is not None
    nothing = mean.new_zeros((1, 1, 1, 1)).expand(1, *mean.shape[1:], mean.shape[-1])
    nodes = mean.new_zeros((*mean.shape[:2], len(potentials.regression.log_det)))
    for i in range(len(mean)):
        points = Latents(mean[i : i + 1], nothing, nothing[:, 1:])
        jittery = _jittery(potentials.regression, precision[i].double(), dynamic)
        nodes[i] = node_potentials(jittery, points, dynamic=dynamic)[0]
    seen = (precision > 0).any(-1, keepdim=True)
    if dynamic:
        seen = seen & torch.nn.functional.pad(seen[:, :-1], (0, 0, 1, 0))
    return torch.where(seen, nodes, 0.0)


def _jittery(regression: Regression, precision: Tensor, dynamic: bool) -> Regression:
    """Regression of what is seen of one sequence, by the typical precision (T, D) of a frame."""
    mean, _, own, log_det = (part.double() for part in regression)
    seen = precision > 0
    log_typical = torch.where(seen, precision, 1.0).log().sum(0) / seen.sum(0).clamp(min=1)
    # Of a coordinate that is never seen nothing will be asked.
    jitter = torch.where(seen.any(0), torch.exp(-log_typical), 0.0)
    noise = torch.cholesky_inverse(torch.linalg.cholesky(own))
    wide = noise + torch.diag(jitter)
    if dynamic:
        weights = mean[..., :-1]
        wide = wide + (weights * jitter) @ weights.mT
    factor = torch.linalg.cholesky((wide + wide.mT) / 2)
    lost = own.logdet() + 2 * factor.diagonal(dim1=-2, dim2=-1).log().sum(-1)
    return regression._replace(precision=torch.cholesky_inverse(factor), log_det=log_det - lost)


def _turn(
    potentials: Potentials,
    evidence: Evidence,
    weights: Tensor,
    lengths: Tensor | None,
    edges: Edges | None,
) -> Optimum:
    """Update the latents under these states, then the states."""
    dynamic = potentials.start is not None
    inside = _inside(evidence, lengths)
    # Of a pair that reaches into the padding nothing may come back.
    share = torch.where(inside, weights, 0.0)
    gaussian = lds.marginals(*_chain(potentials, evidence, share, edges), lengths=lengths, cache=True)
    assert gaussian.covariances is not None and gaussian.cross is not None
    latents = Latents(gaussian.means, gaussian.covariances, gaussian.cross)
    nodes = torch.where(inside, node_potentials(potentials.regression, latents, dynamic=dynamic), 0.0)
    states = _infer_states(potentials, nodes, edges, lengths)
    assert states.states is not None
    divergence = -gaussian.entropy - states.log_normalizer - _first(potentials, latents, edges)
    variance = gaussian.covariances.diagonal(dim1=-2, dim2=-1)
    seen = evidence.precision * ((gaussian.means - evidence.mean) ** 2 + variance)
    return Optimum(
        gaussian=gaussian,
        states=states,
        divergence=divergence,
        objective=-0.5 * seen.double().sum((-2, -1)) - divergence,
        residual=(states.states - share).abs().flatten(1).amax(1) if share.numel() else divergence,
        sweeps=torch.ones_like(divergence, dtype=torch.int64),
        converged=torch.zeros_like(divergence, dtype=torch.bool),
    )


def _first(potentials: Potentials, latents: Latents, edges: Edges | None) -> Tensor | float:
    """Mean log density of the first latent, or mean potential of a window's edges; (B) nats."""
    if potentials.start is None or not latents.means.shape[1]:
        return 0.0
    if edges is None:
        first = Latents(latents.means[:, :1], latents.covariances[:, :1], latents.cross[:, :0])
        return node_potentials(potentials.start, first, dynamic=False)[:, 0, 0].double()
    total: Tensor | float = 0.0
    for frame, (precision, linear) in ((0, edges.first), (-1, edges.last)):
        mean = latents.means[:, frame].double()
        moment = latents.covariances[:, frame].double() + mean[:, :, None] * mean[:, None, :]
        total = total + (linear * mean).sum(-1) - 0.5 * (precision * moment).sum((-2, -1))
    return total


def _node_tangent(regression: Regression, latents: Latents, change: Latents, dynamic: bool) -> Tensor:
    """Derivative of ``node_potentials`` along a change of the latents, in residual form."""
    blocks = _blocks(regression, latents.means.dtype, dynamic)
    targets, regressors = _frames(latents.means, dynamic)
    d_targets = change.means[:, 1:] if dynamic else change.means
    own = change.covariances[:, 1:] if dynamic else change.covariances
    scores = -0.5 * _against(own, blocks.own)
    size = latents.means.shape[-1]
    pull = _pull(regression, targets, regressors)
    if not dynamic:
        return scores - (pull * d_targets[..., None, :]).sum(-1)
    past = change.means[:, :-1]
    mean = regression.mean.to(past)
    spread = regression.column_covariance.to(past)
    residual = d_targets[..., None, :] - torch.einsum("kij,btj->btki", mean[..., :size], past)
    scores -= (pull * residual).sum(-1)
    scores -= size * (
        torch.einsum("btp,kpj->btkj", regressors, spread[..., :size]) * past[..., None, :]
    ).sum(-1)
    scores += _against(change.cross, blocks.cross)
    scores -= 0.5 * _against(change.covariances[:, :-1], blocks.past)
    return torch.nn.functional.pad(scores, (0, 0, 1, 0))


def _pull(regression: Regression, targets: Tensor, regressors: Tensor) -> Tensor:
    """P e of every frame and state, (B, T, K, D)."""
    mean, precision = regression.mean.to(targets), regression.precision.to(targets)
    residual = targets[..., None, :] - torch.einsum("kip,btp->btki", mean, regressors)
    return torch.einsum("kij,btkj->btki", precision, residual)


def _chain_tangent(
    regression: Regression, latents: Latents, weights: Tensor, dynamic: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """Transpose of ``_node_tangent``: change of the latents' potentials along one of the weights.

    Returns (dJ, dJ below the diagonal, dh − dJ μ); the last is formed from residuals, in which
    nothing large cancels.
    """
    blocks = _blocks(regression, weights.dtype, dynamic)
    targets, regressors = _frames(latents.means, dynamic)
    share = weights[:, 1:] if dynamic else weights
    size = latents.means.shape[-1]

    def mix(block: Tensor) -> Tensor:
        return (share @ block.flatten(1)).reshape(*share.shape[:-1], *block.shape[1:])

    pull = share[..., None] * _pull(regression, targets, regressors)
    if not dynamic:
        nothing = torch.zeros_like(latents.cross)
        return mix(blocks.own), nothing, -pull.sum(-2)
    diagonal = torch.zeros_like(latents.covariances)
    centred = torch.zeros_like(latents.means)
    diagonal[:, 1:] += mix(blocks.own)
    diagonal[:, :-1] += mix(blocks.past)
    centred[:, 1:] -= pull.sum(-2)
    mean = regression.mean.to(targets)[..., :size]
    spread = (share @ regression.column_covariance.to(targets)[:, :size].flatten(1)).reshape(
        *share.shape[:-1], size, size + 1
    )
    centred[:, :-1] += torch.einsum("kij,btki->btj", mean, pull)
    centred[:, :-1] -= size * (spread @ regressors[..., None])[..., 0]
    return diagonal, -mix(blocks.cross), centred


def _pieces(latents, weights, change, dynamic):  # type: ignore[no-untyped-def]
    """Yield blocks of frames with their weights, and their change."""
    frames = weights.shape[1]
    reach = int(dynamic)
    for i in range(len(weights)):
        for begin in range(reach, frames, BLOCK):
            stop = min(begin + BLOCK, frames)

            def cut(part: Latents, i: int = i, begin: int = begin, stop: int = stop) -> Latents:
                pairs = slice(begin - 1, stop - 1) if reach else slice(0, 0)
                own = slice(begin - reach, stop)
                return Latents(
                    part.means[i, own].double(),
                    part.covariances[i, own].double(),
                    part.cross[i, pairs].double(),
                )

            rows = slice(begin, stop)
            moved = None if change is None else (cut(change[0]), change[1][i, rows].double())
            yield cut(latents), weights[i, rows].double(), moved


def _moments(latents: Latents, width: int, dynamic: bool, change: Latents | None = None) -> Tensor:
    """Second moments of [s; x] of each frame, or their derivative, (n, (p + D)²)."""
    means, covariances, cross = latents
    size = means.shape[-1]
    reach = int(dynamic)
    count = len(means) - reach
    joint = means.new_zeros((count, width + size))
    joint[:, width - 1] = 1
    joint[:, width:] = means[reach:]
    if dynamic:
        joint[:, :size] = means[:-1]
    if change is None:
        moments = joint[:, :, None] * joint[:, None, :]
    else:
        moved = torch.zeros_like(joint)
        moved[:, width:] = change.means[reach:]
        if dynamic:
            moved[:, :size] = change.means[:-1]
        moments = moved[:, :, None] * joint[:, None, :] + joint[:, :, None] * moved[:, None, :]
        _, covariances, cross = change
    moments[:, width:, width:] += covariances[reach:]
    if dynamic:
        moments[:, :size, :size] += covariances[:-1]
        moments[:, width:, :size] += cross
        moments[:, :size, width:] += cross.mT
    return moments.flatten(1)


def _inside(like: Tensor | Evidence, lengths: Tensor | None) -> Tensor:
    """Tell which frames count, (B, T, 1)."""
    first = like if isinstance(like, Tensor) else like.mean
    count, frames = first.shape[:2]
    if lengths is None:
        return torch.ones((count, frames, 1), dtype=torch.bool, device=first.device)
    return (torch.arange(frames, device=first.device) < lengths[:, None])[..., None]


def _pick(edges: Edges | None, rows: Tensor) -> Edges | None:
    """Edges of some of the sequences."""
    if edges is None:
        return None
    return Edges(
        edges.initial[rows],
        edges.final[rows],
        (edges.first[0][rows], edges.first[1][rows]),
        (edges.last[0][rows], edges.last[1][rows]),
    )


def _put(whole: Optimum, part: Optimum, rows: Tensor) -> Optimum:
    """Write what some of the sequences found in their places."""
    if len(rows) == len(whole.objective):
        return part

    def write(old, new):  # type: ignore[no-untyped-def]
        if isinstance(old, tuple):
            return type(old)(*map(write, old, new))
        if old is None:
            return None
        old[rows] = new
        return old

    found: Optimum = write(whole, part)
    return found
