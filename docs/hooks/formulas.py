"""Draw LaTeX formulas as SVG when the site is built, so that no page loads a script for them.

``pymdownx.arithmatex`` finds the formulas in a page; GitHub shows the same source by itself.
"""

import functools
import html
import re
from typing import Any

import ziamath

FORMULA = re.compile(r'<(span|div) class="arithmatex">\\([(\[])(.*?)\\[)\]]</\1>', re.DOTALL)
TEXT_PX, DISPLAY_PX = 15.5, 16.5


def on_page_content(content: str, **_: Any) -> str:
    """Replace every formula of a page by its drawing."""
    return FORMULA.sub(_replace, content)


def _replace(match: re.Match[str]) -> str:
    source = html.unescape(match[3]).strip()
    label = html.escape(" ".join(source.split()), quote=True)
    if match[2] == "[":
        svg, _ = draw(source, inline=False)
        return f'<div class="formula" role="math" aria-label="{label}">{svg}</div>'
    svg, below = draw(source, inline=True)
    style = f"vertical-align: {below / TEXT_PX:.3f}em"
    return f'<span class="formula" role="math" aria-label="{label}" style="{style}">{svg}</span>'


@functools.cache
def draw(source: str, *, inline: bool) -> tuple[str, float]:
    """Return a formula as SVG, and how far it reaches below the line of text, px (negative)."""
    ziamath.config.svg2 = False
    size = TEXT_PX if inline else DISPLAY_PX
    # The converter knows 'align*' and GitHub both; 'aligned' only GitHub.
    source = source.replace("{aligned}", "{align*}")
    formula = ziamath.Latex(source, size=size, inline=inline, color="currentColor")
    return formula.svg(), formula.getyofst()
