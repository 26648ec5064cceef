"""From many states to one: a path of autoregressive HMMs, each with one state less than the last.

A model of a body is never exact, so with enough frames every nuance of a movement raises the bound as
a state of its own. The path begins with an AR-HMM of many states (``training.em``). Then the two states
whose merging changes the bound least become one, and a few iterations of EM let all others adapt. This
is repeated down to one state. Every model of the path is a local optimum with its number of states.

People's labels, if there are any, are emissions of the states: a frame of state k that people labeled
has class c with probability C_kc, rows of C ~ Dir(``CLASS_COUNT``). So labels decide between states
where latents do not, and how far people and states agree is learned.

Notation: T ticks, K states, C classes of people.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from torch import Tensor

from ...expfam import dirichlet, mniw
from ...priors import arhmm
from ...priors.blocks import global_parameters, merging, sticky
from ...priors.types import PROCESSOR, PointEvidence, moved, total
from ...reduction.latents import LatentSeries
from .. import latent_evidence
from ..settings import DiscoverySettings, ModelSettings, TrainingSettings
from ..training import em
from ..training.state import Checkpoint

__all__ = ["Coarse", "Trained", "class_evidence", "coarsen", "infer", "train"]

# EM iterations after each merge.
ITERATIONS = 3
# Pseudo-count of every class in every state.
CLASS_COUNT = 0.1
# A state with fewer frames is not in use.
MIN_FRAMES = 0.5

F64 = npt.NDArray[np.float64]


class Trained(NamedTuple):
    """An AR-HMM of many states, and the data that it was trained on."""

    parameters: arhmm.Parameters
    evidence: list[PointEvidence]
    """Latents of each recording, in the order of their names."""
    people: list[Tensor | None]
    """(T, C) labels of each recording by people."""
    history: pd.DataFrame
    """Of training, see ``training.em``."""


class Coarse(NamedTuple):
    """A model of the path."""

    parameters: arhmm.Parameters
    classes: dirichlet.Natural
    """(K, C) of the class that a state emits."""
    statistics: arhmm.Statistics
    """Of all recordings."""
    cost_nats: float
    """Bound per frame that the merge before it cost."""


def train(
    latents: Mapping[str, LatentSeries],
    people: Mapping[str, F64] | None,
    settings: DiscoverySettings,
    *,
    target_duration_s: float,
    fps: float,
    seed: int,
    device: torch.device = PROCESSOR,
    checkpoint: Checkpoint | None = None,
) -> Trained:
    """Train the AR-HMM with which the path begins.

    Parameters
    ----------
    latents : mapping of recording to LatentSeries
    people : mapping of recording to (T, C) float64, optional
        Share of each class in each tick; zeros where nobody labeled.
    settings : DiscoverySettings
    target_duration_s, fps, seed, device, checkpoint
        See ``training.em.fit``.
    """
    model = ModelSettings(
        prior="arhmm",
        prior_settings={"states": settings.states, "lags": settings.lags},
        bridge_s=settings.bridge_s,
        training=TrainingSettings(restarts=settings.restarts, iterations=settings.iterations),
    )
    frames = sum(int(np.sum(series.observed)) for series in latents.values())
    fitted = em.fit(
        latents, model, target_duration_s=target_duration_s, fps=fps, seed=seed,
        device=device, checkpoint=checkpoint, max_kappa=settings.max_stickiness * frames,
    )  # fmt: skip
    assert isinstance(fitted.parameters, arhmm.Parameters)
    names = sorted(latents)
    bridge = round(settings.bridge_s * fps)
    evidence = [
        moved(latent_evidence.points(latents[name], name, bridge=bridge), device) for name in names
    ]
    labels = [None if people is None else torch.from_numpy(people[name]).to(device) for name in names]
    return Trained(fitted.parameters, evidence, labels, fitted.history)


def coarsen(trained: Trained) -> Iterator[Coarse]:
    """Yield the models of the path, from all states in use to one.

    Parameters
    ----------
    trained : Trained
    """
    columns = next((part.shape[1] for part in trained.people if part is not None), 0)
    states = len(trained.parameters.weights)
    flat = trained.parameters.weights.new_full((states, columns), CLASS_COUNT)
    model = Coarse(trained.parameters, dirichlet.Natural(flat), _no_statistics(trained.parameters), 0.0)
    model = _iterate(model, trained)
    used = model.statistics.dynamics.observations > MIN_FRAMES
    model = _iterate(_kept(model, torch.nonzero(used).flatten()), trained)
    frames = float(model.statistics.dynamics.observations.sum())
    yield model
    while len(model.parameters.weights) > 1:
        parameters = model.parameters
        rows = sticky.concentrations(parameters.weights, arhmm.Settings().alpha, parameters.kappa)
        keep, drop, gain = merging.best_merge(
            model.statistics.transition.concentration,
            model.statistics.dynamics,
            rows,
            parameters.hyperprior,
            _class_gains(model.classes),
        )
        model = _merged(model, keep, drop)._replace(cost_nats=-gain / max(frames, 1.0))
        for _ in range(ITERATIONS):
            model = _iterate(model, trained)
        yield model


def infer(
    model: Coarse, evidence: Sequence[PointEvidence], people: Sequence[Tensor | None] | None = None
) -> Iterator[tuple[arhmm.Statistics, Tensor]]:
    """Yield the statistics of each recording, and the probabilities of its states (T, K).

    Parameters
    ----------
    model : Coarse
    evidence : sequence of PointEvidence
    people : sequence of (T, C) float64 or None, optional
    """
    for each, labels in zip(evidence, people or [None] * len(evidence), strict=True):
        extra = None if labels is None else class_evidence(model.classes, labels)
        local = arhmm.infer(model.parameters, each._replace(states=extra), cache=False)
        yield local.statistics, local.states


def class_evidence(classes: dirichlet.Natural, labels: Tensor) -> Tensor:
    """Return the log evidence of the states in labels of people, (T, K) nats.

    Parameters
    ----------
    classes : dirichlet.Natural
        (K, C)
    labels : (T, C) float
    """
    return labels.double() @ dirichlet.expected_stats(classes).log_probability.T


def _iterate(model: Coarse, trained: Trained) -> Coarse:
    """One iteration of EM; the statistics are those before the update."""
    parts, counts = [], torch.zeros_like(model.classes.concentration)
    for (statistics, states), labels in zip(
        infer(model, trained.evidence, trained.people), trained.people, strict=True
    ):
        parts.append(statistics)
        if labels is not None:
            counts += states.double().T @ labels.double()
    return _updated(model, total(parts), counts + CLASS_COUNT)


def _updated(model: Coarse, statistics: arhmm.Statistics, classes: Tensor) -> Coarse:
    """The model of these statistics."""
    settings = arhmm.Settings().model_copy(update={"states": len(model.parameters.weights)})
    parameters = arhmm.update(model.parameters, statistics, settings)
    return model._replace(
        parameters=global_parameters.learn(parameters),
        classes=dirichlet.Natural(classes),
        statistics=statistics,
    )


def _merged(model: Coarse, keep: int, drop: int) -> Coarse:
    """The model with two states as one, whose statistics add."""
    states = len(model.parameters.weights)
    into = torch.arange(states, device=model.parameters.weights.device)
    into[drop] = keep
    nothing_dropped = torch.zeros_like(into, dtype=torch.bool)
    statistics = arhmm.Statistics(*merging.gather(*model.statistics, into, nothing_dropped))
    classes = model.classes.concentration.clone()
    classes[keep] += classes[drop] - CLASS_COUNT
    weights = model.parameters.weights.clone()
    weights[keep] += weights[drop]
    whole = model._replace(
        parameters=model.parameters._replace(weights=weights),
        statistics=statistics,
        classes=dirichlet.Natural(classes),
    )
    kept = _kept(whole, into[torch.arange(states) != drop])
    return _updated(kept, kept.statistics, kept.classes.concentration)


def _kept(model: Coarse, kept: Tensor) -> Coarse:
    """The model without the other states."""
    parameters, statistics = model.parameters, model.statistics
    weights = parameters.weights[kept]
    return model._replace(
        parameters=arhmm.reorder(parameters, kept)._replace(weights=weights / weights.sum()),
        statistics=arhmm.Statistics(
            dirichlet.Natural(statistics.initial.concentration[kept]),
            dirichlet.Natural(statistics.transition.concentration[kept][:, kept]),
            mniw.Natural(*(part[kept] for part in statistics.dynamics)),
        ),
        classes=dirichlet.Natural(model.classes.concentration[kept]),
    )


def _class_gains(classes: dirichlet.Natural) -> Tensor:
    """Change of the log evidence of people's labels if two states merge, (K, K) nats."""
    counts = classes.concentration
    if not counts.shape[1]:
        return counts.new_zeros((len(counts), len(counts)))

    def evidence(each: Tensor) -> Tensor:
        prior = torch.full_like(each, CLASS_COUNT)
        whole = dirichlet.log_normalizer(dirichlet.Natural(each))
        return whole - dirichlet.log_normalizer(dirichlet.Natural(prior))

    single = evidence(counts)
    union = evidence(counts[:, None] + counts[None] - CLASS_COUNT)
    return union - single[:, None] - single[None]


def _no_statistics(parameters: arhmm.Parameters) -> arhmm.Statistics:
    return arhmm.Statistics(
        dirichlet.Natural(torch.zeros_like(parameters.initial.concentration)),
        dirichlet.Natural(torch.zeros_like(parameters.transition.concentration)),
        mniw.Natural(*(torch.zeros_like(part) for part in parameters.dynamics)),
    )
