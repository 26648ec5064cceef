"""Posterior of a hidden Markov chain: marginals, their derivative, paths and samples.

With π, P and b_t the exponentials of the potentials, and each c_t making its message sum to one:

    c_1 a_1 = π b_1            c_{t+1} a_{t+1}(k) = Σ_j a_t(j) P(j, k) b_{t+1}(k)
    β_T = 1                    c_{t+1} β_t(j) = Σ_k P(j, k) b_{t+1}(k) β_{t+1}(k)

    p(z_t = k | all frames) = a_t(k) β_t(k)                       log normalizer = Σ_t log c_t
    p(z_t = j, z_{t+1} = k | all frames) = a_t(j) P(j, k) b_{t+1}(k) β_{t+1}(k) / c_{t+1}

``backends/reference.py`` is this recursion, its derivative, Viterbi's and the sampler's as plain code;
``backends/cpu`` and ``backends/cuda`` are the fast ones.

All potentials are logs in nats and need not be normalized: a prior hands over expected log
probabilities, whose exponentials sum to less than one.
"""

import math
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ..errors import ImpossibleEvidence, ShapeError, UnknownName
from . import dispatch
from .dispatch import KEEP, Array, as_lengths, as_tensor, backend_for, flatten, name_of, no_fault

__all__ = [
    "ChainMarginals",
    "ChainPotentials",
    "ChainTangent",
    "entropy",
    "marginals",
    "path",
    "sample",
    "tangent",
]


class ChainPotentials(NamedTuple):
    """Potentials that marginals were computed from, except the transitions."""

    initial: Tensor
    """(..., K) float64"""
    evidence: Tensor
    """(..., T, K)"""


class ChainMarginals(NamedTuple):
    """Results of the forward and backward pass; padding holds zeros.

    Attributes
    ----------
    states : (..., T, K), dtype of the evidence, or None
        Probability of each state given all frames ("all"), or given the frames so far ("filter").
    transitions : (..., K, K) float64, or None
        Expected number of steps from row to column.
    initial : (..., K) float64, or None
        Probability of each state at the first frame.
    log_normalizer : (...) float64
        Log of the sum over all paths, nats.
    log_scales : (..., T) float64
        Its increments: log p(frame t | frames before t), where the potentials are normalized.
    filtered : (..., T, K), dtype of the evidence, or None
        Probability of each state given the frames so far, if ``cache``.
    potentials : ChainPotentials or None
        If ``cache``. The evidence is the caller's own, where it lay in one piece, not a copy.
    """

    states: Tensor | None
    transitions: Tensor | None
    initial: Tensor | None
    log_normalizer: Tensor
    log_scales: Tensor
    filtered: Tensor | None
    potentials: ChainPotentials | None = None


class ChainTangent(NamedTuple):
    """Derivative of the marginals; padding holds zeros.

    Attributes
    ----------
    states : (..., T, K), dtype of the evidence
    transitions : (..., K, K) float64
        Of the expected numbers of steps.
    """

    states: Tensor
    transitions: Tensor


class _Chain(NamedTuple):
    """Checked potentials with one leading axis, and the leading axes they had."""

    initial: Tensor
    transition: Tensor
    evidence: Tensor
    lengths: Tensor
    leading: tuple[int, ...]


@torch.no_grad()
def marginals(
    initial: Array,
    transition: Array,
    evidence: Array,
    *,
    lengths: Array | None = None,
    keep: str = "all",
    cache: bool = False,
    backend: str = "auto",
) -> ChainMarginals:
    """Posterior marginals of a hidden Markov chain, in O(T K²) time and O(T K) memory.

    Parameters
    ----------
    initial, transition : (..., K) and (..., K, K)
        Log potentials of the first state, and of going from row to column state, nats. Their
        leading axes broadcast to those of ``evidence``.
    evidence : (..., T, K) float32 or float64
        Log potential of each state given its frame, nats; ``-inf`` is impossible.
    lengths : (...) int, optional
        Frames that count in each sequence; all T by default. Padding may hold anything.
    keep : {"all", "filter", "sums"}
        "all" smooths; "filter" runs forward only and leaves ``transitions`` and ``initial``
        out; "sums" leaves ``states`` out.
    cache : bool
        Keep what ``tangent`` needs ("all" only); leave the evidence as it is until then.
    backend : str
        ``"auto"`` works where the evidence lives; otherwise a name in ``backends/``.

    Raises
    ------
    ShapeError, ImpossibleEvidence, BadInput
        The potentials disagree about K; at a frame no state is possible, or evidence is NaN
        (says which); ``initial`` or ``transition`` holds NaN.

    References
    ----------
    doi:10.1109/5.18626, eqs. 18-27 and 37-38, rewritten for log potentials.
    """
    if keep not in KEEP:
        raise UnknownName(f"no keep {keep!r}. Known: {', '.join(KEEP)}.")
    chain = _checked(initial, transition, evidence, lengths)
    count, frames, size = chain.evidence.shape
    smoothed, padded = keep != "filter", dispatch.has_padding(lengths, frames)
    zeros = partial(dispatch.zeros, like=chain.evidence)
    states = zeros((count, frames, size), padded=padded) if keep != "sums" else None
    sums = zeros((count, size, size), dtype=torch.float64) if smoothed else None
    first = zeros((count, size), dtype=torch.float64) if smoothed else None
    log_scales = zeros((count, frames), dtype=torch.float64, padded=padded)
    filtered = zeros((count, frames, size), padded=padded) if cache and keep == "all" else None
    fault = no_fault(len(chain.evidence))
    backend_for(backend, chain.evidence).hmm_marginals(
        *chain[:4], keep, states, filtered, sums, first, log_scales, fault
    )
    _refuse(fault, chain)
    potentials = None
    if filtered is not None:
        initial_logs = chain.initial.expand(count, size).clone().reshape(*chain.leading, size)
        potentials = ChainPotentials(initial_logs, chain.evidence.reshape(*chain.leading, frames, size))
    return ChainMarginals(
        states=None if states is None else states.reshape(*chain.leading, frames, size),
        transitions=None if sums is None else sums.reshape(*chain.leading, size, size),
        initial=None if first is None else first.reshape(*chain.leading, size),
        log_normalizer=dispatch.sum_rows(log_scales).reshape(chain.leading),
        log_scales=log_scales.reshape(*chain.leading, frames),
        filtered=None if filtered is None else filtered.reshape(*chain.leading, frames, size),
        potentials=potentials,
    )


@torch.no_grad()
def tangent(
    transition: Array,
    posterior: ChainMarginals,
    direction: Array,
    *,
    lengths: Array | None = None,
    backend: str = "auto",
) -> ChainTangent:
    """Derivative of the marginals along a change of the evidence, in O(T K²) time.

    The map from a change of the evidence to that of ``states`` is symmetric and positive: it is
    their covariance. So it is its own transpose, and the result is the vector-Jacobian product
    too; ``transitions`` is then the cotangent of the log transitions.

    Parameters
    ----------
    transition : (..., K, K)
        As it was for ``marginals``.
    posterior : ChainMarginals
        Of ``marginals(..., cache=True)``.
    direction : (..., T, K)
        Change of the evidence, nats; finite. What all states share changes nothing.
    lengths, backend
        As for ``marginals``.

    References
    ----------
    docs/mathematics.md, "Derivatives of the chains".
    """
    if posterior.filtered is None or posterior.states is None or posterior.potentials is None:
        raise ShapeError("the marginals were found without cache=True, which their tangent needs.")
    leading, (frames, size) = tuple(posterior.states.shape[:-2]), posterior.states.shape[-2:]
    steps = as_tensor(transition).to(posterior.states.device, torch.float64)
    change = as_tensor(direction).to(posterior.states)
    if change.shape != posterior.states.shape or tuple(steps.shape[-2:]) != (size, size):
        raise ShapeError(
            f"direction is {tuple(change.shape)} and transition {tuple(steps.shape)}, but the marginals "
            f"are {tuple(posterior.states.shape)}; they share T and K."
        )
    count = math.prod(leading)
    evidence, *flat = (
        part.reshape(count, frames, size).contiguous()
        for part in (posterior.potentials.evidence, posterior.filtered, posterior.states)
    )
    d_states = dispatch.zeros((count, frames, size), evidence)
    d_transitions = d_states.new_zeros((count, size, size), dtype=torch.float64)
    backend_for(backend, d_states).hmm_tangent(
        posterior.potentials.initial.reshape(count, size).contiguous(),
        flatten(steps, leading, 2, "transition"),
        evidence,
        *flat,
        change.reshape(count, frames, size).contiguous(),
        as_lengths(lengths, leading, frames, d_states.device),
        d_states,
        d_transitions,
    )
    return ChainTangent(
        d_states.reshape(*leading, frames, size), d_transitions.reshape(*leading, size, size)
    )


@torch.no_grad()
def entropy(
    posterior: ChainMarginals,
    initial: Array,
    transition: Array,
    evidence: Array,
    *,
    lengths: Array | None = None,
) -> Tensor:
    """Entropy of the posterior over paths, (...) float64 nats: log normalizer minus mean potential.

    Parameters
    ----------
    posterior : ChainMarginals
        Of ``marginals(initial, transition, evidence, lengths=lengths)``.
    initial, transition, evidence, lengths
        As they were for ``marginals``.
    """
    if posterior.states is None or posterior.transitions is None or posterior.initial is None:
        raise ShapeError('the entropy needs marginals found with keep="all".')
    chain = _checked(initial, transition, evidence, lengths)

    def mean(shares: Tensor, potential: Tensor) -> Tensor:
        """Mean of a potential; impossible states have no share."""
        return torch.where(shares > 0, shares * potential.double(), 0.0)

    states = posterior.states.reshape(chain.evidence.shape).double()
    first = posterior.initial.reshape(-1, states.shape[-1])
    steps = posterior.transitions.reshape(-1, *posterior.transitions.shape[-2:])
    total = mean(states, chain.evidence).sum((-2, -1)) + mean(first, chain.initial).sum(-1)
    total = total + mean(steps, chain.transition).sum((-2, -1))
    return posterior.log_normalizer - total.reshape(chain.leading)


@torch.no_grad()
def path(
    initial: Array,
    transition: Array,
    evidence: Array,
    *,
    lengths: Array | None = None,
    backend: str = "auto",
) -> Tensor:
    """Most probable path of states, in O(T K²) time and O(T K) memory.

    Parameters
    ----------
    initial, transition, evidence, lengths, backend
        As for ``marginals``.

    Returns
    -------
    (..., T) int64
        −1 in padding. Of equally probable paths, the one whose last state is lowest, then
        whose last but one is lowest, and so on.

    Raises
    ------
    ShapeError, ImpossibleEvidence, BadInput
        As for ``marginals``.

    References
    ----------
    doi:10.1109/5.18626, eqs. 104-105.
    """
    chain = _checked(initial, transition, evidence, lengths)
    states = torch.full(chain.evidence.shape[:2], -1, dtype=torch.int64, device=chain.evidence.device)
    fault = no_fault(len(chain.evidence))
    backend_for(backend, chain.evidence).hmm_path(*chain[:4], states, fault)
    _refuse(fault, chain)
    return states.reshape(*chain.leading, states.shape[1])


@torch.no_grad()
def sample(
    initial: Array,
    transition: Array,
    evidence: Array,
    rng: np.random.Generator,
    *,
    lengths: Array | None = None,
    backend: str = "auto",
) -> Tensor:
    """Draw a path of states from the joint posterior of every sequence.

    Parameters
    ----------
    initial, transition, evidence
        As for ``marginals``.
    rng : numpy Generator
        Gives one number per frame, padding included.
    lengths, backend
        As for ``marginals``.

    Returns
    -------
    (..., T) int64
        −1 in padding.

    Raises
    ------
    ShapeError, ImpossibleEvidence, BadInput
        As for ``marginals``.

    References
    ----------
    Forward filtering, backward sampling: doi:10.1093/biomet/81.3.541.
    """
    chain = _checked(initial, transition, evidence, lengths)
    device = chain.evidence.device
    uniform = torch.from_numpy(rng.random(tuple(chain.evidence.shape[:2]))).to(device)
    states = torch.full(chain.evidence.shape[:2], -1, dtype=torch.int64, device=device)
    fault = no_fault(len(chain.evidence))
    backend_for(backend, chain.evidence).hmm_sample(*chain[:4], uniform, states, fault)
    _refuse(fault, chain)
    return states.reshape(*chain.leading, states.shape[1])


def _checked(initial: Array, transition: Array, evidence: Array, lengths: Array | None) -> _Chain:
    initial, transition, evidence = as_tensor(initial), as_tensor(transition), as_tensor(evidence)
    if evidence.ndim < 2 or evidence.shape[-1] == 0:
        raise ShapeError(f"evidence has shape {tuple(evidence.shape)}; it is (..., T, K) with K ≥ 1.")
    frames, size = evidence.shape[-2:]
    if transition.ndim < 2 or tuple(transition.shape[-2:]) != (size, size):
        raise ShapeError(
            f"evidence has K={size} states but transition is {tuple(transition.shape)}; "
            "potentials of one chain share K."
        )
    if initial.ndim < 1 or initial.shape[-1] != size:
        raise ShapeError(
            f"evidence has K={size} states but initial is {tuple(initial.shape)}; "
            "potentials of one chain share K."
        )
    for name, potential in (("initial", initial), ("transition", transition)):
        if potential.device.type == "cpu":
            dispatch.refuse_endless(name, potential)
    leading = tuple(evidence.shape[:-2])
    initial, transition = (part.to(evidence.device, torch.float64) for part in (initial, transition))
    initial = flatten(initial, leading, 1, "initial")
    transition = flatten(transition, leading, 2, "transition")
    if evidence.device.type != "cpu":
        initial = dispatch.spoiled(initial, transition)
    return _Chain(
        initial=initial,
        transition=transition,
        evidence=evidence.reshape(math.prod(leading), frames, size).contiguous(),
        lengths=as_lengths(lengths, leading, frames, evidence.device),
        leading=leading,
    )


def _refuse(fault: Tensor, chain: _Chain) -> None:
    """Raise for the first sequence that has a frame at which no state is possible."""
    if fault.numel() and int(fault.max()) >= 0:
        dispatch.refuse_endless("transition", chain.transition)
        dispatch.refuse_endless("initial", chain.initial)
        sequence = int((fault >= 0).nonzero()[0, 0])
        frame = f"{name_of(sequence, chain.leading)}frame {int(fault[sequence])}"
        raise ImpossibleEvidence(
            f"{frame}: no state is possible given the frames before it; give a state a finite potential "
            "(a missing frame is a row of zeros), and check for NaN."
        )
