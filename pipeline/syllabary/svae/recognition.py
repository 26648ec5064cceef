"""What is said of the states of a recording: by an autoregression or by a recogniser.

The teacher of ``discovery`` knows how each state moves from frame to frame, and so sees a border to
the frame; it takes every frame at its word. Where movements are as it thinks, nobody tells states
better. Where they are not, the recogniser does: it has learned, from a stretch of frames, what teacher
and animals agree on. Which of the two it is, the teacher's own surprises tell (``priors._misfit``).
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

F64 = npt.NDArray[np.float64]


class Said(NamedTuple):
    """What is said of every tick of a recording."""

    evidence: F64
    """(T, K) nats: of the chain of states."""
    frame: F64
    """(T, K) log probabilities by the recogniser, which knows how sure to be of one frame."""


class Recognition(NamedTuple):
    """Both, which syllable each of the teacher's states is, and whose word counts.

    Attributes
    ----------
    net : Recogniser
        Of K syllables.
    teacher : arhmm.Parameters
        Of J states.
    member : (J, K) float64
        Share of each syllable in a state; rows sum to one, or to less where a syllable was dropped.
    taught : () bool
        The teacher's word counts, otherwise the recogniser's.
    """

    net: Recogniser
    teacher: arhmm.Parameters
    member: Tensor
    taught: Tensor

    def say(self, series: LatentSeries, bridge: int) -> Said:
        """Tell the states of a recording.

        Parameters
        ----------
        series : LatentSeries
        bridge : int
            Longest gap that is bridged for the teacher, ticks.
        """
        frame = recogniser.evidence(self.net, recogniser.features(series))
        if not self.taught:
            return Said(frame, frame)
        states = arhmm.infer(self.teacher, potentials.points(series, bridge=bridge)).states.double()
        return Said((states @ self.member).log().clamp(min=LEAST_NATS).numpy(), frame)

    def reorder(self, order: Tensor) -> Self:
        """Renumber the syllables: the new syllable i is the old ``order[i]``."""
        self.net.reorder(order)
        return self._replace(member=self.member[:, order])

    def tensors(self) -> dict[str, Tensor]:
        """Return every tensor by name, as model files store them."""
        found = {f"net.{name}": part.detach().clone() for name, part in self.net.state_dict().items()}
        own = {"member": self.member, "taught": self.taught}
        return found | checkpoint.flatten(self.teacher, "teacher.") | own

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Tensor], settings: DiscoverySettings) -> Self:
        """Rebuild from what ``tensors`` returned."""
        own = {k.removeprefix("net."): v for k, v in tensors.items() if k.startswith("net.")}
        states, channels = len(own["last.bias"]), own["near.weight"].shape[1]
        net = Recogniser(channels, states, settings.recogniser, np.random.default_rng(0))
        net.load_state_dict(own)
        teacher = checkpoint.restore(arhmm.Parameters, dict(tensors), "teacher.")
        return cls(net, teacher, tensors["member"], tensors["taught"])
