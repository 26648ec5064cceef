"""Merge redundant states: keeping two copies of a syllable lowers the bound.

With the posterior of the paths held fixed, statistics of merged states add, and the bound has a
closed form in them: ratios of normalizers. It leaves out the entropy of the choice between the two,
so a merge is a proposal. It is kept if the next iteration finds a higher bound.
"""

import torch
from torch import Tensor

from ...expfam import dirichlet, mniw

__all__ = ["gather", "merge_states", "proposed_merges", "unused"]

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
    return into


def merge_states(sums: mniw.Natural, hyperprior: mniw.Natural, merge_threshold_nats: float) -> Tensor:
    """Merge states whose difference explains little, each time the pair that costs least.

    A model of a body is never exact, and with enough frames every nuance of a movement raises the
    bound as a state of its own. As a *syllable*, a state is worth the log evidence that it adds to
    the whole recording. States merge while that is below ``merge_threshold_nats`` per frame.

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
        The state that each state becomes part of; states without frames join the commonest.
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
