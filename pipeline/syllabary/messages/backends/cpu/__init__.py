"""The processor: how sequences are handed to compiled kernels.

In reading order: ``chunking`` (long sequences in chunks that advance side by side), ``hmm`` and ``lds``
(the two chains), ``links`` (what links them), ``switching``
(their filter), ``simd`` (vectors of the processor) and ``threads``.
Sequences and chunks of long ones run in parallel on ``torch.get_num_threads()`` threads. Each is
computed in the same order whatever their number, so that no answer depends on it.
"""

from .hmm.calls import hmm_marginals, hmm_path, hmm_sample, hmm_tangent
from .lds.calls import lds_marginals, lds_sample, lds_tangent
from .links.moments import weighted_moments
from .links.products import add_products
from .links.regression import ar_log_likelihood
from .switching.calls import switching_filter

__all__ = [
    "add_products",
    "ar_log_likelihood",
    "available",
    "hmm_marginals",
    "hmm_path",
    "hmm_sample",
    "hmm_tangent",
    "lds_marginals",
    "lds_sample",
    "lds_tangent",
    "switching_filter",
    "weighted_moments",
]


def available() -> bool:
    """Return True: every machine can run the kernels."""
    return True
