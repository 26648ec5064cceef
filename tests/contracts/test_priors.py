"""The contract of every prior: the interface in ``priors/interface.py``, and its laws."""

import inspect

import numpy as np
import pytest
import torch

from oracles import arhmm as oracle
from syllabary import registry
from syllabary.priors import interface
from syllabary.priors.lookup import as_network_prior, find_prior
from syllabary.priors.types import Cotangent, GaussianEvidence, PointEvidence, add, scaled, total

PRIORS = registry.names("syllabary.priors")


def members(protocol):
    """Names that a protocol and those that it extends define."""
    bases = [kind for kind in protocol.__mro__ if kind.__module__ == interface.__name__]
    return {name for kind in bases for name in vars(kind) if not name.startswith("_")}


@pytest.fixture(params=PRIORS)
def prior(request):
    return find_prior(request.param)


def states_of(prior):
    return 1 if prior.Settings().states == 1 else 5


@pytest.fixture
def trained(prior, rng):
    dynamics = oracle.draw_dynamics(rng, 3, 3)
    latents = [torch.from_numpy(oracle.draw(rng, dynamics, n)[0]) for n in (200, 150)]
    latents[1][40:42] = torch.nan
    settings = prior.Settings(states=states_of(prior))
    evidence = [evidence_of(prior, x, rng) for x in latents]
    return settings, evidence, prior.initial(settings, latents, None, rng)


def evidence_of(prior, latents, rng):
    """Evidence of latents, of which NaN is missing."""
    observed = torch.isfinite(latents)
    if prior.TAKES_POINTS:
        return PointEvidence(latents, observed.all(-1))
    precision = torch.from_numpy(rng.uniform(20, 200, latents.shape))
    return GaussianEvidence(latents, torch.where(observed, precision, 0.0))


@pytest.mark.parametrize("protocol", ["Prior", "Sticky", "Merging", "NetworkPrior"])
def test_functions_take_the_arguments_of_the_interface(prior, protocol):
    kind = getattr(interface, protocol)
    if not isinstance(prior, kind):
        assert protocol != "Prior"
        pytest.skip("the prior does not offer this")
    for name in sorted(members(kind)):
        wanted = getattr(kind, name)
        if isinstance(wanted, property):
            continue
        arguments = inspect.signature(getattr(prior, name)).parameters
        for argument, parameter in list(inspect.signature(wanted).parameters.items())[1:]:
            if parameter.kind is inspect.Parameter.POSITIONAL_ONLY:
                continue
            assert argument in arguments, f"{name} takes no {argument}"
            assert arguments[argument].kind is parameter.kind, f"{argument} of {name}"
            has_default = parameter.default is not inspect.Parameter.empty
            assert (arguments[argument].default is not inspect.Parameter.empty) == has_default


def test_every_member_of_the_interface_runs(prior, trained, rng):
    settings, evidence, parameters = trained
    local = prior.infer(parameters, evidence[0])
    latents = [each.values for each in evidence]
    results = {
        "TAKES_POINTS": prior.TAKES_POINTS in (True, False),
        "Settings": isinstance(settings, prior.Settings),
        "Parameters": isinstance(parameters, prior.Parameters),
        "initial": isinstance(prior.initial(settings, latents, None, rng), prior.Parameters),
        "infer": bool(torch.isfinite(local.bound)),
        "tangent": prior.tangent(
            parameters, local, Cotangent(torch.zeros_like(local.means), None, local.states)
        ).residual.shape == (),
        "filter": prior.filter(parameters, evidence[0]).usable.shape == (200,),
        "sample": prior.sample(parameters, rng, T=3).states.shape == (3,),
        "divergence": prior.divergence(parameters, settings).shape == (),
        "update": isinstance(prior.update(parameters, local.statistics, settings), prior.Parameters),
        "update_hyperparameters": isinstance(
            prior.update_hyperparameters(parameters), prior.Parameters
        ),
        "reorder": isinstance(
            prior.reorder(parameters, torch.arange(states_of(prior))), prior.Parameters
        ),
        "dimensions": prior.dimensions(parameters) == 3,
    }  # fmt: skip
    assert results.keys() == members(interface.Prior)
    assert [name for name, holds in results.items() if not holds] == []


def test_every_optional_member_runs(prior, trained, rng):
    settings, evidence, parameters = trained
    local = prior.infer(parameters, evidence[0])
    if isinstance(prior, interface.Sticky):
        results = {
            "with_kappa": prior.with_kappa(parameters, 7.0),
            "kappa_of": prior.kappa_of(prior.with_kappa(parameters, 7.0)) == 7.0,
        }
        assert results.keys() == members(interface.Sticky) and all(results.values())
    if isinstance(prior, interface.Merging):
        merged = prior.merge(parameters, local.statistics, settings)
        assert merged is None or isinstance(merged, prior.Parameters)
        assert members(interface.Merging) == {"merge"}


def test_a_prior_of_networks_is_inferred_on_windows(prior, trained, rng):
    network_prior = as_network_prior(prior)
    if network_prior is None:
        pytest.skip("no networks are trained with this prior")
    settings, evidence, parameters = trained
    latents = [each.values for each in evidence]
    arhmm = find_prior("arhmm")
    states = len(parameters.dynamics.observations)
    points = arhmm.Settings(states=states, lags=1)
    whole = prior.infer(parameters, evidence[0], max_iterations=300, tolerance=0.0)
    messages = prior.boundary_messages(whole, torch.tensor([20]), torch.tensor([60]))
    window = GaussianEvidence(*(part[None, 20:60] for part in evidence[0][:2]))
    local = prior.infer(
        parameters, window, start=whole.states[None, 20:60], boundary=messages, max_iterations=1
    )
    torch.testing.assert_close(local.means[0], whole.means[20:60], rtol=1e-5, atol=1e-6)
    updated = prior.update_from_windows(parameters, local.statistics, settings, rate=0.1)
    unit = torch.ones(3, dtype=torch.float64)
    results = {
        "infer": True,
        "boundary_messages": messages.initial.shape == (1, states),
        "from_autoregression": prior.from_autoregression(arhmm.initial(points, latents, None, rng)),
        "blank": prior.blank(settings, latents, None, rng),
        "update_from_windows": torch.equal(*(p.initial.concentration for p in (updated, parameters))),
        "rescale_latents": prior.rescale_latents(parameters, unit, 2 * unit),
    }
    assert results.keys() | members(interface.Prior) == members(interface.NetworkPrior)
    assert all(results.values())


def test_no_iteration_lowers_the_bound(prior, trained):
    settings, evidence, parameters = trained
    starts = [None] * len(evidence)
    bounds = []
    for _ in range(12):
        posteriors = [
            prior.infer(parameters, each, start=start, max_iterations=2)
            for each, start in zip(evidence, starts, strict=True)
        ]
        starts = [local.states for local in posteriors]
        bound = sum(float(local.bound) for local in posteriors)
        bounds.append(bound - float(prior.divergence(parameters, settings)))
        parameters = prior.update(
            parameters, total([local.statistics for local in posteriors]), settings
        )
        parameters = prior.update_hyperparameters(parameters)
    assert bounds[-1] > bounds[0] and (np.diff(bounds) >= -1e-9 * abs(bounds[-1])).all()


def test_divergence_is_positive_and_probabilities_sum_to_one(prior, trained):
    settings, evidence, parameters = trained
    assert float(prior.divergence(parameters, settings)) >= 0
    for each in evidence:
        local = prior.infer(parameters, each, paths=True)
        torch.testing.assert_close(local.states.sum(-1), torch.ones(len(local.states)).double())
        assert local.path.shape == local.states.shape[:-1]


def test_two_half_steps_are_three_quarters_of_a_step(prior, trained):
    settings, evidence, parameters = trained
    statistics = total([prior.infer(parameters, each).statistics for each in evidence])
    full = prior.update(parameters, statistics, settings)
    half = prior.update(parameters, statistics, settings, rate=0.5)
    twice = prior.update(half, statistics, settings, rate=0.5)
    expected = 0.25 * parameters.dynamics.scatter + 0.75 * full.dynamics.scatter
    torch.testing.assert_close(twice.dynamics.scatter, expected)


def test_predictions_of_a_frame_do_not_see_it_or_what_follows(prior, trained):
    _, evidence, parameters = trained
    whole = prior.filter(parameters, evidence[0]).log_density
    part = prior.filter(
        parameters, type(evidence[0])(*(part[:100] for part in evidence[0][:2]))
    ).log_density
    torch.testing.assert_close(whole[:100], part, rtol=1e-9, atol=1e-9)


def test_samples_have_the_shape_asked_for(prior, trained, rng):
    _, evidence, parameters = trained
    local = prior.infer(parameters, evidence[0])
    for past in (None, local):
        drawn = prior.sample(parameters, rng, local=past, T=17)
        assert drawn.states.shape == (17,)
        assert drawn.latents.shape == (17, prior.dimensions(parameters))
        assert torch.isfinite(drawn.latents).all()


def test_renamed_states_rename_the_answer(prior, trained):
    _, evidence, parameters = trained
    order = torch.arange(states_of(prior)).flip(0)
    local = prior.infer(parameters, evidence[1], **closely(prior))
    renamed = prior.infer(prior.reorder(parameters, order), evidence[1], **closely(prior))
    torch.testing.assert_close(renamed.states, local.states[:, order], rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(renamed.bound, local.bound, rtol=1e-9, atol=1e-9)


def test_a_batch_is_its_loop_and_padding_is_invisible(prior, trained):
    _, evidence, parameters = trained
    lengths = torch.tensor([200, 150])
    padded = type(evidence[0])(
        *(
            torch.stack([first, torch.cat([second, torch.full_like(first[150:], bad)])])
            for first, second, bad in zip(
                *(each[:2] for each in evidence),
                (torch.nan, True if prior.TAKES_POINTS else torch.nan),
                strict=True,
            )
        )
    )
    batch = prior.infer(parameters, padded, lengths, paths=True)
    for i, each in enumerate(evidence):
        single = prior.infer(parameters, each, paths=True)
        stop = int(lengths[i])
        # The same sums, but products of matrices of other shapes.
        torch.testing.assert_close(batch.states[i, :stop], single.states, rtol=1e-8, atol=1e-8)
        torch.testing.assert_close(batch.bound[i], single.bound, rtol=1e-9, atol=1e-9)
        torch.testing.assert_close(
            prior.filter(parameters, padded, lengths).log_density[i, :stop],
            prior.filter(parameters, each).log_density,
            rtol=1e-9, atol=1e-9,
        )  # fmt: skip
        assert torch.equal(batch.path[i, :stop], single.path) and (batch.path[i, stop:] == -1).all()


def closely(prior):
    return {} if prior.TAKES_POINTS else {"max_iterations": 300, "tolerance": -np.inf}


def test_tangent_matches_finite_differences_of_the_optimum(prior, trained, rng):
    """Gradient of a random scalar of the marginals, by the evidence and by the log transitions."""
    settings, evidence, parameters = trained
    short = type(evidence[1])(*(part[30:50].clone() for part in evidence[1][:2]))
    local = prior.infer(parameters, short, **closely(prior))
    wanted = Cotangent(
        torch.from_numpy(rng.standard_normal(local.means.shape)),
        None if local.covariances is None else torch.from_numpy(rng.standard_normal((20, 3, 3))),
        torch.from_numpy(rng.standard_normal(local.states.shape)),
    )
    if wanted.covariances is not None:
        wanted = wanted._replace(covariances=wanted.covariances + wanted.covariances.mT)
    tangent = prior.tangent(parameters, local, wanted, tolerance=1e-12, iterations=100)
    assert not bool(tangent.indefinite)

    def scalar(part, values):
        moved = list(short)
        moved[part] = values
        kwargs = closely(prior)
        if kwargs:
            kwargs["start"] = local.states
        other = prior.infer(parameters, type(short)(*moved), **kwargs)
        means = torch.where(torch.isfinite(other.means), other.means, 0.0)
        value = (wanted.means * means).sum() + (wanted.states * other.states).sum()
        if other.covariances is not None:
            value = value + (wanted.covariances * other.covariances).sum()
        return float(value)

    for part, values in enumerate(short[:2]):
        if values.dtype == torch.bool:
            continue
        there = (short[1] > 0) if short[1].dtype != torch.bool else short[1][:, None]
        for _ in range(3):
            way = torch.where(there, torch.from_numpy(rng.standard_normal(values.shape)), 0.0)
            above, below = scalar(part, values + 1e-5 * way), scalar(part, values - 1e-5 * way)
            gradient = float((tangent.evidence[part] * way).nansum())
            size = float((tangent.evidence[part] * way).abs().nansum())
            # Rounding of a closely solved optimum over the step.
            assert abs((above - below) / 2e-5 - gradient) < 1e-5 * size
    # A step that the cotangent makes large must leave proper parameters.
    large = total([local.statistics, *(tangent.statistics for _ in range(1))])
    moved = prior.update(
        parameters, large, settings, rate=0.5, cotangent=scaled(tangent.statistics, 1e4)
    )
    assert torch.isfinite(prior.divergence(moved, settings))


@pytest.mark.parametrize("frames", [0, 1, 2])
def test_recordings_of_no_or_few_frames_give_finite_answers(prior, trained, frames):
    _, evidence, parameters = trained
    short = type(evidence[0])(*(part[:frames] for part in evidence[0][:2]))
    local = prior.infer(parameters, short, paths=True)
    assert torch.isfinite(local.bound) and local.states.shape == (frames, states_of(prior))
    assert prior.filter(parameters, short).log_density.shape == (frames,)


def test_recordings_without_any_evidence_give_finite_answers(prior, trained):
    _, evidence, parameters = trained
    blank = torch.full_like(evidence[0][0], torch.nan)
    none = evidence[0][1] > torch.inf if evidence[0][1].dtype != torch.bool else evidence[0][1] & False
    missing = type(evidence[0])(blank, none.to(evidence[0][1].dtype))
    local = prior.infer(parameters, missing, paths=True)
    assert torch.isfinite(local.bound) and torch.isfinite(local.states).all()
    assert float(local.bound) < 1e-6 and (local.path >= 0).all()


def test_adding_statistics_adds_every_field(prior, trained):
    _, evidence, parameters = trained
    statistics = prior.infer(parameters, evidence[0]).statistics
    twice = add(statistics, statistics)
    torch.testing.assert_close(twice.dynamics.scatter, 2 * statistics.dynamics.scatter)
