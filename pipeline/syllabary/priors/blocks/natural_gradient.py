"""Steps along the natural gradient that stay inside every family.

In natural parameters the gradient of the bound by the expected statistics is the step: prior
plus statistics minus the current parameters. A part of this step is a mixture of two
distributions of the family, and so remains in it. The rest of the objective depends on the local
posteriors and adds a cotangent, which may leave the family; it is shortened until it does not.
"""

from typing import TypeAlias, TypeVar

import torch
from torch import Tensor

from ...expfam import dirichlet, mniw, niw
from ..types import TensorRecord, rebuilt

__all__ = ["step"]

Record = TypeVar("Record", bound=TensorRecord)
RegressionFamily: TypeAlias = mniw.Natural | niw.Natural
Family: TypeAlias = dirichlet.Natural | RegressionFamily
# Share of the noise and of the precision without a cotangent that must remain with it.
MIN_SHARE = 0.1
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
        Halved for each regression until noise and precision keep a tenth of their size without
        it; counts stay above a tenth of theirs.
    """
    changes = [None] * len(_families(current)) if cotangent is None else _families(cotangent)
    fields = zip(_families(current), _families(target), changes, strict=True)
    return rebuilt(type(current), (_step(start, end, rate, change) for start, end, change in fields))


def _families(record: TensorRecord) -> list[Family]:
    families = []
    for part in record._asdict().values():
        assert isinstance(part, dirichlet.Natural | mniw.Natural | niw.Natural)
        families.append(part)
    return families


def _step(current: Family, target: Family, rate: float, cotangent: Family | None) -> Family:
    plain = target
    if rate != 1:
        mixed = ((1 - rate) * a + rate * b for a, b in zip(current, target, strict=True))
        plain = type(current)(*mixed)
    if cotangent is None:
        return plain
    if isinstance(plain, dirichlet.Natural):
        assert isinstance(cotangent, dirichlet.Natural)
        # The counts of the prior alone must stay positive; a tenth is the least that remains.
        counts = plain.concentration + rate * cotangent.concentration
        return dirichlet.Natural(torch.maximum(counts, MIN_SHARE * plain.concentration))
    assert not isinstance(cotangent, dirichlet.Natural)
    share = torch.ones_like(plain.observations)
    for _ in range(HALVINGS):
        moved = _add(plain, rate * share, cotangent)
        is_proper = _proper(moved, plain)
        if bool(is_proper.all()):
            return moved
        share = torch.where(is_proper, share, share / 2)
    share = torch.where(is_proper, share, torch.zeros_like(share))
    return _add(plain, rate * share, cotangent)


def _add(natural: RegressionFamily, share: Tensor, change: RegressionFamily) -> RegressionFamily:
    """Add a share, one number per regression, of a change."""
    return type(natural)(
        *(
            part + share.reshape(share.shape + (1,) * (part.ndim - share.ndim)) * step
            for part, step in zip(natural, change, strict=True)
        )
    )


def _proper(moved: RegressionFamily, plain: RegressionFamily) -> Tensor:
    """Return the regressions whose noise and precision remain large enough, (...) bool."""
    if isinstance(moved, niw.Natural):
        moved = niw.as_regression(moved)
    if isinstance(plain, niw.Natural):
        plain = niw.as_regression(plain)
    rows, columns = moved.precision_mean.shape[-2:]
    is_precise = _definite(moved.precision - MIN_SHARE * plain.precision)
    identity = torch.eye(columns, dtype=moved.precision.dtype, device=moved.precision.device)
    precision = torch.where(is_precise[..., None, None], moved.precision, identity)
    mean = torch.linalg.solve(precision, moved.precision_mean.mT).mT
    scale = moved.scatter - mean @ moved.precision_mean.mT
    min_scale = MIN_SHARE * mniw.to_standard(plain).scale
    degrees = moved.observations - rows - columns - 1
    return is_precise & _definite((scale + scale.mT) / 2 - min_scale) & (degrees > rows + 1)


def _definite(matrix: Tensor) -> Tensor:
    return torch.linalg.cholesky_ex(matrix).info == 0
