"""Inference on chains: what a sweep over time computes, and nothing about mice.

Read ``hmm`` (discrete chains, and how well each state's regression explains a frame), ``lds``
(Gaussian chains), ``moments`` (sums that regressions are learned from), ``meanfield`` (how the two are
linked, and the optimum they settle at), then
``front`` (what every front does before a kernel runs) and ``backends``. A front checks, flattens
leading axes, allocates and picks the backend; a backend's kernels trust, loop and fill.
Messages run in the dtype of the evidence; sums over time are float64.

Notation: T frames, K states, D latent dimensions, p regressors; axes run batch, time, then
what is indexed at that time. Potentials are log factors in nats; ``transition[..., j, k]``
goes from state j (row) to state k (column), and ``-inf`` is impossible.
"""

__all__ = ["backends", "front", "hmm", "lds", "meanfield", "moments"]
