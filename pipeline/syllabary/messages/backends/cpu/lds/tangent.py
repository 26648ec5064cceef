"""Derivatives of the passes of ``vectorized``, which explains ``places``."""

import numpy as np

from ...compiled import Floats, kernel
from ..simd.small_products import negative, subtract
from ..simd.small_products import product as times
from .columns import at, gather, matrices, put, scatter, vectors
from .matrices import mirror, multiply, multiply_negative, subtract_from_lower

__all__ = ["tangent_backward", "tangent_forward"]


@kernel
def tangent_forward(
    size: int,
    inputs: tuple[Floats, ...],
    places: Floats,
    workspace: Floats,
    results: tuple[Floats, Floats, Floats],
    write: bool,
) -> None:
    """Derivative of the forward pass along a change of the potentials.

    With X = W_t dP_t − dJ_{t+1,t}:  dP_{t+1} = dJ_{t+1,t+1} + X W_tᵀ − W_t dJ_{t+1,t}ᵀ;
    dW_t = −X P_t⁻¹;  and c_{t+1} = (dh − dJ μ)_{t+1} − W_t c_t, P m's part of the solution of J dμ.

    Parameters
    ----------
    size, places
        As for ``filter_forward``.
    inputs : filtered, gain, d_precision, d_lower, centered
        Flat.
    workspace : of ``workspace_for``
        The first matrix and vector hold the message, dP and c, before and after.
    results : dP, c, dW
        Flat; filled if ``write``.
    """
    filtered, gains, precision, lower, centered = inputs
    change, gain, coupling, inverse, product, moved = matrices(size, workspace)
    mean, vector, _, _, _, _ = vectors(size, workspace)
    changes, means, steps = results
    lanes, square = places.shape[1], size * size
    frame, line, pair, before = np.empty((4, lanes), np.int64)
    for step in range(places[2].max()):
        for lane in range(lanes):
            on = step < places[2, lane]
            frame[lane] = (places[0, lane] + step) * square if on else -1
            line[lane] = (places[0, lane] + step) * size if on else -1
            is_pair = on and step + places[3, lane] > 0
            pair[lane] = (places[1, lane] + step) * square if is_pair else -1
            before[lane] = frame[lane] - square if is_pair else -1
        gather(gains, pair, square, square, gain)
        gather(lower, pair, square, square, coupling)
        gather(filtered, before, square, square, inverse)
        for k in range(square):
            put(product, k, at(coupling, k))
        subtract(size, size, size, product, 0, size, 1, gain, 0, size, 1, change, 0, size, 1)  # −X
        multiply(size, product, inverse, moved)
        gather(precision, frame, square, square, change)
        gather(centered, line, size, size, vector)
        subtract_from_lower(size, change, product, size, 1, gain, 1, size)
        subtract_from_lower(size, change, gain, size, 1, coupling, 1, size)
        mirror(size, size, change)
        subtract(1, size, size, vector, 0, 0, 1, mean, 0, 0, 1, gain, 0, 1, size)
        for i in range(size):
            put(mean, i, at(vector, i))
        if write:
            scatter(moved, square, steps, pair, square)
            scatter(change, square, changes, frame, square)
            scatter(mean, size, means, line, size)


@kernel
def tangent_backward(
    size: int,
    inputs: tuple[Floats, ...],
    places: Floats,
    workspace: Floats,
    results: tuple[Floats, Floats, Floats],
    write: bool,
) -> None:
    """Derivative of the marginals, from the results of the forward pass.

    With Y = S_{t+1} dW_t + dS_{t+1} W_t:  dS_{t+1,t} = −Y;
    dS_t = −P_t⁻¹ dP_t P_t⁻¹ + dW_tᵀ S_{t+1} W_t + W_tᵀ Y;  dμ_t = P_t⁻¹ c_t − W_tᵀ dμ_{t+1}.

    Parameters
    ----------
    size, places
        As for ``smooth_backward``.
    inputs : filtered, gain, covariances, dP, c, dW
        Flat.
    workspace : of ``workspace_for``
        The first matrix and vector hold the message, dS and dμ, before and after.
    results : d_covariances, d_means, d_cross
        Flat; filled if ``write``.
    """
    filtered, gains, covariances, changes, centered, steps = inputs
    after, gain, moved, spread, product, other = matrices(size, workspace)
    mean, vector, solved, _, _, _ = vectors(size, workspace)
    spreads, means, cross = results
    lanes, square = places.shape[1], size * size
    frame, line, pair, following = np.empty((4, lanes), np.int64)
    for step in range(places[2].max()):
        for lane in range(lanes):
            left = places[2, lane] - 1 - step
            frame[lane] = (places[0, lane] + left) * square if left >= 0 else -1
            line[lane] = (places[0, lane] + left) * size if left >= 0 else -1
            is_pair = left >= 0 and step + places[3, lane] > 0
            pair[lane] = (places[1, lane] + left) * square if is_pair else -1
            following[lane] = frame[lane] + square if is_pair else -1
        gather(gains, pair, square, -square, gain)
        gather(steps, pair, square, -square, moved)
        gather(covariances, following, square, -square, spread)
        multiply_negative(size, spread, moved, product)
        for k in range(square):
            put(other, k, at(product, k))
        subtract(size, size, size, other, 0, size, 1, after, 0, size, 1, gain, 0, size, 1)  # −Y
        # The part of dS_t from the following frame: (S dW)ᵀ W + Wᵀ Y.
        negative(size, size, size, after, 0, size, 1, product, 0, 1, size, gain, 0, size, 1)
        subtract_from_lower(size, after, gain, 1, size, other, size, 1)
        if write:
            scatter(other, square, cross, pair, -square)
        inverse, change = spread, moved
        gather(filtered, frame, square, -square, inverse)
        gather(changes, frame, square, -square, change)
        gather(centered, line, size, -size, vector)
        multiply(size, inverse, change, product)
        subtract_from_lower(size, after, product, size, 1, inverse, size, 1)
        mirror(size, size, after)
        times(1, size, size, solved, 0, 0, 1, vector, 0, 0, 1, inverse, 0, size, 1)
        subtract(1, size, size, solved, 0, 0, 1, mean, 0, 0, 1, gain, 0, size, 1)
        for i in range(size):
            put(mean, i, at(solved, i))
        if write:
            scatter(after, square, spreads, frame, -square)
            scatter(mean, size, means, line, -size)
