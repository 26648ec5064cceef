"""Kernels, one file per kind of machine; the file's name is what ``backend=`` takes.

Read ``cpu``; files that start with an underscore hold its kernels: ``_scaled`` and ``_logs``
(sweeps), ``_paths``, ``_regression``, and ``_compiled``, how they are compiled.

A backend offers ``available()``, true where its machine is there, and the functions below. They
get tensors that a front has checked and allocated, with one leading axis of B sequences
(parameters that all sequences share have length 1 there), and fill the last ones.

- ``hmm_marginals(initial, transition, evidence, lengths, keep, states, transitions, first,
  log_scales, fault)``
- ``hmm_path(initial, transition, evidence, lengths, path, fault)``
- ``hmm_sample(initial, transition, evidence, lengths, uniform, path, fault)``
- ``ar_log_likelihood(joint, whitener, constant, log_likelihood)``

``initial (B or 1, K)`` and ``transition (B or 1, K, K)`` are float64, ``evidence (B, T, K)``
float32 or float64. ``fault (B)`` receives the frame at which no state is possible, or −1.
"""

__all__ = ["cpu"]
