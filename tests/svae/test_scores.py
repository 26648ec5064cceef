"""Scores of models: exact where a problem is small enough to write out, and alike for all priors."""

import dataclasses
import itertools

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from scipy.stats import norm

from oracles import processes as oracle
from svae.training import test_joint
from svae.training.test_em import components as small_pca
from svae.training.test_joint import FPS, SIZE, study  # noqa: F401  (a fixture)
from syllabary.priors import arhmm, slds
from syllabary.records.crops import Crops
from syllabary.svae import latent_evidence
from syllabary.svae.model import Model
from syllabary.svae.networks import pca as linear
from syllabary.svae.networks.likelihood import log_likelihood
from syllabary.svae.process import chain, filtering, generative
from syllabary.svae.scores import bound as bound_of
from syllabary.svae.scores import (
    importance,
    iwae,
    observation_models,
    open_recording,
    prediction,
    predictive,
    table,
)
from syllabary.svae.settings import EvaluateSettings, ModelSettings
from syllabary.svae.training import em

# Pixels are float32: of the about 1000 nats of a problem, 1e-5 are rounding.
ROUNDING = 0.02
PIXELS = (3, 4)
QUICK = EvaluateSettings(
    clips=2, clip_frames=20, samples=[1, 8], horizons=[1, 3], rollouts=10, targets=4, history_frames=16
)


def tensor(values):
    return torch.from_numpy(np.asarray(values, np.float64))


def random_motion(rng, K, D, lags, *, dynamic=True):
    def positive(scale):
        factor = rng.standard_normal((K, D, D))
        return scale * (factor @ factor.swapaxes(1, 2) / D + 0.3 * np.eye(D))

    weights = np.zeros((K, D, lags * D))
    if dynamic:
        weights[:, :, :D] = 0.8 * np.eye(D)
        weights += 0.15 * rng.standard_normal(weights.shape)
    start = generative.Gaussian(tensor(0.2 * np.ones(D)), tensor(np.eye(D))) if dynamic else None
    rows = rng.dirichlet(np.ones(K), K)
    return generative.GenerativeProcess(
        generative.stationary(tensor(rows)),
        tensor(rows),
        tensor(weights),
        tensor(0.5 * rng.standard_normal((K, D))),
        tensor(positive(0.2)),
        start,
    )


def tiny(rng, T, D, *, noise_mm=6.0, outliers=0.0):
    """A linear decoder, frames of which some pixels and one whole frame are missing, and the view."""
    reduction = dataclasses.replace(
        small_pca(D),
        mean=np.full(PIXELS, 20.0),
        components=np.linalg.qr(rng.standard_normal((np.prod(PIXELS), D)))[0].T.reshape(D, *PIXELS),
        scale=np.linspace(12, 8, D),
        pixel_variance_mm2=rng.uniform(0.5, 2, PIXELS) * noise_mm**2,
        used=np.ones(PIXELS, bool),
    )
    chosen = linear.Settings(outliers=outliers)
    decoder = linear.Decoder(chosen, reduction, rng).requires_grad_(False)
    heights = 20 + 10 * rng.standard_normal((T, *PIXELS))
    observed = rng.random((T, *PIXELS)) > 0.2
    observed[T // 2] = False
    view = observation_models.Pixels(
        decoder, torch.from_numpy(heights).float(), torch.from_numpy(observed)
    )
    return view, written_out(view)


def written_out(view):
    """y, observed, decoder (P, D), mean and variance, as the oracle takes them."""
    P = view.decoder.used.numel()
    matrix = (view.decoder.components * view.decoder.scale[:, None]).T.double().numpy()
    y = view.heights.flatten(1).double().numpy()
    variance = view.decoder.log_variance().exp().flatten().double().numpy()
    mean = view.decoder.mean.flatten().double().numpy()
    assert matrix.shape[0] == P
    return y, view.observed.flatten(1).numpy(), matrix, mean, variance


def plain(motion):
    """A process as the oracle takes it."""
    start = None if motion.start is None else tuple(part.numpy() for part in motion.start)
    return (*(part.numpy() for part in motion[:5]), start)


def nothing(N, T, D):
    return chain.Potential(
        torch.zeros((N, T, D, D), dtype=torch.float64), torch.zeros((N, T, D), dtype=torch.float64)
    )


CASES = [(1, True), (2, True), (3, True), (1, False)]


@pytest.mark.parametrize(("lags", "dynamic"), CASES)
def test_importance_weights_average_to_the_likelihood_of_all_paths(rng, lags, dynamic):
    T, D, K, S = 4, 2, 2, 2000
    motion = random_motion(rng, K, D, lags, dynamic=dynamic)
    view, problem = tiny(rng, T, D)
    expected = oracle.log_likelihood(plain(motion), *problem)
    even = motion.first.expand(1, T, -1)
    proposal = importance.propose(motion, [view], nothing(1, T, D), even)
    weights = importance.log_weights(motion, [view], proposal, S, rng)
    ratio = np.exp(weights[0].numpy() - expected)
    error = ratio.std() / np.sqrt(S)
    assert error < 0.05  # the proposal is good for something
    assert abs(ratio.mean() - 1) < 5 * error + ROUNDING


def test_importance_weights_average_to_the_likelihood_of_pixels_some_of_which_are_outliers(rng):
    """One latent without dynamics: the likelihood of a frame is an integral over a line."""
    S, outliers = 4000, 0.02
    motion = random_motion(rng, 2, 1, 1, dynamic=False)
    view, (_, _, matrix, mean, variance) = tiny(rng, 2, 1, outliers=outliers)
    view.heights[0, 1, 1:3] = 150.0
    view.observed[0] = True
    y = view.heights[0].flatten().double().numpy()
    x = np.linspace(-12, 12, 20_001)
    inlier = norm.pdf(y, mean + x[:, None] * matrix[:, 0], np.sqrt(variance))
    density = np.log((1 - outliers) * inlier + outliers / 255).sum(1)
    sd = np.sqrt(motion.noise[:, 0, 0].numpy())
    prior = norm.pdf(x[:, None], motion.offsets[:, 0].numpy(), sd) @ motion.first.numpy()
    expected = density.max() + np.log(np.trapezoid(prior * np.exp(density - density.max()), x))
    proposal = importance.propose(motion, [view], nothing(1, 2, 1), motion.first.expand(1, 2, -1))
    weights = importance.log_weights(motion, [view], proposal, S, rng)
    ratio = np.exp(weights[0].numpy() - expected)
    error = ratio.std() / np.sqrt(S)
    assert error < 0.05
    assert abs(ratio.mean() - 1) < 5 * error + ROUNDING


def test_for_a_linear_decoder_a_weight_is_the_likelihood_of_its_path(rng):
    T, D, K = 4, 2, 2
    motion = random_motion(rng, K, D, 2)
    view, problem = tiny(rng, T, D)
    even = motion.first.expand(1, T, -1)
    proposal = importance.propose(motion, [view], nothing(1, T, D), even)
    weights = importance.log_weights(motion, [view], proposal, 200, rng)[0].numpy()
    paths = oracle.path_likelihoods(plain(motion), *problem)
    # q(z) of each path, so that every weight is one of these.
    nodes, normalizer = proposal.nodes[0].numpy(), float(proposal.log_normalizer[0])
    first, rows = motion.first.log().numpy(), motion.rows.log().numpy()
    densities = []
    for path, joint in paths.items():
        steps = sum(rows[a, b] for a, b in itertools.pairwise(path))
        densities.append(joint - (first[path[0]] + steps + nodes[range(T), path].sum() - normalizer))
    nearest = np.abs(weights[:, None] - np.array(densities)).min(1)
    assert nearest.max() < ROUNDING


@pytest.mark.parametrize(("lags", "dynamic"), CASES)
def test_the_bound_is_below_the_likelihood_and_meets_it_with_one_state(rng, lags, dynamic):
    T, D = 5, 2
    view, problem = tiny(rng, T, D)
    for K in (1, 2):
        motion = random_motion(rng, K, D, lags, dynamic=dynamic)
        potential = observation_models.potential(
            view, torch.zeros((T, D), dtype=torch.float64), torch.arange(T)
        )
        potential = chain.Potential(*(part[None] for part in potential))
        even = motion.first.expand(1, T, -1)
        result = chain.optimum(motion, potential, even, max_iterations=200, tolerance=1e-12)
        exact = oracle.log_likelihood(plain(motion), *problem)
        mean = observation_models.log_density(view, result.means[0], torch.arange(T)).sum()
        # The decoder is linear: noise in the latents costs half its trace.
        cost = 0.5 * (potential.precision * result.covariances).sum()
        bound = float(mean - cost - result.divergence[0])
        if K == 1:
            assert abs(bound - exact) < ROUNDING
        else:
            assert bound < exact + ROUNDING and bound > exact - 5


def test_more_samples_raise_the_bound(rng):
    weights = torch.from_numpy(3 * rng.standard_normal((1, 1 << 14)))
    result = [float(importance.tighten(weights, s)[0]) for s in (1, 4, 16, 256, 1 << 14)]
    assert (np.diff(result) > 0).all()
    assert result[0] == pytest.approx(float(weights.mean()))
    assert result[-1] == pytest.approx(float(torch.logsumexp(weights, -1)[0] - np.log(1 << 14)))


@pytest.mark.parametrize(("lags", "dynamic"), CASES)
@pytest.mark.parametrize("horizon", [1, 3])
def test_prediction_with_one_state_is_exact(rng, lags, dynamic, horizon):
    T, D = 4, 2
    motion = random_motion(rng, 1, D, lags, dynamic=dynamic)
    view, problem = tiny(rng, T + horizon, D)
    y, observed, *rest = problem
    observed[T:-1] = False
    expected = oracle.log_likelihood(plain(motion), y, observed, *rest)
    expected -= oracle.log_likelihood(plain(motion), y[:T], observed[:T], *rest)
    result = forecast(motion, view, T, horizon, 3, rng)
    assert abs(result - expected) < ROUNDING


@pytest.mark.parametrize("lags", [1, 2])
def test_prediction_from_one_frame_is_exact_but_for_paths(rng, lags):
    D, K, horizon = 2, 2, 2
    motion = random_motion(rng, K, D, lags)
    view, problem = tiny(rng, 1 + horizon, D)
    y, observed, *rest = problem
    observed[1] = False
    view.observed[1] = False
    expected = oracle.log_likelihood(plain(motion), y, observed, *rest)
    expected -= oracle.log_likelihood(plain(motion), y[:1], observed[:1], *rest)
    result = forecast(motion, view, 1, horizon, 4000, rng)
    # 4000 of 8 paths: a few per cent of a nat.
    assert abs(result - expected) < 0.1


def forecast(motion, view, observed, horizon, rollouts, rng):
    """Log density of the last frame from the first few."""
    D = motion.size
    zeros = torch.zeros((observed, D), dtype=torch.float64)
    potential = observation_models.potential(view, zeros, torch.arange(observed))
    belief = filtering.filtered(motion, chain.Potential(*(part[None] for part in potential)))
    future = prediction.ahead(motion, belief, horizon, rollouts, rng)
    last = observation_models.Pixels(view.decoder, view.heights[-1:], view.observed[-1:])
    potential = prediction.linearized(last, zeros[:1])
    return float(prediction.predictive_density(last, potential, future, rng)[0])


def test_filtered_states_are_nearly_those_of_all_paths(rng):
    T, D, K = 5, 2, 2
    motion = random_motion(rng, K, D, 2)
    view, problem = tiny(rng, T, D, noise_mm=3.0)
    potential = observation_models.potential(
        view, torch.zeros((T, D), dtype=torch.float64), torch.arange(T)
    )
    belief = filtering.filtered(motion, chain.Potential(*(part[None] for part in potential)))
    paths = oracle.path_likelihoods(plain(motion), *problem)
    last = np.array([np.logaddexp.reduce([v for p, v in paths.items() if p[-1] == k]) for k in range(K)])
    expected = np.exp(last - np.logaddexp.reduce(last))
    # One Gaussian stands for many: not exact.
    assert_allclose(belief.states[0].numpy(), expected, atol=0.05)


def test_every_sequence_is_as_if_it_were_alone(rng):
    N, T, D, K = 3, 7, 2, 3
    motion = random_motion(rng, K, D, 3)
    factor = tensor(rng.standard_normal((N, T, D, D)))
    potential = chain.Potential(factor @ factor.mT, tensor(rng.standard_normal((N, T, D))))
    even = motion.first.expand(N, T, -1)
    whole = chain.optimum(motion, potential, even, max_iterations=6, tolerance=-1)
    belief = filtering.filtered(motion, potential)
    for n in range(N):
        single = chain.Potential(*(part[n : n + 1] for part in potential))
        alone = chain.optimum(motion, single, even[:1], max_iterations=6, tolerance=-1)
        for left, right in zip(alone, whole, strict=True):
            assert_allclose(left[0], right[n], rtol=1e-8, atol=1e-10)
        for left, right in zip(filtering.filtered(motion, single), belief, strict=True):
            assert_allclose(left[0], right[n], rtol=1e-8, atol=1e-10)


def test_clips_are_spread_and_those_without_a_frame_are_left_out():
    observed = torch.ones(1000, dtype=torch.bool)
    ticks = importance.clips_of(observed, 4, 64)
    assert ticks.shape == (4, 64) and ticks.min() > 0 and ticks.max() < 1000
    assert (ticks[:, 0].diff() == 250).all()
    observed[ticks[1]] = False
    assert torch.equal(importance.clips_of(observed, 4, 64), ticks[[0, 2, 3]])
    assert importance.clips_of(observed[:10], 4, 64).shape == (1, 10)
    assert len(importance.clips_of(observed[:0], 4, 64)) == 0
    assert importance.clips_of(observed[:130], 4, 64).shape == (2, 64)


@pytest.mark.parametrize("kind", ["slds", "lds", "arhmm", "hmm", "gmm", "conv"])
def test_all_scores_of_a_recording_with_every_kind_of_model(study, kind):  # noqa: F811
    paths, reduction, latents, fitted = study
    prior = {"states": 1 if kind == "lds" else 4}
    if kind == "conv":
        chosen = test_joint.settings()
    else:
        quick = {"restarts": 1, "restart_iterations": 2, "iterations": 2, "latent_iterations": 2}
        chosen = ModelSettings(prior=kind, prior_settings=prior, training=quick)
        fitted = em.fit(latents, chosen, target_duration_s=0.3, fps=FPS, seed=1)
    model = Model.of(chosen, fitted, reduction, fps=FPS)
    with Crops(paths["m0"]) as crops:
        result = table(model, crops, QUICK, np.random.default_rng(1))
        again = table(model, crops, QUICK, np.random.default_rng(1))
    assert result.equals(again)
    assert list(result.measure) == [
        "bound",
        "iwae",
        "iwae",
        "pixels",
        "pixels",
        "components",
        "components",
    ]
    assert list(result.horizon) == [0, 0, 0, 1, 3, 1, 3]
    assert np.isfinite(result.nats_per_frame).all()
    assert np.isfinite(result.nats_per_pixel[result.measure != "components"]).all()
    # Pixels of 1 mm: a bound lower than three times their noise has lost the mouse.
    assert result.nats_per_pixel.min() > -6


@pytest.mark.parametrize("frames", [1, 2, 10])
def test_short_recordings_have_the_scores_they_can_have(study, tmp_path, frames):  # noqa: F811
    _, reduction, _, fitted = study
    rng = np.random.default_rng(3)
    write_short(tmp_path / "short.h5", frames, rng)
    model = Model.of(test_joint.settings(), fitted, reduction, fps=FPS)
    with Crops(tmp_path / "short.h5") as crops:
        result = table(model, crops, QUICK, rng)
    assert list(result.measure) == ["bound", "iwae", "iwae"]
    assert np.isfinite(result.nats_per_frame).all()


def test_nothing_seen_has_no_score(study, tmp_path):  # noqa: F811
    _, reduction, _, fitted = study
    rng = np.random.default_rng(3)
    write_short(tmp_path / "dark.h5", 30, rng, has_frames=False)
    model = Model.of(test_joint.settings(), fitted, reduction, fps=FPS)
    with Crops(tmp_path / "dark.h5") as crops:
        result = table(model, crops, QUICK, rng)
    assert result.nats_per_frame.isna().all() and (result.frames == 0).all()


def write_short(path, frames, rng, *, has_frames=True):
    from reduction.test_pca import write

    heights = rng.integers(10, 40, (frames, *SIZE))
    observed = np.full(heights.shape, has_frames)
    write(path, heights, observed, frame=np.where(has_frames, np.arange(frames), -1), pixel_mm=5.0)


def test_a_model_of_points_is_scored_as_if_its_latents_were_seen_with_noise(study):  # noqa: F811
    """The same dynamics as an AR-HMM and as an SLDS have the same scores."""
    paths, reduction, latents, _ = study
    quick = {"restarts": 1, "restart_iterations": 4, "iterations": 4}
    chosen = ModelSettings(prior_settings={"states": 4, "lags": 1}, training=quick)
    fitted = em.fit(latents, chosen, target_duration_s=0.3, fps=FPS, seed=1)
    assert isinstance(fitted.parameters, arhmm.Parameters)
    points = Model.of(chosen, fitted, reduction, fps=FPS)
    noisy = dataclasses.replace(
        points,
        settings=ModelSettings(prior="slds", prior_settings={"states": 4}),
        parameters=slds.from_autoregression(fitted.parameters),
    )
    with Crops(paths["m1"]) as crops:
        left, right = (table(m, crops, QUICK, np.random.default_rng(1)) for m in (points, noisy))
    assert_allclose(left.nats_per_frame, right.nats_per_frame, rtol=1e-9)


def test_components_of_a_linear_decoder_are_the_latents(study):  # noqa: F811
    paths, reduction, latents, fitted = study
    model = Model.of(ModelSettings(prior="slds"), fitted, reduction, fps=FPS)
    with Crops(paths["m0"]) as crops:
        densities = open_recording(model, crops)
        ticks = torch.arange(5, 9)
        view = densities.components(ticks)
    x = tensor(np.random.default_rng(2).standard_normal((4, 3)))
    assert_allclose(view.expected(x).numpy(), x.numpy(), atol=1e-4)
    density = observation_models.log_density(view, x, torch.arange(4)).numpy()
    sd = latents["m0"].information[5:9] ** -0.5
    expected = norm.logpdf(latents["m0"].values[5:9], x.numpy(), sd).sum(1)
    assert_allclose(density, expected, rtol=1e-4)


def test_a_potential_is_the_likelihood_of_a_linear_decoder(rng):
    view, _ = tiny(rng, 4, 2)
    rows = torch.arange(4)
    potential = observation_models.potential(view, tensor(rng.standard_normal((4, 3))), rows)
    each, other = (tensor(rng.standard_normal((4, 3))) for _ in range(2))

    def value(x):
        return ((potential.precision_mean - 0.5 * (potential.precision @ x[..., None])[..., 0]) * x).sum(
            -1
        )

    expected = observation_models.log_density(view, each, rows) - observation_models.log_density(
        view, other, rows
    )
    assert_allclose(value(each) - value(other), expected, atol=1e-3)
    # The third latent is no pose: no pixel says anything of it.
    assert not potential.precision[:, 2].any() and not potential.precision_mean[:, 2].any()


@pytest.mark.parametrize("outliers", [0.0, 0.01])
def test_pixels_have_the_likelihood_of_training(rng, outliers):
    view, (_, observed, *_) = tiny(rng, 4, 2, outliers=outliers)
    x = tensor(rng.standard_normal((4, 2)))
    decoder = view.decoder
    expected = log_likelihood(
        view.heights, view.observed, decoder(x), decoder.log_variance(), decoder.used, outliers
    )
    assert torch.equal(observation_models.log_density(view, x, torch.arange(4)), expected)
    assert view.counts().tolist() == observed.sum(1).tolist()


def test_a_bound_is_that_of_the_prior_itself(study):  # noqa: F811
    """At their means, parameters that are nearly certain give what the prior's own inference gives."""
    paths, reduction, latents, fitted = study
    model = Model.of(ModelSettings(prior="slds"), fitted, reduction, fps=FPS)
    with Crops(paths["m0"]) as crops:
        score = bound_of(model, crops, rng=np.random.default_rng(1))
        evidence = latent_evidence.linear(latents["m0"], 1e4)
    local = slds.infer(fitted.parameters, evidence, max_iterations=50)
    densities = open_recording_potential(evidence)
    result = chain.optimum(
        generative.generative_process(fitted.parameters),
        densities,
        local.states[None].double(),
        max_iterations=50,
        tolerance=1e-9,
    )
    assert score.frames == int(latents["m0"].observed.sum())
    agree = (result.states[0].argmax(-1) == local.states.argmax(-1)).double().mean()
    assert agree > 0.8
    assert_allclose(result.means[0], local.means, atol=0.1)


def open_recording_potential(evidence):
    return chain.Potential(
        torch.diag_embed(evidence.precision)[None], (evidence.precision * evidence.mean)[None]
    )


def test_shares_of_states_at_any_time_are_left_by_a_step(rng):
    rows = tensor(rng.dirichlet(np.ones(5), 5))
    first = generative.stationary(rows)
    assert_allclose(first @ rows, first, atol=1e-12)
    assert float(first.sum()) == pytest.approx(1)


def test_scores_are_read_from_the_front_page(study):  # noqa: F811
    paths, reduction, _, fitted = study
    model = Model.of(ModelSettings(prior="slds"), fitted, reduction, fps=FPS)
    with Crops(paths["m1"]) as crops:
        opened = open_recording(model, crops)
        rng = np.random.default_rng(1)
        bounds = iwae(model, opened, rng=rng, clips=2, frames=16, samples=(1, 4))
        assert [score.samples for score in bounds] == [1, 4]
        scores = predictive(model, opened, rng=rng, horizons=(2,), rollouts=5, targets=3, history=8)
    assert {name: [s.horizon for s in part] for name, part in scores.items()} == {
        "pixels": [2],
        "components": [2],
    }
