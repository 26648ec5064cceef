"""Merge tree of a model's states, and the syllables that they are."""

import numpy as np
import numpy.typing as npt
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from . import _axes
from .results import FigureData, ModelResults, syllable_name
from .settings import DrawSettings

__all__ = ["draw", "syllables_of_nodes"]

TITLE = "Tree of states"
SCOPE = "model"
RANK = 9
NEEDS = "a model with a merge tree"
CAPTION = (
    "Which states are merged first. Two branches meet where one state instead of two loses this much "
    "log evidence. Colors are syllables, as labels have them; gray branches belong to several."
)
# The library's distance between leaves, and place of the first.
STEP, FIRST = 10, 5


def syllables_of_nodes(
    linkage: npt.NDArray[np.floating], syllable_of: npt.NDArray[np.integer]
) -> list[int]:
    """Return the syllable of each node of a tree, -1 where it has states of several.

    Parameters
    ----------
    linkage : (K - 1, 4) float
        Merge tree, as in ``scipy.cluster.hierarchy.linkage``.
    syllable_of : (K,) int
        Syllable of each state.
    """
    syllables = [int(syllable) for syllable in syllable_of]
    for left, right in linkage[:, :2].astype(int).tolist():
        same = syllables[left] == syllables[right]
        syllables.append(syllables[left] if same else -1)
    return syllables


def draw(data: FigureData, settings: DrawSettings) -> Figure | None:
    """Draw the merge tree of one model, the states from top to bottom."""
    from scipy.cluster.hierarchy import dendrogram

    model = data.model
    if model is None or model.linkage is None or not len(model.linkage):
        return None
    syllables = syllables_of_nodes(model.linkage, model.syllable_of_states())

    def color_of(node: int) -> str:
        syllable = syllables[node]
        return _axes.MUTED if syllable < 0 else to_hex(data.colors.of(model.name, syllable))

    tree = dendrogram(model.linkage, no_plot=True, link_color_func=color_of)
    states = [int(leaf) for leaf in tree["leaves"] or ()]
    figure = _axes.new(6.5, 1.1 + 0.17 * len(states))
    axes = figure.subplots()
    for across, along, color in zip(tree["icoord"], tree["dcoord"], tree["color_list"], strict=True):
        axes.plot(along, across, color=color, lw=1.3)
    axes.set_yticks(FIRST + STEP * np.arange(len(states)), _labels(model, states, syllables), fontsize=7)
    axes.set_ylim(STEP * len(states), 0)
    axes.set_xlim(left=0)
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0)
    _axes.tidy(axes, x="log evidence lost by the merge (nats per frame)", y="state, and its syllable")
    return figure


def _labels(model: ModelResults, states: list[int], syllables: list[int]) -> list[str]:
    """Return the text of each leaf: its state, then its syllable."""
    names = model.names()
    return [f"{state}:  {syllable_name(syllables[state], names)}" for state in states]
