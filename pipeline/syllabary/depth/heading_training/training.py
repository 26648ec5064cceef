"""Train the heading network on bodies whose head end is certain."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch

from ...errors import BadInput
from ..heading import model
from ..heading.evidence import FEATURES, ODD, SIGNS
from ..settings import HeadingTrainingSettings

__all__ = ["train"]

Array = npt.NDArray[np.float64]


def train(
    simulated: Sequence[Array],
    corrected: Sequence[Array],
    settings: HeadingTrainingSettings,
    rng: np.random.Generator,
) -> model.Network:
    """Fit the network by logistic regression.

    Parameters
    ----------
    simulated, corrected : sequence of (n, len(FEATURES))
        Features of one recording each, with the axis toward the head; reversed, they are the other
        class. All simulated recordings count the same, however long, and so do all corrected ones.

    Raises
    ------
    BadInput
        There is no example.
    """
    origins = [[part for part in origin if len(part)] for origin in (simulated, corrected)]
    shares = (1 - settings.corrected_share, settings.corrected_share) if all(origins) else (1.0, 1.0)
    if not any(origins):
        raise BadInput(
            "no frame shows a mouse with a certain heading, so there are no training examples."
        )
    features = np.concatenate([part for origin in origins for part in origin])
    weight = np.concatenate([
        np.full(len(part), share / len(origin) / len(part))
        for origin, share in zip(origins, shares, strict=True)
        for part in origin
    ])  # fmt: skip
    center = np.where(np.arange(len(FEATURES)) < len(ODD), 0.0, weight @ features)
    scale = np.sqrt(weight @ (features - center) ** 2)
    scale = np.where(scale > 0, scale, 1.0)
    x, counts = torch.from_numpy((features - center) / scale), torch.from_numpy(weight)
    signs = torch.from_numpy(SIGNS)
    into = torch.from_numpy(rng.standard_normal((len(FEATURES), settings.units)) / len(FEATURES) ** 0.5)
    bias, out = torch.zeros(2, settings.units, dtype=torch.float64)
    parameters = [part.requires_grad_() for part in (into, bias.clone(), out.clone())]
    into, bias, out = parameters
    optimizer = torch.optim.Adam(parameters, lr=settings.learning_rate)
    for _ in range(settings.epochs):
        noisy = x + settings.feature_noise * torch.from_numpy(rng.standard_normal(x.shape))
        nats = (torch.tanh(noisy @ into + bias) - torch.tanh(noisy * signs @ into + bias)) @ out / 2
        nats = model.BOUND * torch.tanh(nats / model.BOUND)
        loss = counts @ torch.nn.functional.softplus(-nats)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    return model.Network(center, scale, *(part.detach().numpy().copy() for part in parameters))
