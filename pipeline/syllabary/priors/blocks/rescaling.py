"""Regressions of latents in other units: x' = scale (x − shift)."""

import torch
from torch import Tensor

from ...expfam import mniw, niw

__all__ = ["mean_and_noise", "regression", "regressor_map"]


def regressor_map(shift: Tensor, scale: Tensor) -> Tensor:
    """Return the matrix (D + 1, D + 1) that maps the regressor [x; 1] to that of x'.

    Parameters
    ----------
    shift, scale : (D,) float64
        The scale is positive.
    """
    size = len(shift)
    affine = torch.eye(size + 1, dtype=torch.float64)
    affine[:size, :size] = torch.diag(scale)
    affine[:size, size] = -scale * shift
    return affine


def regression(natural: mniw.Natural, past: Tensor, shift: Tensor, scale: Tensor) -> mniw.Natural:
    """Return the sums of [s; x] under x' = scale x − scale shift, s' = past s.

    Parameters
    ----------
    natural : mniw.Natural
        (..., ) regressions of which 1 is the last regressor.
    past : (p, p) float64
        Map of the regressor.
    shift, scale : (D,) float64
        The scale is positive.
    """
    width, size = len(past), len(shift)
    both = torch.zeros((width + size, width + size), dtype=torch.float64)
    both[:width, :width] = past
    both[width:, width - 1] = -scale * shift
    both[width:, width:] = torch.diag(scale)
    top = torch.cat([natural.precision, natural.precision_mean.mT], -1)
    low = torch.cat([natural.precision_mean, natural.scatter], -1)
    gram = both @ torch.cat([top, low], -2) @ both.T
    gram = (gram + gram.mT) / 2
    return mniw.Natural(
        gram[..., :width, :width],
        gram[..., width:, :width],
        gram[..., width:, width:],
        natural.observations,
    )


def mean_and_noise(natural: niw.Natural, shift: Tensor, scale: Tensor) -> niw.Natural:
    """Return the distribution of mean and noise of x', unbatched.

    Parameters
    ----------
    natural : niw.Natural
    shift, scale : (D,) float64
        The scale is positive.
    """
    constant = torch.ones((1, 1), dtype=torch.float64)
    precision, mean, scatter, observations = regression(
        niw.as_regression(natural), constant, shift, scale
    )
    return niw.Natural(precision[0, 0], mean[..., 0], scatter, observations)
