"""Latents given states, and states given latents, of a process of any number of lags.

An autoregression of L lags couples frames no farther apart than L. So with L frames to a block the
precision of all latents is block tridiagonal, and ``messages.lds`` solves it as it is.
"""

import math
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ...messages import hmm, lds
from .generative import GenerativeProcess

__all__ = ["Chain", "Optimum", "Potential", "chain", "draw", "moments", "optimum", "terms"]

LOG_2PI = math.log(2 * math.pi)


class Potential(NamedTuple):
    """Gaussian log potential of the latents given the frames: −½ xᵀ R x + hᵀ x, nats."""

    precision: Tensor
    """(N, T, D, D)"""
    precision_mean: Tensor
    """(N, T, D)"""


class Terms(NamedTuple):
    """Log density of a frame given state and past, −½ ξᵀ G ξ + gᵀ ξ + c; ξ = [x_t, ..., x_{t-L}]."""

    quadratic: Tensor
    """(K, (L + 1) D, (L + 1) D)"""
    linear: Tensor
    """(K, (L + 1) D)"""
    constant: Tensor
    """(K,)"""


class Chain(NamedTuple):
    """Potentials of the latents in blocks of L frames, as ``messages.lds`` takes them."""

    precision: Tensor
    """(N, B, L D, L D), of which ``lds`` reads the lower half and the upper need not be filled."""
    lower: Tensor
    """(N, B - 1, L D, L D)"""
    precision_mean: Tensor
    """(N, B, L D)"""
    constant: Tensor
    """(N,) nats that belong to the log normalizer, padding of the last block taken out."""


class Optimum(NamedTuple):
    """q(x) q(z), each the best given the other, under a process and a potential."""

    means: Tensor
    """(N, T, D)"""
    covariances: Tensor
    """(N, T, D, D)"""
    nodes: Tensor
    """(N, T, K) log potentials of the states: q(z) ∝ p(z) exp Σ nodes."""
    log_normalizer: Tensor
    """(N,) of q(z), nats."""
    states: Tensor
    """(N, T, K) probabilities."""
    divergence: Tensor
    """(N,) of q(x) q(z) from the process, nats."""


def terms(generative_process: GenerativeProcess) -> Terms:
    """Return the log density of a frame as coefficients of itself and its past."""
    size = generative_process.size
    factor = torch.linalg.cholesky(generative_process.noise)
    residual = torch.cat(
        [
            torch.eye(size, device=factor.device).to(factor).expand_as(factor),
            -generative_process.weights,
        ],
        -1,
    )
    whitened = torch.linalg.solve_triangular(factor, residual, upper=False)
    offset = torch.linalg.solve_triangular(factor, generative_process.offsets[..., None], upper=False)
    log_det = factor.diagonal(dim1=-2, dim2=-1).log().sum(-1)
    return Terms(
        whitened.mT @ whitened,
        (whitened.mT @ offset)[..., 0],
        -0.5 * offset.square().sum((-2, -1)) - log_det - 0.5 * size * LOG_2PI,
    )


def chain(
    generative_process: GenerativeProcess, coefficients: Terms, states: Tensor, potential: Potential
) -> Chain:
    """Return the potentials of the latents given states, each frame's own or their shares.

    Parameters
    ----------
    generative_process : GenerativeProcess
    coefficients : Terms
        Of that process.
    states : (N, T) int64, or (N, T, K) float64
        A state for each frame, or shares of states.
    potential : Potential
    """
    count, frames = states.shape[:2]
    size, lags, components = generative_process.size, generative_process.lags, len(coefficients.constant)
    blocks, begin = -(-frames // lags), 0 if generative_process.start is None else 1
    quadratic = coefficients.quadratic.reshape(components, lags + 1, size, lags + 1, size)
    linear = coefficients.linear.reshape(components, lags + 1, size)
    # Column block a: shares of the states of the frame a later, zeros beyond the last frame.
    certain = torch.eye(components, dtype=quadratic.dtype, device=quadratic.device)
    shares = states if states.is_floating_point() else certain[states]
    later = shares.new_zeros((count, blocks * lags, lags + 1, components))
    for a in range(min(lags + 1, frames)):
        first = max(begin - a, 0)
        later[:, first : frames - a, a] = shares[:, first + a :]
    later = later.flatten(2)
    inside, lower = shares.new_zeros((2, count, blocks, lags, size, lags, size))
    for apart in range(lags + 1):
        # x_t with x_{t-apart}: from the residuals of frame t and of those after it that read both.
        number = lags + 1 - apart
        pairs = torch.cat([quadratic[:, a, :, a + apart].flatten(1) for a in range(number)])
        joined = (later[..., : number * components] @ pairs).reshape(count, blocks, lags, size, size)
        for row in range(lags):
            if row >= apart:
                inside[:, :, row, :, row - apart] = joined[:, :, row]
            else:  # entry t joins block t to t + 1
                lower[:, :-1, row, :, row - apart + lags] = joined[:, 1:, row]
    mean = later @ linear.transpose(0, 1).reshape(-1, size)
    # What lies before the first frame is the first frame.
    for t in range(begin, min(lags, frames)):
        part = torch.einsum("nk,kaibj->naibj", shares[:, t], quadratic)
        mean[:, 0] += torch.einsum("nk,kai->ni", shares[:, t], linear[:, t + 1 :])
        inside[:, 0, 0, :, 0] += part[:, t:, :, t:].sum((1, 3)) - part[:, t, :, t]
        for a in range(t):
            inside[:, 0, t - a, :, 0] += part[:, a, :, t + 1 :].sum(2)
    for row in range(min(lags, frames)):
        inside[:, : len(range(row, frames, lags)), row, :, row] += potential.precision[:, row::lags]
    mean[:, :frames] += potential.precision_mean
    total = (shares[:, begin:] @ coefficients.constant).sum(-1)
    if generative_process.start is not None:
        start = generative_process.start
        precision = torch.linalg.inv(start.covariance)
        inside[:, 0, 0, :, 0] += precision
        mean[:, 0] += precision @ start.mean
        log_det = torch.linalg.slogdet(start.covariance)[1]
        total = total - 0.5 * (start.mean @ precision @ start.mean + log_det + size * LOG_2PI)
    # The last block is filled up with standard normal latents, which couple to nothing.
    for row in range(frames - (blocks - 1) * lags, lags):
        inside[:, -1, row, :, row] += torch.eye(size, device=inside.device).to(inside)
    total = total - 0.5 * (blocks * lags - frames) * size * LOG_2PI

    return Chain(
        inside.reshape(count, blocks, lags * size, lags * size),
        lower[:, :-1].reshape(count, blocks - 1, lags * size, lags * size),
        mean.reshape(count, blocks, lags * size),
        total,
    )


def draw(latent_chain: Chain, frames: int, size: int, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Return latents (N, T, D) drawn from a chain, and its log normalizer (N,), nats."""
    parts = latent_chain[:3]
    marginals = lds.marginals(*parts, keep="filter")
    drawn = lds.sample(*parts, rng)
    latents = drawn.reshape(len(drawn), -1, size)[:, :frames]
    return latents, marginals.log_normalizer + latent_chain.constant


def optimum(
    generative_process: GenerativeProcess,
    potential: Potential,
    states: Tensor,
    *,
    max_iterations: int,
    tolerance: float,
) -> Optimum:
    """Find q(x) q(z) by alternating between them.

    Parameters
    ----------
    generative_process : GenerativeProcess
    potential : Potential
        Of the latents, given the frames.
    states : (N, T, K) float64
        Probabilities to start from.
    max_iterations : int
        At most.
    tolerance : float
        Rise of the bound per frame, nats, that ends the iterations.
    """
    coefficients = terms(generative_process)
    first, rows = generative_process.first.log(), generative_process.rows.log()
    count, frames = states.shape[:2]
    size, lags = generative_process.size, generative_process.lags
    padded = -(-frames // lags) * lags - frames
    before = states.new_full((count,), -math.inf, dtype=torch.float64)
    for _ in range(max_iterations):
        latent_chain = chain(generative_process, coefficients, states, potential)
        marginals = lds.marginals(*latent_chain[:3])
        assert marginals.covariances is not None and marginals.cross is not None
        means, second = moments(marginals, frames, size, lags)
        expected = means.reshape(count * frames, -1) @ coefficients.linear.T + coefficients.constant
        expected = (
            expected - 0.5 * second.reshape(count * frames, -1) @ coefficients.quadratic.flatten(1).T
        )
        nodes = expected.reshape(count, frames, -1)
        if generative_process.start is not None:
            nodes[:, 0] = 0
        chained = hmm.marginals(first, rows, nodes)
        assert chained.states is not None
        states = chained.states
        entropy = marginals.entropy - 0.5 * padded * size * (1 + LOG_2PI)
        center = means[..., :size]
        spread = second[..., :size, :size]
        divergence = -chained.log_normalizer - entropy - _first(generative_process, center, spread)
        expected_evidence = (potential.precision_mean * center).sum((-2, -1))
        expected_evidence = expected_evidence - 0.5 * (potential.precision * spread).sum((-3, -2, -1))
        rise = (expected_evidence - divergence - before) / frames
        before = expected_evidence - divergence
        if bool((rise < tolerance).all()):
            break
    covariances = spread - center[..., :, None] * center[..., None, :]
    return Optimum(center, covariances, nodes, chained.log_normalizer, states, divergence)


def _first(generative_process: GenerativeProcess, means: Tensor, moments: Tensor) -> Tensor | float:
    """Expected log density of the first frames."""
    if generative_process.start is None:
        return 0.0
    start = generative_process.start
    precision = torch.linalg.inv(start.covariance)
    apart = means[:, 0] - start.mean
    spread = moments[:, 0] - means[:, 0, :, None] * means[:, 0, None, :]
    square = torch.einsum("ni,ij,nj->n", apart, precision, apart) + (precision * spread).sum((-2, -1))
    log_det = torch.linalg.slogdet(start.covariance)[1]
    return -0.5 * (square + log_det + generative_process.size * LOG_2PI)


def moments(
    marginals: lds.GaussianMarginals, frames: int, size: int, lags: int
) -> tuple[Tensor, Tensor]:
    """Return mean (N, T, (L + 1) D) and second moment of every frame with its past, the frame first.

    What lies before the first frame is the first frame. The moments' shape is (N, T, (L + 1) D,
    (L + 1) D), or can be made so.
    """
    assert marginals.covariances is not None and marginals.cross is not None
    count = len(marginals.means)
    means = marginals.means.reshape(count, -1, size)
    inside = marginals.covariances.reshape(count, -1, lags, size, lags, size)
    below = marginals.cross.reshape(count, -1, lags, size, lags, size)
    time = torch.arange(frames, device=means.device)
    past = [(time - lag).clamp(min=0) for lag in range(lags + 1)]
    stacked = torch.cat([means[:, rows] for rows in past], -1)
    whole = means.new_zeros((count, frames, lags + 1, size, lags + 1, size))
    for a, row in enumerate(past):
        for b, column in enumerate(past):
            if b < a:
                whole[:, :, a, :, b] = whole[:, :, b, :, a].mT
                continue
            # x_{t-a} is not earlier than x_{t-b}: the same block, or the next.
            same = row // lags == column // lags
            same_block, other = same.nonzero()[:, 0], (~same).nonzero()[:, 0]
            pair = whole[:, :, a, :, b]
            pair[:, same_block] = _pick(
                inside, row[same_block] // lags, row[same_block] % lags, column[same_block] % lags
            )
            pair[:, other] = _pick(below, column[other] // lags, row[other] % lags, column[other] % lags)
    whole = whole.reshape(count, frames, (lags + 1) * size, (lags + 1) * size)
    return stacked, whole + stacked[..., :, None] * stacked[..., None, :]


def _pick(blocks: Tensor, block: Tensor, row: Tensor, column: Tensor) -> Tensor:
    """Return (N, M, D, D) of blocks (N, B, L, D, L, D)."""
    ordered = blocks.permute(0, 1, 2, 4, 3, 5)
    return ordered[:, block, row, column]
