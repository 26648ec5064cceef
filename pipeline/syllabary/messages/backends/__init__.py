"""Kernels, one file per kind of machine; the file's name is what ``backend=`` takes.

Read ``cpu``; files that start with an underscore hold its kernels. The discrete chain is
``_discrete`` (what is done where a sweep fails), ``_sweeps`` (which stretches are swept together,
and what happens at their seams; ``_stretches`` says where they are), and the kernels: ``_scaled``
and ``_logs`` (sweeps), ``_derivative`` (of the marginals) and ``_paths``, on vectors of ``_lanes`` and
products of ``_tiles``.
The Gaussian chain is ``_continuous``, ``_seams`` (its stretches in lanes, and their seams), and the
kernels: ``_gaussian_lanes`` and ``_gaussian_tangent``, of ``_matrices`` and their ``_products`` in
``_columns``, and ``_gaussian``, plain loops where lanes don't help. Both chains multiply by ``_sums``
held in registers. Then ``_regression``, ``_rows`` and ``_moments``, what chains give each other and
what is learned from them; ``_threads``, and ``_compiled``, how kernels are compiled. Then ``cuda``, an
NVIDIA GPU, whose kernels are the same in ``_cuda_*``, with ``_block``, what the threads of a block do
together.

A backend offers ``available()``, true where its machine is there, and the functions below. They
get tensors that a front has checked and allocated, with one leading axis of B sequences, and
fill the last ones, which come filled with zeros, but for those with a frame axis: they hold zeros
only where sequences have padding. Those that are None are not wanted.

- ``hmm_marginals(initial, transition, evidence, lengths, keep, states, filtered, transitions,
  first, log_scales, fault)``
- ``hmm_tangent(initial, transition, evidence, filtered, states, direction, lengths, d_states,
  d_transitions)``
- ``hmm_path(initial, transition, evidence, lengths, path, fault)``
- ``hmm_sample(initial, transition, evidence, lengths, uniform, path, fault)``
- ``lds_marginals(precision, lower, precision_mean, lengths, keep, means, covariances, cross,
  filtered, gain, sums, totals, fault)``; ``totals (B, 2)`` receives h·J⁻¹h and log |J|
- ``lds_tangent(filtered, gain, covariances, d_precision, d_lower, centered, lengths, d_means,
  d_covariances, d_cross)``
- ``lds_sample(precision, lower, precision_mean, lengths, normals, samples, fault)``
- ``ar_log_likelihood(joint, whitener, constant, log_likelihood)``
- ``add_products(out, terms)``, three terms at most
- ``weighted_moments(joint, weights, negligible, covariances, cross, totals)``, below the diagonal
  whatever it likes

``initial (B or 1, K)`` and ``transition (B or 1, K, K)`` are float64 and may be shared by all
sequences; everything with a frame axis is float32 or float64, sums over frames are float64.
``fault (B)`` receives the frame at which no state is possible, or at which the precision is not
positive definite; or −1.
"""

# Modules that serve the others; every other file of the folder is one that users name.
SHARED: tuple[str, ...] = ("compiled",)

__all__ = ["SHARED"]
