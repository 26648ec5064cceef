"""What states have in common is learned; data drawn from a known population are the oracle."""

import torch

from syllabary.expfam import mniw
from syllabary.priors.blocks import population as populations

SIZE, WIDTH, STATES = 3, 5, 400


def vague():
    return mniw.from_standard(
        mniw.Standard(
            mean=torch.zeros(SIZE, WIDTH, dtype=torch.float64),
            column_covariance=10 * torch.eye(WIDTH, dtype=torch.float64),
            scale=torch.eye(SIZE, dtype=torch.float64),
            degrees=torch.tensor(SIZE + 2.0, dtype=torch.float64),
        )
    )


def population(rng, frames):
    """Sums of many regressions whose coefficients and noise come from a known law."""
    from scipy.stats import invwishart

    mean = torch.from_numpy(rng.standard_normal((SIZE, WIDTH)))
    variance = torch.tensor([0.02, 0.1, 0.5, 0.1, 0.02], dtype=torch.float64)
    scale = torch.diag(torch.tensor([1.0, 2.0, 0.5], dtype=torch.float64)) * 20
    noise = torch.from_numpy(invwishart.rvs(24, scale.numpy(), STATES, random_state=rng))
    factor = torch.linalg.cholesky(noise)
    normal = torch.from_numpy(rng.standard_normal((STATES, SIZE, WIDTH)))
    weights = mean + factor @ normal * variance.sqrt()
    regressor = torch.from_numpy(rng.standard_normal((STATES, frames, WIDTH)))
    error = torch.from_numpy(rng.standard_normal((STATES, frames, SIZE))) @ factor.mT
    latents = regressor @ weights.mT + error
    count = torch.full((STATES,), float(frames), dtype=torch.float64)
    sums = mniw.Natural(regressor.mT @ regressor, latents.mT @ regressor, latents.mT @ latents, count)
    return sums, mean, variance, scale


def posterior(hyperprior, sums):
    return mniw.Natural(*(a + b for a, b in zip(hyperprior, sums, strict=True)))


def test_every_round_raises_the_evidence_and_the_population_is_found(rng):
    sums, mean, variance, scale = population(rng, frames=30)
    hyperprior, last = vague(), -torch.inf
    for _ in range(60):
        hyperprior = populations.learn(hyperprior, posterior(hyperprior, sums))
        value = populations.evidence(sums, hyperprior)
        assert value >= last
        last = value
    result = mniw.to_standard(hyperprior)
    # Standard errors with 400 states: about 0.03 of a coefficient, 4 % of a variance.
    torch.testing.assert_close(result.mean, mean, atol=0.15, rtol=0)
    torch.testing.assert_close(result.column_covariance.diagonal(), variance, atol=0, rtol=0.25)
    noise = result.scale.diagonal() / (result.degrees - SIZE - 1)
    torch.testing.assert_close(noise, scale.diagonal() / (24 - SIZE - 1), atol=0, rtol=0.1)


def test_empty_states_do_not_speak(rng):
    sums, *_ = population(rng, frames=30)
    hyperprior = vague()
    some = mniw.Natural(*(part[:9] for part in sums))
    none = mniw.Natural(*(torch.cat([part[:9], torch.zeros_like(part[:50])]) for part in sums))
    alone = populations.learn(hyperprior, posterior(hyperprior, some))
    together = populations.learn(hyperprior, posterior(hyperprior, none))
    for a, b in zip(alone, together, strict=True):
        torch.testing.assert_close(a, b)


def test_one_state_teaches_nothing(rng):
    sums, *_ = population(rng, frames=30)
    hyperprior = vague()
    each = mniw.Natural(*(part[:1] for part in sums))
    assert populations.learn(hyperprior, posterior(hyperprior, each)) is hyperprior
