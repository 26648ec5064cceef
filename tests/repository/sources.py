"""Files of the repository, and their syntax."""

import ast
import functools
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

PACKAGE = "pipeline/syllabary"
PLACES = ("pipeline", "tests", "benchmarks", "workflow", "config", "docs", "profiles", ".ci")
TEXT = {
    ".py", ".md", ".smk", ".yaml", ".yml", ".toml", ".tsv", ".csv", ".html", ".j2", ".js", ".css",
    ".rst", ".json", ".txt", ".sh", "",
}  # fmt: skip
ALONE = ("*.md", "*.toml", "*.yml", "Makefile", "Snakefile", "LICENSE", "data/*.md")


class Violation(NamedTuple):
    """One place where the code breaks a rule."""

    path: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.text}"


class Function(NamedTuple):
    """A function, with the names of the classes and functions around it."""

    qualname: str
    node: ast.FunctionDef | ast.AsyncFunctionDef
    is_method: bool


def text_files(root: Path) -> list[str]:
    """Return the paths of text files, relative to ``root``, sorted."""
    paths = [path for place in PLACES for path in (root / place).rglob("*")]
    paths += [path for pattern in ALONE for path in root.glob(pattern)]
    inside = [path.relative_to(root) for path in paths if path.suffix in TEXT and path.is_file()]
    kept = [path for path in inside if "__pycache__" not in path.parts and "shipped" not in path.parts]
    return sorted(path.as_posix() for path in kept)


def python_files(root: Path, *places: str) -> list[str]:
    """Return the paths of Python files below some places, or below all."""
    return [
        path
        for path in text_files(root)
        if path.endswith(".py") and (not places or path.startswith(places))
    ]


@functools.cache
def read(root: Path, path: str) -> str:
    """Return the text of a file."""
    return (root / path).read_text(encoding="utf-8")


@functools.cache
def parse(root: Path, path: str) -> ast.Module:
    """Return the syntax of a file."""
    return ast.parse(read(root, path))


def functions(tree: ast.AST, prefix: str = "", *, in_class: bool = False) -> Iterator[Function]:
    """Yield all functions, outer ones first."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield Function(prefix + node.name, node, in_class)
            yield from functions(node, f"{prefix}{node.name}.")
        elif isinstance(node, ast.ClassDef):
            yield from functions(node, f"{prefix}{node.name}.", in_class=True)
        else:
            yield from functions(node, prefix, in_class=in_class)


def arguments(node: ast.FunctionDef | ast.AsyncFunctionDef, *, is_method: bool) -> list[ast.arg]:
    """Return a function's arguments in order, without ``self`` and ``cls``."""
    listed = [*node.args.posonlyargs, *node.args.args]
    static = any(isinstance(d, ast.Name) and d.id == "staticmethod" for d in node.decorator_list)
    return [*listed[is_method and not static :], *node.args.kwonlyargs]
