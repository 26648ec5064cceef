"""Every backend that can run here offers the functions and agrees with the oracles."""

from types import SimpleNamespace

import numba
import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from oracles import gaussian_chains
from oracles.chains import enumerate_filter, enumerate_paths, enumerate_tangent, random_chain
from syllabary import registry
from syllabary.errors import ImpossibleEvidence, IndefinitePrecision
from syllabary.messages import dispatch, hmm, lds, moments, products
from syllabary.messages.regression import ar_log_likelihood

FOLDER = "syllabary.messages.backends"
FUNCTIONS = {
    "hmm_marginals", "hmm_tangent", "hmm_path", "hmm_sample",
    "lds_marginals", "lds_tangent", "lds_sample", "ar_log_likelihood",
    "add_products", "weighted_moments", "switching_filter",
}  # fmt: skip
# Rounding of a few frames; a Gaussian's matrices are inverted on the way.
TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-10}
GAUSSIAN_TOLERANCE = {torch.float32: 2e-4, torch.float64: 1e-10}
# With NUMBA_ENABLE_CUDASIM=1 kernels run in numba's simulator, on tensors of the processor, slowly.
SIMULATED = bool(numba.config.ENABLE_CUDASIM)


# Kernels compute -inf - -inf and handle it; in the simulator NumPy would warn.
pytestmark = pytest.mark.filterwarnings("ignore:invalid value encountered:RuntimeWarning")


@pytest.fixture(params=[n for n in registry.names(FOLDER) if registry.find(FOLDER, n).available()])
def backend(request):
    return request.param


@pytest.fixture(params=TOLERANCE, ids=str)
def like(request, backend):
    """Dtype and device of the tensors that a test makes."""
    on_gpu = backend == "cuda" and not SIMULATED
    return {"dtype": request.param, "device": "cuda" if on_gpu else "cpu"}


@pytest.fixture
def chain(like, rng):
    return tensors(random_chain(rng, 6, 3), like)


@pytest.fixture(params=[(5, 2), (4, 1), (1, 3), (1, 1)], ids=str)
def gaussian(request, like, rng):
    return tensors(gaussian_chains.random_chain(rng, *request.param), like)


def tensors(parts, like):
    return [torch.tensor(part, **like) for part in parts]


def assert_close(result, expected, like, tolerance=TOLERANCE):
    tolerance = tolerance[like[-1].dtype if isinstance(like, list) else like["dtype"]]
    assert_allclose(result.cpu(), expected, rtol=tolerance, atol=tolerance)


def assert_gaussian(result, expected, like):
    assert_close(result, expected, like, GAUSSIAN_TOLERANCE)


def as_arrays(chain):
    return [part.cpu().double().numpy() for part in chain]


@pytest.mark.parametrize("name", registry.names(FOLDER))
def test_a_backend_offers_the_functions_that_the_interface_lists(name):
    module = registry.find(FOLDER, name)
    assert set(module.__all__) >= FUNCTIONS | {"available"}
    interface = registry.importlib.import_module(FOLDER).__doc__
    assert all(function in interface for function in set(module.__all__))
    if not module.available():
        pytest.skip(f"backend {name!r} has no machine here; 'make test' simulates it too")


@pytest.mark.parametrize(
    ("device", "expected"),
    [("cpu", "cpu"), ("cuda", "cuda"), ("meta", "reference"), ("xpu", "reference")],
)
def test_the_reference_is_chosen_only_for_devices_without_kernels(device, expected):
    tensor = SimpleNamespace(device=SimpleNamespace(type=device))
    assert dispatch.backend_for("auto", tensor) is registry.find(FOLDER, expected)


def test_marginals_match_enumeration(backend, chain):
    expected = enumerate_paths(*as_arrays(chain))
    result = hmm.marginals(*chain, backend=backend)
    assert result.states.dtype == chain[2].dtype
    assert result.states.device == chain[2].device
    assert_close(result.states, expected.states, chain)
    assert_close(result.transitions, expected.transitions, chain)
    assert_close(result.initial, expected.initial, chain)
    assert_close(result.log_normalizer, expected.log_normalizer, chain)
    sums = hmm.marginals(*chain, keep="sums", backend=backend)
    assert_close(sums.transitions, expected.transitions, chain)


def test_filter_matches_enumeration(backend, chain):
    result = hmm.marginals(*chain, keep="filter", backend=backend)
    states, log_scales = enumerate_filter(*as_arrays(chain))
    assert_close(result.states, states, chain)
    assert_close(result.log_scales, log_scales, chain)


def test_path_matches_enumeration(backend, chain):
    assert_array_equal(hmm.path(*chain, backend=backend).cpu(), enumerate_paths(*as_arrays(chain)).best)


def test_samples_have_the_posterior_marginals(backend, chain, rng):
    number = 100 if SIMULATED else 5000
    many = chain[2].expand(number, *chain[2].shape)
    drawn = hmm.sample(chain[0], chain[1], many, rng, backend=backend).cpu().numpy()
    expected = enumerate_paths(*as_arrays(chain)).states
    result = (drawn[..., None] == np.arange(3)).mean(0)
    # Five standard errors of a frequency.
    assert np.all(np.abs(result - expected) < 5 * np.sqrt(expected * (1 - expected) / number) + 1e-3)


def test_regressions_match_the_sum_over_states(backend, like, rng):
    latents, regressors = tensors((rng.standard_normal((9, 2)), rng.standard_normal((9, 3))), like)
    weights = rng.standard_normal((4, 2, 3))
    precision = np.broadcast_to(np.diag([2.0, 3.0]), (4, 2, 2))
    covariance = np.broadcast_to(0.1 * np.eye(3), (4, 3, 3))
    inputs = [
        torch.as_tensor(np.array(part), device=like["device"])
        for part in (weights, covariance, precision, np.full(4, np.log(6)))
    ]
    result = ar_log_likelihood(latents, regressors, *inputs, backend=backend)
    x, s = as_arrays([latents, regressors])
    residual = x[:, None] - np.einsum("kdp,tp->tkd", weights, s)
    expected = -0.5 * (residual**2 * [2.0, 3.0]).sum(-1) - 0.1 * (s**2).sum(-1)[:, None]
    assert_close(result, expected + 0.5 * np.log(6) - np.log(2 * np.pi), like)


def assert_enumerated(chain, backend):
    """Compare every result for a chain with the sum over its paths."""
    arrays = as_arrays(chain)
    expected = enumerate_paths(*arrays)
    result = hmm.marginals(*chain, cache=True, backend=backend)
    sums = hmm.marginals(*chain, keep="sums", backend=backend)
    assert_close(result.states, expected.states, chain)
    for marginals in (result, sums):
        assert_close(marginals.transitions, expected.transitions, chain)
        assert_close(marginals.initial, expected.initial, chain)
        assert_close(marginals.log_normalizer, expected.log_normalizer, chain)
    states, log_scales = enumerate_filter(*arrays)
    forward = hmm.marginals(*chain, keep="filter", backend=backend)
    assert_close(result.filtered, states, chain)
    assert_close(forward.states, states, chain)
    assert_close(forward.log_scales, log_scales, chain)
    path = hmm.path(*chain, backend=backend).cpu()
    assert_array_equal(path, expected.best)
    return result, expected


@pytest.mark.parametrize("count", [1, 2, 3])
def test_products_of_frames_and_matrices_are_added(backend, like, rng, count):
    """Rows of the same frame, of the frame before, and of two frames later."""
    begin = rng.standard_normal((3, 7, 5))
    (out,), terms = tensors([begin], like), []
    for length, skipped in [(7, (0, 0)), (6, (1, 0)), (7, (0, 2))][:count]:
        rows, matrix = rng.standard_normal((3, length, 2, 3)), rng.standard_normal((6, 5))
        (values,), number = tensors([rows], like), min(7 - skipped[0], length - skipped[1])
        terms.append(products.Term(values, torch.tensor(matrix, **like), skipped))
        target, source = (slice(skip, skip + number) for skip in skipped)
        begin[:, target] += rows.reshape(3, length, 6)[:, source] @ matrix
    products.add_products(out, *terms, backend=backend)
    assert_close(out, begin, like)


@pytest.mark.parametrize("kind", ["certain", "uncertain", "dynamic"])
def test_second_moments_are_summed_under_weights(backend, like, rng, kind):
    shares = rng.standard_normal((2, 9, 3))
    shares[rng.random(shares.shape) < 0.5] = 0
    joint = rng.standard_normal((2, 9 - (kind == "dynamic"), 5))
    covariances, cross = rng.standard_normal((2, 9, 2, 2)), rng.standard_normal((2, 8, 2, 2))
    covariances += covariances.swapaxes(2, 3)
    expected = np.einsum("bti,btj->btij", joint, joint)
    inputs = {}
    if kind != "certain":
        expected[:, :, :2, :2] += covariances[:, -joint.shape[1] :]
        inputs["covariances"] = tensors([covariances], like)[0]
    if kind == "dynamic":
        expected[:, :, 2:4, 2:4] += covariances[:, :-1]
        expected[:, :, :2, 2:4] += cross
        expected[:, :, 2:4, :2] += cross.swapaxes(2, 3)
        inputs["cross"] = tensors([cross], like)[0]
    result = moments.weighted_moments(*tensors([joint, shares], like), **inputs, backend=backend)
    assert result.dtype == torch.float64
    assert_close(result, np.einsum("btk,btij->kij", shares[:, -joint.shape[1] :], expected), like)


@pytest.mark.parametrize(("T", "K"), [(1, 3), (4, 1), (1, 1), (3, 4)])
def test_chains_of_one_state_or_one_frame(backend, like, rng, T, K):
    assert_enumerated(tensors(random_chain(rng, T, K), like), backend)


def test_what_is_impossible_stays_impossible(backend, like, rng):
    initial, transition, evidence = random_chain(rng, 5, 3)
    initial[2] = transition[0, 0] = transition[1, 2] = evidence[1, 0] = evidence[4, 1] = -np.inf
    chain = tensors((initial, transition, evidence), like)
    result, expected = assert_enumerated(chain, backend)
    assert np.array_equal(result.states.cpu() == 0, expected.states == 0)
    drawn = hmm.sample(*chain, rng, backend=backend).cpu().numpy()
    assert (expected.paths[expected.probabilities > 0] == drawn).all(1).any()


@pytest.mark.parametrize("depth", [60, 140, 2000])
def test_a_state_that_vanishes_can_be_brought_back(backend, like, rng, depth):
    """Its share falls below the smallest float32, or the smallest float64, and later is all there is."""
    initial, transition, evidence = random_chain(rng, 5, 3)
    transition[~np.eye(3, dtype=bool)] = -np.inf
    evidence[1:3, 0] -= depth
    evidence[4, 1:] = -np.inf
    chain = tensors((initial, transition, evidence), like)
    assert_enumerated(chain, backend)
    assert_array_equal(hmm.sample(*chain, rng, backend=backend).cpu(), np.zeros(5))


@pytest.mark.parametrize("value", [np.nan, -np.inf, np.inf])
def test_a_frame_without_a_possible_state_is_named(backend, like, rng, value):
    initial, transition, evidence = tensors(random_chain(rng, 4, 3), like)
    evidence = evidence.repeat(2, 1, 1)
    evidence[1, 2] = value
    with pytest.raises(ImpossibleEvidence, match="sequence 1, frame 2"):
        hmm.marginals(initial, transition, evidence, backend=backend)
    with pytest.raises(ImpossibleEvidence, match="sequence 1, frame 2"):
        hmm.path(initial, transition, evidence, backend=backend)
    with pytest.raises(ImpossibleEvidence, match="sequence 1, frame 2"):
        hmm.sample(initial, transition, evidence, rng, backend=backend)


def test_a_ragged_batch_equals_its_loop(backend, like, rng):
    lengths = torch.tensor([4, 2, 0, 1])
    batch = [
        torch.stack(parts)
        for parts in zip(*(tensors(random_chain(rng, 4, 3), like) for _ in lengths), strict=True)
    ]
    batch[2][0, 1, 0] = -200  # The first goes on in float64, the others do not.
    batch[2][0, 2, 1:] = -np.inf
    direction = torch.tensor(rng.standard_normal(batch[2].shape), **like)
    for i, length in enumerate(lengths):
        batch[2][i, length:] = direction[i, length:] = torch.nan
    inputs = {"lengths": lengths, "backend": backend}
    result = hmm.marginals(*batch, cache=True, **inputs)
    moved = hmm.tangent(batch[1], result, direction, **inputs)
    paths = hmm.path(*batch, **inputs)
    numbers = rng.random((4, 4))
    drawn = hmm.sample(*batch, SimpleNamespace(random=lambda _: numbers), **inputs)
    for i, length in enumerate(lengths.tolist()):
        assert not any(part[i, length:].any() for part in (result.states, result.filtered, moved.states))
        assert (paths[i, length:] == -1).all()
        assert (drawn[i, length:] == -1).all()
        if not length:
            assert not result.transitions[i].any()
            assert not moved.transitions[i].any()
            continue
        chain = batch[0][i], batch[1][i], batch[2][i, :length]
        alone = hmm.marginals(*chain, cache=True, backend=backend)
        change = hmm.tangent(chain[1], alone, direction[i, :length], backend=backend)
        potentials = SimpleNamespace(
            random=lambda shape, i=i, length=length: numbers[i, :length].reshape(shape)
        )
        assert torch.equal(result.states[i, :length], alone.states)
        assert torch.equal(result.transitions[i], alone.transitions)
        assert torch.equal(moved.states[i, :length], change.states)
        assert torch.equal(moved.transitions[i], change.transitions)
        assert torch.equal(paths[i, :length], hmm.path(*chain, backend=backend))
        assert torch.equal(drawn[i, :length], hmm.sample(*chain, potentials, backend=backend))


def test_the_tangent_matches_differences_of_enumeration(backend, like, rng):
    chain = tensors(random_chain(rng, 4, 3), like)
    direction = rng.standard_normal((4, 3))
    result = hmm.marginals(*chain, cache=True, backend=backend)
    moved = hmm.tangent(chain[1], result, torch.tensor(direction, **like), backend=backend)
    initial, transition, evidence = as_arrays(chain)
    step = 1e-4
    above, below = (
        enumerate_paths(initial, transition, evidence + sign * step * direction) for sign in (1, -1)
    )
    # The step squared times the third derivative, beside rounding.
    tolerance = {torch.float32: 1e-5, torch.float64: 1e-7}
    assert_close(moved.states, (above.states - below.states) / (2 * step), like, tolerance)
    assert_close(
        moved.transitions, (above.transitions - below.transitions) / (2 * step), like, tolerance
    )


@pytest.mark.parametrize("ahead", [100, 1000])
def test_the_tangent_holds_a_state_that_vanished_and_came_back(backend, like, rng, ahead):
    """In one sequence of a batch the filter lost a state; float64 still holds it at 100 nats."""
    initial, transition, evidence = random_chain(rng, 4, 2)
    transition[~np.eye(2, dtype=bool)] = -np.inf
    evidence = np.stack([evidence, evidence])
    evidence[1, :2, 0] += ahead
    evidence[1, 2:, 1] += ahead
    chain = tensors((initial, transition, evidence), like)
    direction = torch.tensor(rng.standard_normal((2, 4, 2)), **like)
    result = hmm.marginals(*chain, cache=True, backend=backend)
    moved = hmm.tangent(chain[1], result, direction, backend=backend)
    for i in range(2):
        potentials = as_arrays((chain[0], chain[1], chain[2][i], direction[i]))
        d_states, d_transitions = enumerate_tangent(*potentials)
        assert_close(moved.states[i], d_states, like)
        assert_close(moved.transitions[i], d_transitions, like)


def test_the_tangent_is_its_own_transpose(backend, like, rng):
    chain = tensors(random_chain(rng, 5, 3), like)
    result = hmm.marginals(*chain, cache=True, backend=backend)
    left, right = tensors(rng.standard_normal((2, 5, 3)), like)
    forth = (left * hmm.tangent(chain[1], result, right, backend=backend).states).sum()
    back = (right * hmm.tangent(chain[1], result, left, backend=backend).states).sum()
    assert_close(forth, back.cpu(), like)


def test_gaussian_marginals_match_the_dense_inverse(backend, gaussian):
    expected = gaussian_chains.dense(*as_arrays(gaussian))
    result = lds.marginals(*gaussian, cache=True, backend=backend)
    assert result.means.dtype == gaussian[2].dtype
    assert result.means.device == gaussian[2].device
    assert_gaussian(result.means, expected.means, gaussian)
    assert_gaussian(result.covariances, expected.covariances, gaussian)
    assert_gaussian(result.cross, expected.cross, gaussian)
    assert_gaussian(result.log_normalizer, expected.log_normalizer, gaussian)
    assert_gaussian(result.entropy, expected.entropy, gaussian)


def test_gaussian_sums_match_the_dense_inverse(backend, gaussian):
    expected = gaussian_chains.dense(*as_arrays(gaussian))
    result = lds.marginals(*gaussian, keep="sums", backend=backend)
    assert_gaussian(result.means, expected.means, gaussian)
    assert_gaussian(result.sums.before, expected.covariances[:-1].sum(0), gaussian)
    assert_gaussian(result.sums.after, expected.covariances[1:].sum(0), gaussian)
    assert_gaussian(result.sums.cross, expected.cross.sum(0), gaussian)
    assert_gaussian(result.sums.first, expected.covariances[0], gaussian)


def test_the_gaussian_filter_is_the_chain_cut_after_each_frame(backend, gaussian):
    precision, lower, precision_mean = as_arrays(gaussian)
    result = lds.marginals(*gaussian, keep="filter", backend=backend)
    for t in range(len(precision)):
        cut = gaussian_chains.dense(precision[: t + 1], lower[:t], precision_mean[: t + 1])
        assert_gaussian(result.means[t], cut.means[-1], gaussian)
        assert_gaussian(result.covariances[t], cut.covariances[-1], gaussian)


def gaussian_direction(rng, T, D):
    """A change (dJ on and below the diagonal, dh) of the potentials."""
    square = rng.standard_normal((T, D, D))
    return square + square.mT, rng.standard_normal((T - 1, D, D)), rng.standard_normal((T, D))


def gaussian_tangent(gaussian, result, direction, backend):
    """Along a direction: of means, covariances and cross, as arrays."""
    d_precision, d_lower, d_mean = direction
    means = result.means.cpu().double().numpy()
    whole = gaussian_chains.assemble(d_precision, d_lower)
    centered = d_mean - (whole @ means.ravel()).reshape(means.shape)
    inputs = [torch.tensor(part).to(gaussian[0]) for part in (d_precision, d_lower, centered)]
    return as_arrays(lds.tangent(result, *inputs, backend=backend))


def test_the_gaussian_tangent_matches_the_dense_one(backend, gaussian, rng):
    T, D = gaussian[2].shape
    direction = gaussian_direction(rng, T, D)
    result = lds.marginals(*gaussian, cache=True, backend=backend)
    moved = gaussian_tangent(gaussian, result, direction, backend)
    expected = gaussian_chains.dense(*as_arrays(gaussian))
    change = gaussian_chains.assemble(*direction[:2])
    means = expected.joint @ (direction[2].ravel() - change @ expected.means.ravel())
    blocks = -(expected.joint @ change @ expected.joint).reshape(T, D, T, D)
    wanted = (
        means.reshape(T, D),
        np.stack([blocks[t, :, t] for t in range(T)]),
        np.array([blocks[t + 1, :, t] for t in range(T - 1)]).reshape(T - 1, D, D),
    )
    for part, right in zip(moved, wanted, strict=True):
        # Relative to the largest entry: the terms of an entry are of that size.
        scale = max(1.0, np.abs(right).max(initial=0))
        assert_gaussian(torch.from_numpy(part / scale), right / scale, gaussian)


def test_the_gaussian_tangent_is_its_own_transpose(backend, gaussian, rng):
    """From (dh, −½ dJ) to the derivatives of (μ, S + μ μᵀ)."""
    T, D = gaussian[2].shape
    result = lds.marginals(*gaussian, cache=True, backend=backend)
    mean = result.means.cpu().double().numpy()
    directions = [gaussian_direction(rng, T, D) for _ in range(2)]
    products = []
    for (d_precision, d_lower, d_mean), other in zip(directions, directions[::-1], strict=True):
        d_means, d_covariances, d_cross = gaussian_tangent(gaussian, result, other, backend)
        outer = np.einsum("ti,sj->tisj", d_means, mean) + np.einsum("ti,sj->tisj", mean, d_means)
        total = (d_mean * d_means).sum()
        for t in range(T):
            total -= 0.5 * (d_precision[t] * (d_covariances[t] + outer[t, :, t])).sum()
        for t in range(T - 1):
            total -= (d_lower[t] * (d_cross[t] + outer[t + 1, :, t])).sum()
        products.append(total)
    scale = max(1.0, abs(products[1]))
    assert_gaussian(torch.tensor(products[0] / scale), products[1] / scale, gaussian)


def test_gaussian_samples_have_the_posterior_mean_and_covariance(backend, gaussian):
    """A sample is linear in its normal numbers, so unit vectors of them give its distribution."""
    T, D = gaussian[2].shape
    normals = np.concatenate([np.zeros((1, T * D)), np.eye(T * D)]).reshape(-1, T, D)
    many = [part.expand(T * D + 1, *part.shape) for part in gaussian]
    rng = SimpleNamespace(standard_normal=lambda _: normals)
    drawn = lds.sample(*many, rng, backend=backend).cpu().double().numpy().reshape(-1, T * D)
    expected = gaussian_chains.dense(*as_arrays(gaussian))
    factor = drawn[1:] - drawn[0]
    assert_gaussian(torch.from_numpy(drawn[0]), expected.means.ravel(), gaussian)
    assert_gaussian(torch.from_numpy(factor.T @ factor), expected.joint, gaussian)


def test_a_ragged_gaussian_batch_equals_its_loop(backend, like, rng):
    lengths = torch.tensor([4, 1, 0])
    batch = [
        torch.stack(parts)
        for parts in zip(
            *(tensors(gaussian_chains.random_chain(rng, 4, 2), like) for _ in lengths), strict=True
        )
    ]
    direction = [torch.tensor(rng.standard_normal(part.shape), **like) for part in batch]
    for i, length in enumerate(lengths):
        for part in (batch, direction):
            part[0][i, length:] = part[2][i, length:] = torch.nan
            part[1][i, max(length - 1, 0) :] = torch.nan
    inputs = {"lengths": lengths, "backend": backend}
    result = lds.marginals(*batch, cache=True, **inputs)
    sums = lds.marginals(*batch, keep="sums", **inputs)
    moved = lds.tangent(result, *direction, **inputs)
    for i, length in enumerate(lengths.tolist()):
        frames, pairs = length, max(length - 1, 0)
        padding = (result.means, result.covariances, result.filtered, *moved[:2], sums.means)
        assert not any(part[i, frames:].any() for part in padding)
        assert not any(part[i, pairs:].any() for part in (result.cross, result.gain, moved[2]))
        if not length:
            assert not any(part[i].any() for part in sums.sums)
            continue
        cuts = (slice(frames), slice(pairs), slice(frames))
        chain = [part[i, cut] for part, cut in zip(batch, cuts, strict=True)]
        alone = lds.marginals(*chain, cache=True, backend=backend)
        potentials = [part[i, cut] for part, cut in zip(direction, cuts, strict=True)]
        change = lds.tangent(alone, *potentials, backend=backend)
        assert torch.equal(result.means[i, :frames], alone.means)
        assert torch.equal(result.covariances[i, :frames], alone.covariances)
        assert torch.equal(result.cross[i, :pairs], alone.cross)
        assert torch.equal(result.log_normalizer[i], alone.log_normalizer)
        for part, right, count in zip(moved, change, (frames, frames, pairs), strict=True):
            assert torch.equal(part[i, :count], right)
        added = lds.marginals(*chain, keep="sums", backend=backend).sums
        assert all(torch.equal(part[i], right) for part, right in zip(sums.sums, added, strict=True))


@pytest.mark.parametrize("value", [np.nan, -3.0])
def test_a_frame_whose_precision_is_indefinite_is_named(backend, like, rng, value):
    chain = tensors(gaussian_chains.random_chain(rng, 4, 2), like)
    precision, lower, precision_mean = (part.repeat(2, *(1,) * part.ndim) for part in chain)
    precision[1, 2, 1, 1] = value
    for keep in ("all", "sums"):
        with pytest.raises(IndefinitePrecision, match="sequence 1, frame 2"):
            lds.marginals(precision, lower, precision_mean, keep=keep, backend=backend)
    with pytest.raises(IndefinitePrecision, match="sequence 1, frame 2"):
        lds.sample(precision, lower, precision_mean, np.random.default_rng(0), backend=backend)
    precision_mean[0, 1, 0] = np.nan
    with pytest.raises(IndefinitePrecision, match="sequence 0, frame 1"):
        lds.marginals(precision, lower, precision_mean, backend=backend)
