"""The tree of syllables."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from scipy.cluster import hierarchy

from oracles import regression as oracle
from priors.blocks.test_merging import PRIOR, D, P, draw, hyperprior, sums
from syllabary.svae.discovery.linkage import linkage

FRAMES = 300
# Two pairs of a state and its copy, of which the second pair is more alike.
REGRESSIONS = [0, 1, 2, 0, 3, 1]


@pytest.fixture
def data():
    rng = np.random.default_rng(2)
    weights = 2 * rng.standard_normal((4, D, P))
    return [draw(rng, weights[k], FRAMES) for k in REGRESSIONS]


def tree_of(data, order=None):
    order = torch.arange(len(data)) if order is None else torch.as_tensor(order)
    return linkage(sums(data), hyperprior(), order, float(len(data) * FRAMES)).numpy()


def leaves(tree, node):
    count = len(tree) + 1
    if node < count:
        return [int(node)]
    return [leaf for child in tree[int(node) - count, :2] for leaf in leaves(tree, child)]


def test_it_is_a_tree_of_all_states_that_scipy_draws(data):
    tree = tree_of(data)
    assert tree.shape == (5, 4)
    assert hierarchy.is_valid_linkage(tree, throw=True)
    assert hierarchy.is_monotonic(tree)
    assert (tree[:, 2] >= 0).all() and tree[-1, 3] == len(REGRESSIONS)
    for node, row in enumerate(tree, len(REGRESSIONS)):
        assert len(set(leaves(tree, node))) == row[3]


def test_copies_are_merged_first(data):
    tree = tree_of(data)
    assert {frozenset(map(int, row[:2])) for row in tree[:2]} == {frozenset({0, 3}), frozenset({1, 5})}
    # That costs next to nothing beside states that are none.
    assert tree[1, 2] < 0.05 * tree[2, 2]


def test_heights_are_the_evidence_lost_so_far(data):
    tree = tree_of(data)

    def evidence(group):
        return oracle.log_evidence(
            *(np.concatenate(part) for part in zip(*(data[k] for k in group), strict=True)), PRIOR
        )

    groups, height = [[k] for k in range(len(data))], 0.0
    for row in tree:
        costs = {
            (i, j): evidence(a) + evidence(b) - evidence(a + b)
            for i, a in enumerate(groups)
            for j, b in enumerate(groups[:i])
        }
        i, j = min(costs, key=costs.get)
        # A merge that raises the evidence has no height.
        height += max(costs[i, j], 0) / (len(data) * FRAMES)
        assert sorted(leaves(tree, row[0]) + leaves(tree, row[1])) == sorted(groups[i] + groups[j])
        assert row[2] == pytest.approx(height, abs=1e-12)
        groups = [g for k, g in enumerate(groups) if k not in (i, j)] + [groups[i] + groups[j]]


def test_other_numbers_of_the_states_are_the_same_tree(data):
    order = [4, 2, 0, 5, 1, 3]
    tree, other = tree_of(data), tree_of(data, order)
    assert_allclose(tree[:, 2], other[:, 2], rtol=1e-9)
    for node in range(len(data), 2 * len(data) - 1):
        assert sorted(leaves(tree, node)) == sorted(order[k] for k in leaves(other, node))


def test_one_state_has_no_tree(data):
    assert tree_of(data[:1]).shape == (0, 4)
    assert tree_of(data[:2]).shape == (1, 4)
