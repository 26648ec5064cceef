"""Backends of message passing: ``backend=`` takes the name of a file or folder here.

Read ``reference`` first: every recursion in plain torch. ``cpu`` and ``cuda`` compute the same on the
processor and on an NVIDIA GPU, hundreds of times as fast. Each has a folder for the discrete chain
(``hmm``), one for the Gaussian chain (``lds``) and one for what links them (``links``). ``compiled``
holds how kernels are compiled. ``backend="auto"`` takes the backend of the arrays' device, and
``reference`` for a device without one.

A backend offers ``available()``, true where its machine is there, and the functions below. Their
arguments are checked and allocated by the public functions of ``messages``, with one leading axis
of B sequences. A backend fills the last arguments, which receive the results. They contain zeros,
except that arrays with a frame axis contain zeros only in padding. A result whose argument is None
is not computed.

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
- ``weighted_moments(joint, weights, negligible, covariances, cross, totals)``; entries of ``totals``
  below the diagonal are not read
- ``switching_filter(model, evidence, lengths, results, fault)``; ``model`` is first, rows, weights
  (K, D, L D or 0), offsets, noise and the moments of the first frame and its past, ``evidence`` root
  (B, T, D, r, of which one column is a diagonal), means and linear, ``results`` nodes, log density and
  the last states, mean and covariance, of which the states contain first

``initial (B or 1, K)`` and ``transition (B or 1, K, K)`` are float64 and may be shared by all
sequences; everything with a frame axis is float32 or float64, sums over frames are float64.
``fault (B)`` lies on the processor, whatever the device of the rest. It receives the frame at which no
state is possible, or at which the precision is not positive definite, or whose density is no finite
number; or −1.
"""

# Modules that serve the others; every other file of the folder is one that users name.
SHARED: tuple[str, ...] = ("compiled", "filter_reference")

__all__ = ["SHARED"]
