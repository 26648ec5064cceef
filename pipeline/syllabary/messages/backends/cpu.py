"""The processor: how sequences are handed to the kernels of the files beside this one.

Messages are probabilities, normalised at every frame, so a step costs K² multiplications and
no more than 2 K exponentials. A state far behind the others underflows to zero. That is
harmless unless later frames bring it back, and then the sweeps notice: the sequence is done
again in float64, and if that is not enough, slowly and exactly in logs. (A derivative goes to
logs at once, for it starts from the messages that lost it.)

Sequences run in parallel on ``torch.get_num_threads()`` threads; each is computed in the same
order whatever their number, so that no answer depends on it.
"""

import torch
from torch import Tensor

from . import _regression
from ._continuous import lds_marginals, lds_sample, lds_tangent
from ._discrete import hmm_marginals, hmm_path, hmm_sample, hmm_tangent
from ._threads import each, one_thread_each

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
    with one_thread_each() as threads:
        each(span, [(start, min(start + REGRESSION_SPAN, len(joint))) for start in starts], threads)
