"""The processor: how sequences are handed to the kernels of the files beside this one.

Sequences, and stretches of long ones, run in parallel on ``torch.get_num_threads()`` threads; each
is computed in the same order whatever their number, so that no answer depends on it.
"""

import numpy as np
import torch
from torch import Tensor

from . import _gaussian, _regression
from ._discrete import hmm_marginals, hmm_path, hmm_sample, hmm_tangent
from ._threads import each as _each
from ._threads import one_thread_each as _one_thread_each
from ._threads import sequences as _sequences

__all__ = [
    "ar_log_likelihood",
    "available",
    "hmm_marginals",
    "hmm_path",
    "hmm_sample",
    "hmm_tangent",
    "lds_marginals",
    "lds_sample",
    "lds_tangent",
]

# Frames whitened by one matrix product, and frames that one thread takes at a time.
REGRESSION_BLOCK = 128
REGRESSION_SPAN = 2048


def available() -> bool:
    """Whether this machine can run the kernels: always."""
    return True


def lds_marginals(
    precision: Tensor,
    lower: Tensor,
    precision_mean: Tensor,
    lengths: Tensor,
    keep: str,
    means: Tensor,
    covariances: Tensor | None,
    cross: Tensor | None,
    filtered: Tensor | None,
    gain: Tensor | None,
    sums: Tensor | None,
    totals: Tensor,
    fault: Tensor,
) -> None:
    """Fill means, covariances and their sums; see ``messages.lds.marginals``."""
    given = [part.numpy() for part in (precision, lower, precision_mean)]
    optional = (covariances, cross, filtered, gain, sums)
    spreads, pairs, cached, gains, added = (None if p is None else p.numpy() for p in optional)
    centers, scales, faults = means.numpy(), totals.numpy(), fault.numpy()

    def one(i: int, length: int) -> None:
        size = centers.shape[-1]
        blank = np.empty((length, size, size), centers.dtype)
        spread = blank if spreads is None else spreads[i, :length]
        steps = np.empty_like(blank[1:]) if pairs is None else pairs[i, : length - 1]
        center = centers[i, :length]
        chain = given[0][i, :length], given[1][i, : length - 1], given[2][i, :length]
        faults[i] = _gaussian.filter_forward(*chain, center, spread, steps, scales[i])
        if faults[i] >= 0 or keep == "filter":
            return
        if cached is not None and gains is not None:
            cached[i, :length], gains[i, : length - 1] = spread, steps
        if added is not None:
            _gaussian.sum_backward(center, spread, steps, added[i])
        else:
            _gaussian.smooth_backward(center, spread, steps)

    _each(one, _sequences(lengths), torch.get_num_threads())


def lds_tangent(
    filtered: Tensor,
    gain: Tensor,
    covariances: Tensor,
    d_precision: Tensor,
    d_lower: Tensor,
    centred: Tensor,
    lengths: Tensor,
    d_means: Tensor,
    d_covariances: Tensor,
    d_cross: Tensor,
) -> None:
    """Fill derivatives of means and covariances; see ``messages.lds.tangent``."""
    frames = [part.numpy() for part in (filtered, covariances, d_precision, centred)]
    pairs = [part.numpy() for part in (gain, d_lower, d_cross)]
    moved = [part.numpy() for part in (d_means, d_covariances)]

    def one(i: int, length: int) -> None:
        before, spread, change, center = (part[i, :length] for part in frames)
        steps, d_steps, d_pairs = (part[i, : length - 1] for part in pairs)
        own = [part[i, :length] for part in moved]
        _gaussian.tangent(before, steps, spread, change, d_steps, center, *own, d_pairs)

    _each(one, _sequences(lengths), torch.get_num_threads())


def lds_sample(
    precision: Tensor,
    lower: Tensor,
    precision_mean: Tensor,
    lengths: Tensor,
    normals: Tensor,
    samples: Tensor,
    fault: Tensor,
) -> None:
    """Fill a joint posterior sample; see ``messages.lds.sample``."""
    given = [part.numpy() for part in (precision, lower, precision_mean)]
    numbers, drawn, faults = normals.numpy(), samples.numpy(), fault.numpy()

    def one(i: int, length: int) -> None:
        size = drawn.shape[-1]
        spread = np.empty((length, size, size), drawn.dtype)
        steps = np.empty_like(spread[1:])
        center, totals = np.empty((length, size), drawn.dtype), np.empty(2)
        chain = given[0][i, :length], given[1][i, : length - 1], given[2][i, :length]
        faults[i] = _gaussian.filter_forward(*chain, center, spread, steps, totals)
        if faults[i] < 0:
            faults[i] = _gaussian.draw(center, spread, steps, numbers[i, :length], drawn[i, :length])

    _each(one, _sequences(lengths), torch.get_num_threads())


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

    def span(start: int, stop: int) -> None:
        buffer = joint.new_empty((REGRESSION_BLOCK, rows * size))
        for begin in range(start, stop, REGRESSION_BLOCK):
            block = joint[begin : min(begin + REGRESSION_BLOCK, stop)]
            whitened = torch.mm(block, flat, out=buffer[: len(block)])
            _regression.sum_squares(
                whitened.numpy().reshape(len(block), rows, size),
                offset,
                log_likelihood[begin : begin + len(block)].numpy(),
            )

    starts = range(0, len(joint), REGRESSION_SPAN)
    with _one_thread_each() as threads:
        _each(span, [(start, min(start + REGRESSION_SPAN, len(joint))) for start in starts], threads)
