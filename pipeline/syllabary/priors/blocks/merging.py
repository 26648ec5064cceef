"""Merge redundant states: keeping two copies of a syllable lowers the bound.

With the posterior of the paths held fixed, statistics of merged states add, and the bound has a
closed form in them: ratios of normalizers. It leaves out the entropy of the choice between the two,
so a merge is a proposal. It is kept if the next iteration finds a higher bound.
"""

import torch
from torch import Tensor

from ...expfam import dirichlet, mniw
from ..types import PROCESSOR, moved

__all__ = ["best_merge", "gather", "proposed_merges", "unused"]

# Pairs of the best dynamics whose transitions are weighed too.
CANDIDATES = 64
# A state of fewer frames is not in use.
EMPTY = 0.5


def proposed_merges(
    counts: Tensor, sums: mniw.Natural, rows: Tensor, hyperprior: mniw.Natural, share: float = 1.0
) -> Tensor:
    """Merge pairs one after the other, each time the one that raises the bound most.

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
        Upper limit of merges, as a share of the states in use; one is always allowed.

    Returns
    -------
    (K,) int64
        The state that each state becomes part of: itself without a gain.
    """
    device, (counts, sums, rows, hyperprior) = counts.device, _near(counts, sums, rows, hyperprior)
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
            (gains[pair] + float(_transitions(_merged(counts, *pair), rows) - now), pair)
            for pair in best
        )
        if gain <= 0:
            break
        keep, drop = pair
        into[into == drop] = keep
        counts = _merged(counts, keep, drop)
        for part in sums:
            part[keep] += part[drop]
            part[drop] = 0
        single = _evidence(sums, hyperprior)
        alive.remove(drop)
        gains = {p: g for p, g in gains.items() if keep not in p and drop not in p}
        weigh([(min(keep, k), max(keep, k)) for k in alive if k != keep])
    return into.to(device)


def best_merge(
    counts: Tensor,
    sums: mniw.Natural,
    rows: Tensor,
    hyperprior: mniw.Natural,
    extra: Tensor | None = None,
) -> tuple[int, int, float]:
    """Return the two states whose merging raises the bound most, or lowers it least.

    Parameters
    ----------
    counts : (K, K)
        Expected steps from row to column state; K > 1.
    sums : mniw.Natural
        (K, ...) sums of the regressions.
    rows : (K, K)
        Prior concentrations of the transitions.
    hyperprior : mniw.Natural
        Prior of a regression.
    extra : (K, K), optional
        Further change of the bound by each merge, nats.

    Returns
    -------
    keep, drop : int
        ``keep < drop``.
    gain : float
        Change of the bound, nats.
    """
    counts, sums, rows, hyperprior = _near(counts, sums, rows, hyperprior)
    single = _evidence(sums, hyperprior)
    first, second = torch.triu_indices(len(counts), len(counts), 1)
    union = mniw.Natural(*(part[first] + part[second] for part in sums))
    gains = _evidence(union, hyperprior) - single[first] - single[second]
    if extra is not None:
        gains = gains + extra.cpu()[first, second]
    now = _transitions(counts, rows)
    weighed = []
    for place in gains.argsort(descending=True, stable=True)[:CANDIDATES].tolist():
        pair = int(first[place]), int(second[place])
        steps = float(_transitions(_merged(counts, *pair), rows) - now)
        weighed.append((float(gains[place]) + steps, pair))
    gain, (keep, drop) = max(weighed, key=lambda each: each[0])
    return keep, drop, gain


def unused(sums: mniw.Natural) -> Tensor:
    """Return the states (K,) bool with fewer frames than their regression has coefficients.

    Their few frames are outliers of several syllables, so no merge raises the bound.
    """
    return (sums.observations > EMPTY) & (sums.observations < sums.precision.shape[-1])


def gather(
    initial: dirichlet.Natural,
    transition: dirichlet.Natural,
    dynamics: mniw.Natural,
    into: Tensor,
    dropped: Tensor,
) -> tuple[dirichlet.Natural, dirichlet.Natural, mniw.Natural]:
    """Add up counts, steps and sums of states that merge, without those of dropped states.

    Parameters
    ----------
    initial, transition, dynamics
        Counts (K,), steps (K, K), and sums (K, ...).
    into : (K,) int64
        The state that each state becomes part of.
    dropped : (K,) bool
    """

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


def _near(
    counts: Tensor, sums: mniw.Natural, rows: Tensor, hyperprior: mniw.Natural
) -> tuple[Tensor, mniw.Natural, Tensor, mniw.Natural]:
    """Bring the few numbers that merges are weighed by to the processor, which looks at each."""
    return counts.cpu(), moved(sums, PROCESSOR), rows.cpu(), moved(hyperprior, PROCESSOR)


def _merged(counts: Tensor, keep: int, drop: int) -> Tensor:
    merged = counts.clone()
    merged[keep] += merged[drop]
    merged[:, keep] += merged[:, drop]
    merged[drop] = 0
    merged[:, drop] = 0
    return merged


def _evidence(sums: mniw.Natural, hyperprior: mniw.Natural) -> Tensor:
    """Log marginal likelihood of regressions with these sums, up to a shared constant."""
    posterior = mniw.Natural(*(a + b for a, b in zip(hyperprior, sums, strict=True)))
    return mniw.log_normalizer(posterior) - mniw.log_normalizer(hyperprior)


def _transitions(counts: Tensor, rows: Tensor) -> Tensor:
    """Log marginal likelihood of the steps."""
    posterior = dirichlet.log_normalizer(dirichlet.Natural(rows + counts))
    return (posterior - dirichlet.log_normalizer(dirichlet.Natural(rows))).sum()
