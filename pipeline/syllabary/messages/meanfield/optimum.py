"""Both posteriors, each the best given the other, found by alternating updates.

Where the evidence holds potentials of the states, the posterior of the states follows from these alone,
and the latents follow from the states: a single iteration is enough. The divergence from the prior is
then that of this pair, larger than at the optimum.
"""

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
    """Update latents and states in turn until the objective no longer rises.

    Parameters
    ----------
    potentials : Potentials
    evidence : Evidence
        Messages have its dtype.
    lengths : (B) int, optional
        Frames that count in each sequence.
    start : (B, T, K), optional
        Probabilities of the states at the start; by default those that fit the means of the evidence.
    boundary : BoundaryMessages, optional
        For windows, all of T frames.
    max_iterations : int
        Largest number of iterations; at least one is done.
    tolerance : float
        Rise of the objective per frame in one iteration, nats, at which a sequence has converged.
    cache : bool
        Keep the results that ``derivative`` and ``boundary_of`` need; half of the memory.
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
    min_rise = tolerance * (torch.full_like(active, frames) if lengths is None else lengths)
    for _ in range(max(1, max_iterations)):
        part = _iterate(
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
        has_converged = rise <= min_rise[active]
        best.converged[active] = has_converged
        moved = part.states.states
        assert moved is not None
        if len(active) == count:
            weights = moved
        else:
            weights[active] = moved
        active = active[~has_converged]
        if not len(active) or not frames:
            break
    assert best is not None
    return best


def _iterate(
    potentials: Potentials,
    evidence: Evidence,
    weights: Tensor,
    lengths: Tensor | None,
    boundary: BoundaryMessages | None,
    cache: bool,
) -> Optimum:
    """Update the latents under these states, then the states."""
    dynamic = potentials.start is not None
    # A pair that reaches into the padding must not contribute.
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
    """Infer the states from their own potentials, and the latents from the states."""
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
    # The log normalizer holds the given potentials; the model holds those that the latents give.
    swap = within(share * (evidence.states - nodes), lengths).double().sum((-2, -1))
    divergence = swap - gaussian.entropy - states.log_normalizer - _first(potentials, latents, boundary)
    optimum = _optimum(evidence, gaussian, states, divergence, torch.zeros_like(divergence))
    return optimum._replace(converged=torch.ones_like(optimum.converged))


def _optimum(
    evidence: Evidence,
    gaussian: lds.GaussianMarginals,
    states: hmm.ChainMarginals,
    divergence: Tensor,
    residual: Tensor,
) -> Optimum:
    """Both posteriors after one iteration, and how they explain the observations."""
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
    """Posterior of the states; independent states are chains of one frame, computed at once."""
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
    """Node potentials for latents at the peak of the evidence; zero for missing frames.

    Observations jitter by their own noise, beside that of the motion. Taken for motion, the jitter would
    favor the states of most motion, and iterations do not recover from such a start.
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
    """Regression of the observations of one sequence; ``precision`` is (T, D)."""
    mean, _, noise_precision, log_det = (part.double() for part in regression)
    observed = precision > 0
    log_typical = torch.where(observed, precision, 1.0).log().sum(0) / observed.sum(0).clamp(min=1)
    # A coordinate that is never observed is never compared.
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
    """Mean log density of the first latent, or mean potential of boundary messages; (B) nats."""
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
    """Some of the sequences; ``part`` itself where they are all."""
    return part if len(rows) == len(part) else part[rows]


def _pick(boundary: BoundaryMessages | None, rows: Tensor) -> BoundaryMessages | None:
    """Boundary messages of some of the sequences."""
    if boundary is None:
        return None
    return BoundaryMessages(
        boundary.initial[rows],
        boundary.final[rows],
        (boundary.first[0][rows], boundary.first[1][rows]),
        (boundary.last[0][rows], boundary.last[1][rows]),
    )


def _put(whole: Optimum, part: Optimum, rows: Tensor) -> Optimum:
    """Write the optimum of some of the sequences to their places."""
    if len(rows) == len(whole.objective):
        return part

    def write(old: object, new: object) -> None:
        if isinstance(old, tuple) and isinstance(new, tuple):
            for target, source in zip(old, new, strict=True):
                write(target, source)
        elif isinstance(old, Tensor) and isinstance(new, Tensor):
            old[rows] = new

    write(whole, part)
    return whole
