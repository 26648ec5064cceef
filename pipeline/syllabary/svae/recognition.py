"""What is said of the states of a recording: by an autoregression and by a recogniser, together.

The teacher of ``discovery`` knows how each state moves from frame to frame, and so sees a border to
the frame; it takes every frame at its word and is surer than it should be. The recogniser has
learned what teacher and animals agree on, from a stretch of frames, and is surer only where that
is so. Their word counts equally (a logarithmic opinion pool, doi:10.1214/ss/1177013825): whoever
is sure decides.
"""

from collections.abc import Mapping
from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt
from torch import Tensor

from ..priors import arhmm
from . import checkpoint, potentials, recogniser
from .latents import LatentSeries
from .recogniser import LEAST_NATS, Recogniser
from .settings import DiscoverySettings

__all__ = ["Recognition", "Said"]

# Share of the teacher's word.
TEACHER = 0.5

F64 = npt.NDArray[np.float64]


class Said(NamedTuple):
    """What is said of every tick of a recording."""

    evidence: F64
    """(T, K) nats, by both: of the chain of states."""
    frame: F64
    """(T, K) log probabilities by the recogniser, which knows how sure to be of one frame."""


class Recognition(NamedTuple):
    """Both, and which syllable each of the teacher's states is.

    Attributes
    ----------
    net : Recogniser
        Of K syllables.
    teacher : arhmm.Parameters
        Of J states.
    member : (J, K) float64
        Share of each syllable in a state; rows sum to one, or to less where a syllable was dropped.
    """

    net: Recogniser
    teacher: arhmm.Parameters
    member: Tensor

    def say(self, series: LatentSeries, bridge: int) -> Said:
        """Tell the states of a recording.

        Parameters
        ----------
        series : LatentSeries
        bridge : int
            Longest gap that is bridged for the teacher, ticks.
        """
        frame = recogniser.evidence(self.net, recogniser.features(series))
        states = arhmm.infer(self.teacher, potentials.points(series, bridge=bridge)).states.double()
        taught = (states @ self.member).log().clamp(min=LEAST_NATS).numpy()
        return Said(TEACHER * taught + (1 - TEACHER) * frame, frame)

    def reorder(self, order: Tensor) -> Self:
        """Renumber the syllables: the new syllable i is the old ``order[i]``."""
        self.net.reorder(order)
        return self._replace(member=self.member[:, order])

    def tensors(self) -> dict[str, Tensor]:
        """Return every tensor by name, as model files store them."""
        found = {f"net.{name}": part.detach().clone() for name, part in self.net.state_dict().items()}
        return found | checkpoint.flatten(self.teacher, "teacher.") | {"member": self.member}

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Tensor], settings: DiscoverySettings) -> Self:
        """Rebuild from what ``tensors`` returned."""
        own = {k.removeprefix("net."): v for k, v in tensors.items() if k.startswith("net.")}
        states, channels = len(own["last.bias"]), own["near.weight"].shape[1]
        net = Recogniser(channels, states, settings.recogniser, np.random.default_rng(0))
        net.load_state_dict(own)
        teacher = checkpoint.restore(arhmm.Parameters, dict(tensors), "teacher.")
        return cls(net, teacher, tensors["member"])
