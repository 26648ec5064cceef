"""Tensors and their metadata in one safetensors file, without code; same content, same bytes."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

import numpy as np
import numpy.typing as npt
import safetensors
import safetensors.torch
import torch

from ..errors import BadInput
from ..priors.types import PROCESSOR, TensorRecord, rebuilt
from ..records import files

__all__ = ["flatten", "load", "restore", "save"]

# One key: the library writes several in an order that differs from run to run.
KEY = "syllabary"
Record = TypeVar("Record", bound=TensorRecord)


def save(
    path: Path | str,
    tensors: Mapping[str, torch.Tensor | npt.NDArray[np.generic]],
    metadata: Mapping[str, object],
) -> None:
    """Write named arrays and JSON metadata whole or not at all.

    Parameters
    ----------
    path : path
        Where to write; the folder is made if need be.
    tensors : mapping of name to tensor or array
        Any shape; bool, integer or floating.
    metadata : mapping
        Anything JSON can hold; floats survive exactly, NaN and infinity included.
    """
    arrays = {
        name: torch.as_tensor(value).detach().cpu().contiguous() for name, value in tensors.items()
    }
    text = json.dumps(metadata, sort_keys=True)
    content = safetensors.torch.save({k: arrays[k].clone() for k in sorted(arrays)}, {KEY: text})
    with files.create(path) as temporary:
        temporary.write_bytes(content)


def load(
    path: Path | str, device: torch.device = PROCESSOR
) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """Read back the tensors and the metadata that ``save`` wrote.

    Parameters
    ----------
    path : path
    device : torch.device
        Of the tensors; a file is of no device.

    Raises
    ------
    BadInput
        The file is missing, truncated, or not one of ours.
    """
    path = files.require(path, "fit")
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name).to(device) for name in file.keys()}  # noqa: SIM118
    except (safetensors.SafetensorError, OSError, ValueError) as error:
        raise BadInput(
            f"{path}: not a whole safetensors file ({error}); make it again or copy it again."
        ) from None
    if KEY not in metadata:
        raise BadInput(f"{path}: a safetensors file of another program; give one that syllabary wrote.")
    return tensors, json.loads(metadata[KEY])


def flatten(record: TensorRecord, prefix: str = "") -> dict[str, torch.Tensor]:
    """Return every tensor of a record by name; names of records inside it are joined with dots.

    Parameters
    ----------
    record : NamedTuple of tensors and of such records
    prefix : str
        Begins every name.
    """
    tensors: dict[str, torch.Tensor] = {}
    for name, value in record._asdict().items():
        if isinstance(value, torch.Tensor):
            tensors[prefix + name] = value
        else:
            tensors |= flatten(value, f"{prefix}{name}.")
    return tensors


def restore(kind: type[Record], tensors: Mapping[str, torch.Tensor], prefix: str = "") -> Record:
    """Rebuild a record from the names that ``flatten`` returned.

    Parameters
    ----------
    kind : type of NamedTuple
    tensors : mapping of name to tensor
    prefix : str
        Begins every name.

    Raises
    ------
    BadInput
        A tensor is missing: the file is of another model or another version.
    """
    values: list[torch.Tensor | TensorRecord] = []
    hints: dict[str, type[TensorRecord] | type[torch.Tensor]] = get_type_hints(kind)
    for name, hint in hints.items():
        if issubclass(hint, tuple):
            values.append(restore(hint, tensors, f"{prefix}{name}."))
        elif prefix + name in tensors:
            values.append(tensors[prefix + name])
        else:
            raise BadInput(
                f"no tensor {prefix + name!r}, which {kind.__module__}.{kind.__name__} needs; "
                "the file is of another model, or of another version of syllabary: fit again."
            )
    return rebuilt(kind, values)
