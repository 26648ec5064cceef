"""Find the syllables: recurring movements that differ in their dynamics.

The steps of ``find``:

1. *Teacher*: a sticky autoregressive HMM of several lags is fitted to the latents (``teacher``).
2. *Merging*: its redundant states are merged into syllables, which gives soft labels of all frames.
3. *People's labels*, if there are some: syllables that people labeled take the names of their classes,
   and labeled frames keep the labels.
4. *Self-training*: a temporal classifier learns the soft labels from windows of latents. It is trained
   on some animals and predicts the others; its predictions are the soft labels of the next round. So
   labels that are specific to one animal or one moment disappear.
5. *Choice*: the final labeler uses the teacher if the teacher is reliable, otherwise the classifier.

References
----------
docs/decisions/016-discovery.md; cross-fitting and self-training: doi:10.48550/arXiv.1911.04252.
"""

import logging
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch

from ...machine import one_thread
from ...progress import track
from ...provenance import generator
from ...records.annotations import Annotations
from ...reduction.latents import LatentSeries
from ..settings import DiscoverySettings
from ..training.state import Checkpoint
from . import classifier
from .labeler import StateLabeler
from .teacher import fit_teacher

__all__ = ["Discovered", "find"]

log = logging.getLogger(__name__)
# A syllable takes the name of people's classes if at least so many of its frames are labeled.
MIN_LABELED_FRAMES = 15.0
# Weight of frames that people labeled.
LABEL_WEIGHT = 4.0
# Syllables with a smaller share of the frames are dropped.
MIN_SHARE = 1e-3
# Parts that recordings are split into for self-training.
FOLDS = 4

F64 = npt.NDArray[np.float64]


class Discovered(NamedTuple):
    """The syllables, and the labeler that predicts them.

    Attributes
    ----------
    labeler : StateLabeler
        Of K syllables.
    evidence : mapping of recording to (T, K) float64
        Log evidence of the syllables in the training recordings, nats.
    classes : tuple of str
        Name that people gave each syllable; empty for the others.
    history : DataFrame
        Of the teacher's training, see ``training.em``.
    """

    labeler: StateLabeler
    evidence: Mapping[str, F64]
    classes: tuple[str, ...]
    history: pd.DataFrame


class Examples(NamedTuple):
    """Training examples of the classifier, by recording.

    Attributes
    ----------
    features : list of (T, C) float32
        See ``classifier.features``.
    observed : list of (T, 1) float64
        1 where the latents were observed.
    people : list of (T, K) float64, or None
        Labels of people, rows sum to one or less; None where there are none.
    """

    features: list[classifier.Features]
    observed: list[F64]
    people: list[F64 | None]

    def targets(self, soft_labels: Sequence[F64]) -> list[classifier.SoftLabels]:
        """Return the targets (T, K) of each recording: soft labels, and people's labels over them."""
        columns = zip(soft_labels, self.people, self.observed, strict=True)
        return [_target(soft, people, observed) for soft, people, observed in columns]


def find(
    latents: Mapping[str, LatentSeries],
    settings: DiscoverySettings,
    *,
    target_duration_s: float,
    fps: float,
    seed: int,
    labels: Mapping[str, Annotations] | None = None,
    checkpoint: Checkpoint | None = None,
) -> Discovered:
    """Find the syllables of the training recordings.

    Parameters
    ----------
    latents : mapping of recording to LatentSeries
    settings : DiscoverySettings
    target_duration_s, fps, seed
        Of the teacher, see ``training.em.fit``.
    labels : mapping of recording to Annotations, optional
        Labels of people for some of the ticks.
    checkpoint : Checkpoint, optional
        Of the teacher, see ``training.em.fit``.
    """
    names = sorted(latents)
    teacher = fit_teacher(
        latents, settings, target_duration_s=target_duration_s, fps=fps, seed=seed,
        checkpoint=checkpoint,
    )  # fmt: skip
    membership, soft_labels = teacher.membership, teacher.soft_labels
    classes: list[str] = [""] * soft_labels[0].shape[1]
    people: list[F64 | None] = [None] * len(names)
    if labels and any(annotations.weights.any() for annotations in labels.values()):
        soft_labels, people, classes, renaming = _named(soft_labels, [labels[name] for name in names])
        membership = membership @ renaming
    with one_thread("torch"):
        examples = Examples(
            [classifier.features(latents[name]) for name in names],
            [np.asarray(latents[name].observed, np.float64)[:, None] for name in names],
            people,
        )
        rounds = settings.rounds if min(FOLDS, len(names)) > 1 else 0
        for number in track(range(rounds), "fit: self-training", unit="rounds"):
            soft_labels = _cross_fitted(examples, soft_labels, settings, seed, number)
        targets = examples.targets(soft_labels)
        frames = np.sum([target.sum(0, dtype=np.float64) for target in targets], 0)
        kept = _kept(frames, people)
        order = kept[np.argsort(-frames[kept], kind="stable")]
        # The name of the random stream is an old one, so that results stay the same.
        rng = generator(seed, "discovery", "recogniser")
        ordered = [target[:, order] for target in targets]
        net = classifier.train(examples.features, ordered, settings.classifier, rng)
        labeler = StateLabeler(
            net,
            teacher.parameters,
            membership=torch.as_tensor(membership[:, order]),
            use_teacher=torch.as_tensor(teacher.is_reliable),
            usage=torch.as_tensor(frames[order] / frames[order].sum()),
        )
        evidence = {
            name: labeler.predict(latents[name], settings.bridge_frames).evidence for name in names
        }
    log.info("kept %d syllables of %d", len(order), len(frames))
    return Discovered(labeler, evidence, tuple(classes[k] for k in order), teacher.history)


def _named(
    soft_labels: list[F64], labels: Sequence[Annotations]
) -> tuple[list[F64], list[F64 | None], list[str], F64]:
    """Replace labeled syllables by the C classes of people.

    Returns soft labels and labels of people, both (T, C + R) with R unlabeled syllables, the names of
    the columns, and the renaming (K, C + R).
    """
    columns = zip(soft_labels, labels, strict=True)
    counts = np.sum([soft.T @ annotations.weights for soft, annotations in columns], 0)
    is_labeled = counts.sum(1) >= MIN_LABELED_FRAMES
    shares = np.where(is_labeled[:, None], counts / np.maximum(counts.sum(1, keepdims=True), 1e-9), 0.0)
    renaming = np.concatenate([shares, np.eye(len(is_labeled))[:, ~is_labeled]], 1)
    rest = int((~is_labeled).sum())
    people: list[F64 | None] = [
        np.pad(annotations.weights.astype(np.float64), ((0, 0), (0, rest))) for annotations in labels
    ]
    log.info(
        "people labeled %d of %d syllables, with %d classes",
        int(is_labeled.sum()), len(is_labeled), counts.shape[1],
    )  # fmt: skip
    names = [*labels[0].classes, *[""] * rest]
    return [soft @ renaming for soft in soft_labels], people, names, renaming


def _target(soft: F64, people: F64 | None, observed: F64) -> classifier.SoftLabels:
    """Target (T, K) of every tick: the soft label, or people's label, which has more weight."""
    if people is None:
        return np.asarray(soft * observed, np.float32)
    share = people.sum(1, keepdims=True)
    target = (1 - share) * soft * observed + LABEL_WEIGHT * people
    return np.asarray(target, np.float32)


def _cross_fitted(
    examples: Examples,
    soft_labels: Sequence[F64],
    settings: DiscoverySettings,
    seed: int,
    number: int,
) -> list[F64]:
    """Soft labels (T, K) of each recording, by a classifier that is trained on the other folds."""
    features, targets = examples.features, examples.targets(soft_labels)
    folds = min(FOLDS, len(features))
    predicted: list[F64] = [np.zeros(0)] * len(features)
    for fold in range(folds):
        held_out = [i for i in range(len(features)) if i % folds == fold]
        rest = [i for i in range(len(features)) if i % folds != fold]
        rng = generator(seed, "discovery", "round", number, fold)
        net = classifier.train(
            [features[i] for i in rest], [targets[i] for i in rest], settings.classifier, rng
        )
        for i in held_out:
            predicted[i] = np.exp(classifier.evidence(net, features[i]))
    return predicted


def _kept(frames: F64, people: Sequence[F64 | None]) -> npt.NDArray[np.intp]:
    """Syllables with enough frames (K,), or with labels of people."""
    is_kept = frames >= MIN_SHARE * frames.sum()
    for labels in people:
        if labels is not None:
            is_kept |= labels.sum(0) > 0
    return np.flatnonzero(is_kept)
