"""A small network that predicts from one frame's shape which end is the head.

Its output is half the difference between the features and those of the reversed axis, so that
neither end is preferred: ``f(x) = (g(x) - g(-x)) / 2`` with one hidden layer g. The output is in nats
and bounded, because even a clear shape can come from a wrong mask.
"""

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import safetensors
import safetensors.numpy

from ...errors import BadInput
from ...provenance import Provenance
from ...records import files
from .evidence import FEATURES, SIGNS

__all__ = ["BOUND", "SHIPPED", "Network", "bounded", "load", "predict", "save"]

SHIPPED = Path(__file__).with_name("weights.safetensors")
KEY = "syllabary"
# Largest evidence of one frame's shape, nats.
BOUND = 4.0


class Network(NamedTuple):
    """One hidden layer of n units over the features, float64.

    Attributes
    ----------
    center, scale : (len(FEATURES),)
        Features are taken from the center and divided by the scale; odd ones have center 0.
    into : (len(FEATURES), n)
    bias, out : (n,)
    """

    center: npt.NDArray[np.float64]
    scale: npt.NDArray[np.float64]
    into: npt.NDArray[np.float64]
    bias: npt.NDArray[np.float64]
    out: npt.NDArray[np.float64]


def predict(network: Network, features: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return nats in favor of the measured axis direction, (F,), of features (F, len(FEATURES))."""

    def one_way(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return (
            np.tanh((values - network.center) / network.scale @ network.into + network.bias)
            @ network.out
        )

    return bounded((one_way(features) - one_way(features * SIGNS)) / 2)


def bounded(nats: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return evidence that is unchanged where it is small and at most ``BOUND``."""
    return BOUND * np.tanh(nats / BOUND)


def save(path: Path | str, network: Network, provenance: Provenance) -> None:
    """Write the weights and their provenance, whole or not at all."""
    arrays = {name: np.ascontiguousarray(v, np.float32) for name, v in network._asdict().items()}
    metadata = {
        KEY: json.dumps({"features": FEATURES, "provenance": provenance._asdict()}, sort_keys=True)
    }
    content = safetensors.numpy.save(arrays, metadata)
    with files.create(path) as temporary:
        temporary.write_bytes(content)


def load(path: Path | str = SHIPPED) -> Network:
    """Read the weights of ``train_heading``.

    Raises
    ------
    BadInput
        There is no such file, or it holds other weights.
    """
    path = Path(path)
    if not path.is_file():
        raise BadInput(f"{path}: no such file; weights are made by 'syllabary train_heading'.")
    try:
        with safetensors.safe_open(path, framework="numpy") as file:
            about = json.loads((file.metadata() or {}).get(KEY, "{}"))
            arrays = {name: file.get_tensor(name).astype(np.float64) for name in file.keys()}  # noqa: SIM118
    except (safetensors.SafetensorError, ValueError) as error:
        raise BadInput(
            f"{path}: no readable safetensors file ({error}); make it again with 'syllabary "
            "train_heading'."
        ) from None
    if set(arrays) != set(Network._fields) or tuple(about.get("features", ())) != FEATURES:
        raise BadInput(
            f"{path}: holds no weights of this version's heading network; make them again with "
            "'syllabary train_heading'."
        )
    network = Network(**arrays)
    count, units = len(FEATURES), network.bias.size
    shapes = {
        "center": (count,),
        "scale": (count,),
        "into": (count, units),
        "bias": (units,),
        "out": (units,),
    }
    for name, shape in shapes.items():
        if arrays[name].shape != shape or not np.isfinite(arrays[name]).all():
            raise BadInput(f"{path}: {name} is {arrays[name].shape} or not finite; wanted {shape}.")
    return network
