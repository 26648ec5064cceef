"""Gradients by central differences."""

import numpy as np


def gradient(function, point, step=1e-5):
    """Derivative of a scalar function in every entry of an array."""
    point = np.array(point, float)
    slopes = np.empty_like(point)
    for index in np.ndindex(point.shape):
        above, below = point.copy(), point.copy()
        above[index] += step
        below[index] -= step
        slopes[index] = (function(above) - function(below)) / (2 * step)
    return slopes
