"""The interface of a figure: what every figure file of this folder has."""

from typing import Literal, Protocol, runtime_checkable

from matplotlib.figure import Figure

from .results import FigureData
from .settings import DrawSettings

__all__ = ["FigureFile"]


@runtime_checkable
class FigureFile(Protocol):
    """A module of this folder that draws a figure.

    Attributes
    ----------
    TITLE, CAPTION : str
        Texts in the report.
    SCOPE : str
        Whether it is drawn for the study, for each model or for each shown recording.
    NEEDS : str
        The results it needs, named if they are missing.
    """

    __name__: str
    TITLE: str
    CAPTION: str
    SCOPE: Literal["study", "model", "recording"]
    NEEDS: str

    def draw(self, data: FigureData, settings: DrawSettings) -> Figure | None:
        """Draw the figure, or return None if its results do not exist.

        Parameters
        ----------
        data : FigureData
            The study, and the model or the recording of ``SCOPE``.
        settings : DrawSettings
        """
