"""Problems of message passing: what is given, how ours and each peer solve it, how far apart they end.

Every solver is a function without arguments that returns arrays in a common order and shape; inputs
are made before it is timed, in the form that each library wants. All numbers are float32.
"""

import warnings
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch

from syllabary.messages import hmm, lds
from syllabary.messages.regression import ar_log_likelihood
from syllabary.priors import arhmm, slds
from syllabary.priors.types import GaussianEvidence, PointEvidence

Solver = Callable[[], list[np.ndarray]]
# A batch whose sequences share one model has covariances that no data change: they are found once for
# all. Ours are given potentials of every frame and sequence, and find covariances of each; so does this
# peer, each of whose sequences has a model of its own.
SEPARATE = "dynamax with a model for each"


class Problem(NamedTuple):
    """One row of the table."""

    name: str
    frames: int
    """Of all sequences."""
    goals: dict[str, float]
    """Times as fast as each peer, wanted."""
    ours: Solver
    peers: dict[str, Solver]


def all_problems(scale: float = 1.0) -> dict[str, Callable[[], Problem]]:
    """Makers of the problems; ``scale`` shortens the sequences."""

    def frames(number: int) -> int:
        return max(256, int(number * scale))

    return {
        "hmm-100": lambda: chain("HMM marginals and pair sums, K = 100", 1, frames(100_000), 100,
                                 {"dynamax": 10, "hmmlearn": 35}),
        "hmm-25": lambda: chain("HMM marginals and pair sums, K = 25", 1, frames(100_000), 25,
                                {"dynamax": 12, "hmmlearn": 12}),
        "hmm-batch": lambda: chain("HMM, 32 sequences, K = 100", 32, frames(1000), 100, {"dynamax": 6}),
        "viterbi": lambda: path(frames(10_000), 100, {"hmmlearn": 15}),
        "smoother": lambda: smoother("Gaussian smoother, D = 10", 1, frames(100_000), 10,
                                     {"dynamax": 20}),
        "smoother-4": lambda: smoother("Gaussian smoother, 32 sequences, D = 4", 32, frames(1000), 4,
                                       {"dynamax": 15, SEPARATE: 15}),
        "smoother-10": lambda: smoother("Gaussian smoother, 32 sequences, D = 10", 32, frames(1000), 10,
                                        {"dynamax": 5, SEPARATE: 5}),
        "regression": lambda: regression(frames(100_000), 100, 10, 3, {"jax-moseq": 18}),
        "arhmm": lambda: arhmm_iteration(frames(10_000), 100, 10, 3, {"jax-moseq": 8}),
        "slds": lambda: slds_iteration(frames(20_000), 50, 10, {"dynamax": 20}),
    }  # fmt: skip


def random_chain(count: int, frames: int, states: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """First states, transitions that stay nine times in ten, and evidence of some nats."""
    rng = np.random.default_rng(1)
    rows = 0.1 * rng.dirichlet(np.ones(states), states) + 0.9 * np.eye(states)
    evidence = (2 * rng.standard_normal((count, frames, states))).astype(np.float32)
    return np.full(states, 1 / states), rows, evidence


def chain(name: str, count: int, frames: int, states: int, goals: dict[str, float]) -> Problem:
    """Marginals, pair sums and log normalizer of discrete chains."""
    first, rows, evidence = random_chain(count, frames, states)
    potentials = torch.from_numpy(evidence if count > 1 else evidence[0])
    logs = np.log(first), np.log(rows)

    def ours() -> list[np.ndarray]:
        result = hmm.marginals(*logs, potentials)
        return [result.states.numpy(), result.transitions.numpy(), result.log_normalizer.numpy()]

    def dynamax() -> Solver:
        import jax
        import jax.numpy as jnp
        from dynamax.hidden_markov_model.inference import hmm_smoother

        start, steps, observed = (jnp.asarray(a, jnp.float32) for a in (first, rows, potentials.numpy()))

        def single(evidence):
            result = hmm_smoother(start, steps, evidence)
            return result.smoothed_probs, result.trans_probs, result.marginal_loglik

        run = jax.jit(jax.vmap(single) if count > 1 else single)
        return lambda: [np.asarray(part) for part in jax.block_until_ready(run(observed))]

    def hmmlearn() -> Solver:
        from hmmlearn import _hmmc

        observed = potentials.numpy().astype(np.float64)

        def run() -> list[np.ndarray]:
            # As its own estimator goes about it (BaseHMM._do_estep), with scaling.
            density = np.exp(observed - observed.max(1, keepdims=True))
            log, forward, scaling = _hmmc.forward_scaling(first, rows, density)
            backward = _hmmc.backward_scaling(first, rows, density, scaling)
            states = forward * backward
            states /= states.sum(1, keepdims=True)
            pairs = _hmmc.compute_scaling_xi_sum(forward, rows, backward, density)
            return [states, pairs, np.array(log + observed.max(1).sum())]

        return run

    makers = {"dynamax": dynamax, "hmmlearn": hmmlearn}
    return Problem(name, count * frames, goals, ours, {peer: makers[peer]() for peer in goals})


def path(frames: int, states: int, goals: dict[str, float]) -> Problem:
    """Most probable path."""
    first, rows, evidence = random_chain(1, frames, states)
    potentials, logs = torch.from_numpy(evidence[0]), (np.log(first), np.log(rows))

    def ours() -> list[np.ndarray]:
        return [hmm.path(*logs, potentials).numpy()]

    def hmmlearn() -> Solver:
        from hmmlearn import _hmmc

        observed = evidence[0].astype(np.float64)
        return lambda: [np.asarray(_hmmc.viterbi(first, rows, observed)[1])]

    return Problem(f"Viterbi, K = {states}", frames, goals, ours, {"hmmlearn": hmmlearn()})


def smoother(name: str, count: int, frames: int, size: int, goals: dict[str, float]) -> Problem:
    """Means, covariances and cross-covariances of linear systems seen with noise."""
    rng = np.random.default_rng(2)
    weights = 0.97 * np.linalg.qr(rng.standard_normal((size, size)))[0]
    noise, observation_noise = 0.3 * np.eye(size), 0.7 * np.eye(size)
    observed = rng.standard_normal((count, frames, size)).astype(np.float32)
    inner, outer = np.linalg.inv(noise), np.linalg.inv(observation_noise)
    precision = np.broadcast_to(inner + weights.T @ inner @ weights + outer, (count, frames, size, size))
    precision = precision.copy()
    precision[:, 0] += np.eye(size) - inner  # x_1 ~ N(0, 1)
    precision[:, -1] -= weights.T @ inner @ weights
    lower = np.broadcast_to(-inner @ weights, (count, frames - 1, size, size))
    arrays = (precision, lower, observed @ outer)
    potentials = [torch.from_numpy(np.ascontiguousarray(a, np.float32)) for a in arrays]
    potentials = potentials if count > 1 else [part[0] for part in potentials]

    def ours() -> list[np.ndarray]:
        result = lds.marginals(*potentials)
        return [result.means.numpy(), result.covariances.numpy(), result.cross.mT.numpy()]

    def dynamax(*, separate: bool) -> Solver:
        import jax
        import jax.numpy as jnp
        from dynamax.linear_gaussian_ssm.inference import lgssm_smoother, make_lgssm_params

        parts = (np.zeros(size), np.eye(size), weights, noise, np.eye(size), observation_noise)
        model = make_lgssm_params(*(jnp.asarray(part, jnp.float32) for part in parts))

        def single(model, emissions):
            result = lgssm_smoother(model, emissions)
            # It hands over E[x_t x_{t+1}ᵀ]; the covariance is what all others mean.
            means = result.smoothed_means
            cross = result.smoothed_cross_covariances - means[:-1, :, None] * means[1:, None, :]
            return means, result.smoothed_covariances, cross

        if separate:
            model = jax.tree.map(lambda part: jnp.repeat(part[None], count, 0), model)
        if count > 1:
            single = jax.vmap(single, in_axes=(0 if separate else None, 0))
        run = jax.jit(single)
        emissions = jnp.asarray(observed if count > 1 else observed[0])
        return lambda: [np.asarray(part) for part in jax.block_until_ready(run(model, emissions))]

    makers = {"dynamax": lambda: dynamax(separate=False), SEPARATE: lambda: dynamax(separate=True)}
    return Problem(name, count * frames, goals, ours, {peer: makers[peer]() for peer in goals})


def autoregression(frames: int, states: int, size: int, lags: int) -> tuple[np.ndarray, ...]:
    """Latents, and the weights and noise of every state."""
    rng = np.random.default_rng(3)
    width = size * lags + 1
    weights = 0.1 * rng.standard_normal((states, size, width)) / np.sqrt(width)
    weights[:, :, :size] += 0.7 * np.eye(size)
    roots = 0.3 * np.eye(size) + 0.05 * rng.standard_normal((states, size, size))
    latents = np.zeros((frames, size))
    state = np.repeat(rng.integers(0, states, -(-frames // 10)), 10)[:frames]
    for t in range(lags, frames):
        past = np.append(latents[t - lags : t][::-1].ravel(), 1)
        latents[t] = weights[state[t]] @ past + roots[state[t]] @ rng.standard_normal(size)
    return latents.astype(np.float32), weights, roots @ roots.transpose(0, 2, 1)


def regression(frames: int, states: int, size: int, lags: int, goals: dict[str, float]) -> Problem:
    """Log density of every frame under every state's autoregression."""
    latents, weights, noise = autoregression(frames, states, size, lags)
    precision = np.linalg.inv(noise)
    log_det = np.linalg.slogdet(precision)[1]
    values = torch.from_numpy(latents)
    past = [values[lags - lag : len(values) - lag] for lag in range(1, lags + 1)]
    regressors = torch.cat([*past, torch.ones(len(values) - lags, 1)], -1)

    def ours() -> list[np.ndarray]:
        scores = ar_log_likelihood(values[lags:], regressors, weights, None, precision, log_det)
        return [scores.numpy()]

    def jax_moseq() -> Solver:
        from functools import partial

        import jax
        import jax.numpy as jnp
        from jax_moseq.utils.autoregression import ar_log_likelihood

        # Its lags run from the oldest to the latest.
        lagged = (
            weights[:, :, :-1].reshape(states, size, lags, size)[:, :, ::-1].reshape(states, size, -1)
        )
        turned = np.concatenate([lagged, weights[:, :, -1:]], -1)
        x, inputs, spread = (jnp.asarray(a, jnp.float32) for a in (latents, turned, noise))
        run = jax.jit(
            lambda x: jnp.moveaxis(jax.lax.map(partial(ar_log_likelihood, x), (inputs, spread)), 0, -1)
        )
        return lambda: [np.asarray(jax.block_until_ready(run(x)))]

    name = f"AR log likelihood, K = {states}, D = {size}, {lags} lags"
    return Problem(name, frames, goals, ours, {"jax-moseq": jax_moseq()})


def arhmm_iteration(frames: int, states: int, size: int, lags: int, goals: dict[str, float]) -> Problem:
    """One sweep of training: ours by variational inference, the peer's by Gibbs sampling."""
    latents, _, _ = autoregression(frames, states, size, lags)
    latents = (latents - latents.mean(0)) / latents.std(0)
    settings = arhmm.Settings(states=states, lags=lags, kappa=1e4)
    values = torch.from_numpy(latents)
    parameters = arhmm.initial(settings, values[None].double(), None, np.random.default_rng(4))
    evidence = PointEvidence(values, torch.ones(frames, dtype=torch.bool))

    def ours() -> list[np.ndarray]:
        local = arhmm.infer(parameters, evidence)
        arhmm.update(parameters, local.statistics, settings)
        return []

    def jax_moseq() -> Solver:
        import jax
        import jax.numpy as jnp
        from jax_moseq.models.arhmm import init_model, resample_model

        strengths = {"gamma": 1e3, "alpha": 5.7, "kappa": 1e4, "num_states": states}
        regression = {
            "nu_0": size + 2, "S_0_scale": 0.01, "K_0_scale": 10.0, "num_states": states,
            "latent_dim": size, "nlags": lags,
        }  # fmt: skip
        data = {"x": jnp.asarray(latents)[None], "mask": jnp.ones((1, frames))}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = init_model(data, seed=jax.random.PRNGKey(0), trans_hypparams=strengths,
                               ar_hypparams=regression)  # fmt: skip

        def run() -> list[np.ndarray]:
            jax.block_until_ready(resample_model(data, **model)["states"])
            return []

        return run

    name = f"AR-HMM sweep, K = {states}, {lags} lags"
    return Problem(name, frames, goals, ours, {"jax-moseq": jax_moseq()})


def slds_iteration(frames: int, states: int, size: int, goals: dict[str, float]) -> Problem:
    """One turn between latents and states with all sums, beside a smoother and an HMM jitted as one."""
    latents, _, _ = autoregression(frames, states, size, 1)
    latents = (latents - latents.mean(0)) / latents.std(0)
    settings = slds.Settings(states=states, kappa=1e4)
    values = torch.from_numpy(latents)
    parameters = slds.initial(settings, values[None].double(), None, np.random.default_rng(5))
    evidence = GaussianEvidence(values, torch.full_like(values, 20.0))
    start = slds.infer(parameters, evidence, sweeps=1).states

    def ours() -> list[np.ndarray]:
        slds.infer(parameters, evidence, start=start, sweeps=1, cache=False)
        return []

    def dynamax() -> Solver:
        import jax
        import jax.numpy as jnp
        from dynamax.hidden_markov_model.inference import hmm_smoother
        from dynamax.linear_gaussian_ssm.inference import lgssm_smoother, make_lgssm_params

        parts = (np.zeros(size), np.eye(size), 0.9 * np.eye(size), 0.2 * np.eye(size), np.eye(size),
                 0.05 * np.eye(size))  # fmt: skip
        model = make_lgssm_params(*(jnp.asarray(part, jnp.float32) for part in parts))
        first, rows, observed = random_chain(1, frames, states)
        start, steps, observed = (jnp.asarray(a, jnp.float32) for a in (first, rows, observed[0]))

        def both(emissions, observed):
            smoothed, states = lgssm_smoother(model, emissions), hmm_smoother(start, steps, observed)
            return smoothed.smoothed_covariances, states.smoothed_probs, states.trans_probs

        run, emissions = jax.jit(both), jnp.asarray(latents)

        def solve() -> list[np.ndarray]:
            jax.block_until_ready(run(emissions, observed))
            return []

        return solve

    name = f"SLDS sweep, K = {states}, D = {size}"
    return Problem(name, frames, goals, ours, {"dynamax": dynamax()})
