"""The best merge of two states, against all pairs weighed one by one."""

import itertools

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from oracles import regression as oracle
from syllabary.expfam import mniw
from syllabary.priors.blocks import merging

K, D, P = 4, 2, 3
PRIOR = oracle.prior(D, P)


def tensor(values):
    return torch.from_numpy(np.asarray(values, np.float64))


def hyperprior():
    precision, mean, scale, degrees = (tensor(part) for part in PRIOR)
    return mniw.from_standard(mniw.Standard(mean, torch.linalg.inv(precision), scale, degrees))


def sums(data):
    parts = [(s.T @ s, x.T @ s, x.T @ x, float(len(x))) for s, x in data]
    return mniw.Natural(*(tensor(np.stack(part)) for part in zip(*parts, strict=True)))


def draw(rng, weights, frames):
    s = np.column_stack([rng.standard_normal((frames, P - 1)), np.ones(frames)])
    return s, s @ weights.T + 0.5 * rng.standard_normal((frames, D))


def joined(counts, keep, drop):
    """Steps with two states as one; the other keeps its place without a count."""
    names = np.arange(len(counts))
    names[drop] = keep
    result = np.zeros_like(counts)
    for a, b in itertools.product(range(len(counts)), repeat=2):
        result[names[a], names[b]] += counts[a, b]
    return result


def weigh(data, counts, rows, extra):
    """Gain of every pair, nats."""
    single = [oracle.log_evidence(*each, PRIOR) for each in data]
    gains = {}
    for a, b in itertools.combinations(range(len(data)), 2):
        union = [np.concatenate(pair) for pair in zip(data[a], data[b], strict=True)]
        gains[a, b] = oracle.log_evidence(*union, PRIOR) - single[a] - single[b]
        gains[a, b] += oracle.log_steps(joined(counts, a, b), rows) - oracle.log_steps(counts, rows)
        gains[a, b] += extra[a, b]
    return gains


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("spread", [0.02, 1.0])
def test_the_best_merge_is_that_of_all_pairs(seed, spread):
    rng = np.random.default_rng(seed)
    middle = rng.standard_normal((D, P))
    data = [draw(rng, middle + spread * rng.standard_normal((D, P)), 40 + 5 * k) for k in range(K)]
    # Steps and the further change weigh about as much as dynamics that are alike.
    counts = rng.gamma(2.0, 5.0, (K, K)) + 30 * np.eye(K)
    rows = rng.uniform(0.5, 2.0, (K, K)) + 3 * np.eye(K)
    extra = rng.normal(0, 10, (K, K))
    extra = extra + extra.T
    gains = weigh(data, counts, rows, extra)
    keep, drop, gain = merging.best_merge(
        tensor(counts), sums(data), tensor(rows), hyperprior(), tensor(extra)
    )
    assert (keep, drop) == max(gains, key=gains.get)
    assert gain == pytest.approx(gains[keep, drop], rel=1e-9)
    keep, drop, gain = merging.best_merge(tensor(counts), sums(data), tensor(rows), hyperprior())
    plain = {pair: value - extra[pair] for pair, value in gains.items()}
    assert (keep, drop) == max(plain, key=plain.get)
    assert gain == pytest.approx(plain[keep, drop], rel=1e-9)


def test_two_copies_of_a_state_are_merged_at_a_gain_and_no_input_changes(rng):
    weights = 2 * rng.standard_normal((3, D, P))
    data = [draw(rng, weights[k], 200) for k in (0, 1, 2, 1)]
    counts, rows = tensor(50 * np.eye(K) + 1), tensor(np.ones((K, K)) + np.eye(K))
    regressions = sums(data)
    before = [part.clone() for part in (counts, *regressions, rows)]
    keep, drop, gain = merging.best_merge(counts, regressions, rows, hyperprior())
    assert (keep, drop) == (1, 3) and gain > 0
    for left, right in zip((counts, *regressions, rows), before, strict=True):
        assert torch.equal(left, right)


def test_gathered_statistics_add_up_without_the_dropped(rng):
    data = [draw(rng, rng.standard_normal((D, P)), 30) for _ in range(K)]
    counts = rng.gamma(1.0, 5.0, (K, K))
    first = rng.random(K)
    natural = merging.dirichlet.Natural
    initial, steps, regressions = merging.gather(
        natural(tensor(first)),
        natural(tensor(counts)),
        sums(data),
        torch.tensor([0, 1, 0, 3]),
        torch.tensor([False, False, False, True]),
    )
    assert_allclose(initial.concentration, [first[0] + first[2], first[1], 0, 0])
    kept = counts.copy()
    kept[3] = kept[:, 3] = 0
    assert_allclose(steps.concentration, joined(kept, 0, 2))
    assert_allclose(regressions.observations, [60, 30, 0, 0])
