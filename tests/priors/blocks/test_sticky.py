import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from scipy.special import gammaln

from syllabary.priors.blocks import sticky


@pytest.mark.parametrize("kappa", [0.0, 20.0])
def test_shares_of_the_states_are_the_best_there_are(rng, kappa):
    states, alpha, gamma = 5, 5.0, 12.0
    rows = torch.from_numpy(rng.gamma(1.0, size=(states, states)) * [30, 10, 3, 1, 0.3])
    expected_log = torch.digamma(rows) - torch.digamma(rows.sum(1, keepdim=True))

    def cost(logits):
        shares = np.exp(logits - logits.max())
        shares /= shares.sum()
        prior = alpha * shares + kappa * np.eye(states)
        gain = (prior * expected_log.numpy() - gammaln(prior)).sum()
        return -gain - (gamma / states - 1) * np.log(shares).sum()

    best = minimize(cost, np.zeros(states), tol=1e-12)
    result = sticky.update_weights(
        torch.full((states,), 1 / states, dtype=torch.float64),
        expected_log,
        alpha=alpha,
        gamma=gamma,
        kappa=torch.tensor(kappa),
        steps=50,
    )
    assert float(result.sum()) == pytest.approx(1)
    assert cost(np.log(result.numpy())) <= best.fun + 1e-7


def test_log_prior_is_a_density():
    shares = torch.rand(200_000, dtype=torch.float64)
    values = [sticky.log_prior(torch.stack([s, 1 - s]), 6.0).exp() for s in shares[:4000]]
    assert float(torch.stack(values).mean()) == pytest.approx(1, abs=0.05)


def test_rows_have_the_pull_of_staying():
    rows = sticky.concentrations(torch.tensor([0.25, 0.75]), 4.0, torch.tensor(10.0))
    torch.testing.assert_close(rows, torch.tensor([[11.0, 3.0], [1.0, 13.0]]))
