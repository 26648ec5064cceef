"""Derivatives of the marginals of Gaussian chains: oracles, differences, symmetry."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from oracles import gaussian_chains
from oracles.gaussian_chains import assemble, dense, dense_tangent
from syllabary.errors import ShapeError
from syllabary.messages import lds


def change_of(rng, T, D):
    """A direction: dJ on the diagonal, symmetric, and below it, and dh."""
    d_precision = rng.standard_normal((T, D, D))
    return (
        d_precision + d_precision.swapaxes(-1, -2),
        rng.standard_normal((max(T - 1, 0), D, D)),
        rng.standard_normal((T, D)),
    )


def lds_tangent(chain, change, **options):
    """What the tangent gives for (dJ, dJ below, dh); the centered change is formed here."""
    result = lds.marginals(*chain, cache=True, **options)
    return lds.tangent(result, *change[:2], center(result.means.numpy(), change), **options)


def center(means, change):
    d_precision, d_lower, d_precision_mean = change
    centered = d_precision_mean - (d_precision @ means[..., None])[..., 0]
    centered[..., 1:, :] -= (d_lower @ means[..., :-1, :, None])[..., 0]
    centered[..., :-1, :] -= (d_lower.swapaxes(-1, -2) @ means[..., 1:, :, None])[..., 0]
    return centered


def statistics_of(result, tangent):
    """Derivatives of E x, E x_t x_tᵀ and E x_{t+1} x_tᵀ."""
    means, moved = result.means.numpy(), tangent.means.numpy()
    squares = means[:, :, None] * moved[:, None]
    pairs = moved[1:, :, None] * means[:-1, None] + means[1:, :, None] * moved[:-1, None]
    return (
        moved,
        tangent.covariances.numpy() + squares + squares.swapaxes(-1, -2),
        tangent.cross.numpy() + pairs,
    )


def product(change, statistics):
    """⟨(dh, −½ dJ), (d E x, d E x xᵀ)⟩ over the whole of J: a block below the diagonal counts twice."""
    d_precision, d_lower, d_precision_mean = change
    return (
        (d_precision_mean * statistics[0]).sum()
        - 0.5 * (d_precision * statistics[1]).sum()
        - (d_lower * statistics[2]).sum()
    )


@pytest.mark.parametrize(("T", "D"), [(1, 1), (1, 3), (2, 2), (30, 1), (20, 3), (8, 10)])
def test_lds_tangent_matches_the_dense_gaussian(T, D, rng):
    chain, change = gaussian_chains.random_chain(rng, T, D), change_of(rng, T, D)
    result = lds_tangent(chain, change)
    for part, other in zip(result, dense_tangent(*chain, *change), strict=True):
        # float64: rounding times the condition of the precision, relative to the largest entry.
        assert_allclose(part, other, rtol=0, atol=1e-9 * np.abs(other).max(initial=0))


def test_lds_tangent_matches_differences_of_the_marginals_and_of_the_dense_gaussian(rng):
    chain, change = gaussian_chains.random_chain(rng, 8, 3), change_of(rng, 8, 3)
    result, step = lds_tangent(chain, change), 1e-6
    for function in (lds.marginals, dense):
        above, below = (
            function(*(part + s * d for part, d in zip(chain, change, strict=True)))
            for s in (step, -step)
        )
        for name in ("means", "covariances", "cross"):
            slope = np.asarray(getattr(above, name) - getattr(below, name)) / (2 * step)
            # Rounding 1e-14 / 1e-6 and the square of the step, times derivatives of 1e2.
            close = {"rtol": 1e-5, "atol": 1e-6 * np.abs(slope).max()}
            assert_allclose(getattr(result, name), slope, **close)


@pytest.mark.parametrize(("T", "D"), [(1, 2), (6, 2), (40, 4)])
def test_lds_tangent_is_symmetric_and_positive(T, D, rng):
    chain = gaussian_chains.random_chain(rng, T, D)
    result = lds.marginals(*chain, cache=True)
    joint, mean = dense(*chain).joint, result.means.numpy().ravel()
    for _ in range(5):
        u, v = change_of(rng, T, D), change_of(rng, T, D)
        pulled, pushed = (
            statistics_of(result, lds.tangent(result, *w[:2], center(result.means.numpy(), w)))
            for w in (u, v)
        )
        chain, other = product(u, pulled), product(v, pushed)
        assert abs(product(u, pushed) - product(v, pulled)) < 1e-10 * np.sqrt(chain * other)
        # Var(h'x − ½ x'Jx) of the whole Gaussian.
        whole = assemble(*u[:2])
        slope = u[2].ravel() - whole @ mean
        variance = slope @ joint @ slope + 0.5 * np.trace(whole @ joint @ whole @ joint)
        assert_allclose(chain, variance, rtol=1e-9)


def test_lds_tangent_is_positive_as_a_matrix(rng):
    """Every statistic of a small chain, one direction per column."""
    T, D = 3, 2
    chain = gaussian_chains.random_chain(rng, T, D)
    result = lds.marginals(*chain, cache=True)
    basis = []
    for t in range(T):
        for i in range(D):
            basis.append([np.zeros((T, D, D)), np.zeros((T - 1, D, D)), np.zeros((T, D))])
            basis[-1][2][t, i] = 1
            for j in range(i + 1):
                basis.append([np.zeros((T, D, D)), np.zeros((T - 1, D, D)), np.zeros((T, D))])
                basis[-1][0][t, i, j] = basis[-1][0][t, j, i] = -1
            for j in range(D if t + 1 < T else 0):
                basis.append([np.zeros((T, D, D)), np.zeros((T - 1, D, D)), np.zeros((T, D))])
                basis[-1][1][t, i, j] = -1
    moved = [
        statistics_of(result, lds.tangent(result, *u[:2], center(result.means.numpy(), u)))
        for u in basis
    ]
    whole = np.array([[product(u, statistics) for statistics in moved] for u in basis])
    assert_allclose(whole, whole.T, rtol=1e-10, atol=1e-12 * np.abs(whole).max())
    assert np.linalg.eigvalsh(whole).min() > -1e-13 * np.abs(whole).max()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_lds_tangent_of_a_batch_is_its_loop_and_padding_is_invisible(dtype, rng):
    lengths = np.array([[9, 1, 0], [12, 7, 2]])

    def ragged(draw):
        parts = [np.stack(p) for p in zip(*(draw() for _ in range(6)), strict=True)]
        batch = [part.reshape(2, 3, *part.shape[1:]).astype(dtype) for part in parts]
        for index in np.ndindex(2, 3):
            T = lengths[index]
            batch[0][index][T:], batch[2][index][T:] = np.nan, np.nan
            batch[1][index][max(T - 1, 0) :] = np.nan
        return batch

    chain = ragged(lambda: gaussian_chains.random_chain(rng, 12, 2))
    change = ragged(lambda: change_of(rng, 12, 2))
    marginals = lds.marginals(*chain, lengths=lengths, cache=True)
    result = lds.tangent(marginals, *change, lengths=lengths)
    for index in np.ndindex(2, 3):
        T = lengths[index]
        pairs = max(T - 1, 0)
        cut = [
            (part[0][index][:T], part[1][index][:pairs], part[2][index][:T]) for part in (chain, change)
        ]
        single = lds.tangent(lds.marginals(*cut[0], cache=True), *cut[1])
        for many, alone, count in zip(result, single, (T, T, pairs), strict=True):
            assert many.numpy().dtype == dtype
            assert_array_equal(many[index][:count], alone)
            assert not many[index][count:].any()


def test_float32_lds_tangents_stay_with_float64(rng):
    """Ten thousand frames: the derivatives contract along the chain, as the messages do."""
    parts = gaussian_chains.switching_chain(rng, 10_000, 10)
    single = [part.astype(np.float32) for part in parts]
    change = change_of(rng, 10_000, 10)
    answers = [
        lds.tangent(lds.marginals(*chain, cache=True), *change)
        for chain in (single, [part.astype(float) for part in single])
    ]
    for part, other in zip(*answers, strict=True):
        assert part.dtype == torch.float32
        # eps times the condition of a frame given the others, some ten.
        assert_allclose(part, other, rtol=0, atol=2e-5 * other.abs().max())


def test_lds_tangent_refuses_what_it_cannot_use(rng):
    chain, change = gaussian_chains.random_chain(rng, 5, 3), change_of(rng, 5, 3)
    for options in ({}, {"keep": "filter", "cache": True}, {"keep": "sums", "cache": True}):
        with pytest.raises(ShapeError, match="without cache=True"):
            lds.tangent(lds.marginals(*chain, **options), *change)
    result = lds.marginals(*chain, cache=True)
    for position, name in enumerate(("d_precision", "d_lower", "centered")):
        short = [part[:-1] if i == position else part for i, part in enumerate(change)]
        with pytest.raises(ShapeError, match=rf"{name} has shape .*; wanted"):
            lds.tangent(result, *short)
