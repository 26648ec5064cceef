"""Marginals and samples of Gaussian chains against one dense Gaussian, and laws."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from oracles.differences import gradient
from oracles.gaussian_chains import (
    Dense,
    assemble,
    dense,
    dense_exactly,
    dynamics_chain,
    random_chain,
)
from syllabary.errors import IndefinitePrecision, ShapeError, UnknownName
from syllabary.messages import lds


@pytest.fixture
def threads():
    """Set torch's threads; the number there was comes back."""
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


def assert_close(result, expected, tolerance, what):
    """Errors relative to the largest entry: an entry near zero is a difference of large ones."""
    expected = np.asarray(expected)
    assert tuple(result.shape) == expected.shape, what
    scale = np.abs(expected).max(initial=0)
    assert_allclose(result, expected, rtol=0, atol=tolerance * scale, err_msg=what)


def stack(chains):
    """Chains of one length as a batch."""
    return [np.stack(parts) for parts in zip(*chains, strict=True)]


@pytest.mark.parametrize(
    ("T", "D"), [(1, 1), (1, 4), (2, 1), (2, 3), (9, 1), (120, 1), (40, 3), (12, 10), (60, 2)]
)
def test_marginals_match_one_dense_gaussian(T, D, rng):
    chain = random_chain(rng, T, D)
    result, expected = lds.marginals(*chain), dense(*chain)
    for name in ("means", "covariances", "cross", "log_normalizer", "entropy"):
        # float64: rounding times the condition of the precision, up to 1e4 here.
        assert_close(getattr(result, name), getattr(expected, name), 1e-9, name)
    assert_array_equal(result.covariances, result.covariances.mT)
    assert result.sums is None
    assert result.filtered is None


@pytest.mark.parametrize(("T", "D"), [(1, 2), (7, 1), (12, 3)])
def test_filter_cuts_the_chain_after_each_frame(T, D, rng):
    precision, lower, precision_mean = random_chain(rng, T, D)
    result = lds.marginals(precision, lower, precision_mean, keep="filter")
    for t in range(T):
        cut = dense(precision[: t + 1], lower[:t], precision_mean[: t + 1])
        assert_close(result.means[t], cut.means[t], 1e-9, f"mean {t}")
        assert_close(result.covariances[t], cut.covariances[t], 1e-9, f"covariance {t}")
    assert_close(result.log_normalizer, cut.log_normalizer, 1e-9, "log normalizer")
    assert_close(result.entropy, cut.entropy, 1e-9, "entropy")
    assert result.cross is None
    assert result.sums is None


@pytest.mark.parametrize(("T", "D"), [(1, 2), (2, 3), (30, 1), (20, 4)])
def test_sums_are_those_of_all(T, D, rng):
    chain = random_chain(rng, T, D)
    result, expected = lds.marginals(*chain, keep="sums"), dense(*chain)
    assert result.covariances is None
    assert result.cross is None
    assert_close(result.means, expected.means, 1e-9, "means")
    assert_close(result.log_normalizer, expected.log_normalizer, 1e-9, "log normalizer")
    assert_close(result.entropy, expected.entropy, 1e-9, "entropy")
    assert_close(result.sums.before, expected.covariances[:-1].sum(0), 1e-9, "before")
    assert_close(result.sums.after, expected.covariances[1:].sum(0), 1e-9, "after")
    assert_close(result.sums.cross, expected.cross.sum(0), 1e-9, "cross")
    assert_close(result.sums.first, expected.covariances[0], 1e-9, "first")


def test_the_cache_changes_no_answer(rng):
    chain = random_chain(rng, 15, 3)
    plain, cached = lds.marginals(*chain), lds.marginals(*chain, cache=True)
    for name in ("means", "covariances", "cross", "log_normalizer", "entropy"):
        assert_array_equal(getattr(cached, name), getattr(plain, name))
    assert_array_equal(cached.filtered, lds.marginals(*chain, keep="filter").covariances)
    assert_allclose(cached.gain, chain[1] @ cached.filtered[:-1].numpy(), rtol=1e-9, atol=1e-12)


def test_gradient_of_log_normalizer_is_the_expected_statistics(rng):
    """J enters as −½ J against x xᵀ, and a block below the diagonal stands for two of them."""
    precision, lower, precision_mean = random_chain(rng, 5, 2)
    result = lds.marginals(precision, lower, precision_mean)
    means = result.means.numpy()
    products = result.covariances.numpy() + means[:, :, None] * means[:, None]
    pairs = result.cross.numpy() + means[1:, :, None] * means[:-1, None]

    def by_mean(part):
        return float(lds.marginals(precision, lower, part).log_normalizer)

    def by_precision(part):
        return float(lds.marginals((part + part.mT) / 2, lower, precision_mean).log_normalizer)

    def by_lower(part):
        return float(lds.marginals(precision, part, precision_mean).log_normalizer)

    # Central differences of step 1e-5: rounding 1e-14 / 1e-5, and the square of the step.
    close = {"rtol": 1e-6, "atol": 1e-6}
    assert_allclose(gradient(by_mean, precision_mean), means, **close)
    assert_allclose(gradient(by_precision, precision), -0.5 * products, **close)
    assert_allclose(gradient(by_lower, lower), -pairs, **close)


def test_only_lower_halves_of_the_diagonal_are_read(rng):
    precision, lower, precision_mean = random_chain(rng, 6, 3)
    expected = lds.marginals(precision, lower, precision_mean)
    precision[:, *np.triu_indices(3, 1)] = np.nan
    result = lds.marginals(precision, lower, precision_mean)
    assert_array_equal(result.covariances, expected.covariances)
    assert_array_equal(result.log_normalizer, expected.log_normalizer)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("keep", ["all", "filter", "sums"])
def test_batch_equals_its_loop_and_padding_is_invisible(keep, dtype, rng):
    lengths = np.array([[9, 1, 0], [12, 7, 2]])
    parts = stack([random_chain(rng, 12, 3) for _ in range(6)])
    batch = [part.reshape(2, 3, *part.shape[1:]).astype(dtype) for part in parts]
    for index in np.ndindex(2, 3):
        T = lengths[index]
        batch[0][index][T:], batch[2][index][T:] = np.nan, np.nan
        batch[1][index][max(T - 1, 0) :] = np.nan
    normals = np.random.default_rng(3).standard_normal((2, 3, 12, 3))
    result = lds.marginals(*batch, lengths=lengths, keep=keep, cache=True)
    drawn = lds.sample(*batch, np.random.default_rng(3), lengths=lengths)
    assert result.means.numpy().dtype == dtype
    assert result.log_normalizer.dtype == result.entropy.dtype == torch.float64
    for index in np.ndindex(2, 3):
        T = lengths[index]
        pairs = max(T - 1, 0)
        part = batch[0][index][:T], batch[1][index][:pairs], batch[2][index][:T]
        single = lds.marginals(*part, keep=keep, cache=True)
        assert_array_equal(result.log_normalizer[index], single.log_normalizer)
        assert_array_equal(result.entropy[index], single.entropy)
        for name in ("means", "covariances", "filtered", "cross", "gain"):
            many, alone = getattr(result, name), getattr(single, name)
            count = pairs if name in ("cross", "gain") else T
            assert (many is None) == (alone is None)
            if many is not None:
                assert_array_equal(many[index][:count], alone)
                assert not many[index][count:].any(), name
        if keep == "sums":
            for many, alone in zip(result.sums, single.sums, strict=True):
                assert many.dtype == torch.float64
                assert_array_equal(many[index], alone)
        generator = FixedNormals(normals[index][:T])
        assert_array_equal(drawn[index][:T], lds.sample(*part, generator))
        assert not drawn[index][T:].any()


class FixedNormals:
    """Stands for a generator: the numbers that one sequence got as part of a batch."""

    def __init__(self, numbers):
        self.numbers = numbers

    def standard_normal(self, shape):
        return self.numbers.reshape(shape)


def test_precisions_may_be_shared_by_all_sequences(rng):
    precision, lower, _ = random_chain(rng, 8, 2)
    precision_mean = rng.standard_normal((3, 2, 8, 2))
    result = lds.marginals(precision, lower, precision_mean)
    half = lds.marginals(precision[None, None], np.stack([lower, lower]), precision_mean)
    assert result.covariances.shape == (3, 2, 8, 2, 2)
    assert result.cross.shape == (3, 2, 7, 2, 2)
    assert result.log_normalizer.shape == result.entropy.shape == (3, 2)
    for index in np.ndindex(3, 2):
        single = lds.marginals(precision, lower, precision_mean[index])
        for many in (result, half):
            assert_array_equal(many.means[index], single.means)
            assert_array_equal(many.covariances[index], single.covariances)


def test_tensors_views_and_read_only_arrays_are_taken_and_left_as_they_were(rng):
    chain = random_chain(rng, 10, 3)
    expected = lds.marginals(*chain)
    copies = [part.copy() for part in chain]
    views = [torch.from_numpy(np.repeat(part, 2, axis=-1))[..., ::2] for part in chain]
    assert_array_equal(lds.marginals(*views).covariances, expected.covariances)
    for part in chain:
        part.flags.writeable = False
    assert_array_equal(lds.marginals(*chain).covariances, expected.covariances)
    lds.sample(*chain, rng)
    for part, copy in zip(chain, copies, strict=True):
        assert_array_equal(part, copy)


def test_frames_without_evidence_need_no_special_case(rng):
    """Whole stretches that were not seen, the first and the last frames among them."""
    precision, lower, precision_mean = random_chain(rng, 30, 3, missing=1.0)
    precision_mean[:] = 0
    for t in (5, 6, 20):
        precision[t] += 4 * np.eye(3)
        precision_mean[t] = rng.standard_normal(3)
    chain = precision, lower, precision_mean
    result, expected = lds.marginals(*chain), dense(*chain)
    for name in Dense._fields[:5]:
        assert_close(getattr(result, name), getattr(expected, name), 1e-9, name)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_samples_have_the_joint_mean_and_covariance(dtype, rng):
    chain = random_chain(rng, 4, 2)
    number = 20_000
    many = np.broadcast_to(chain[2].astype(dtype), (number, 4, 2))
    drawn = lds.sample(chain[0], chain[1], many, rng)
    assert drawn.numpy().dtype == dtype
    flat, expected = drawn.double().reshape(number, 8).numpy(), dense(*chain)
    spread = np.diag(expected.joint)
    # Five standard errors: S_ii / n of a mean, (S_ii S_jj + S_ij²) / n of a covariance.
    error = np.abs(flat.mean(0) - expected.means.ravel())
    assert np.all(error < 5 * np.sqrt(spread / number))
    error = np.abs(np.cov(flat.T) - expected.joint)
    assert np.all(error < 5 * np.sqrt((np.outer(spread, spread) + expected.joint**2) / number))


def test_a_sample_of_no_noise_is_the_mean(rng):
    chain = random_chain(rng, 20, 3)
    drawn = lds.sample(*chain, FixedNormals(np.zeros((20, 3))))
    assert_allclose(drawn, lds.marginals(*chain).means, rtol=1e-12)


def test_samples_are_decided_by_rng(rng):
    chain = random_chain(rng, 20, 3)
    first, second = (lds.sample(*chain, np.random.default_rng(seed)) for seed in (5, 5))
    assert_array_equal(first, second)
    assert not np.array_equal(first, lds.sample(*chain, np.random.default_rng(6)))


def test_no_frames_no_sequences(rng):
    for leading, T in [((), 0), ((2,), 0), ((0,), 5), ((0, 3), 1)]:
        pairs = max(T - 1, 0)
        shapes = (*leading, T, 3, 3), (*leading, pairs, 3, 3), (*leading, T, 3)
        chain = [np.zeros(shape) for shape in shapes]
        result = lds.marginals(*chain, cache=True)
        assert result.means.shape == shapes[2]
        assert result.covariances.shape == result.filtered.shape == shapes[0]
        assert result.cross.shape == result.gain.shape == shapes[1]
        assert result.log_normalizer.shape == result.entropy.shape == leading
        assert not result.log_normalizer.any()
        assert not result.entropy.any()
        assert all(not part.any() for part in lds.marginals(*chain, keep="sums").sums)
        assert lds.sample(*chain, rng).shape == shapes[2]
        tangent = lds.tangent(result, *chain)
        assert [tuple(part.shape) for part in tangent] == [shapes[2], shapes[0], shapes[1]]


def test_any_number_of_threads_gives_the_same_bits(threads, rng):
    parts = stack([random_chain(rng, 40, 4) for _ in range(5)])
    chain = [part.astype(np.float32) for part in parts]
    answers = []
    for number in (1, 2, 4):
        threads(number)
        result = lds.marginals(*chain, cache=True)
        sums = lds.marginals(*chain, keep="sums").sums
        drawn = lds.sample(*chain, np.random.default_rng(0))
        answers.append([*result._replace(sums=None), *sums, drawn, *lds.tangent(result, *chain)])
        assert torch.get_num_threads() == number
    for expected in answers[1:]:
        for part, same in zip(answers[0], expected, strict=True):
            if part is not None:
                assert_array_equal(part, same)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    "bad", ["negative", "zero", "NaN precision", "NaN lower", "NaN mean", "infinite", "infinite mean"]
)
def test_a_precision_that_is_not_positive_definite_is_named(bad, dtype, rng):
    parts = stack([random_chain(rng, 9, 3) for _ in range(6)])
    precision, lower, mean = (part.reshape(2, 3, *part.shape[1:]).astype(dtype) for part in parts)
    at = (1, 2, 5)
    if bad == "negative":
        precision[at] = -np.eye(3)
    elif bad == "zero":
        precision[at], lower[1, 2, 4] = 0, 0
    elif bad == "NaN precision":
        precision[(*at, 2, 1)] = np.nan
    elif bad == "NaN lower":
        lower[1, 2, 4, 0, 1] = np.nan
    elif bad == "NaN mean":
        mean[(*at, 1)] = np.nan
    elif bad == "infinite":
        precision[(*at, 1, 1)] = np.inf
    else:
        mean[(*at, 1)] = np.inf
    for keep in ("all", "filter", "sums"):
        with pytest.raises(IndefinitePrecision, match=r"^sequence 1, 2, frame 5: the precision given"):
            lds.marginals(precision, lower, mean, keep=keep)
    with pytest.raises(IndefinitePrecision, match=r"^sequence 1, 2, frame 5:"):
        lds.sample(precision, lower, mean, rng)
    with pytest.raises(IndefinitePrecision, match=r"^frame 5:"):
        lds.marginals(precision[1, 2], lower[1, 2], mean[1, 2])
    lengths = np.full((2, 3), 9)
    lengths[1, 2] = 5  # what is bad now lies in padding
    assert np.isfinite(lds.marginals(precision, lower, mean, lengths=lengths).means).all()


def test_frames_that_are_too_closely_tied_are_indefinite_at_the_later_one():
    """Each block is positive, the whole is not: |J_10|² > J_00 J_11."""
    precision, lower = np.ones((3, 1, 1)), np.full((2, 1, 1), 0.1)
    lower[1] = 1.1
    assert np.linalg.eigvalsh(assemble(precision, lower)).min() < 0
    with pytest.raises(IndefinitePrecision, match="frame 2"):
        lds.marginals(precision, lower, np.zeros((3, 1)))


def test_a_sample_takes_nothing_from_the_frame_after_where_rounding_leaves_it_no_factor(rng):
    """Condition 3e7: a float32 inverse is sometimes not positive definite, and then it is refused.

    Such frames were drawn with what was left of the factor before, here a deviation of 10,000.
    """
    refused = 0
    for _ in range(1000):
        axes = np.linalg.qr(rng.standard_normal((3, 3)))[0]
        block = axes * [3e7, 1, 1e4] @ axes.T
        precision = np.stack([np.eye(3), block, 1e-8 * np.eye(3)]).astype(np.float32)
        chain = precision, np.zeros((2, 3, 3)), np.zeros((3, 3), np.float32)
        try:
            drawn = lds.sample(*chain, rng)[1]
        except IndefinitePrecision:
            refused += 1
            continue
        # Deviations are 1, which rounding makes a few; what was left over gave thousands.
        assert drawn.abs().max() < 100
    assert 0 < refused < 100


@pytest.mark.parametrize(
    ("shapes", "lengths", "sentence"),
    [
        ([(9, 3, 3), (8, 3, 3), (3,)], None, r"precision_mean has shape \(3,\); it is \(\.\.\., T, D\)"),
        ([(9, 0, 0), (8, 0, 0), (9, 0)], None, r"precision_mean has shape \(9, 0\).*D ≥ 1"),
        (
            [(9, 4, 4), (8, 3, 3), (9, 3)],
            None,
            r"precision has shape \(9, 4, 4\) but precision_mean is \(9, 3\); wanted \(\.\.\., 9",
        ),
        (
            [(9, 3, 3), (9, 3, 3), (9, 3)],
            None,
            r"lower has shape \(9, 3, 3\).*wanted \(\.\.\., 8, 3, 3\)",
        ),
        ([(9, 3), (8, 3, 3), (9, 3)], None, r"precision has shape \(9, 3\)"),
        ([(3, 9, 2, 2), (8, 2, 2), (2, 9, 2)], None, r"precision has leading axes \(3,\).*\(2,\)"),
        ([(9, 2, 2), (8, 2, 2), (2, 9, 2)], [3], r"lengths has shape \(1,\).*leading axes \(2,\)"),
        ([(9, 2, 2), (8, 2, 2), (2, 9, 2)], [3, 10], r"lengths runs from 3 to 10 .* T=9 frames"),
        ([(9, 2, 2), (8, 2, 2), (2, 9, 2)], [-1, 9], r"lengths runs from -1 to 9"),
    ],
)
def test_shapes_that_disagree_are_named(shapes, lengths, sentence, rng):
    chain = [np.zeros(shape) for shape in shapes]
    lengths = None if lengths is None else np.array(lengths)
    with pytest.raises(ShapeError, match=sentence):
        lds.marginals(*chain, lengths=lengths)
    with pytest.raises(ShapeError, match=sentence):
        lds.sample(*chain, rng, lengths=lengths)


def test_unknown_words_are_named(rng):
    chain = random_chain(rng, 3, 2)
    with pytest.raises(UnknownName, match=r"no keep 'some'\. Known: all, filter, sums\."):
        lds.marginals(*chain, keep="some")
    with pytest.raises(UnknownName, match=r"no messages\.backends 'gpu'"):
        lds.marginals(*chain, backend="gpu")


@pytest.mark.parametrize("D", [1, 2, 3])
@pytest.mark.parametrize(("noise", "tolerance"), [(1e-4, 1e-10), (1e-8, 1e-6)])
def test_dynamics_almost_without_noise_stay_close_to_long_decimals(noise, tolerance, D, rng):
    T = 8
    weights = np.stack([0.99 * np.linalg.qr(rng.standard_normal((D, D)))[0] for _ in range(T - 1)])
    steps = np.broadcast_to(np.eye(D) / noise, (T - 1, D, D))
    chain = dynamics_chain(weights, steps, rng.uniform(0.5, 2, (T, D)), rng.standard_normal((T, D)))
    result, expected = lds.marginals(*chain), dense_exactly(*chain)
    for name in ("means", "covariances", "cross", "log_normalizer", "entropy"):
        # eps / noise is what any answer in this form loses; a hundred times that for its constant.
        assert_close(getattr(result, name), getattr(expected, name), tolerance, name)
    assert np.linalg.eigvalsh(result.covariances).min() > 0
    # Noise 1e-8 is what the latents keep of the frames around them: samples stay on the path.
    drawn = lds.sample(*chain, rng)
    residual = drawn[1:] - (torch.from_numpy(weights) @ drawn[:-1, :, None])[..., 0]
    assert residual.abs().max() < 6 * np.sqrt(noise)


def test_float32_refuses_or_stays_finite_where_noise_is_below_its_rounding(rng):
    """J is 1e10 and evidence 1: rounding decides whether the precision is still positive."""
    answers = 0
    for _ in range(20):
        weights = np.stack([0.99 * np.linalg.qr(rng.standard_normal((3, 3)))[0] for _ in range(7)])
        steps = np.broadcast_to(1e10 * np.eye(3), (7, 3, 3))
        parts = dynamics_chain(weights, steps, rng.uniform(0.5, 2, (8, 3)), rng.standard_normal((8, 3)))
        chain = [part.astype(np.float32) for part in parts]
        try:
            result = lds.marginals(*chain)
            drawn = lds.sample(*chain, rng)
        except IndefinitePrecision:
            continue
        answers += 1
        assert all(np.isfinite(part).all() for part in (*result[:5], drawn))
        assert (result.covariances.diagonal(dim1=-2, dim2=-1) > 0).all()
    assert answers < 20  # some are refused, by name
