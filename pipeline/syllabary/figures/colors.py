"""Colors: of syllables, of groups, and of what has no label."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from ..errors import BadSetting

__all__ = ["MISSING", "Color", "Colors", "categories", "hexadecimal", "palette", "shade"]

Color = tuple[float, float, float]
MISSING: Color = (0.88, 0.89, 0.90)
CATEGORIES = ("#3f5873", "#e0813c", "#6aa3d8", "#9a6fb0", "#63a66f", "#c65353", "#8c8c4a", "#777f88")
GOLDEN = (np.sqrt(5) - 1) / 2


@dataclass(frozen=True)
class Colors:
    """Colors of a study: ``truth`` by behavior, ``models`` by model and syllable."""

    truth: Mapping[str, Color] = field(default_factory=dict)
    models: Mapping[str, Mapping[int, Color]] = field(default_factory=dict)
    palette: str = "golden"

    def of(self, model: str, syllable: int) -> Color:
        """Return the color of one syllable; a tick without a label is light gray.

        Parameters
        ----------
        model : str
        syllable : int
            -1 = unlabeled.
        """
        if syllable < 0:
            return MISSING
        color = self.models.get(model, {}).get(syllable)
        return color if color is not None else palette(syllable + 1, self.palette)[syllable]


def palette(count: int, name: str = "golden") -> list[Color]:
    """Return ``count`` colors whose neighbors differ in hue.

    Parameters
    ----------
    count : int
    name : str
        ``"golden"`` or a color map of matplotlib.

    Raises
    ------
    BadSetting
        ``name`` is neither ``"golden"`` nor a color map of matplotlib.
    """
    steps = (0.58 + GOLDEN * np.arange(count)) % 1.0
    if name == "golden":
        # After 21 golden steps hues nearly repeat, so that lightness changes then.
        at = np.arange(count)
        lightness = np.array([0.66, 0.56, 0.76])[(at + at // 21) % 3]
        return [
            _oklch(light, 0.135, 2 * np.pi * hue) for light, hue in zip(lightness, steps, strict=True)
        ]
    import matplotlib as mpl

    if name not in mpl.colormaps:
        raise BadSetting(
            f"setting draw.palette = {name!r}: neither 'golden' nor a color map of matplotlib, such "
            "as 'turbo' or 'tab20'."
        )
    chosen = mpl.colormaps[name]
    places = np.arange(count) % chosen.N if chosen.N <= 20 else steps
    return [_rgb(chosen(x)[:3]) for x in places]


def categories(count: int) -> list[str]:
    """Return ``count`` colors of groups, models or restarts, unlike those of syllables."""
    return [CATEGORIES[i % len(CATEGORIES)] for i in range(count)]


def hexadecimal(color: Color) -> str:
    """Return a color as ``#rrggbb``."""
    return "#" + "".join(f"{round(255 * c):02x}" for c in color)


def shade(color: Color, weight: float) -> Color:
    """Mix a color with white (positive weight, up to 1) or with black (negative weight)."""
    target = 1.0 if weight > 0 else 0.0
    return _rgb(np.array(color) * (1 - abs(weight)) + target * abs(weight))


def _oklch(lightness: float, chroma: float, hue: float) -> Color:
    """Convert OKLCh to sRGB (B. Ottosson, 2020, bottosson.github.io/posts/oklab)."""
    a, b = chroma * np.cos(hue), chroma * np.sin(hue)
    to_lms = np.array([
        [1.0, 0.3963377774, 0.2158037573],
        [1.0, -0.1055613458, -0.0638541728],
        [1.0, -0.0894841775, -1.2914855480],
    ])  # fmt: skip
    to_rgb = np.array([
        [4.0767416621, -3.3077115913, 0.2309699292],
        [-1.2684380046, 2.6097574011, -0.3413193965],
        [-0.0041960863, -0.7034186147, 1.7076147010],
    ])  # fmt: skip
    linear = np.clip(to_rgb @ (to_lms @ np.array([lightness, a, b])) ** 3, 0, 1)
    return _rgb(np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055))


def _rgb(values: npt.ArrayLike) -> Color:
    red, green, blue = (float(np.clip(v, 0, 1)) for v in np.asarray(values))
    return red, green, blue
