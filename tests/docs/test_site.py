"""The documentation builds strictly and loads nothing from elsewhere; pages keep their form."""

import importlib.util
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from . import markdown

ROOT = markdown.ROOT
NEEDED = ("mkdocs", "material", "ziamath")
WIDTH, README_LINES, PICTURE_KB = 110, 150, 300
# Attributes by which an element loads something, and the relations of a link that do.
LOADS = {"src", "srcset", "poster", "data", "background"}
RELATIONS = {
    *("stylesheet", "icon", "preconnect", "dns-prefetch", "preload", "modulepreload"),
    *("prefetch", "manifest"),
}

PLACES = ("pipeline", "tests", "benchmarks", "workflow", "docs")
CODE = [
    path.relative_to(ROOT).as_posix()
    for place in PLACES
    for path in (ROOT / place).rglob("*")
    if path.suffix in (".py", ".smk")
]


class Loads(HTMLParser):
    """Collect what a browser loads with a page."""

    def __init__(self):
        super().__init__()
        self.addresses = []

    def handle_starttag(self, tag, attributes):
        values = {name: value or "" for name, value in attributes}
        self.addresses += [values[name] for name in LOADS & set(values)]
        if tag == "link" and RELATIONS & set(values.get("rel", "").split()):
            self.addresses.append(values.get("href", ""))
        if tag in ("use", "image"):
            self.addresses += [values.get("href", ""), values.get("xlink:href", "")]
        self.addresses += re.findall(r"url\(([^)]*)\)", values.get("style", ""))


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The built site."""
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        pytest.skip(f"the extra 'docs' is not installed: no {', '.join(missing)}")
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def outside(address):
    return address.startswith(("http:", "https:", "//"))


def test_pages_load_nothing_from_elsewhere(site):
    pages = sorted(site.rglob("*.html"))
    assert len(pages) > 30
    for page in pages:
        text = page.read_text(encoding="utf-8")
        loads = Loads()
        loads.feed(text)
        assert not [a for a in loads.addresses if outside(a)], page.name
        inline = " ".join(re.findall(r"<style[^>]*>(.*?)</style>", text, re.DOTALL))
        assert not re.search(r"@import|url\(['\"]?(https?:)?//", inline), page.name
        # The theme's script loads a library for diagrams and counts of a repository for its icon.
        assert 'class="mermaid"' not in text
        assert 'data-md-component="source"' not in text


def test_style_sheets_load_nothing_from_elsewhere(site):
    for sheet in site.rglob("*.css"):
        text = sheet.read_text(encoding="utf-8")
        assert "@import" not in text, sheet.name
        assert not re.search(r"url\(['\"]?(https?:)?//", text), sheet.name


def test_formulas_are_drawn_and_none_is_left_as_source(site):
    text = (site / "mathematics.html").read_text(encoding="utf-8")
    assert text.count('class="formula"') > 100
    assert "arithmatex" not in text
    # The converter shows a command that it does not know by its name.
    assert not re.search(r"<text[^>]*>\\", text)


def test_files_from_outside_the_folder_are_pages(site):
    for page in ("benchmarks", "changelog", "configuration", "contributing", "recordings"):
        assert (site / f"{page}.html").is_file()


@pytest.mark.parametrize("path", markdown.files(), ids=lambda p: str(p.relative_to(ROOT)))
def test_links_lead_somewhere(path):
    absent = [target for target in markdown.links(path) if not (path.parent / target).exists()]
    assert not absent


@pytest.mark.parametrize("path", markdown.files(), ids=lambda p: str(p.relative_to(ROOT)))
def test_prose_is_wrapped(path):
    wide = [n for n, line in markdown.prose(path) if len(line) > WIDTH and " " in line.strip()]
    assert not wide


@pytest.mark.parametrize("path", markdown.files(), ids=lambda p: str(p.relative_to(ROOT)))
def test_code_that_pages_name_exists(path):
    named = re.findall(r"`([\w./]+\.(?:py|smk))`", path.read_text(encoding="utf-8"))
    absent = {name for name in named if not any(f"/{file}".endswith(f"/{name}") for file in CODE)}
    assert not absent


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= README_LINES


def test_the_readme_has_one_picture_and_it_is_small():
    pictures = re.findall(r"!\[[^]]+\]\(([^)]+)\)", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert len(pictures) == 1
    assert (ROOT / pictures[0]).stat().st_size <= PICTURE_KB * 1024


def test_every_decision_is_listed():
    pages = sorted(p.name for p in (ROOT / "docs/decisions").glob("[0-9]*.md"))
    listed = re.findall(r"\]\((\d[^)]*)\)", Path(ROOT / "docs/decisions/README.md").read_text("utf-8"))
    assert listed == pages
