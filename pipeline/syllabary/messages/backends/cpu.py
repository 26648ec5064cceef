"""Kernels for the processor: plain loops over contiguous memory, compiled by numba.

Messages are probabilities, normalised at every frame, so a step costs K² multiplications and
no more than 2 K exponentials. A state far behind the others underflows to zero. That is
harmless unless later frames bring it back, and then the sweeps notice: the sequence is done
again in float64, and if that is not enough, slowly and exactly in logs.

Sequences run in parallel on ``torch.get_num_threads()`` threads, each in one fixed order.
"""

import math
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Any, NamedTuple

import numba
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

__all__ = ["ar_log_likelihood", "available", "hmm_marginals", "hmm_path", "hmm_sample"]

Floats = NDArray[Any]

# Infinities and NaN keep their meaning: neither "nnan" nor "ninf".
kernel = numba.njit(nogil=True, cache=True, fastmath={"reassoc", "contract", "arcp", "nsz"})

# Frames whose pair sums are added up together: their messages stay in the L1 cache.
PAIR_BLOCK = 32
REGRESSION_BLOCK = 64


class Chain(NamedTuple):
    """Potentials of a chain as numbers in 0..1, and the logs that were taken out."""

    initial: Floats
    transition: Floats
    transposed: Floats
    log_initial: float
    log_transition: float


def available() -> bool:
    """Whether this machine can run the kernels: always."""
    return True


def hmm_marginals(
    initial: Tensor,
    transition: Tensor,
    evidence: Tensor,
    lengths: Tensor,
    keep: str,
    states: Tensor | None,
    transitions: Tensor | None,
    first: Tensor | None,
    log_scales: Tensor,
    fault: Tensor,
) -> None:
    """Fill marginals, pair sums, first states and log scales; see ``messages.hmm.marginals``."""
    logs, chain = _chains(initial, transition)
    frames, scales = evidence.numpy(), log_scales.numpy()
    kept = None if states is None else states.numpy()

    def one(i: int, length: int) -> None:
        seen = frames[i, :length]
        target = np.empty_like(seen) if kept is None else kept[i, :length]
        pairs = None if transitions is None else transitions[i].numpy()
        for messages, parts in _attempts(chain, i, target):
            if _sweep(parts, seen.astype(messages.dtype, copy=False), messages, scales[i], pairs):
                break
        else:
            messages = np.empty(seen.shape)
            fault[i] = _log_forward(*logs(i), seen, messages, scales[i])
            if fault[i] >= 0:
                return
            if pairs is None:
                np.exp(messages, out=messages)
            else:
                _log_backward(logs(i)[1], seen, messages, pairs)
        if messages is not target:
            target[:] = messages
        if first is not None:
            first[i] = torch.from_numpy(messages[0])

    _each(one, lengths)


def hmm_sample(
    initial: Tensor,
    transition: Tensor,
    evidence: Tensor,
    lengths: Tensor,
    uniform: Tensor,
    path: Tensor,
    fault: Tensor,
) -> None:
    """Fill a joint posterior sample; see ``messages.hmm.sample``."""
    logs, chain = _chains(initial, transition)
    frames, numbers, paths = evidence.numpy(), uniform.numpy(), path.numpy()

    def one(i: int, length: int) -> None:
        seen, scales = frames[i, :length], np.empty(length)
        for messages, parts in _attempts(chain, i, np.empty_like(seen)):
            if _sweep(parts, seen.astype(messages.dtype, copy=False), messages, scales, None):
                _draw(parts.transposed, messages, numbers[i], paths[i])
                return
        messages = np.empty(seen.shape)
        fault[i] = _log_forward(*logs(i), seen, messages, scales)
        if fault[i] < 0:
            _log_draw(logs(i)[1], messages, numbers[i], paths[i])

    _each(one, lengths)


def hmm_path(
    initial: Tensor,
    transition: Tensor,
    evidence: Tensor,
    lengths: Tensor,
    path: Tensor,
    fault: Tensor,
) -> None:
    """Fill the most probable path; see ``messages.hmm.path``."""
    logs, _ = _chains(initial.to(evidence.dtype), transition.to(evidence.dtype))
    frames, paths = evidence.numpy(), path.numpy()

    def one(i: int, length: int) -> None:
        scores = np.empty_like(frames[i, :length])
        fault[i] = _best(*logs(i), frames[i, :length], scores)
        if fault[i] < 0:
            _trace(logs(i)[1], scores, paths[i])

    _each(one, lengths)


def ar_log_likelihood(joint: Tensor, whitener: Tensor, constant: Tensor, log_likelihood: Tensor) -> None:
    """Fill ``constant − ½ Σ_f (joint · whitener_f)²``, one row per frame.

    Parameters
    ----------
    joint : (N, p + D)
        Regressors and latents side by side.
    whitener : (p + D, F, K)
        Same dtype; the state is the fastest axis.
    constant : (K) float64
    log_likelihood : (N, K)
        Same dtype; filled.
    """
    width, rows, size = whitener.shape
    flat, offset = whitener.reshape(width, rows * size), constant.numpy()
    buffer = joint.new_empty((REGRESSION_BLOCK, rows * size))
    for start in range(0, len(joint), REGRESSION_BLOCK):
        block = joint[start : start + REGRESSION_BLOCK]
        whitened = torch.mm(block, flat, out=buffer[: len(block)])
        _sum_squares(
            whitened.numpy().reshape(len(block), rows, size),
            offset,
            log_likelihood[start : start + REGRESSION_BLOCK].numpy(),
        )


def _chains(
    initial: Tensor, transition: Tensor
) -> tuple[Callable[[int], tuple[Floats, Floats]], Callable[[int, Any], Chain]]:
    """Potentials of sequence i, as logs and as numbers of a dtype."""
    starts, steps = initial.numpy(), transition.numpy()

    def logs(i: int) -> tuple[Floats, Floats]:
        return starts[i % len(starts)], steps[i % len(steps)]

    @lru_cache(maxsize=4)
    def convert(start: int, step: int, dtype: Any) -> Chain:
        first, log_initial = _exponential(starts[start], dtype)
        matrix, log_transition = _exponential(steps[step], dtype)
        return Chain(first, matrix, np.ascontiguousarray(matrix.T), log_initial, log_transition)

    return logs, lambda i, dtype: convert(i % len(starts), i % len(steps), dtype)


def _exponential(log: Floats, dtype: Any) -> tuple[Floats, float]:
    """Exponential over its largest entry, and the log of that entry."""
    shift = float(log.max())
    shift = shift if math.isfinite(shift) else 0.0
    values = np.exp(np.minimum(log - shift, 1e3)).astype(dtype)
    values[values < np.finfo(dtype).tiny] = 0  # subnormal numbers are slow
    return values, shift


def _attempts(
    chain: Callable[[int, Any], Chain], i: int, target: Floats
) -> Iterator[tuple[Floats, Chain]]:
    """Room for messages, and the chain, in the precision asked for and then in float64."""
    yield target, chain(i, target.dtype)
    if target.dtype != np.float64:
        yield np.empty(target.shape), chain(i, np.dtype(np.float64))


def _sweep(
    chain: Chain, evidence: Floats, messages: Floats, log_scales: Floats, pairs: Floats | None
) -> bool:
    """Filter into ``messages``, or smooth if ``pairs`` are wanted; false if too much was lost.

    A sweep loses what is below the smallest normal number (``tiny``), relative to the largest
    term. Smoothing compares that with the normaliser of every pair of frames, which counts all
    that is later brought back. A filter has not seen what comes; it is safe where every state
    can follow every other with a probability that dwarfs what was lost.
    """
    floor = float(np.finfo(messages.dtype).tiny) * 1e9
    smallest = float(chain.transition.min()) if pairs is None and len(messages) > 1 else 1.0
    if smallest < floor:
        return False
    scales = np.empty(len(messages))
    done = _forward(*chain[:2], *chain[3:], evidence, messages, scales, log_scales, floor / smallest)
    if done and pairs is not None:
        done = _backward(*chain[1:3], evidence, scales, messages, pairs, floor)
    return bool(done)


def _each(work: Callable[[int, int], None], lengths: Tensor) -> None:
    """Run ``work(i, length)`` for every sequence that has frames."""
    tasks = [(i, int(length)) for i, length in enumerate(lengths) if length > 0]
    threads = min(torch.get_num_threads(), len(tasks))
    if threads <= 1:
        for task in tasks:
            work(*task)
        return
    with ThreadPoolExecutor(threads) as pool:
        for _ in pool.map(work, *zip(*tasks, strict=True)):
            pass


@kernel
def _multiply(weights: Floats, matrix: Floats, out: Floats) -> None:
    """Row vector times matrix: rows of the matrix, four at a time, added to ``out``."""
    rows, size = matrix.shape
    for k in range(size):
        out[k] = 0
    j = 0
    while j + 4 <= rows:
        a, b, c, d = weights[j], weights[j + 1], weights[j + 2], weights[j + 3]
        for k in range(size):
            out[k] += (a * matrix[j, k] + b * matrix[j + 1, k]) + (
                c * matrix[j + 2, k] + d * matrix[j + 3, k]
            )
        j += 4
    while j < rows:
        a = weights[j]
        for k in range(size):
            out[k] += a * matrix[j, k]
        j += 1


@kernel
def _weigh(evidence: Floats, message: Floats, out: Floats) -> Any:
    """Message times evidence over its largest entry, whose log is returned."""
    largest = evidence[0]
    for k in range(1, len(evidence)):
        largest = evidence[k] if evidence[k] > largest else largest
    for k in range(len(evidence)):
        out[k] = message[k] * math.exp(evidence[k] - largest)
    return largest


@kernel
def _forward(
    initial: Floats,
    transition: Floats,
    log_initial: float,
    log_transition: float,
    evidence: Floats,
    messages: Floats,
    scales: Floats,
    log_scales: Floats,
    floor: float,
) -> bool:
    """a_1 = π₀ b_1 / c_1, a_{t+1} = (a_t P) b_{t+1} / c_{t+1}; false where c_t < ``floor``."""
    frames, size = evidence.shape
    tiny = np.finfo(messages.dtype).tiny
    predicted = initial.copy()
    for t in range(frames):
        if t > 0:
            _multiply(messages[t - 1], transition, predicted)
        largest = _weigh(evidence[t], predicted, messages[t])
        total = messages[t].sum()
        if not floor <= total < np.inf:
            return False
        share = 1 / total
        for k in range(size):
            message = messages[t, k] * share
            messages[t, k] = message if message >= tiny else 0
        scales[t] = total
        log_scales[t] = math.log(total) + largest + (log_transition if t > 0 else log_initial)
    return True


@kernel
def _backward(
    transition: Floats,
    transposed: Floats,
    evidence: Floats,
    scales: Floats,
    messages: Floats,
    pairs: Floats,
    floor: float,
) -> bool:
    """Turn filtered into smoothed marginals in place, last frame first, and sum pairs.

    With w_t = b_t β_t, r_t = P w_{t+1} and n_t = a_t · r_t: the marginal is a_t r_t / n_t, the
    pair's is a_t(j) P(j, k) w_{t+1}(k) / n_t, and β_t is r_t over its largest entry.
    """
    frames, size = evidence.shape
    before = np.zeros((PAIR_BLOCK, size), messages.dtype)
    after = np.zeros((PAIR_BLOCK, size), messages.dtype)
    message = np.ones(size, messages.dtype)
    product = np.empty(size, messages.dtype)
    row = np.empty(size, messages.dtype)
    pairs[:] = 0
    filled = 0
    for t in range(frames - 2, -1, -1):
        weighted = after[filled]
        _weigh(evidence[t + 1], message, weighted)
        _multiply(weighted, transposed, product)
        total = (messages[t] * product).sum()
        if not total * scales[t + 1] >= floor:
            return False
        share, peak = 1 / total, 1 / product.max()
        for k in range(size):
            before[filled, k] = messages[t, k]
            weighted[k] *= share
            messages[t, k] *= product[k] * share
            message[k] = product[k] * peak
        filled += 1
        if filled == PAIR_BLOCK or t == 0:
            _add_pairs(before[:filled], after[:filled], row, pairs)
            filled = 0
    for j in range(size):
        for k in range(size):
            pairs[j, k] *= transition[j, k]
    return True


@kernel
def _add_pairs(before: Floats, after: Floats, row: Floats, pairs: Floats) -> None:
    """Add ``beforeᵀ after`` to the sums."""
    for j in range(pairs.shape[0]):
        _multiply(before[:, j], after, row)
        for k in range(pairs.shape[1]):
            pairs[j, k] += row[k]


@kernel
def _log_sum(values: Floats) -> float:
    """Log of the sum of exponentials."""
    largest = values.max()
    if not -np.inf < largest < np.inf:
        return largest
    total = 0.0
    for value in values:
        total += math.exp(value - largest)
    return largest + math.log(total)


@kernel
def _log_forward(
    initial: Floats, transition: Floats, evidence: Floats, messages: Floats, log_scales: Floats
) -> int:
    """Filter in logs; return the frame at which no state is possible, or −1."""
    frames, size = evidence.shape
    terms = np.empty(size)
    for t in range(frames):
        for k in range(size):
            predicted = initial[k]
            if t > 0:
                for j in range(size):
                    terms[j] = messages[t - 1, j] + transition[j, k]
                predicted = _log_sum(terms)
            messages[t, k] = predicted + evidence[t, k]
        total = _log_sum(messages[t])
        if not -np.inf < total < np.inf:
            return t
        for k in range(size):
            messages[t, k] -= total
        log_scales[t] = total
    return -1


@kernel
def _log_backward(transition: Floats, evidence: Floats, messages: Floats, pairs: Floats) -> None:
    """Turn filtered logs into smoothed marginals in place, last frame first, and sum pairs."""
    frames, size = evidence.shape
    weighted, terms, product = np.zeros(size), np.empty(size), np.empty(size)
    pairs[:] = 0
    for k in range(size):
        weighted[k] = evidence[frames - 1, k]
    for t in range(frames - 2, -1, -1):
        for j in range(size):
            for k in range(size):
                terms[k] = transition[j, k] + weighted[k]
            product[j] = _log_sum(terms)
        for j in range(size):
            terms[j] = messages[t, j] + product[j]
        total = _log_sum(terms)
        for j in range(size):
            for k in range(size):
                pairs[j, k] += math.exp(messages[t, j] - total + transition[j, k] + weighted[k])
        for k in range(size):
            messages[t + 1, k] = math.exp(messages[t + 1, k])
            messages[t, k] += product[k] - total
            weighted[k] = evidence[t, k] + product[k] - total
    for k in range(size):
        messages[0, k] = math.exp(messages[0, k])


@kernel
def _draw(transposed: Floats, messages: Floats, uniform: Floats, path: Floats) -> None:
    """Draw states from the last to the first: P(z_t = j) ∝ a_t(j) P(j, z_{t+1})."""
    frames, size = messages.shape
    weights = np.empty(size)
    for t in range(frames - 1, -1, -1):
        for k in range(size):
            weights[k] = messages[t, k]
            if t < frames - 1:
                weights[k] *= transposed[path[t + 1], k]
        path[t] = _pick(weights, uniform[t])


@kernel
def _log_draw(transition: Floats, messages: Floats, uniform: Floats, path: Floats) -> None:
    """Draw states from the last to the first, from filtered logs."""
    frames, size = messages.shape
    weights = np.empty(size)
    for t in range(frames - 1, -1, -1):
        for k in range(size):
            weights[k] = messages[t, k]
            if t < frames - 1:
                weights[k] += transition[k, path[t + 1]]
        largest = weights.max()
        for k in range(size):
            weights[k] = math.exp(weights[k] - largest)
        path[t] = _pick(weights, uniform[t])


@kernel
def _pick(weights: Floats, uniform: float) -> int:
    """First state at which the running sum passes ``uniform`` of the total."""
    left = uniform * weights.sum()
    last = 0
    for k in range(len(weights)):
        if weights[k] > 0:
            last = k
            left -= weights[k]
            if left < 0:
                break
    return last


@kernel
def _best(initial: Floats, transition: Floats, evidence: Floats, scores: Floats) -> int:
    """Score of the best path into every state, over the best of all; the frame of a fault or −1."""
    frames, size = evidence.shape
    best = initial.copy()
    for t in range(frames):
        if t > 0:
            for k in range(size):
                best[k] = -np.inf
            for j in range(size):
                score = scores[t - 1, j]
                for k in range(size):
                    reached = score + transition[j, k]
                    best[k] = reached if reached > best[k] else best[k]
        highest = best[0] + evidence[t, 0]
        for k in range(size):
            score = best[k] + evidence[t, k]
            scores[t, k] = score
            if not score <= highest:  # NaN too
                highest = score
        if not -np.inf < highest < np.inf:
            return t
        for k in range(size):
            scores[t, k] -= highest
    return -1


@kernel
def _trace(transition: Floats, scores: Floats, path: Floats) -> None:
    """Walk the best path back: the comparisons along it are made a second time, not stored."""
    frames, size = scores.shape
    path[frames - 1] = scores[frames - 1].argmax()
    for t in range(frames - 2, -1, -1):
        into = path[t + 1]
        best, state = -np.inf, 0
        for j in range(size):
            score = scores[t, j] + transition[j, into]
            if score > best:
                best, state = score, j
        path[t] = state


@kernel
def _sum_squares(whitened: Floats, constant: Floats, log_likelihood: Floats) -> None:
    """Fill ``constant − ½ Σ_f whitened²``, one row per frame."""
    frames, rows, size = whitened.shape
    total = np.empty(size, whitened.dtype)
    for t in range(frames):
        for k in range(size):
            total[k] = 0
        for f in range(rows):
            for k in range(size):
                total[k] += whitened[t, f, k] * whitened[t, f, k]
        for k in range(size):
            log_likelihood[t, k] = constant[k] - total[k] / 2
