"""The processor: how sequences are handed to the kernels of the files beside this one.

Messages are probabilities, normalised at every frame, so a step costs K² multiplications and
no more than 2 K exponentials. A state far behind the others underflows to zero. That is
harmless unless later frames bring it back, and then the sweeps notice: the sequence is done
again in float64, and if that is not enough, slowly and exactly in logs. (A derivative goes to
logs at once, for it starts from the messages that lost it.)

Sequences run in parallel on ``torch.get_num_threads()`` threads; each is computed in the same
order whatever their number, so that no answer depends on it.
"""

from ._continuous import lds_marginals, lds_sample, lds_tangent
from ._discrete import hmm_marginals, hmm_path, hmm_sample, hmm_tangent
from ._moments import weighted_moments
from ._regression import ar_log_likelihood

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
    "weighted_moments",
]


def available() -> bool:
    """Whether this machine can run the kernels: always."""
    return True
