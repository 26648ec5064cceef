"""Passes over a Gaussian chain in plain loops over one sequence, where vectors do not help.

The chain's precision is block tridiagonal, J = U P Uᵀ with U unit lower bidiagonal: P_t is the
precision of frame t when all frames before it are summed out, and the gain W_t = J_{t+1,t} P_t⁻¹
is the block of U below the diagonal. Both passes work with P_t⁻¹ and W_t alone.
"""

import math

import numpy as np

from ...compiled import Floats, kernel

__all__ = ["draw", "filter_forward", "smooth_backward"]


@kernel
def filter_forward(
    precision: Floats,
    lower: Floats,
    precision_mean: Floats,
    means: Floats,
    covariances: Floats,
    gain: Floats,
    totals: Floats,
    first: int,
) -> int:
    """Sum frames out from ``first`` to the last; earlier frames are summed out already.

    P_{t+1} = J_{t+1,t+1} − W_t J_{t+1,t}ᵀ. Fills P_t⁻¹ (T, D, D), W_t (T − 1, D, D), the means of
    the chain cut after each frame (T, D), and ``totals`` with Σ h_t·m_t and Σ log |P_t|; returns
    the frame whose P_t is not positive definite, or −1.
    """
    frames, size = precision_mean.shape
    matrix = np.empty((size, size), precision.dtype)
    vector = np.empty(size, precision.dtype)
    totals[:] = 0
    for t in range(first, frames):
        for i in range(size):
            vector[i] = precision_mean[t, i]
            for j in range(i + 1):
                matrix[i, j] = precision[t, i, j]
        if t > 0:
            _multiply(lower[t - 1], covariances[t - 1], gain[t - 1])
            for i in range(size):
                for j in range(i + 1):
                    value = matrix[i, j]
                    for k in range(size):
                        value -= gain[t - 1, i, k] * lower[t - 1, j, k]
                    matrix[i, j] = value
                for k in range(size):
                    vector[i] -= lower[t - 1, i, k] * means[t - 1, k]
        log_det = _invert(matrix, covariances[t])
        if not -np.inf < log_det < np.inf:
            return t
        total = 0.0
        for i in range(size):
            value = vector[0] * covariances[t, i, 0]
            for k in range(1, size):
                value += covariances[t, i, k] * vector[k]
            means[t, i] = value
            total += vector[i] * value
        if not -np.inf < total < np.inf:
            return t
        totals[0] += total
        totals[1] += log_det
    return -1


@kernel
def smooth_backward(means: Floats, covariances: Floats, cross: Floats) -> None:
    """Turn the results of the forward pass into marginals, in place, last frame first.

    μ_t = m_t − W_tᵀ μ_{t+1};  S_{t+1,t} = −S_{t+1} W_t;  S_t = P_t⁻¹ + W_tᵀ S_{t+1} W_t, a sum of
    positive terms. ``cross`` comes with the gains.
    """
    frames, size = means.shape
    product = np.empty((size, size), means.dtype)
    for t in range(frames - 2, -1, -1):
        _multiply(covariances[t + 1], cross[t], product)
        for i in range(size):
            for k in range(size):
                means[t, i] -= cross[t, k, i] * means[t + 1, k]
            for j in range(i + 1):
                value = covariances[t, i, j]
                for k in range(size):
                    value += cross[t, k, i] * product[k, j]
                covariances[t, i, j] = value
                covariances[t, j, i] = value
        for i in range(size):
            for j in range(size):
                cross[t, i, j] = -product[i, j]


@kernel
def draw(means: Floats, covariances: Floats, gain: Floats, normals: Floats, samples: Floats) -> int:
    """Draw frames from the last to the first: x_t = m_t − W_tᵀ x_{t+1} + chol(P_t⁻¹) ε_t.

    Returns the frame whose P_t⁻¹ rounding has left without a factor, or −1.
    """
    frames, size = means.shape
    factor = np.empty((size, size), means.dtype)
    for t in range(frames - 1, -1, -1):
        if not _cholesky(covariances[t], factor) < np.inf:
            return t
        for i in range(size):
            value = means[t, i]
            for k in range(i + 1):
                value += factor[i, k] * normals[t, k]
            if t + 1 < frames:
                for k in range(size):
                    value -= gain[t, k, i] * samples[t + 1, k]
            samples[t, i] = value
    return -1


@kernel
def _cholesky(matrix: Floats, factor: Floats) -> float:
    """Lower factor of a symmetric matrix of which the lower half is read; log det, or NaN."""
    size = len(matrix)
    log_det = 0.0
    for j in range(size):
        pivot = matrix[j, j]
        for k in range(j):
            pivot -= factor[j, k] * factor[j, k]
        if not pivot > 0:
            return np.nan
        log_det += math.log(pivot)
        pivot = math.sqrt(pivot)
        factor[j, j] = pivot
        for i in range(j + 1, size):
            value = matrix[i, j]
            for k in range(j):
                value -= factor[i, k] * factor[j, k]
            factor[i, j] = value / pivot
    return log_det


@kernel
def _invert(matrix: Floats, inverse: Floats) -> float:
    """Inverse of a symmetric matrix, whose lower half becomes its factor; log det, or NaN."""
    size = len(matrix)
    log_det = _cholesky(matrix, matrix)
    if not -np.inf < log_det < np.inf:
        return np.nan
    # L⁻¹ below the diagonal of ``matrix``, then L⁻ᵀ L⁻¹.
    for j in range(size):
        matrix[j, j] = 1 / matrix[j, j]
        for i in range(j + 1, size):
            value = matrix[i, j] * matrix[j, j]
            for k in range(j + 1, i):
                value += matrix[i, k] * matrix[k, j]
            matrix[i, j] = -value / matrix[i, i]
    for i in range(size):
        for j in range(i + 1):
            value = matrix[i, i] * matrix[i, j]
            for k in range(i + 1, size):
                value += matrix[k, i] * matrix[k, j]
            inverse[i, j] = value
            inverse[j, i] = value
    return log_det


@kernel
def _multiply(left: Floats, right: Floats, out: Floats) -> None:
    """Matrix product; rows of ``right`` are added up, so that the inner loop runs along memory."""
    rows, inner = left.shape
    size = right.shape[1]
    for i in range(rows):
        for j in range(size):
            out[i, j] = left[i, 0] * right[0, j]
        for k in range(1, inner):
            factor = left[i, k]
            for j in range(size):
                out[i, j] += factor * right[k, j]
