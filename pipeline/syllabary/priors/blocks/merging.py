"""Join states that tell the same story: two copies of one syllable cost more than they explain.

With the posterior of the paths held fixed, statistics of joined states add, and the bound has a
closed form in them: ratios of normalizers. What is left out is the entropy of "which of the two",
so a join is a proposal, kept where the next sweep finds a higher bound than before.
"""

import torch
from torch import Tensor

from ...expfam import dirichlet, mniw

__all__ = ["gather", "joins", "merge_states", "scraps"]

# Pairs of the best dynamics whose transitions are weighed too.
CANDIDATES = 64
# A state of fewer frames is not in use.
EMPTY = 0.5


def joins(
    counts: Tensor, sums: mniw.Natural, rows: Tensor, hyperprior: mniw.Natural, share: float = 1.0
) -> Tensor:
    """Join pairs one after the other, each time the one that raises the bound most.

    Parameters
    ----------
    counts : (K, K)
        Expected steps from row to column state.
    sums : mniw.Natural
        (K, ...) sums of the regressions.
    rows : (K, K)
        Prior concentrations of the transitions.
    hyperprior : mniw.Natural
        Prior of a regression.
    share : float
        Joins at most, as a share of the states in use; one at least.

    Returns
    -------
    (K,) int64
        The state each one becomes part of: itself, where nothing is gained.
    """
    alive = [int(k) for k in torch.nonzero(sums.observations > EMPTY).flatten()]
    counts, sums = counts.clone(), mniw.Natural(*(part.clone() for part in sums))
    single = _evidence(sums, hyperprior)
    gains: dict[tuple[int, int], float] = {}

    def weigh(pairs: list[tuple[int, int]]) -> None:
        if pairs:
            first, second = torch.tensor(pairs).T
            union = mniw.Natural(*(part[first] + part[second] for part in sums))
            gain = _evidence(union, hyperprior) - single[first] - single[second]
            gains.update(zip(pairs, gain.tolist(), strict=True))

    weigh([(a, b) for i, a in enumerate(alive) for b in alive[i + 1 :]])
    into = torch.arange(len(counts))
    left = max(1, int(share * len(alive)))
    while gains and left:
        left -= 1
        best = sorted(gains, key=lambda pair: -gains[pair])[:CANDIDATES]
        now = _transitions(counts, rows)
        gain, pair = max(
            (gains[pair] + float(_transitions(_joined(counts, *pair), rows) - now), pair)
            for pair in best
        )
        if gain <= 0:
            break
        keep, drop = pair
        into[into == drop] = keep
        counts = _joined(counts, keep, drop)
        for part in sums:
            part[keep] += part[drop]
            part[drop] = 0
        single = _evidence(sums, hyperprior)
        alive.remove(drop)
        gains = {p: g for p, g in gains.items() if keep not in p and drop not in p}
        weigh([(min(keep, k), max(keep, k)) for k in alive if k != keep])
    return into


def merge_states(sums: mniw.Natural, hyperprior: mniw.Natural, merge_threshold_nats: float) -> Tensor:
    """Join states whose difference explains little, each time the pair that costs least.

    A model of a body is never true, and with enough frames every nuance of a movement pays for a
    state of its own. What a state is worth as a *syllable* is what it explains of the whole
    recording: states join while that costs less than ``merge_threshold_nats`` per frame of all frames.

    Parameters
    ----------
    sums : mniw.Natural
        (K, ...) sums of the regressions.
    hyperprior : mniw.Natural
        Prior of a regression.
    merge_threshold_nats : float
        Log evidence per frame of all frames that a distinction must be worth.

    Returns
    -------
    (K,) int64
        The state each one becomes part of; states without frames go with the commonest.
    """
    sums = mniw.Natural(*(part.clone() for part in sums))
    frames = sums.observations
    limit = merge_threshold_nats * float(frames.sum())
    alive = [int(k) for k in torch.nonzero(frames > EMPTY).flatten()]
    into = torch.arange(len(frames))
    if alive:
        into[frames <= EMPTY] = int(frames.argmax())
    single = _evidence(sums, hyperprior)
    costs: dict[tuple[int, int], float] = {}

    def weigh(pairs: list[tuple[int, int]]) -> None:
        if pairs:
            first, second = torch.tensor(pairs).T
            union = mniw.Natural(*(part[first] + part[second] for part in sums))
            cost = single[first] + single[second] - _evidence(union, hyperprior)
            costs.update(zip(pairs, cost.tolist(), strict=True))

    weigh([(a, b) for i, a in enumerate(alive) for b in alive[i + 1 :]])
    while costs:
        cost, (keep, drop) = min((cost, pair) for pair, cost in costs.items())
        if cost > limit:
            break
        into[into == drop] = keep
        for part in sums:
            part[keep] += part[drop]
        single[keep] = _evidence(mniw.Natural(*(part[[keep]] for part in sums)), hyperprior)[0]
        alive.remove(drop)
        costs = {p: c for p, c in costs.items() if keep not in p and drop not in p}
        weigh([(min(keep, k), max(keep, k)) for k in alive if k != keep])
    return into


def scraps(sums: mniw.Natural) -> Tensor:
    """Tell which states are in use for fewer frames than their regression has coefficients.

    They hold what fitted nowhere at some time, of several syllables, and so join none.
    """
    return (sums.observations > EMPTY) & (sums.observations < sums.precision.shape[-1])


def gather(
    initial: dirichlet.Natural,
    transition: dirichlet.Natural,
    dynamics: mniw.Natural,
    into: Tensor,
    dropped: Tensor,
) -> tuple[dirichlet.Natural, dirichlet.Natural, mniw.Natural]:
    """Add up counts, steps and sums of states that become one; forget those of dropped ones."""

    def rows(part: Tensor) -> Tensor:
        kept = part.clone()
        kept[dropped] = 0
        return torch.zeros_like(part).index_add_(0, into, kept)

    steps = rows(rows(transition.concentration).T).T.contiguous()
    return (
        dirichlet.Natural(rows(initial.concentration)),
        dirichlet.Natural(steps),
        mniw.Natural(*(rows(part) for part in dynamics)),
    )


def _joined(counts: Tensor, keep: int, drop: int) -> Tensor:
    found = counts.clone()
    found[keep] += found[drop]
    found[:, keep] += found[:, drop]
    found[drop] = 0
    found[:, drop] = 0
    return found


def _evidence(sums: mniw.Natural, hyperprior: mniw.Natural) -> Tensor:
    """Log marginal likelihood of regressions with these sums, up to a shared constant."""
    seen = mniw.Natural(*(part + own for part, own in zip(hyperprior, sums, strict=True)))
    return mniw.log_normalizer(seen) - mniw.log_normalizer(hyperprior)


def _transitions(counts: Tensor, rows: Tensor) -> Tensor:
    """Log marginal likelihood of the steps."""
    seen = dirichlet.log_normalizer(dirichlet.Natural(rows + counts))
    return (seen - dirichlet.log_normalizer(dirichlet.Natural(rows))).sum()
