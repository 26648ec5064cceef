"""Steps along the natural gradient that stay inside every family.

In natural parameters the gradient of the bound by the expected statistics is the step: prior
plus statistics minus where we are. That is a mixture of two laws, and so a law. What else the
objective depends on through the local posteriors adds a cotangent that knows no such limits.
"""

from typing import Any, TypeVar

import torch
from torch import Tensor

from ...expfam import dirichlet, mniw, niw

__all__ = ["step"]

Record = TypeVar("Record", bound=tuple[Any, ...])
# Of noise and of precision, the share of what they would be without a cotangent that it must leave.
LEAST_SHARE = 0.1
HALVINGS = 10


def step(current: Record, target: Record, rate: float, cotangent: Record | None = None) -> Record:
    """Go a share ``rate`` of the way to ``target``, and ``rate`` times the cotangent.

    Parameters
    ----------
    current, target : records of natural parameters
        Of the same families, field by field.
    rate : float
        1 is the conjugate posterior.
    cotangent : record, optional
        Halved for each regression until noise and precision keep a tenth of what they would be
        without it; counts are kept from falling below nought.
    """
    moved = [
        _step(own, wanted, rate, None if cotangent is None else cotangent[i])
        for i, (own, wanted) in enumerate(zip(current, target, strict=True))
    ]
    return type(current)(*moved)


def _step(current: Any, target: Any, rate: float, cotangent: Any) -> Any:
    kind = type(current)
    plain = target
    if rate != 1:
        plain = kind(*((1 - rate) * a + rate * b for a, b in zip(current, target, strict=True)))
    if cotangent is None:
        return plain
    if kind is dirichlet.Natural:
        # What the prior alone would be worth must stay; a tenth of it is as little as is left.
        counts = plain.concentration + rate * cotangent.concentration
        return kind(torch.maximum(counts, LEAST_SHARE * plain.concentration))
    share = torch.ones_like(plain.observations)
    for _ in range(HALVINGS):
        found = kind(*(_add(a, rate * share, b) for a, b in zip(plain, cotangent, strict=True)))
        good = _proper(found, plain)
        if bool(good.all()):
            return found
        share = torch.where(good, share, share / 2)
    share = torch.where(good, share, torch.zeros_like(share))
    return kind(*(_add(a, rate * share, b) for a, b in zip(plain, cotangent, strict=True)))


def _add(own: Tensor, share: Tensor, change: Tensor) -> Tensor:
    return own + share.reshape(share.shape + (1,) * (own.ndim - share.ndim)) * change


def _proper(found: Any, plain: Any) -> Tensor:
    """Tell for which regressions noise and precision are left with enough."""
    if isinstance(found, niw.Natural):
        found, plain = niw.as_regression(found), niw.as_regression(plain)
    rows, columns = found.precision_mean.shape[-2:]
    sure = _definite(found.precision - LEAST_SHARE * plain.precision)
    identity = torch.eye(columns, dtype=found.precision.dtype)
    precision = torch.where(sure[..., None, None], found.precision, identity)
    mean = torch.linalg.solve(precision, found.precision_mean.mT).mT
    scale = found.scatter - mean @ found.precision_mean.mT
    least = LEAST_SHARE * mniw.to_standard(plain).scale
    degrees = found.observations - rows - columns - 1
    return sure & _definite((scale + scale.mT) / 2 - least) & (degrees > rows + 1)


def _definite(matrix: Tensor) -> Tensor:
    return torch.linalg.cholesky_ex(matrix).info == 0
