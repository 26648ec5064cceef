"""Provenance of a result: version, code, settings, seed and inputs, as one JSON text.

It holds no dates and no host names, so that the same command writes the same bytes again.
``code_of`` is a digest of the syntax that a step can reach. It follows imports from the step's
function; comments and docstrings do not count.
"""

import ast
import gc
import hashlib
import json
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from . import __version__

__all__ = ["Provenance", "code_of", "digest", "generator"]

PACKAGE = Path(__file__).parent
STEPS = "steps"
BLOCK = 1 << 20
# Above this size a digest reads evenly spaced blocks: a one-hour raw recording has 47 GB.
WHOLE_FILE_LIMIT = 256 * BLOCK
SAMPLED_BLOCKS = 64


class Provenance(NamedTuple):
    """The step, settings, seed, inputs, code and device that a file was made with."""

    step: str
    settings: Mapping[str, object]
    seed: int | None
    inputs: Mapping[str, str]
    code: str
    version: str = __version__
    device: str = "cpu"
    """``cpu``, or the model of the GPU that computed it."""

    def to_json(self) -> str:
        """Return the record as JSON with sorted keys."""
        return json.dumps(self._asdict(), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> "Provenance":
        """Read back what ``to_json`` wrote."""
        return cls(**json.loads(text))


def digest(path: Path | str) -> str:
    """Return a BLAKE2 digest of a file's content, or of a folder's files in name order.

    Files above 256 MiB are sampled: their size and 64 evenly spaced blocks of 1 MiB, the
    first and the last among them. Their digests begin with ``sampled-``.
    """
    path = Path(path)
    if path.is_dir():
        parts = [f"{p.relative_to(path)}:{digest(p)}" for p in sorted(path.rglob("*")) if p.is_file()]
        return hashlib.blake2b("\n".join(parts).encode(), digest_size=16).hexdigest()
    size = path.stat().st_size
    summary = hashlib.blake2b(digest_size=16)
    with path.open("rb") as file:
        if size <= WHOLE_FILE_LIMIT:
            while block := file.read(BLOCK):
                summary.update(block)
            return summary.hexdigest()
        summary.update(str(size).encode())
        for i in range(SAMPLED_BLOCKS):
            file.seek(i * (size - BLOCK) // (SAMPLED_BLOCKS - 1))
            summary.update(file.read(BLOCK))
    return "sampled-" + summary.hexdigest()


def generator(seed: int, *names: str | int) -> np.random.Generator:
    """Return the random generator of a study's seed and the names of a task.

    The numbers depend on the seed and the names alone, not on what ran before.
    """
    text = "\0".join(map(str, (seed, *names)))
    words = hashlib.blake2b(text.encode(), digest_size=32).digest()
    return np.random.Generator(np.random.PCG64(int.from_bytes(words, "little")))


@cache
def code_of(step: str) -> str:
    """Digest the code that one step can reach.

    The function's own syntax counts, the module-level names of its file that it uses, and
    every file of the package that its imports lead to, transitively. A call of
    ``registry.find`` or ``registry.names`` reaches the whole folder it names. Templates and
    weights count with the package that holds them.

    Parameters
    ----------
    step : str
        Name of a function in the file of ``steps/`` with the same name.

    Raises
    ------
    KeyError
        There is no such function.
    """
    place = PACKAGE / STEPS / f"{step}.py"
    body = _syntax(place).body if place.is_file() else []
    defined = {name: node for node in body for name in _names_of(node)}
    if not isinstance(defined.get(step), ast.FunctionDef):
        raise KeyError(f"{STEPS}/{step}.py defines no function {step!r}")
    reached: dict[str, ast.AST] = {}
    pending = [step]
    while pending:
        name = pending.pop()
        if name not in reached:
            reached[name] = defined[name]
            used = {n.id for n in ast.walk(defined[name]) if isinstance(n, ast.Name)}
            pending += [other for other in used if other in defined and other not in reached]
    files: set[Path] = set()
    for node in reached.values():
        _follow(node, place, files)
    summary = hashlib.blake2b(digest_size=16)
    for name in sorted(reached):
        summary.update(ast.dump(reached[name]).encode())
    for path in sorted(files):
        summary.update(str(path.relative_to(PACKAGE)).encode())
        summary.update(_parsed(path).digest)
        if path.name == "__init__.py":
            for part in _data_of(path.parent):
                summary.update(part.read_bytes())
    return summary.hexdigest()


def _syntax(path: Path) -> ast.Module:
    """Parse a file and drop its docstrings."""
    collects = gc.isenabled()
    gc.disable()  # collecting while nodes are made takes longer than making them
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"))
    finally:
        if collects:
            gc.enable()
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            value = first.value if isinstance(first, ast.Expr) else None
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                node.body = node.body[1:]
    return tree


def _data_of(folder: Path) -> list[Path]:
    """Return the files of a package that are not Python code: templates, styles, weights."""
    files = (path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return sorted(path for path in files if path.suffix not in (".py", ".pyc"))


def _names_of(node: ast.stmt) -> list[str]:
    """Return the names that one top-level statement defines."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return [node.name]
    if isinstance(node, ast.Import | ast.ImportFrom):
        return [alias.asname or alias.name.split(".")[0] for alias in node.names]
    targets: Iterable[ast.expr] = ()
    if isinstance(node, ast.Assign):
        targets = node.targets
    elif isinstance(node, ast.AnnAssign):
        targets = (node.target,)
    return [target.id for target in targets if isinstance(target, ast.Name)]


def _follow(node: ast.AST, place: Path, files: set[Path]) -> None:
    """Add to ``files`` every file of the package that imports below ``node`` lead to."""
    for path in _imported(node, place):
        pending = [path]
        while pending:
            reached = pending.pop()
            if reached not in files:
                files.add(reached)
                pending += _parsed(reached).imports


class _Parsed(NamedTuple):
    """What counts of a file: a digest of its syntax, and the files that it imports."""

    digest: bytes
    imports: tuple[Path, ...]


@cache
def _parsed(path: Path) -> _Parsed:
    """Parse a file once; its syntax is not kept, because all of it takes long to collect."""
    tree = _syntax(path)
    dumped = hashlib.blake2b(ast.dump(tree).encode(), digest_size=16).digest()
    return _Parsed(dumped, tuple(dict.fromkeys(_imported(tree, path))))


def _imported(node: ast.AST, place: Path) -> Iterable[Path]:
    package = ("syllabary", *place.relative_to(PACKAGE).parent.parts)
    for item in ast.walk(node):
        if isinstance(item, ast.ImportFrom):
            parent = package[: len(package) - item.level + 1] if item.level else ()
            module = (*parent, *(item.module.split(".") if item.module else ()))
            if module[:1] == ("syllabary",):
                yield from _files(module)
                for alias in item.names:
                    yield from _files((*module, alias.name))
        elif isinstance(item, ast.Import):
            for alias in item.names:
                yield from _files(tuple(alias.name.split(".")))
        elif isinstance(item, ast.Call) and _is_registry(item.func):
            folder = item.args[0] if item.args else None
            if isinstance(folder, ast.Constant) and isinstance(folder.value, str):
                inside = PACKAGE.joinpath(*folder.value.split(".")[1:])
                yield from sorted(inside.rglob("*.py"))


def _is_registry(function: ast.expr) -> bool:
    return (
        isinstance(function, ast.Attribute)
        and isinstance(function.value, ast.Name)
        and function.value.id == "registry"
    )


def _files(module: tuple[str, ...]) -> Iterable[Path]:
    """Yield the files that importing a dotted name runs: its packages and itself."""
    if module[:1] != ("syllabary",):
        return
    for depth in range(1, len(module) + 1):
        place = PACKAGE.joinpath(*module[1:depth])
        for path in (place / "__init__.py", place.with_suffix(".py")):
            if depth > 1 and path.is_file() and path != PACKAGE / STEPS / "__init__.py":
                yield path
