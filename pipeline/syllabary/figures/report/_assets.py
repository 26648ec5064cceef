"""Templates, and the choice between inlining a file and placing it beside the page."""

import base64
import json
import math
import os
import shutil
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import jinja2
import markupsafe

__all__ = ["Inliner", "embed", "place_beside", "template"]

TEMPLATES = Path(__file__).parent / "templates"
MIME = {".svg": "image/svg+xml", ".png": "image/png", ".mp4": "video/mp4"}
# Drawings of many thousand points are smaller and faster as pixels.
LARGEST_SVG = 250_000


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    # Style sheets and scripts of the package are inserted unescaped, everything else escaped.
    environment.globals["asset"] = lambda name: markupsafe.Markup(
        (TEMPLATES / name).read_text(encoding="utf-8")
    )
    environment.globals["embed"] = embed
    return environment


def template(name: str) -> jinja2.Template:
    """Return a template of a file name; its values are HTML-escaped."""
    return _environment().get_template(name)


def embed(value: object) -> markupsafe.Markup:
    """Return a value as JSON that is safe inside a ``<script type="application/json">``."""
    text = json.dumps(_finite(value), sort_keys=True, allow_nan=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return markupsafe.Markup(text)


def _finite(value: object) -> object:
    """Return a value with null for infinities and NaN, which JSON lacks."""
    if isinstance(value, Mapping):
        return {str(k): _finite(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


class Inliner:
    """Makes ``src`` values of files: data until the budget is used up, then links.

    Parameters
    ----------
    folder : Path
        Folder of the page; linked files are placed below it.
    budget : int
        Largest number of characters of data in the page.
    """

    def __init__(self, folder: Path, budget: int) -> None:
        self.folder = folder
        self.left = budget

    def source(self, path: Path, beside: str) -> str:
        """Return the ``src`` of a file; a linked file is placed at ``beside`` in the page's folder."""
        head = f"data:{MIME[path.suffix]};base64,"
        length = len(head) + 4 * -(-path.stat().st_size // 3)
        if length > self.left:
            place_beside(path, self.folder / beside)
            return beside
        self.left -= length
        return head + base64.b64encode(path.read_bytes()).decode()

    def figure(self, paths: tuple[Path, ...], beside: str) -> str:
        """Return the ``src`` of a figure: its SVG, or its PNG if the SVG is large.

        Parameters
        ----------
        paths : tuple of Path
            One file per format.
        beside : str
            Place of a linked file in the page's folder, without a suffix.
        """
        by_suffix = {p.suffix: p for p in paths}
        svg, png = by_suffix.get(".svg"), by_suffix.get(".png")
        chosen = png if svg is None or (png and svg.stat().st_size > LARGEST_SVG) else svg
        return "" if chosen is None else self.source(chosen, f"{beside}{chosen.suffix}")


def place_beside(path: Path, target: Path) -> None:
    """Place a file at ``target``: a hard link if possible, else a copy."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists() and target.samefile(path):
        return
    target.unlink(missing_ok=True)
    try:
        os.link(path, target)
    except OSError:
        shutil.copyfile(path, target)
