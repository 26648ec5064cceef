"""Random problems of mean field, as the package takes them."""

import numpy as np
import torch

from oracles import switching
from syllabary.messages import meanfield

MODELS = [(True, True), (False, True), (True, False), (False, False)]


def tensors(parts):
    return [torch.from_numpy(np.ascontiguousarray(part)) for part in parts]


def potentials(shared):
    """The oracle's global parameters as the package takes them."""
    initial, transition, start, regression = shared
    return meanfield.Potentials(
        torch.from_numpy(initial),
        None if transition is None else torch.from_numpy(transition),
        None if start is None else meanfield.Regression(*tensors(start)),
        meanfield.Regression(*tensors(regression)),
    )


def batch(problems):
    """Evidence of sequences, padded with NaN, and their lengths."""
    lengths = [len(problem.observed) for problem in problems]
    size = problems[0].observed.shape[1]
    parts = np.full((2, len(problems), max(lengths), size), np.nan)
    for i, problem in enumerate(problems):
        parts[0, i, : lengths[i]], parts[1, i, : lengths[i]] = problem.observed, problem.trust
    return meanfield.Evidence(*tensors(parts)), torch.tensor(lengths)


def draw(rng, lengths, K, D, *, dynamic=True, chain=True, sure=False, missing=0.2):
    """Sequences that share their parameters."""
    shared = switching.random_globals(rng, K, D, dynamic=dynamic, chain=chain, sure=sure)
    return [
        switching.Problem(*shared, *switching.random_evidence(rng, T, D, missing=missing))
        for T in lengths
    ]


def random_weights(rng, *shape):
    return rng.dirichlet(np.ones(shape[-1]), shape[:-1])


def random_latents(rng, T, D):
    means = rng.standard_normal((T, D))
    covariances = switching.positive(rng, T, D)
    return means, covariances, 0.2 * rng.standard_normal((max(T - 1, 0), D, D))


def cotangent(rng, B, T, K, D):
    covariances = rng.standard_normal((B, T, D, D))
    parts = rng.standard_normal((B, T, D)), covariances + covariances.swapaxes(-1, -2)
    return meanfield.Cotangent(*tensors([*parts, rng.standard_normal((B, T, K))]))


def inner(left, right):
    return sum(float((a * b).sum()) for a, b in zip(left, right, strict=True))
