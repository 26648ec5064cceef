"""Show Markdown files from outside ``docs/`` as pages, turn links, and list the decisions.

Links in the sources are those of the repository, so that they also work on GitHub.
"""

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[2]
# File in the repository -> page in the site.
OUTSIDE = {
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "benchmarks/README.md": "benchmarks.md",
    "config/README.md": "configuration.md",
    "data/README.md": "recordings.md",
    "profiles/README.md": "profiles.md",
    # The site begins with its own overview.
    "README.md": "index.md",
}
INSIDE = {page: source for source, page in OUTSIDE.items() if page != "index.md"}
LINK = re.compile(r"(\]\()([^)\s#]+)(#[^)\s]*)?(\))")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """List every decision in the navigation."""
    [section] = [part["Decisions"] for part in config.nav or [] if "Decisions" in part]
    section += sorted(f"decisions/{path.name}" for path in ROOT.glob("docs/decisions/[0-9]*.md"))
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the files that lie outside ``docs/``."""
    for page, source in INSIDE.items():
        text = (ROOT / source).read_text(encoding="utf-8")
        files.append(File.generated(config, page, content=text))
    return files


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """Turn the links of one page."""
    here = page.file.src_uri
    source = INSIDE.get(here, f"docs/{here}")

    def turn(match: re.Match[str]) -> str:
        if "://" in match[2] or match[2].startswith("mailto:"):
            return match[0]
        target = posixpath.normpath(posixpath.join(posixpath.dirname(source), match[2]))
        target = OUTSIDE.get(target, target.removeprefix("docs/"))
        relative = posixpath.relpath(target, posixpath.dirname(here) or ".")
        return f"{match[1]}{relative}{match[3] or ''}{match[4]}"

    return LINK.sub(turn, markdown)
