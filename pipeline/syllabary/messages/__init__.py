"""Inference on chains: messages between frames, without any knowledge of mice.

In reading order: ``hmm`` (discrete chains), ``lds`` (Gaussian chains), ``regression`` (how well the
regression of each state explains a frame), ``moments`` (the sums that regressions are learned
from), ``products`` (what one chain gives the other), ``meanfield`` (both chains and their joint
optimum), ``switching`` (both filtered at once), ``dispatch`` (the work of public functions before a
kernel runs) and ``backends``. A public function checks its arguments, flattens leading axes, allocates
results and chooses the backend. Kernels check nothing; they loop over frames and fill the results.
Messages have the dtype of the evidence; sums over time are float64.

Notation: B sequences, T frames, K states, D latent dimensions, p regressors. Axes run batch, time, then
what is indexed at that time. Potentials are log factors in nats; ``transition[..., j, k]`` goes from
state j (row) to state k (column), and ``-inf`` is impossible.
"""

__all__ = [
    "backends",
    "dispatch",
    "hmm",
    "lds",
    "meanfield",
    "moments",
    "products",
    "regression",
    "switching",
]
