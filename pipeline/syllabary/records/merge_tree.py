"""The part of a model file that says which states may be one syllable; reading it needs no torch."""

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ..errors import BadInput
from . import files

__all__ = ["LINKAGE", "MergeTree"]

# Names in a model file: of the tensor, and of its metadata.
LINKAGE = "linkage"
KEY = "syllabary"


class MergeTree(NamedTuple):
    """Merge tree of the states of a model, and their names.

    Attributes
    ----------
    linkage : (K - 1, 4) float64
        As in ``scipy.cluster.hierarchy.linkage``: left, right, height (log evidence lost, nats per
        frame, never falling) and number of states. (0, 4) is no tree: every state is a syllable.
    classes : tuple of str
        People's name of each state, empty where they gave none; may be empty.
    """

    linkage: npt.NDArray[np.float64]
    classes: tuple[str, ...]

    @classmethod
    def load(cls, path: Path | str) -> "MergeTree":
        """Read the merge tree of ``model.safetensors``.

        Raises
        ------
        BadInput
            The file is missing, truncated, or no model.
        """
        import safetensors

        path = files.require(path, "fit")
        try:
            with safetensors.safe_open(path, framework="np") as file:
                about = json.loads((file.metadata() or {}).get(KEY, "{}"))
                has_tree = LINKAGE in file.keys()  # noqa: SIM118
                linkage = file.get_tensor(LINKAGE) if has_tree else np.zeros((0, 4))
        except (safetensors.SafetensorError, OSError, ValueError) as error:
            raise BadInput(f"{path}: not a whole model ({error}); fit it or copy it again.") from None
        if about.get("kind") != "model":
            raise BadInput(f"{path}: holds no model; give a model.safetensors that 'fit' wrote.")
        return cls(
            np.asarray(linkage, np.float64),
            tuple(about.get("classes", ())),
        )
