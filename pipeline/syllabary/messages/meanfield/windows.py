"""Messages into a window from beyond its ends, at the optimum of the whole sequence."""

import torch
from torch import Tensor

from .cross_potentials import blocks_of, node_potentials
from .types import BoundaryMessages, Latents, Optimum, Potentials

__all__ = ["boundary_of"]


def boundary_of(
    potentials: Potentials, optimum: Optimum, begin: Tensor, stop: Tensor, *, fixed_states: bool = False
) -> BoundaryMessages:
    """Messages from beyond the ends of windows, of the optimum of one whole sequence.

    Parameters
    ----------
    potentials : Potentials
        Dynamic, states in a chain.
    optimum : Optimum
        Of one sequence of T frames, B = 1.
    begin, stop : (n) int
        First frame of each window, and the frame after its last; two frames at least.
    fixed_states : bool
        The states were inferred from evidence of their own, which the windows hold too.
    """
    start, transition = potentials.start, potentials.transition
    gaussian, filtered, states = optimum.gaussian, optimum.states.filtered, optimum.states.states
    assert start is not None and transition is not None and filtered is not None and states is not None
    assert (
        gaussian.covariances is not None and gaussian.filtered is not None and gaussian.gain is not None
    )
    means, covariances = gaussian.means[0].double(), gaussian.covariances[0].double()
    cut, gain = gaussian.filtered[0].double(), gaussian.gain[0].double()
    probabilities, before = states[0].double(), filtered[0].double()
    blocks = blocks_of(potentials.regression, torch.float64, True)
    frames = len(means)

    def mix(share: Tensor, block: Tensor) -> Tensor:
        return (share @ block.flatten(1)).reshape(len(share), *block.shape[1:])

    def so_far(t: Tensor) -> Tensor:
        """Mean of frame t in the chain that is cut after it."""
        return means[t] + (gain[t].mT @ means[t + 1, :, None])[..., 0]

    # Into the first frame: its own step, the past summed out.
    inner = begin.clamp(min=1)
    share, below = probabilities[inner], -mix(probabilities[inner], blocks.cross)
    precision = mix(share, blocks.current) - gain[inner - 1] @ below.mT
    linear = share @ blocks.current_mean - (below @ so_far(inner - 1)[..., None])[..., 0]
    whole = (begin == 0)[:, None]
    start_linear = (start.precision @ start.mean)[..., 0].expand_as(linear)
    first = (
        torch.where(
            whole[..., None], start.precision.expand_as(precision), (precision + precision.mT) / 2
        ),
        torch.where(whole, start_linear, linear),
    )
    neighbors = Latents(
        torch.stack([means[inner - 1], means[inner]], 1),
        torch.stack([covariances[inner - 1], covariances[inner]], 1),
        -(covariances[inner] @ gain[inner - 1])[:, None],
    )
    nodes = 0.0 if fixed_states else node_potentials(potentials.regression, neighbors)[:, 1]
    predicted = before[inner - 1] @ transition.exp()
    initial = torch.where(whole, potentials.initial, predicted.log() + nodes)
    # Into the last frame: the next step, the future summed out.
    end = stop.clamp(max=frames - 1)
    last_frame, share = end - 1, probabilities[end]
    back = torch.linalg.inv(covariances[last_frame])
    sure = torch.linalg.inv(cut[last_frame])
    precision = back - sure + mix(share, blocks.past)
    linear = (back @ means[last_frame, :, None] - sure @ so_far(last_frame)[..., None])[..., 0]
    linear = linear + share @ blocks.past_mean
    done = (stop == frames)[:, None]
    last = (
        torch.where(done[..., None], 0.0, (precision + precision.mT) / 2),
        torch.where(done, 0.0, linear),
    )
    ahead = before[last_frame] @ transition.exp()
    ratio = torch.where(ahead > 0, probabilities[end] / ahead, 0.0)
    final = torch.where(done, 0.0, (ratio @ transition.exp().mT).log())
    return BoundaryMessages(initial, final, first, last)
