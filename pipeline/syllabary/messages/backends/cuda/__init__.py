"""An NVIDIA GPU (extra ``gpu``): how tensors are handed to kernels.

In reading order: ``hmm`` and ``lds`` (the two chains), ``links`` (what links them), ``switching``
(their filter), ``chunks`` (long sequences in chunks), ``strips`` (a vector times a matrix), ``block``
(sums and small matrices of the threads of a block), ``launch``, which needs ``arguments``, ``binaries``
(compiled code on disk) and ``driver``, and ``compiler``. A block of threads has a chunk of a chain and
loops over its frames. States, or the entries of a matrix, are divided among its threads, and messages
stay in shared memory. The arithmetic is the processor's: a discrete chain runs in probabilities, and
sequences that lost too much precision run again in float64 and, if that is not enough, in logs.
Derivatives of such sequences go straight to logs, on the processor.

Kernels run on torch's current stream and see the tensors' own memory. With
``NUMBA_ENABLE_CUDASIM=1`` they run in numba's simulator, on tensors of the processor.
"""

from .hmm.calls import hmm_marginals, hmm_path, hmm_sample, hmm_tangent
from .launch import available
from .lds.calls import lds_marginals, lds_sample, lds_tangent
from .links.products import add_products, ar_log_likelihood, weighted_moments
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
