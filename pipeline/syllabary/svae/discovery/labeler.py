"""What is said of the states of a recording: by an autoregression or by a recognizer.

The teacher of ``discovery`` knows how each state moves from frame to frame, and so sees a border to
the frame; it takes every frame at its word. Where movements are as it thinks, nobody tells states
better. Where they are not, the recognizer does: it has learned, from a stretch of frames, what teacher
and animals agree on. Which of the two it is, the teacher's own surprises tell (``priors._misfit``).
"""

from collections.abc import Mapping
from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt
from scipy.special import softmax
from torch import Tensor

from ...priors import arhmm
from ...reduction.latents import LatentSeries
from .. import checkpoint, latent_evidence
from ..settings import DiscoverySettings
from . import classifier
from .classifier import LEAST_NATS, TemporalClassifier

__all__ = ["StateLabeler", "StatePrediction"]

OWN = ("member", "use_teacher", "usage")
# What a recognizer's certainty is divided by, and the share of frames it knows nothing about: chosen
# on two simulated studies, docs/decisions/016-discovery.md.
TEMPERATURE, DOUBT = 1.25, 0.075
# A frame whose syllables were all dropped.
LEAST = 1e-12

F64 = npt.NDArray[np.float64]


class StatePrediction(NamedTuple):
    """What is said of every tick of a recording."""

    evidence: F64
    """(T, K) nats: of the chain of states."""
    states: F64
    """(T, K) probabilities, as sure as the one who speaks may be; rows sum to one."""


class StateLabeler(NamedTuple):
    """Both, which syllable each of the teacher's states is, and whose word counts.

    Attributes
    ----------
    net : Recognizer
        Of K syllables.
    teacher : arhmm.Parameters
        Of J states.
    member : (J, K) float64
        Share of each syllable in a state; rows sum to one, or to less where a syllable was dropped.
    use_teacher : () bool
        The teacher's word counts, otherwise the recognizer's.
    usage : (K,) float64
        Share of each syllable in training.
    """

    net: TemporalClassifier
    teacher: arhmm.Parameters
    member: Tensor
    use_teacher: Tensor
    usage: Tensor

    def say(self, series: LatentSeries, bridge: int) -> StatePrediction:
        """Tell the states of a recording.

        The recognizer knows how sure it is of what the teacher would say, and is too sure even of that;
        and where the teacher erred, it may be any syllable, by its usage.

        Parameters
        ----------
        series : LatentSeries
        bridge : int
            Longest gap that is bridged for the teacher, ticks.
        """
        if self.use_teacher:
            given = latent_evidence.points(series, bridge=bridge)
            states = arhmm.infer(self.teacher, given).states.double() @ self.member
            states = states / states.sum(-1, keepdim=True).clamp(min=LEAST)
            return StatePrediction(states.log().clamp(min=LEAST_NATS).numpy(), states.numpy())
        evidence = classifier.evidence(self.net, classifier.features(series))
        sure: F64 = softmax(evidence / TEMPERATURE, 1)
        return StatePrediction(evidence, (1 - DOUBT) * sure + DOUBT * self.usage.numpy())

    def reorder(self, order: Tensor) -> Self:
        """Renumber the syllables: the new syllable i is the old ``order[i]``."""
        self.net.reorder(order)
        return self._replace(member=self.member[:, order], usage=self.usage[order])

    def tensors(self) -> dict[str, Tensor]:
        """Return every tensor by name, as model files store them."""
        found = {f"net.{name}": part.detach().clone() for name, part in self.net.state_dict().items()}
        found |= checkpoint.flatten(self.teacher, "teacher.")
        return found | {name: getattr(self, name) for name in OWN}

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Tensor], settings: DiscoverySettings) -> Self:
        """Rebuild from what ``tensors`` returned."""
        own = {k.removeprefix("net."): v for k, v in tensors.items() if k.startswith("net.")}
        states, channels = len(own["last.bias"]), own["near.weight"].shape[1]
        net = TemporalClassifier(channels, states, settings.classifier, np.random.default_rng(0))
        net.load_state_dict(own)
        teacher = checkpoint.restore(arhmm.Parameters, dict(tensors), "teacher.")
        return cls(net, teacher, *(tensors[name] for name in OWN))
