import itertools

import numpy as np
import pytest
import torch
from scipy.stats import invwishart

from oracles import arhmm as oracle
from syllabary.errors import BadInput, BadSetting
from syllabary.expfam import dirichlet, mniw
from syllabary.priors import arhmm
from syllabary.priors.blocks import autoregression, global_parameters, initialization
from syllabary.priors.types import total
from syllabary.settings import read

SETTINGS = arhmm.Settings(states=6, lags=2, kappa=50.0)


@pytest.fixture
def recordings(rng):
    dynamics = oracle.draw_dynamics(rng, 3, 4)
    drawn = [oracle.draw(rng, dynamics, n)[0] for n in (160, 220)]
    return [torch.from_numpy(x) for x in oracle.whiten(drawn)]


@pytest.fixture
def parameters(recordings):
    return arhmm.initial(SETTINGS, recordings, None, np.random.default_rng(0))


def evidence(values):
    return arhmm.PointEvidence(values, torch.isfinite(values).all(-1))


def iterate(parameters, recordings, settings):
    result = [arhmm.infer(parameters, evidence(x)) for x in recordings]
    bound = -sum(float(each.divergence) for each in result) - float(
        arhmm.divergence(parameters, settings)
    )
    return total([each.statistics for each in result]), bound


@pytest.mark.parametrize("kappa", [0.0, 50.0, 1e6])
def test_no_iteration_lowers_the_bound(recordings, kappa):
    settings = SETTINGS.model_copy(update={"kappa": kappa})
    recordings[0][30:34] = torch.nan
    parameters = arhmm.initial(settings, recordings, None, np.random.default_rng(0))
    bounds = []
    for _ in range(25):
        statistics, bound = iterate(parameters, recordings, settings)
        parameters = arhmm.update(parameters, statistics, settings)
        bounds.append(bound)
    assert bounds[-1] > bounds[0]
    assert (np.diff(bounds) >= -1e-9 * abs(bounds[-1])).all()


def test_a_bound_is_below_the_log_likelihood_of_its_own_mean_parameters(recordings, parameters):
    statistics, _ = iterate(parameters, recordings, SETTINGS)
    parameters = arhmm.update(parameters, statistics, SETTINGS)
    _, bound = iterate(parameters, recordings, SETTINGS)
    plugged = sum(float(arhmm.filter(parameters, evidence(x)).log_density.sum()) for x in recordings)
    assert bound < plugged


def test_predictions_match_the_forward_algorithm_in_plain_probabilities(recordings, parameters):
    latents = recordings[0][:60].clone()
    latents[20], latents[40:43] = torch.nan, torch.nan
    standard = mniw.to_standard(parameters.dynamics)
    noise = standard.scale / (standard.degrees - 4 - 1)[:, None, None]
    rows = parameters.transition.concentration - 50.0 * torch.eye(6)  # kappa is no count
    first = parameters.initial.concentration
    expected = oracle.predict(
        (first / first.sum()).numpy(),
        (rows / rows.sum(1, keepdim=True)).numpy(),
        standard.mean.numpy(),
        noise.numpy(),
        latents.numpy(),
        torch.isfinite(latents).all(-1).numpy(),
        SETTINGS.lags,
    )
    result = arhmm.filter(parameters, evidence(latents))
    np.testing.assert_allclose(result.log_density.numpy(), expected, rtol=1e-9, atol=1e-9)
    silent = {0, 1, 20, 21, 22, 40, 41, 42, 43, 44}
    assert set(np.flatnonzero(~result.usable.numpy())) == silent


def test_scores_are_means_over_the_law_of_the_parameters(recordings, parameters, rng):
    latents = recordings[0][:5]
    standard = mniw.to_standard(parameters.dynamics)
    k, t, draws = 1, 4, 20000
    scale, degrees = standard.scale[k].numpy(), float(standard.degrees[k])
    noise = invwishart.rvs(degrees, scale, size=draws, random_state=rng)
    past = np.append(latents[[3, 2]].numpy().ravel(), 1.0)
    # W s given Q has covariance Q (s' V s).
    spread = np.sqrt(past @ standard.column_covariance[k].numpy() @ past)
    factor = np.linalg.cholesky(noise)
    predicted = standard.mean[k].numpy() @ past + spread * np.einsum(
        "nij,nj->ni", factor, rng.standard_normal((draws, 4))
    )
    error = np.linalg.solve(factor, (latents[t].numpy() - predicted)[..., None])[..., 0]
    log_det = 2 * np.log(np.einsum("nii->ni", factor)).sum(1)
    values = -0.5 * ((error**2).sum(1) + log_det + 4 * np.log(2 * np.pi))
    result = autoregression.scores(parameters.dynamics, evidence(latents), SETTINGS.lags)
    assert abs(float(result[t, k]) - values.mean()) < 5 * values.std() / np.sqrt(draws)


def test_what_is_not_observed_does_not_matter(recordings, parameters):
    latents = recordings[0].clone()
    observed = torch.ones(len(latents), dtype=torch.bool)
    observed[50:55] = False
    result = []
    for value in (0.0, 1e9, torch.nan):
        latents[50:55] = value
        result.append(arhmm.infer(parameters, arhmm.PointEvidence(latents, observed)))
    for other in result[1:]:
        assert torch.equal(result[0].states, other.states)
        for a, b in zip(result[0].statistics.dynamics, other.statistics.dynamics, strict=True):
            assert torch.equal(a, b)
    usable = len(latents) - SETTINGS.lags - 5 - SETTINGS.lags
    assert float(result[0].statistics.dynamics.observations.sum()) == pytest.approx(usable, rel=1e-9)


def test_a_batch_equals_its_loop_and_padding_is_invisible(recordings, parameters):
    lengths = torch.tensor([160, 200])
    batch = torch.full((2, 220, 4), torch.nan, dtype=torch.float64)
    batch[0, :160], batch[1, :200] = recordings[0], recordings[1][:200]
    padded = evidence(batch)
    padded.observed[0, 160:] = True
    together = arhmm.infer(parameters, padded, lengths, paths=True)
    single = [arhmm.infer(parameters, evidence(batch[i, :n]), paths=True) for i, n in enumerate(lengths)]
    for i, n in enumerate(lengths):
        torch.testing.assert_close(together.states[i, :n], single[i].states, rtol=1e-10, atol=1e-12)
        assert torch.equal(together.path[i, :n], single[i].path)
    summed = total([each.statistics for each in single])
    torch.testing.assert_close(
        together.statistics.dynamics.scatter, summed.dynamics.scatter, rtol=1e-9, atol=1e-9
    )
    started = arhmm.initial(SETTINGS, batch, lengths, np.random.default_rng(3))
    looped = arhmm.initial(
        SETTINGS, [batch[i, :n] for i, n in enumerate(lengths)], None, np.random.default_rng(3)
    )
    assert torch.equal(started.dynamics.scatter, looped.dynamics.scatter)


def test_renumbered_states_renumber_the_answers(recordings, parameters):
    order = torch.tensor([3, 1, 0, 5, 4, 2])
    renamed = arhmm.reorder(parameters, order)
    before = arhmm.infer(parameters, evidence(recordings[0]), paths=True)
    after = arhmm.infer(renamed, evidence(recordings[0]), paths=True)
    torch.testing.assert_close(after.states, before.states[:, order], rtol=1e-9, atol=1e-12)
    assert torch.equal(order[after.path], before.path)
    assert float(arhmm.divergence(renamed, SETTINGS)) == pytest.approx(
        float(arhmm.divergence(parameters, SETTINGS)), rel=1e-12
    )


def test_a_full_step_is_the_conjugate_posterior_and_a_part_is_on_the_way(recordings, parameters):
    statistics, _ = iterate(parameters, recordings, SETTINGS)
    full = arhmm.update(parameters, statistics, SETTINGS)
    rows = SETTINGS.alpha * parameters.weights + 50.0 * torch.eye(6)
    torch.testing.assert_close(full.transition.concentration, rows + statistics.transition.concentration)
    for name in mniw.Natural._fields:
        hyperprior, data = getattr(parameters.hyperprior, name), getattr(statistics.dynamics, name)
        torch.testing.assert_close(getattr(full.dynamics, name), hyperprior + data)
    part = arhmm.update(parameters, statistics, SETTINGS, rate=0.25)
    torch.testing.assert_close(
        part.dynamics.scatter, 0.75 * parameters.dynamics.scatter + 0.25 * full.dynamics.scatter
    )
    still = arhmm.update(parameters, statistics, SETTINGS, rate=0.0)
    assert torch.equal(still.transition.concentration, parameters.transition.concentration)


def test_divergence_is_zero_at_the_prior_and_positive_elsewhere(parameters):
    even = torch.full_like(parameters.weights, 1 / 6)
    prior = global_parameters.unseen(SETTINGS, even, parameters.kappa, parameters.hyperprior)
    assert abs(float(arhmm.divergence(prior, SETTINGS))) < 1e-9
    assert float(arhmm.divergence(parameters, SETTINGS)) > 1


def test_other_stickiness_changes_the_diagonal_alone_and_back(parameters):
    stiff = arhmm.with_kappa(parameters, 1e4)
    change = stiff.transition.concentration - parameters.transition.concentration
    torch.testing.assert_close(change, (1e4 - 50) * torch.eye(6, dtype=torch.float64))
    torch.testing.assert_close(
        arhmm.with_kappa(stiff, 50.0).transition, parameters.transition, rtol=1e-9, atol=1e-9
    )


def test_a_state_split_at_random_is_joined_and_different_ones_are_not(rng):
    settings = arhmm.Settings(states=8, lags=1, kappa=50.0)
    dynamics = oracle.draw_dynamics(rng, 3, 4)
    latents, states = oracle.draw(rng, dynamics, 3000)
    each = evidence(torch.from_numpy(latents))
    usable = autoregression.usable(each.observed, 1)
    halves = torch.from_numpy(np.where(states == 2, 3 + (np.arange(3000) // 40) % 2, states))
    statistics = initialization.labeled(each, usable, halves, settings.states, settings.lags)
    start = arhmm.initial(settings, [each.latents], None, np.random.default_rng(0))
    joined = arhmm.merge(start, statistics, settings)
    counts = joined.dynamics.observations - start.hyperprior.observations
    expected = torch.bincount(torch.from_numpy(states)[1:], minlength=8).double()
    torch.testing.assert_close(counts.sort().values, expected.sort().values)
    whole = initialization.labeled(
        each, usable, torch.from_numpy(states), settings.states, settings.lags
    )
    assert arhmm.merge(start, whole, settings) is None


def test_states_of_too_few_frames_are_dropped(rng):
    settings = arhmm.Settings(states=8, lags=1, kappa=50.0)
    latents, states = oracle.draw(rng, oracle.draw_dynamics(rng, 3, 4), 3000)
    each = evidence(torch.from_numpy(latents))
    usable = autoregression.usable(each.observed, 1)
    odd = states.copy()
    odd[[100, 700, 1500, 2200]] = 5
    statistics = initialization.labeled(
        each, usable, torch.from_numpy(odd), settings.states, settings.lags
    )
    start = arhmm.initial(settings, [each.latents], None, np.random.default_rng(0))
    after = arhmm.merge(start, statistics, settings)
    counts = after.dynamics.observations - start.hyperprior.observations
    assert float(counts[5]) == 0 and float(counts.sum()) == pytest.approx(2999 - 4)
    result = arhmm.infer(after, each)
    assert float(result.states[:, 5].sum()) < 0.5


def test_samples_follow_the_parameters(rng, recordings, parameters):
    settings = arhmm.Settings(states=1, lags=1, kappa=1.0)
    each = arhmm.initial(settings, recordings, None, rng)
    drawn = arhmm.sample(each, np.random.default_rng(5), T=6000)
    again = arhmm.sample(each, np.random.default_rng(5), T=6000)
    assert torch.equal(drawn.latents, again.latents)
    x = drawn.latents.numpy()
    past = np.column_stack([x[:-1], np.ones(len(x) - 1)])
    fitted = np.linalg.lstsq(past, x[1:], rcond=None)[0].T
    standard = mniw.to_standard(each.dynamics)
    # Least squares of 6000 frames: standard errors are near 0.01.
    np.testing.assert_allclose(fitted, standard.mean[0].numpy(), atol=0.06)
    noise = np.cov((x[1:] - past @ fitted.T).T)
    np.testing.assert_allclose(noise, (standard.scale / (standard.degrees - 5))[0], atol=0.03)
    local = arhmm.infer(parameters, evidence(recordings[0]))
    after = arhmm.sample(parameters, rng, local=local, T=3)
    assert after.latents.shape == (3, 4)
    assert (after.latents[0] - recordings[0][-1]).abs().max() < 2


def test_bouts_of_samples_last_as_long_as_those_of_the_data_however_sticky(rng):
    dynamics = oracle.draw_dynamics(rng, 3, 4)
    latents, states = oracle.draw(rng, dynamics, 3000)
    settings = arhmm.Settings(states=3, lags=1, kappa=1e6)
    each = evidence(torch.from_numpy(latents))
    usable = autoregression.usable(each.observed, 1)
    start = arhmm.initial(settings, [each.latents], None, rng)
    statistics = initialization.labeled(
        each, usable, torch.from_numpy(states), settings.states, settings.lags
    )
    drawn = arhmm.sample(arhmm.update(start, statistics, settings), rng, T=3000).states
    changes = int((drawn[1:] != drawn[:-1]).sum())
    assert changes == pytest.approx((states[1:] != states[:-1]).sum(), rel=0.2)


@pytest.mark.parametrize("frames", [0, 1, 2, 5])
def test_short_recordings_have_answers(parameters, recordings, frames):
    result = arhmm.infer(parameters, evidence(recordings[0][:frames]), paths=True)
    assert result.states.shape == (frames, 6) and result.path.shape == (frames,)
    assert torch.isfinite(result.states).all()
    assert (arhmm.filter(parameters, evidence(recordings[0][:frames])).log_density[:2] == 0).all()


def test_more_states_than_frames_and_latents_that_never_move():
    settings = arhmm.Settings(states=40, lags=1, kappa=1.0)
    for latents in (torch.randn(10, 3, dtype=torch.float64), torch.zeros(30, 3, dtype=torch.float64)):
        parameters = arhmm.initial(settings, [latents], None, np.random.default_rng(0))
        statistics, bound = iterate(parameters, [latents], settings)
        after = arhmm.update(parameters, statistics, settings)
        assert np.isfinite(bound) and torch.isfinite(after.dynamics.scatter).all()


def test_nothing_observed_says_so():
    with pytest.raises(BadInput, match="nothing to learn dynamics from"):
        arhmm.initial(SETTINGS, [torch.full((50, 3), torch.nan)], None, np.random.default_rng(0))


def test_settings_that_cannot_be_say_so():
    with pytest.raises(BadSetting, match="below the number of states"):
        read(arhmm.Settings, {"states": 60, "gamma": 10}, "models.x.prior_settings")


def test_further_evidence_of_the_states_counts_in_frames_that_are_no_evidence_too(parameters, rng):
    """A short chain, path by path, from expected log probabilities."""
    K, T = 3, 6
    kept = arhmm.reorder(parameters, torch.arange(K))
    x = torch.from_numpy(rng.standard_normal((T, 4)))
    x[2] = torch.nan
    further = torch.from_numpy(rng.standard_normal((T, K)))
    plain = arhmm.infer(kept, evidence(x))
    result = arhmm.infer(kept, evidence(x)._replace(states=further))
    first = dirichlet.expected_stats(kept.initial).log_probability.numpy()
    rows = dirichlet.expected_stats(kept.transition).log_probability.numpy()
    # Two lags, the third frame missing: only the sixth has all its regressors.
    scores = np.zeros((T, K))
    each = autoregression.scores(kept.dynamics, evidence(x), 2).numpy()
    scores[5] = each[5]
    for local, nodes in ((plain, scores), (result, scores + further.numpy())):
        states, normalizer = np.zeros((T, K)), []
        for path in itertools.product(range(K), repeat=T):
            steps = sum(rows[a, b] for a, b in itertools.pairwise(path))
            weight = first[path[0]] + steps + nodes[range(T), path].sum()
            normalizer.append(weight)
            states[range(T), path] += np.exp(weight)
        np.testing.assert_allclose(local.states, states / states.sum(1, keepdims=True), rtol=1e-6)
        assert float(local.bound) == pytest.approx(np.logaddexp.reduce(normalizer))


def test_counts_of_steps_are_those_of_the_posterior(recordings, parameters):
    result = arhmm.infer(parameters, evidence(recordings[0]))
    steps = result.statistics.transition.concentration
    torch.testing.assert_close(steps.sum(1), result.states[:-1].sum(0), rtol=1e-8, atol=1e-8)
    torch.testing.assert_close(steps.sum(0), result.states[1:].sum(0), rtol=1e-8, atol=1e-8)
    assert isinstance(result.statistics.initial, dirichlet.Natural)
