"""Fenced blocks, prose and links of Markdown files."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
FENCE = re.compile(r"^( *)```(\w*) *\n(.*?)^\1``` *$", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\]\(([^)\s]+)\)")


class Block(NamedTuple):
    """A fenced block of a page."""

    language: str
    text: str
    line: int


def files() -> list[Path]:
    """Return the Markdown files of the repository."""
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "*.md"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return sorted(ROOT / name for name in listed.stdout.splitlines() if (ROOT / name).is_file())


def blocks(path: Path) -> list[Block]:
    """Return the fenced blocks of a page."""
    text = path.read_text(encoding="utf-8")
    fenced = []
    for match in FENCE.finditer(text):
        indent = match[1]
        lines = [line.removeprefix(indent) for line in match[3].splitlines()]
        fenced.append(Block(match[2], "\n".join(lines), text.count("\n", 0, match.start()) + 1))
    return fenced


def commands(path: Path) -> list[str]:
    """Return the shell commands of a page, in order, without comments."""
    shell = [block for block in blocks(path) if block.language in ("sh", "bash", "console")]
    lines = [line.split("  #")[0].strip() for block in shell for line in block.text.splitlines()]
    return [line for line in lines if line and not line.startswith("#")]


def prose(path: Path) -> Iterator[tuple[int, str]]:
    """Yield number and text of the lines that are neither code, table nor a bare address."""
    in_code = False
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        start = line.lstrip()
        if start.startswith("```"):
            in_code = not in_code
        elif not in_code and not start.startswith(("|", "http", "![")) and not line.startswith("    "):
            yield number, line


def links(path: Path) -> list[str]:
    """Return the targets of relative links, without anchors."""
    text = FENCE.sub("", path.read_text(encoding="utf-8"))
    targets = [target for target in LINK.findall(text) if "://" not in target]
    return [target.split("#")[0] for target in targets if target.split("#")[0]]
