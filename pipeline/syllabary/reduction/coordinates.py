"""Coordinates of crops along principal components, from the pixels that were measured.

They are the posterior mean of probabilistic PCA (doi:10.1111/1467-9868.00196), with one noise variance
for all pixels.
"""

import numpy as np
import numpy.typing as npt

__all__ = ["posterior", "ridge_of"]

Array = npt.NDArray[np.float64]


def posterior(
    deviation: npt.NDArray[np.floating],
    missing: npt.NDArray[np.bool_],
    basis: Array,
    ridge: Array,
) -> tuple[Array, float]:
    """Return the most probable coordinates of crops, and the squared residual.

    Parameters
    ----------
    deviation : (n, P) float32 or float64
        Heights minus the mean, zero where missing; products with pixels have its dtype.
    missing : (n, P) bool
    basis : (D, P) float64
        Orthonormal rows.
    ridge : (D,) float64
        Noise variance over the variance of each coordinate.

    Returns
    -------
    coordinates : (n, D) float64
        Along the rows of ``basis``.
    residual : float
        Sum over frames and measured pixels of what the components leave unexplained, squared.
    """
    dtype = deviation.dtype
    product = (deviation @ basis.T.astype(dtype)).astype(np.float64)
    row, column = np.triu_indices(len(basis))
    gram = np.tile(np.eye(len(basis)), (len(deviation), 1, 1))
    gaps = np.flatnonzero(missing.any(1))
    if len(gaps):
        lost = missing[gaps].astype(dtype) @ (basis[row] * basis[column]).T.astype(dtype)
        gram[gaps[:, None], row, column] -= lost
        gram[gaps[:, None], column, row] = gram[gaps[:, None], row, column]
    expected = np.linalg.solve(gram + np.diag(ridge), product[..., None])[..., 0]
    fitted = np.einsum("ni,nij,nj->", expected, gram, expected) - 2 * np.sum(expected * product)
    return np.asarray(expected, np.float64), float(np.sum(deviation.astype(np.float64) ** 2) + fitted)


def ridge_of(noise: float, variance: Array) -> Array:
    """Return the ratio of noise to signal.

    Parameters
    ----------
    noise : float
        Noise variance of a pixel.
    variance : (D,) float64
        Variance of the coordinates, which contains the noise.

    Returns
    -------
    (D,) float64
        As ``posterior`` takes it.
    """
    return noise / np.maximum(variance - noise, 1e-3 * variance)
