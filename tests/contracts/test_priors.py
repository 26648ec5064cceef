"""What every file in ``priors/`` must keep to."""

import numpy as np
import pytest
import torch

from oracles import arhmm as oracle
from syllabary import registry
from syllabary.priors.types import Cotangent, GaussianEvidence, PointEvidence, add, total

PRIORS = registry.names("syllabary.priors")
OFFERED = (
    "Parameters", "Settings", "TAKES_POINTS", "dimensions", "divergence", "filter", "infer", "initial",
    "reorder", "sample", "tangent", "update", "update_hyperparameters",
)  # fmt: skip


@pytest.fixture(params=PRIORS)
def prior(request):
    return registry.find("syllabary.priors", request.param)


def states_of(prior):
    return 1 if prior.Settings().states == 1 else 5


@pytest.fixture
def trained(prior, rng):
    dynamics = oracle.draw_dynamics(rng, 3, 3)
    latents = [torch.from_numpy(oracle.draw(rng, dynamics, n)[0]) for n in (200, 150)]
    latents[1][40:42] = torch.nan
    settings = prior.Settings(states=states_of(prior))
    evidence = [seen(prior, x, rng) for x in latents]
    return settings, evidence, prior.initial(settings, latents, None, rng)


def seen(prior, latents, rng):
    """What the prior is shown of latents; NaN is missing."""
    observed = torch.isfinite(latents)
    if prior.TAKES_POINTS:
        return PointEvidence(latents, observed.all(-1))
    precision = torch.from_numpy(rng.uniform(20, 200, latents.shape))
    return GaussianEvidence(latents, torch.where(observed, precision, 0.0))


def test_offers_the_interface(prior):
    assert [name for name in OFFERED if not hasattr(prior, name)] == []


def test_no_sweep_lowers_the_bound(prior, trained):
    settings, evidence, parameters = trained
    starts = [None] * len(evidence)
    bounds = []
    for _ in range(12):
        found = (
            [
                prior.infer(parameters, one, start=start, max_iterations=2)
                for one, start in zip(evidence, starts, strict=True)
            ]
            if not prior.TAKES_POINTS
            else [prior.infer(parameters, e) for e in evidence]
        )
        starts = [one.states for one in found]
        bound = sum(float(one.bound) for one in found)
        bounds.append(bound - float(prior.divergence(parameters, settings)))
        parameters = prior.update(parameters, total([one.statistics for one in found]), settings)
        parameters = prior.update_hyperparameters(parameters)
    assert bounds[-1] > bounds[0] and (np.diff(bounds) >= -1e-9 * abs(bounds[-1])).all()


def test_divergence_is_positive_and_probabilities_sum_to_one(prior, trained):
    settings, evidence, parameters = trained
    assert float(prior.divergence(parameters, settings)) >= 0
    for one in evidence:
        local = prior.infer(parameters, one, paths=True)
        torch.testing.assert_close(local.states.sum(-1), torch.ones(len(local.states)).double())
        assert local.path.shape == local.states.shape[:-1]


def test_two_half_steps_are_three_quarters_of_a_step(prior, trained):
    settings, evidence, parameters = trained
    statistics = total([prior.infer(parameters, one).statistics for one in evidence])
    full = prior.update(parameters, statistics, settings)
    half = prior.update(parameters, statistics, settings, rate=0.5)
    twice = prior.update(half, statistics, settings, rate=0.5)
    expected = 0.25 * parameters.dynamics.scatter + 0.75 * full.dynamics.scatter
    torch.testing.assert_close(twice.dynamics.scatter, expected)


def test_predictions_of_a_frame_do_not_see_it_or_what_follows(prior, trained):
    _, evidence, parameters = trained
    whole = prior.filter(parameters, evidence[0]).log_density
    part = prior.filter(
        parameters, type(evidence[0])(*(one[:100] for one in evidence[0][:2]))
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
    found = prior.infer(parameters, evidence[1], **settled(prior))
    renamed = prior.infer(prior.reorder(parameters, order), evidence[1], **settled(prior))
    torch.testing.assert_close(renamed.states, found.states[:, order], rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(renamed.bound, found.bound, rtol=1e-9, atol=1e-9)


def test_a_batch_is_its_loop_and_padding_is_invisible(prior, trained):
    _, evidence, parameters = trained
    lengths = torch.tensor([200, 150])
    padded = type(evidence[0])(
        *(
            torch.stack([first, torch.cat([second, torch.full_like(first[150:], bad)])])
            for first, second, bad in zip(
                *(one[:2] for one in evidence),
                (torch.nan, True if prior.TAKES_POINTS else torch.nan),
                strict=True,
            )
        )
    )
    batch = prior.infer(parameters, padded, lengths, paths=True)
    for i, one in enumerate(evidence):
        single = prior.infer(parameters, one, paths=True)
        stop = int(lengths[i])
        # The same sums, but products of matrices of other shapes.
        torch.testing.assert_close(batch.states[i, :stop], single.states, rtol=1e-8, atol=1e-8)
        torch.testing.assert_close(batch.bound[i], single.bound, rtol=1e-9, atol=1e-9)
        torch.testing.assert_close(
            prior.filter(parameters, padded, lengths).log_density[i, :stop],
            prior.filter(parameters, one).log_density,
            rtol=1e-9, atol=1e-9,
        )  # fmt: skip
        assert torch.equal(batch.path[i, :stop], single.path) and (batch.path[i, stop:] == -1).all()


def settled(prior):
    return {} if prior.TAKES_POINTS else {"max_iterations": 300, "tolerance": -np.inf}


def test_tangent_matches_finite_differences_of_the_optimum(prior, trained, rng):
    """Gradient of a random scalar of the marginals, by the evidence and by the log transitions."""
    settings, evidence, parameters = trained
    short = type(evidence[1])(*(part[30:50].clone() for part in evidence[1][:2]))
    local = prior.infer(parameters, short, **settled(prior))
    wanted = Cotangent(
        torch.from_numpy(rng.standard_normal(local.means.shape)),
        None if local.covariances is None else torch.from_numpy(rng.standard_normal((20, 3, 3))),
        torch.from_numpy(rng.standard_normal(local.states.shape)),
    )
    if wanted.covariances is not None:
        wanted = wanted._replace(covariances=wanted.covariances + wanted.covariances.mT)
    found = prior.tangent(parameters, local, wanted, tolerance=1e-12, iterations=100)
    assert not bool(found.indefinite)

    def scalar(part, values):
        moved = list(short)
        moved[part] = values
        kwargs = settled(prior)
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
            mine = float((found.evidence[part] * way).nansum())
            size = float((found.evidence[part] * way).abs().nansum())
            # Rounding of a settled optimum over the step.
            assert abs((above - below) / 2e-5 - mine) < 1e-5 * size
    # A step that the cotangent makes large must still be a law.
    large = total([local.statistics, *(found.statistics for _ in range(1))])
    moved = prior.update(parameters, large, settings, rate=0.5, cotangent=scaled(found.statistics, 1e4))
    assert torch.isfinite(prior.divergence(moved, settings))


def scaled(record, factor):
    return type(record)(
        *(scaled(part, factor) if isinstance(part, tuple) else factor * part for part in record)
    )


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
    one = prior.infer(parameters, evidence[0]).statistics
    twice = add(one, one)
    torch.testing.assert_close(twice.dynamics.scatter, 2 * one.dynamics.scatter)
