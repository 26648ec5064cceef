"""Find the syllables: movements that come again, told apart by what they explain.

In the order of work:

*teacher*: a sticky autoregressive HMM of several lags on latents taken as points splits behavior
into more states than there are syllables, for every nuance of a movement pays for itself.

*merging*: states are merged until every distinction that is left explains ``merge_threshold_nats``
per frame (``priors.blocks.merging.merge_states``).

*self-training*: the recognizer learns the teacher's soft labels from a stretch of latents, in turn
on some animals and asked about the others; what it says of animals it did not see becomes the next
labels. What only one animal or one moment supports is forgotten.

*whose word counts*: the teacher's, where its surprises do not come in bursts; the recognizer's
otherwise.

*people's labels*, where there are some, come in before self-training: a table tells which class of
theirs each syllable is; frames of syllables that they know are theirs to name, and labeled frames
stay what people called them.

References
----------
docs/decisions/016-discovery.md; cross-fitting and self-training: doi:10.48550/arXiv.1911.04252.
"""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from scipy.ndimage import gaussian_filter1d

from ...machine import one_thread
from ...priors import arhmm
from ...priors.blocks import merging, residuals
from ...priors.interface import total
from ...progress import track
from ...provenance import generator
from ...records.annotations import Annotations
from ...reduction.latents import LatentSeries
from .. import latent_evidence
from ..settings import DiscoverySettings, ModelSettings, TrainingSettings
from ..training import em
from . import classifier
from .labeler import StateLabeler

__all__ = ["Discovered", "find"]

log = logging.getLogger(__name__)
# Soft labels are blurred by so many frames: borders are not known to the frame.
BLUR_FRAMES = 1.0
# A syllable that people labeled for fewer frames is not yet theirs.
KNOWN_FRAMES = 15.0
# Frames that people labeled count so often.
LABEL_WEIGHT = 4.0
# Burstiness of a teacher's surprises from which on it does not know the movements. Crops of a known
# switching autoregression give 0.01 to 0.02, those of a simulated mouse 0.14.
MAX_AUTOCORRELATION = 0.05
# A syllable of fewer frames than this share is none.
LEAST_SHARE = 1e-3

F64 = npt.NDArray[np.float64]


class Discovered(NamedTuple):
    """Syllables, and how to know them.

    Attributes
    ----------
    labeler : Recognition
        Of K syllables.
    evidence : mapping of recording to (T, K) float64
        What it says of the training recordings, nats.
    classes : tuple of str
        Name that people gave each syllable; empty where they gave none.
    history : DataFrame
        Of the teacher, see ``training.Fitted``.
    """

    labeler: StateLabeler
    evidence: Mapping[str, F64]
    classes: tuple[str, ...]
    history: pd.DataFrame


def find(
    latents: Mapping[str, LatentSeries],
    settings: DiscoverySettings,
    *,
    target_duration_s: float,
    fps: float,
    seed: int,
    labels: Mapping[str, Annotations] | None = None,
    checkpoint: Path | None = None,
    identity: str = "",
) -> Discovered:
    """Find the syllables of the training recordings.

    Parameters
    ----------
    latents : mapping of recording to LatentSeries
    settings : DiscoverySettings
    target_duration_s, fps, seed, checkpoint, identity
        Of the teacher, see ``training.fit``.
    labels : mapping of recording to Annotations, optional
        What people called some of the ticks.
    """
    names = sorted(latents)
    teacher, use_teacher, member, soft, history = _teacher(
        latents, settings, target_duration_s, fps, seed, checkpoint, identity
    )
    classes: list[str] = [""] * soft[0].shape[1]
    known: list[F64 | None] = [None] * len(names)
    if labels and any(one.weights.any() for one in labels.values()):
        soft, known, classes, table = _with_labels(soft, [labels[name] for name in names])
        member = member @ table
    with one_thread("torch"):
        seen = [classifier.features(latents[name]) for name in names]
        observed = [np.asarray(latents[name].observed, np.float64)[:, None] for name in names]
        folds = min(settings.folds, len(names))
        for turn in track(
            range(settings.rounds if folds > 1 else 0), "fit: self-training", unit="rounds"
        ):
            soft = _said_by_others(seen, soft, known, observed, settings, folds, seed, turn)
        targets = [_target(q, k, o) for q, k, o in zip(soft, known, observed, strict=True)]
        kept = _kept(targets, known)
        frames = np.sum([one.sum(0, dtype=np.float64) for one in targets], 0)
        order = kept[np.argsort(-frames[kept], kind="stable")]
        # The stream kept its first name, so that results stay the same.
        rng = generator(seed, "discovery", "recogniser")
        net = classifier.train(seen, [t[:, order] for t in targets], settings.classifier, rng)
        usage = frames[order] / frames[order].sum()
        both = StateLabeler(net, teacher, *map(torch.as_tensor, (member[:, order], use_teacher, usage)))
        found = {name: both.say(latents[name], settings.bridge_frames).evidence for name in names}
    log.info("found %d syllables of %d states", len(order), soft[0].shape[1])
    return Discovered(both, found, tuple(classes[k] for k in order), history)


def _teacher(
    latents: Mapping[str, LatentSeries],
    settings: DiscoverySettings,
    target_duration_s: float,
    fps: float,
    seed: int,
    checkpoint: Path | None,
    identity: str,
) -> tuple[arhmm.Parameters, bool, F64, list[F64], pd.DataFrame]:
    """The teacher, whether it knows the movements, and what it says.

    That is: which syllable each of its states is (J, K), and soft labels (T, K) by recording.
    """
    model = ModelSettings(
        prior="arhmm",
        prior_settings={"states": settings.states, "lags": settings.lags},
        bridge_frames=settings.bridge_frames,
        training=TrainingSettings(restarts=settings.restarts, iterations=settings.iterations),
    )
    fitted = em.fit(
        latents, model, target_duration_s=target_duration_s, fps=fps, seed=seed,
        checkpoint=checkpoint, identity=identity,
    )  # fmt: skip
    parameters = fitted.parameters
    states: dict[str, F64] = {}
    parts, seen = [], []
    with one_thread("torch"):
        for name in sorted(latents):
            given = latent_evidence.points(latents[name], name, bridge=settings.bridge_frames)
            local = arhmm.infer(parameters, given, paths=True)
            assert local.path is not None
            seen.append((given, local.path))
            parts.append(local.statistics.dynamics)
            states[name] = local.states.double().numpy()
    into = merging.merge_states(
        total(parts), parameters.hyperprior, settings.merge_threshold_nats
    ).numpy()
    groups = np.unique(into)
    member = (into[:, None] == groups[None]).astype(np.float64)
    soft = []
    for one in states.values():
        blurred = gaussian_filter1d(one @ member, BLUR_FRAMES, axis=0) + 1e-9
        soft.append(blurred / blurred.sum(1, keepdims=True))
    bursts = residuals.residual_autocorrelation(parameters.dynamics, settings.lags, seen)
    log.info(
        "the teacher's %d states are %d syllables; burstiness of its surprises %.3f",
        len(into),
        len(groups),
        bursts,
    )
    return parameters, bursts < MAX_AUTOCORRELATION, member, soft, fitted.history


def _with_labels(
    soft: list[F64], labels: Sequence[Annotations]
) -> tuple[list[F64], list[F64 | None], list[str], F64]:
    """Rename syllables that people know by their classes, and say what they labeled.

    Returns soft labels and people's labels, both (T, C + K), the names of all, and the table
    (K, C + K) that renames.
    """
    counts = np.sum([q.T @ one.weights for q, one in zip(soft, labels, strict=True)], 0)
    known = counts.sum(1) >= KNOWN_FRAMES
    table = np.where(known[:, None], counts / np.maximum(counts.sum(1, keepdims=True), 1e-9), 0.0)
    whole = np.concatenate([table, np.eye(len(known))[:, ~known]], 1)
    rest = int((~known).sum())
    said: list[F64 | None] = [
        np.pad(one.weights.astype(np.float64), ((0, 0), (0, rest))) for one in labels
    ]
    log.info(
        "people know %d of %d syllables, by %d classes", int(known.sum()), len(known), counts.shape[1]
    )
    return [q @ whole for q in soft], said, [*labels[0].classes, *[""] * rest], whole


def _target(soft: F64, known: F64 | None, observed: F64) -> classifier.Soft:
    """What to learn of every tick: the soft label, or what people say, which counts more."""
    if known is None:
        return np.asarray(soft * observed, np.float32)
    share = known.sum(1, keepdims=True)
    found = (1 - share) * soft * observed + LABEL_WEIGHT * known
    return np.asarray(found, np.float32)


def _said_by_others(
    seen: Sequence[classifier.Features],
    soft: Sequence[F64],
    known: Sequence[F64 | None],
    observed: Sequence[F64],
    settings: DiscoverySettings,
    folds: int,
    seed: int,
    turn: int,
) -> list[F64]:
    """Soft labels of every recording by a recognizer that learned from the others."""
    found: list[F64] = [np.zeros(0)] * len(seen)
    targets = [_target(q, k, o) for q, k, o in zip(soft, known, observed, strict=True)]
    for fold in range(folds):
        own = [i for i in range(len(seen)) if i % folds == fold]
        rest = [i for i in range(len(seen)) if i % folds != fold]
        rng = generator(seed, "discovery", "round", turn, fold)
        net = classifier.train(
            [seen[i] for i in rest], [targets[i] for i in rest], settings.classifier, rng
        )
        for i in own:
            found[i] = np.exp(classifier.evidence(net, seen[i]))
    return found


def _kept(targets: Sequence[classifier.Soft], known: Sequence[F64 | None]) -> npt.NDArray[np.intp]:
    """Syllables that are in use, or that people named."""
    frames = np.sum([one.sum(0, dtype=np.float64) for one in targets], 0)
    use = frames >= LEAST_SHARE * frames.sum()
    for one in known:
        if one is not None:
            use |= one.sum(0) > 0
    return np.flatnonzero(use)
