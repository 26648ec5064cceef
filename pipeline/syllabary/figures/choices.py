"""Which figures to draw; a study is checked without importing the plotting library."""

from .. import registry
from ..errors import BadSetting
from .colors import palette
from .settings import DrawSettings

__all__ = ["chosen"]

FORMATS = frozenset({"png", "svg", "pdf"})


def chosen(settings: DrawSettings) -> list[str]:
    """Return the names of the figures to draw, and check formats and palette.

    Parameters
    ----------
    settings : DrawSettings

    Raises
    ------
    BadSetting, UnknownName
        A format, a palette or a figure does not exist.
    """
    unknown = sorted(set(settings.formats) - FORMATS)
    if unknown or not settings.formats:
        raise BadSetting(
            f"setting draw.formats = {list(settings.formats)}: wanted some of "
            f"{', '.join(sorted(FORMATS))}."
        )
    palette(1, settings.palette)
    if settings.figures is None:
        return registry.names("syllabary.figures")
    for name in settings.figures:
        registry.require("syllabary.figures", name)
    return list(settings.figures)
