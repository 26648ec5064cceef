"""Find the syllables: recurring movements that differ in their dynamics.

The steps of ``find``:

1. *How many*: two AR-HMMs are fitted, each without a third of the animals, and their states are merged
   one by one (``coarsening``). Both label the animals that one of them has not seen. The number of
   states on which they agree best is taken (``reproducibility``).
2. *Which*: an AR-HMM is fitted to all animals, and its states are merged down to that number. People's
   labels take part as emissions of the states.
3. *What is alike*: the remaining states are merged further, down to one, on paper only. That is the tree
   of syllables.

The same dynamics, with latents that are uncertain, are those of the trained model (``dynamics``).
"""

import logging
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from torch import Tensor

from ...machine import one_thread
from ...priors import arhmm
from ...priors.types import PointEvidence, moved
from ...progress import track
from ...records.annotations import Annotations
from ...reduction.latents import LatentSeries
from .. import latent_evidence
from ..settings import DiscoverySettings
from ..training.state import Place
from . import reproducibility
from .coarsening import Coarse, Trained, coarsen, infer, train
from .linkage import linkage

__all__ = ["Discovered", "find"]

log = logging.getLogger(__name__)
# A state takes the name of a class if at least so many of its frames are labeled so.
MIN_LABELED_FRAMES = 15.0
# Frames on which independent fits are compared, at most, in whole recordings.
COMPARED_FRAMES = 500_000
HERE = Place()

F64 = npt.NDArray[np.float64]


class Compared(NamedTuple):
    """An animal, or a part of a recording, on which two fits are compared."""

    evidence: PointEvidence
    unseen_by: int
    """The fit that has not seen it; the other has."""


class Discovered(NamedTuple):
    """The syllables.

    Attributes
    ----------
    parameters : arhmm.Parameters
        Of K states, the commonest first.
    states : mapping of recording to (T, K) float64
        Probabilities of the states in the training recordings.
    classes : tuple of str
        Name that people gave each state; empty for the others.
    linkage : (K - 1, 4) float64
        The tree of syllables, see ``linkage``.
    agreement : (K, K) float64
        See ``reproducibility.agreement``; (0, 0) if the number of syllables was given.
    history : DataFrame
        Of the training of the AR-HMM, see ``training.em``.
    """

    parameters: arhmm.Parameters
    states: Mapping[str, Tensor]
    classes: tuple[str, ...]
    linkage: Tensor
    agreement: Tensor
    history: pd.DataFrame


def find(
    latents: Mapping[str, LatentSeries],
    settings: DiscoverySettings,
    *,
    target_duration_s: float,
    fps: float,
    seed: int,
    labels: Mapping[str, Annotations] | None = None,
    place: Place = HERE,
) -> Discovered:
    """Find the syllables of the training recordings.

    Parameters
    ----------
    latents : mapping of recording to LatentSeries
    settings : DiscoverySettings
    target_duration_s, fps, seed
        Of the AR-HMM, see ``training.em.fit``.
    labels : mapping of recording to Annotations, optional
        Labels of people for some of the ticks.
    place : Place
        Where messages pass, and of the checkpoints.
    """

    def fit(chosen: Mapping[str, LatentSeries], people: Mapping[str, F64] | None, name: str) -> Trained:
        return train(
            chosen, people, settings, target_duration_s=target_duration_s, fps=fps, seed=seed,
            device=place.device, checkpoint=place.checkpoint(name),
        )  # fmt: skip

    people = None
    if labels and any(annotations.weights.any() for annotations in labels.values()):
        classes = len(next(iter(labels.values())).classes)
        people = {
            name: labels[name].weights.astype(np.float64)
            if name in labels
            else np.zeros((len(series.values), classes))
            for name, series in latents.items()
        }
    with one_thread("torch"):
        number, fits, compared = settings.syllables, [], []
        if number is None:
            divided = reproducibility.parts(latents)
            compared = _compared(latents, divided, round(settings.bridge_s * fps), place.device)
            for left_out in (0, 1):
                part = reproducibility.without(latents, divided, left_out)
                fits.append(_labels(fit(part, None, f"without-{left_out}"), compared))
            number, confirmed = reproducibility.best_number(*fits)
            log.info(
                "fits of different animals confirm %d states (confirmed information, nats: %s)", number,
                ", ".join(f"{k}: {confirmed[k]:.2f}" for k in sorted(confirmed) if k <= 2 * number + 2),
            )  # fmt: skip
        trained = fit(latents, people, "checkpoint")
        for model in _tracked(coarsen(trained), len(trained.parameters.weights), "merging"):
            if len(model.parameters.weights) <= number:
                break
        result = _discovered(model, trained, sorted(latents), labels)
        if not fits:
            return result
        # By the found order of states.
        paths = [
            arhmm.infer(result.parameters, part.evidence, cache=False).states.argmax(-1)
            for part in compared
        ]
        return result._replace(
            agreement=_agreement(paths, fits, compared, len(result.classes)).to(place.device)
        )


def _tracked(path: Iterator[Coarse], states: int, what: str) -> Iterator[Coarse]:
    return track(path, f"fit: {what}", total=states, unit="states")


def _compared(
    latents: Mapping[str, LatentSeries],
    divided: list[list[reproducibility.Part]],
    bridge: int,
    device: torch.device,
) -> list[Compared]:
    """Latents of the animals that one of two fits has not seen."""
    chosen, frames = [], 0
    pairs = ((fit, part) for both in zip(*divided[:2], strict=False) for fit, part in enumerate(both))
    for fit, part in pairs:
        if frames >= COMPARED_FRAMES:
            break
        whole = latent_evidence.points(latents[part.recording], part.recording, bridge=bridge)
        ticks = slice(part.start, part.stop)
        if part.stop > part.start:
            evidence = PointEvidence(whole.latents[ticks], whole.observed[ticks])
            chosen.append(Compared(moved(evidence, device), fit))
            frames += part.stop - part.start
    return chosen


def _labels(trained: Trained, compared: list[Compared]) -> dict[int, list[npt.NDArray[np.int16]]]:
    """Most probable state of every observed frame of each compared part, by the number of states."""
    labels = {}
    for model in _tracked(coarsen(trained), len(trained.parameters.weights), "number of syllables"):
        pairs = zip(infer(model, [part.evidence for part in compared]), compared, strict=True)
        labels[len(model.parameters.weights)] = [
            states.argmax(-1)[part.evidence.observed].cpu().numpy().astype(np.int16)
            for (_, states), part in pairs
        ]
    return labels


def _agreement(
    paths: list[Tensor],
    fits: list[dict[int, list[npt.NDArray[np.int16]]]],
    compared: list[Compared],
    states: int,
) -> Tensor:
    """Agreement of the states with those of the fits, in the animals that each fit has not seen."""
    labels = [
        part[each.evidence.observed].cpu().numpy() for part, each in zip(paths, compared, strict=True)
    ]
    total = np.zeros((states, states))
    for number, fit in enumerate(fits):
        nearest = min(fit, key=lambda k: (abs(k - states), k))
        unseen = [each.unseen_by == number for each in compared]
        total += reproducibility.confusion(labels, fit[nearest], unseen, states)
    return torch.from_numpy(reproducibility.agreement(total))


def _discovered(
    model: Coarse,
    trained: Trained,
    names: list[str],
    labels: Mapping[str, Annotations] | None,
) -> Discovered:
    """The result, states ordered by their frames."""
    states = [part.double() for _, part in infer(model, trained.evidence, trained.people)]
    frames = sum(part.sum(0) for part in states)
    order = torch.argsort(torch.as_tensor(frames), descending=True, stable=True)
    tree = linkage(
        model.statistics.dynamics,
        model.parameters.hyperprior,
        order,
        float(model.statistics.dynamics.observations.sum()),
    )
    classes: tuple[str, ...] = ("",) * len(order)
    if labels and model.classes.concentration.shape[1]:
        behaviors = next(iter(labels.values())).classes
        classes = _named(model.classes.concentration[order].cpu().numpy(), behaviors)
    return Discovered(
        arhmm.reorder(model.parameters, order),
        {name: part[:, order] for name, part in zip(names, states, strict=True)},
        classes,
        tree,
        model.parameters.weights.new_zeros((0, 0)),
        trained.history,
    )


def _named(counts: F64, behaviors: tuple[str, ...]) -> tuple[str, ...]:
    """Names of the states by people's commonest class; a second state of a class gets a number."""
    names: list[str] = []
    used: dict[str, int] = {}
    for row in counts:
        name = behaviors[int(row.argmax())]
        if row.max() < MIN_LABELED_FRAMES or row.max() < 0.5 * row.sum():
            names.append("")
            continue
        used[name] = used.get(name, 0) + 1
        names.append(name if used[name] == 1 else f"{name} {used[name]}")
    return tuple(names)
