"""Per-frame state probabilities of a recording, from the teacher AR-HMM or from the classifier.

The teacher describes how each state moves from frame to frame, so its boundaries are exact to a frame,
but every frame counts fully. It is the best labeler if movements are linear autoregressions. Otherwise
the temporal classifier is better: it has learned from windows of frames what the teacher's labels have
in common over animals. The teacher's residual autocorrelation decides (``teacher``).
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
from .classifier import MIN_NATS, TemporalClassifier

__all__ = ["StateLabeler", "StatePrediction"]

TENSORS = ("membership", "use_teacher", "usage")
# Temperature of the classifier's probabilities, and share of frames that are spread over syllables by
# usage; chosen on two simulated studies, docs/decisions/016-discovery.md.
TEMPERATURE, UNCERTAIN_SHARE = 1.25, 0.075
# Smallest sum of probabilities, for frames whose syllables were all dropped.
MIN_SUM = 1e-12

F64 = npt.NDArray[np.float64]


class StatePrediction(NamedTuple):
    """Syllables of every tick of a recording."""

    evidence: F64
    """(T, K) log evidence for the chain of states, nats."""
    states: F64
    """(T, K) calibrated probabilities; rows sum to one."""


class StateLabeler(NamedTuple):
    """The teacher and the classifier, and which of them labels recordings.

    Attributes
    ----------
    net : TemporalClassifier
        Of K syllables.
    teacher : arhmm.Parameters
        Of J states.
    membership : (J, K) float64
        Share of each syllable in a state; rows sum to one, or to less where a syllable was dropped.
    use_teacher : () bool
        The teacher labels recordings, otherwise the classifier.
    usage : (K,) float64
        Share of each syllable in the training frames.
    """

    net: TemporalClassifier
    teacher: arhmm.Parameters
    membership: Tensor
    use_teacher: Tensor
    usage: Tensor

    def predict(self, series: LatentSeries, bridge: int) -> StatePrediction:
        """Predict the syllables of a recording.

        Probabilities of the classifier are calibrated in two steps: a temperature corrects
        overconfidence, and a fixed share is spread over syllables by usage to allow for errors of the
        teacher's labels.

        Parameters
        ----------
        series : LatentSeries
        bridge : int
            Longest gap that is bridged for the teacher, ticks.
        """
        if self.use_teacher:
            points = latent_evidence.points(series, bridge=bridge)
            states = arhmm.infer(self.teacher, points).states.double() @ self.membership
            states = states / states.sum(-1, keepdim=True).clamp(min=MIN_SUM)
            return StatePrediction(states.log().clamp(min=MIN_NATS).numpy(), states.numpy())
        evidence = classifier.evidence(self.net, classifier.features(series))
        tempered: F64 = softmax(evidence / TEMPERATURE, 1)
        calibrated = (1 - UNCERTAIN_SHARE) * tempered + UNCERTAIN_SHARE * self.usage.numpy()
        return StatePrediction(evidence, calibrated)

    def reorder(self, order: Tensor) -> Self:
        """Renumber the syllables: the new syllable i is the old ``order[i]``."""
        self.net.reorder(order)
        return self._replace(membership=self.membership[:, order], usage=self.usage[order])

    def tensors(self) -> dict[str, Tensor]:
        """Return every tensor by name, as model files store them."""
        tensors = {f"net.{name}": part.detach().clone() for name, part in self.net.state_dict().items()}
        tensors |= checkpoint.flatten(self.teacher, "teacher.")
        return tensors | {name: getattr(self, name) for name in TENSORS}

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Tensor], settings: DiscoverySettings) -> Self:
        """Rebuild a labeler from its ``tensors``."""
        weights = {k.removeprefix("net."): v for k, v in tensors.items() if k.startswith("net.")}
        states, channels = len(weights["last.bias"]), weights["near.weight"].shape[1]
        net = TemporalClassifier(channels, states, settings.classifier, np.random.default_rng(0))
        net.load_state_dict(weights)
        teacher = checkpoint.restore(arhmm.Parameters, dict(tensors), "teacher.")
        return cls(net, teacher, *(tensors[name] for name in TENSORS))
