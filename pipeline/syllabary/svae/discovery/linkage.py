"""The tree of syllables: which states are most alike, and what a merge of them would cost.

Statistics of merged states add, so the evidence that a merge loses has a closed form
(``priors.blocks.merging``). The pair that loses least is merged first, until one state is left.
"""

import torch
from torch import Tensor

from ...expfam import mniw
from ...priors.blocks import merging
from ...priors.types import PROCESSOR, moved

__all__ = ["linkage"]


def linkage(sums: mniw.Natural, hyperprior: mniw.Natural, order: Tensor, frames: float) -> Tensor:
    """Return the tree in the format of ``scipy.cluster.hierarchy``.

    Parameters
    ----------
    sums : mniw.Natural
        (K, ...) sums of the states' regressions.
    hyperprior : mniw.Natural
        Prior of a regression.
    order : (K,) int64
        Leaf i is the state ``order[i]``.
    frames : float
        By which costs are divided.

    Returns
    -------
    (K - 1, 4) float64
        Of each merge: the two nodes (leaves are 0 to K - 1, merge i is node K + i), the height, which
        is the evidence lost by this merge and all before it, nats per frame, and the number of leaves.
    """
    sums = moved(mniw.Natural(*(part[order].clone() for part in sums)), PROCESSOR)
    states = len(order)
    nodes, leaves, rows = list(range(states)), [1] * states, []
    no_steps = torch.zeros((states, states), dtype=torch.float64)
    height = 0.0
    while len(nodes) > 1:
        # Transitions are left out: syllables are alike if they move alike.
        steps = no_steps[: len(nodes), : len(nodes)]
        keep, drop, gain = merging.best_merge(steps, sums, steps + 1, hyperprior)
        height += max(-gain, 0.0) / max(frames, 1.0)
        leaves[keep] += leaves.pop(drop)
        rows.append([nodes[keep], nodes[drop], height, leaves[keep]])
        nodes[keep] = states + len(rows) - 1
        del nodes[drop]
        for part in sums:
            part[keep] += part[drop]
        others = [k for k in range(len(nodes) + 1) if k != drop]
        sums = mniw.Natural(*(part[others] for part in sums))
    return torch.tensor(rows, dtype=torch.float64).reshape(-1, 4)
