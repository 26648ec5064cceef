"""Both posteriors, each the best given the other, found by turns.

Where a recognizer speaks of the states themselves, their posterior is the chain under its word, and
only the latents follow from the states: one turn is all there is. The divergence from the prior is
then that of this pair, larger than at the optimum.
"""

from typing import Any

import torch
from torch import Tensor

from .. import hmm, lds
from .cross_potentials import chain_potentials, node_potentials, within
from .types import BoundaryMessages, Evidence, Latents, Optimum, Potentials, Regression

__all__ = ["solve"]


def solve(
    potentials: Potentials,
    evidence: Evidence,
    *,
    lengths: Tensor | None = None,
    start: Tensor | None = None,
    boundary: BoundaryMessages | None = None,
    max_iterations: int = 20,
    tolerance: float = 1e-4,
    cache: bool = True,
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
    boundary : Edges, optional
        Of windows, all of T frames.
    max_iterations : int
        Turns at most, one at least.
    tolerance : float
        Rise of the objective per frame in one turn, nats, below which it is settled.
    cache : bool
        Keep what ``derivative`` and ``boundary_of`` need; half of the memory.
    """
    mean, precision = (within(part, lengths) for part in evidence[:2])
    if evidence.states is not None:
        observed = Evidence(mean, precision, within(evidence.states, lengths))
        return _from_state_evidence(potentials, observed, lengths, boundary, cache)
    evidence = Evidence(mean, precision)
    count, frames = mean.shape[:2]
    if start is None:
        points = _from_points(potentials, evidence)
        start = _infer_states(potentials, points, boundary, lengths, False).states
        assert start is not None
    weights = within(start.to(evidence.mean.dtype), lengths)
    best: Optimum | None = None
    active = torch.arange(count, device=mean.device)
    min_iterations = tolerance * (torch.full_like(active, frames) if lengths is None else lengths)
    for _ in range(max(1, max_iterations)):
        part = _turn(
            potentials,
            Evidence(_rows(mean, active), _rows(precision, active)),
            _rows(weights, active),
            None if lengths is None else _rows(lengths, active),
            _pick(boundary, active),
            cache,
        )
        if best is None:
            rise = torch.full_like(part.objective, torch.inf)
            best = part
        else:
            rise = part.objective - best.objective[active]
            part = part._replace(iterations=best.iterations[active] + 1)
            best = _put(best, part, active)
        is_stable = rise <= min_iterations[active]
        best.converged[active] = is_stable
        moved = part.states.states
        assert moved is not None
        if len(active) == count:
            weights = moved
        else:
            weights[active] = moved
        active = active[~is_stable]
        if not len(active) or not frames:
            break
    assert best is not None
    return best


def _turn(
    potentials: Potentials,
    evidence: Evidence,
    weights: Tensor,
    lengths: Tensor | None,
    boundary: BoundaryMessages | None,
    cache: bool,
) -> Optimum:
    """Update the latents under these states, then the states."""
    dynamic = potentials.start is not None
    # Of a pair that reaches into the padding nothing may come back.
    share = within(weights, lengths)
    gaussian = lds.marginals(
        *chain_potentials(potentials, evidence, share, boundary), lengths=lengths, cache=cache
    )
    assert gaussian.covariances is not None and gaussian.cross is not None
    latents = Latents(gaussian.means, gaussian.covariances, gaussian.cross)
    nodes = within(node_potentials(potentials.regression, latents, dynamic=dynamic), lengths)
    states = _infer_states(potentials, nodes, boundary, lengths, cache)
    assert states.states is not None
    divergence = -gaussian.entropy - states.log_normalizer - _first(potentials, latents, boundary)
    residual = (states.states - share).abs().flatten(1).amax(1) if share.numel() else divergence
    return _optimum(evidence, gaussian, states, divergence, residual)


def _from_state_evidence(
    potentials: Potentials,
    evidence: Evidence,
    lengths: Tensor | None,
    boundary: BoundaryMessages | None,
    cache: bool,
) -> Optimum:
    """Find the states from what is said of them, and the latents from the states."""
    assert evidence.states is not None
    states = _infer_states(potentials, evidence.states, boundary, lengths, cache)
    assert states.states is not None
    share = within(states.states, lengths)
    gaussian = lds.marginals(
        *chain_potentials(potentials, evidence, share, boundary), lengths=lengths, cache=cache
    )
    assert gaussian.covariances is not None and gaussian.cross is not None
    latents = Latents(gaussian.means, gaussian.covariances, gaussian.cross)
    nodes = node_potentials(potentials.regression, latents, dynamic=potentials.start is not None)
    # The log normalizer holds what was said; the model holds what the latents give.
    swap = within(share * (evidence.states - nodes), lengths).double().sum((-2, -1))
    divergence = swap - gaussian.entropy - states.log_normalizer - _first(potentials, latents, boundary)
    found = _optimum(evidence, gaussian, states, divergence, torch.zeros_like(divergence))
    return found._replace(converged=torch.ones_like(found.converged))


def _optimum(
    evidence: Evidence,
    gaussian: lds.GaussianMarginals,
    states: hmm.ChainMarginals,
    divergence: Tensor,
    residual: Tensor,
) -> Optimum:
    """Both posteriors after one turn, and how they explain what is seen."""
    assert gaussian.covariances is not None
    variance = gaussian.covariances.diagonal(dim1=-2, dim2=-1)
    observed = evidence.precision * ((gaussian.means - evidence.mean) ** 2 + variance)
    return Optimum(
        gaussian=gaussian,
        states=states,
        divergence=divergence,
        objective=-0.5 * observed.double().sum((-2, -1)) - divergence,
        residual=residual,
        iterations=torch.ones_like(divergence, dtype=torch.int64),
        converged=torch.zeros_like(divergence, dtype=torch.bool),
    )


def _infer_states(
    potentials: Potentials,
    nodes: Tensor,
    boundary: BoundaryMessages | None,
    lengths: Tensor | None,
    cache: bool,
) -> hmm.ChainMarginals:
    """Posterior of the states; independent ones are chains of one frame, done in one stroke."""
    if boundary is not None:
        nodes = nodes.clone()
        nodes[:, -1] += boundary.final.to(nodes)
    initial = potentials.initial if boundary is None else boundary.initial
    if potentials.transition is not None:
        return hmm.marginals(initial, potentials.transition, nodes, lengths=lengths, cache=cache)
    scores = nodes.double() + initial
    scales = torch.logsumexp(scores, -1)
    states = within(torch.softmax(scores, -1).to(nodes.dtype), lengths)
    scales = within(scales, lengths)
    return hmm.ChainMarginals(
        states, None, states[:, :1].double().sum(1), scales.sum(-1), scales, states
    )


def _from_points(potentials: Potentials, evidence: Evidence) -> Tensor:
    """Node potentials as if latents were where the evidence has its peak; none for missing frames.

    What is seen jitters by its own noise beside that of the motion. Taken for motion, the jitter
    would make the states of most motion look best, and turns do not find back from there.
    """
    mean, precision = evidence[:2]
    dynamic = potentials.start is not None
    nothing = mean.new_zeros((1, 1, 1, 1)).expand(1, *mean.shape[1:], mean.shape[-1])
    nodes = mean.new_zeros((*mean.shape[:2], len(potentials.regression.log_det)))
    for i in range(len(mean)):
        points = Latents(mean[i : i + 1], nothing, nothing[:, 1:])
        jittery = _jittery(potentials.regression, precision[i].double(), dynamic)
        nodes[i] = node_potentials(jittery, points, dynamic=dynamic)[0]
    observed = (precision > 0).any(-1, keepdim=True)
    if dynamic:
        observed = observed & torch.nn.functional.pad(observed[:, :-1], (0, 0, 1, 0))
    return torch.where(observed, nodes, 0.0)


def _jittery(regression: Regression, precision: Tensor, dynamic: bool) -> Regression:
    """Regression of what is seen of one sequence, by the typical precision (T, D) of a frame."""
    mean, _, noise_precision, log_det = (part.double() for part in regression)
    observed = precision > 0
    log_typical = torch.where(observed, precision, 1.0).log().sum(0) / observed.sum(0).clamp(min=1)
    # Of a coordinate that is never seen nothing will be asked.
    jitter = torch.where(observed.any(0), torch.exp(-log_typical), 0.0)
    noise = torch.cholesky_inverse(torch.linalg.cholesky(noise_precision))
    wide = noise + torch.diag(jitter)
    if dynamic:
        weights = mean[..., :-1]
        wide = wide + (weights * jitter) @ weights.mT
    factor = torch.linalg.cholesky((wide + wide.mT) / 2)
    lost = noise_precision.logdet() + 2 * factor.diagonal(dim1=-2, dim2=-1).log().sum(-1)
    return regression._replace(precision=torch.cholesky_inverse(factor), log_det=log_det - lost)


def _first(
    potentials: Potentials, latents: Latents, boundary: BoundaryMessages | None
) -> Tensor | float:
    """Mean log density of the first latent, or mean potential of a window's edges; (B) nats."""
    if potentials.start is None or not latents.means.shape[1]:
        return 0.0
    if boundary is None:
        first = Latents(latents.means[:, :1], latents.covariances[:, :1], latents.cross[:, :0])
        return node_potentials(potentials.start, first, dynamic=False)[:, 0, 0].double()
    total: Tensor | float = 0.0
    for frame, (precision, linear) in ((0, boundary.first), (-1, boundary.last)):
        mean = latents.means[:, frame].double()
        moment = latents.covariances[:, frame].double() + mean[:, :, None] * mean[:, None, :]
        total = total + (linear * mean).sum(-1) - 0.5 * (precision * moment).sum((-2, -1))
    return total


def _rows(part: Tensor, rows: Tensor) -> Tensor:
    """Some of the sequences; where they are all, what was given."""
    return part if len(rows) == len(part) else part[rows]


def _pick(boundary: BoundaryMessages | None, rows: Tensor) -> BoundaryMessages | None:
    """Edges of some of the sequences."""
    if boundary is None:
        return None
    return BoundaryMessages(
        boundary.initial[rows],
        boundary.final[rows],
        (boundary.first[0][rows], boundary.first[1][rows]),
        (boundary.last[0][rows], boundary.last[1][rows]),
    )


def _put(whole: Optimum, part: Optimum, rows: Tensor) -> Optimum:
    """Write what some of the sequences found in their places."""
    if len(rows) == len(whole.objective):
        return part

    def write(old: Any, new: Any) -> Any:
        if isinstance(old, tuple):
            return type(old)(*map(write, old, new))
        if old is None:
            return None
        old[rows] = new
        return old

    found: Optimum = write(whole, part)
    return found
