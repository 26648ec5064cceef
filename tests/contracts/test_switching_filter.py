"""Every backend's filter of a switching model agrees with oracles: SciPy's, and one dense Gaussian."""

import numba
import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from oracles import processes, switching_filter
from syllabary import registry
from syllabary.errors import ImpossibleEvidence, ShapeError
from syllabary.messages import switching

FOLDER = "syllabary.messages.backends"
SIMULATED = bool(numba.config.ENABLE_CUDASIM)
# Float64, and matrices of a few frames are inverted on the way.
TOLERANCE = 1e-9
# States, latents, lags and columns of C: one column is a diagonal; nine states are two vectors.
SIZES = [(3, 2, 1, 2), (3, 2, 3, 2), (2, 3, 2, 2), (1, 2, 2, 2), (9, 2, 2, 1), (2, 1, 2, 1)]

pytestmark = pytest.mark.filterwarnings("ignore:invalid value encountered:RuntimeWarning")


@pytest.fixture(params=[n for n in registry.names(FOLDER) if registry.find(FOLDER, n).available()])
def backend(request):
    return request.param


def random_model(rng, K, D, lags):
    """Parts of a model in plain arrays."""
    factor = rng.standard_normal((K, D, D))
    return (
        rng.dirichlet(np.ones(K)),
        rng.dirichlet(np.ones(K), K),
        0.6 * rng.standard_normal((K, D, lags * D)) / lags,
        rng.standard_normal((K, D)),
        0.3 * factor @ factor.swapaxes(1, 2) + 0.1 * np.eye(D),
        (rng.standard_normal(D), np.eye(D) + 0.3),
    )


def filtered(model, *evidence, backend, **options):
    """Run a backend on NumPy arrays, on its own device; results in NumPy's."""
    device = "cuda" if backend == "cuda" and not SIMULATED else "cpu"
    *parts, start = model
    kind = switching.SwitchingModel(*parts, None if start is None else switching.Start(*start))
    arrays = [None if part is None else torch.tensor(part, device=device) for part in evidence]
    result = switching.filter(kind, *arrays, backend=backend, **options)
    assert all(part.dtype == torch.float64 and part.device.type == device for part in result)
    return switching.SwitchingBelief(*(part.cpu().numpy() for part in result))


def assert_equal(result, expected):
    nodes, density, states, mean, covariance = expected
    for name, value in {
        "nodes": nodes,
        "log_density": density,
        "states": states,
        "means": mean,
        "covariances": covariance,
    }.items():
        scale = np.abs(value).max() + 1
        assert_allclose(
            getattr(result, name), value, rtol=TOLERANCE, atol=TOLERANCE * scale, err_msg=name
        )


@pytest.mark.parametrize("static", [False, True])
@pytest.mark.parametrize(("K", "D", "lags", "rank"), SIZES)
def test_the_filter_is_that_of_scipy(backend, rng, K, D, lags, rank, static):
    T = 6
    *parts, start = random_model(rng, K, D, lags)
    model = (*parts, None if static else start)
    y = rng.standard_normal((T, D))
    root = rng.standard_normal((T, D, rank))
    root[2] = 0
    if rank == 1:  # diagonal, and one latent of a frame is missing
        root[4, 0] = 0
        whole = root[:, :, 0, None] * np.eye(D)
        expected = switching_filter.pseudo_bayes(*model, whole, y)
        assert_equal(filtered(model, root[..., 0], y, backend=backend), expected)
    else:
        expected = switching_filter.pseudo_bayes(*model, root, y)
    assert_equal(filtered(model, root, y, backend=backend), expected)
    assert not filtered(model, root, y, backend=backend).nodes[2].any()


@pytest.mark.parametrize(("D", "lags", "rank"), [(2, 1, 2), (2, 3, 1), (3, 2, 2)])
def test_with_one_state_the_filter_is_one_dense_gaussian(backend, rng, D, lags, rank):
    """Potentials with a linear part that C does not know; the last frame given all."""
    T = 5
    model = random_model(rng, 1, D, lags)
    root, y, g = (rng.standard_normal(shape) for shape in ((T, D, rank), (T, D), (T, D)))
    root[1], g[1] = 0, 0
    result = filtered(model, root, y, g, backend=backend)
    center, spread = processes.dense_prior([0] * T, *model[2:])
    totals, log_det = [0.0], np.linalg.slogdet(spread)[1]
    for t in range(T):
        J, h, constant = np.linalg.inv(spread), np.linalg.solve(spread, center), 0.0
        constant -= 0.5 * (center @ h + log_det)
        for s in range(t + 1):
            here = slice(s * D, (s + 1) * D)
            R = np.diag(root[s, :, 0] ** 2) if rank == 1 else root[s] @ root[s].T
            J[here, here] += R
            h[here] += R @ y[s] + g[s]
            constant -= 0.5 * y[s] @ R @ y[s] + g[s] @ y[s]
        totals.append(constant + 0.5 * h @ np.linalg.solve(J, h) - 0.5 * np.linalg.slogdet(J)[1])
    assert_allclose(result.log_density, np.diff(totals), rtol=TOLERANCE, atol=TOLERANCE)
    assert_allclose(result.nodes[:, 0], result.log_density, rtol=TOLERANCE, atol=TOLERANCE)
    last = [max(T - 1 - lag, 0) * D + i for lag in range(lags) for i in range(D)]
    assert_allclose(result.means, np.linalg.solve(J, h)[last], rtol=TOLERANCE, atol=TOLERANCE)
    covariance = np.linalg.inv(J)[np.ix_(last, last)]
    assert_allclose(result.covariances, covariance, rtol=TOLERANCE, atol=TOLERANCE)


def test_evidence_that_is_all_but_exact_keeps_its_digits(backend, rng):
    """Where y is known to a millionth nothing is lost by subtracting large numbers."""
    model = random_model(rng, 2, 2, 2)
    y, root = rng.standard_normal((4, 2)), np.full((4, 2), 1e6)
    result = filtered(model, root, y, backend=backend)
    expected = switching_filter.pseudo_bayes(*model, root[..., None] * np.eye(2), y)
    # The covariance is the difference of numbers 1e12 times as large, here and there.
    assert_allclose(result.nodes, expected[0], rtol=1e-6)
    assert_allclose(result.means[:2], y[-1], atol=1e-5)


def test_a_ragged_batch_equals_its_loop(backend, rng):
    model = random_model(rng, 3, 2, 2)
    lengths = np.array([[4, 0], [2, 3]])
    root, y, g = (rng.standard_normal((2, 2, 4, 2)) for _ in range(3))
    for i, j in np.ndindex(2, 2):
        for part in (root, y, g):
            part[i, j, lengths[i, j] :] = np.nan
    result = filtered(model, root, y, g, lengths=lengths, backend=backend)
    for i, j in np.ndindex(2, 2):
        n = lengths[i, j]
        assert not result.nodes[i, j, n:].any() and not result.log_density[i, j, n:].any()
        if not n:
            assert_allclose(result.states[i, j], model[0])
            assert not result.means[i, j].any() and not result.covariances[i, j].any()
            continue
        alone = filtered(model, *(part[i, j, :n] for part in (root, y, g)), backend=backend)
        for name in ("states", "means", "covariances"):
            assert np.array_equal(getattr(result, name)[i, j], getattr(alone, name)), name
        assert np.array_equal(result.nodes[i, j, :n], alone.nodes)
        assert np.array_equal(result.log_density[i, j, :n], alone.log_density)


def test_states_that_are_impossible_stay_so(backend, rng):
    model = random_model(rng, 3, 2, 1)
    model[0][:] = 0, 1, 0
    model[1][:] = np.eye(3)
    result = filtered(model, *rng.standard_normal((2, 4, 2)), backend=backend)
    assert_allclose(result.states, [0, 1, 0], atol=0)


@pytest.mark.parametrize("where", [0, 1])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_frame_without_a_density_is_named(backend, rng, value, where):
    model = random_model(rng, 2, 2, 1)
    root, y = evidence = rng.standard_normal((2, 2, 4, 2))
    evidence[where][1, 2, 0] = value
    with pytest.raises(ImpossibleEvidence, match="sequence 1, frame 2"):
        filtered(model, root, y, backend=backend)


def test_arrays_that_disagree_are_refused(rng):
    model = random_model(rng, 2, 2, 1)
    root, y = rng.standard_normal((2, 4, 2))
    with pytest.raises(ShapeError, match=r"root has shape \(3, 2, 1\)"):
        filtered(model, root[:3], y, backend="reference")
    with pytest.raises(ShapeError, match=r"rows has shape \(3, 3\)"):
        filtered((model[0], np.eye(3), *model[2:]), root, y, backend="reference")
