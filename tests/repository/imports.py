"""Imports: no cycles, nothing private across modules, and names that exist."""

import ast
import functools
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from repository.sources import PACKAGE, Violation, parse, python_files


class Import(NamedTuple):
    """One name that one module imports from another.

    ``name`` is empty if the module itself is imported.
    """

    line: int
    module: str
    name: str


@functools.cache
def modules(root: Path) -> dict[str, str]:
    """Return the path of each module by its dotted name inside the package."""
    paths = {}
    for path in python_files(root, PACKAGE + "/"):
        name = path.removeprefix(PACKAGE + "/").removesuffix(".py").replace("/", ".")
        paths[name.removesuffix("__init__").rstrip(".")] = path
    return paths


def imported(root: Path, module: str) -> Iterator[Import]:
    """Yield what a module imports from the package, inside functions and for types too."""
    paths = modules(root)
    path = paths[module]
    package = module.split(".") if path.endswith("__init__.py") else module.split(".")[:-1]
    package = [part for part in package if part]
    for node in ast.walk(parse(root, path)):
        if isinstance(node, ast.ImportFrom):
            absolute = (node.module or "").split(".")
            if node.level:
                prefix = package[: len(package) - node.level + 1]
                source = ".".join([*prefix, *(part for part in absolute if part)])
            elif absolute[0] == "syllabary":
                source = ".".join(absolute[1:])
            else:
                continue
            for alias in node.names:
                inner = f"{source}.{alias.name}".lstrip(".")
                if inner in paths:
                    yield Import(node.lineno, inner, "")
                else:
                    yield Import(node.lineno, source, alias.name)


def cycles(root: Path) -> list[Violation]:
    """Return the groups of modules that import each other, whatever the import is for."""
    edges = {module: {i.module for i in imported(root, module)} - {module} for module in modules(root)}
    reach = {module: reachable(edges, module) for module in edges}
    violations, done = [], set[str]()
    for module in sorted(edges):
        group = sorted(other for other in reach[module] if module in reach.get(other, ()))
        if group and module not in done:
            done.update(group)
            text = f"imports go in a circle: {', '.join(group)}"
            violations.append(Violation(modules(root)[module], 1, text))
    return violations


def reachable(edges: dict[str, set[str]], start: str) -> set[str]:
    """Return the modules that imports of one lead to."""
    reached: set[str] = set()
    pending = list(edges[start])
    while pending:
        module = pending.pop()
        if module not in reached:
            reached.add(module)
            pending += edges.get(module, ())
    return reached


def private_imports(root: Path) -> list[Violation]:
    """Return the imports of what begins with an underscore from another folder or module."""
    violations = []
    paths = modules(root)
    for module, path in paths.items():
        names = set[str]()
        for item in imported(root, module):
            other = paths.get(item.module, "")
            private = [part for part in item.module.split(".") if part.startswith("_")]
            if private and Path(other).parent != Path(path).parent:
                text = f"imports {item.module} from another folder; drop its underscore"
                violations.append(Violation(path, item.line, text))
            if item.name.startswith("_") and not item.name.startswith("__"):
                text = f"imports {item.name} from {item.module}; drop its underscore"
                violations.append(Violation(path, item.line, text))
            if not item.name:
                names.add(item.module.split(".")[-1])
        for node in ast.walk(parse(root, path)):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                private_name = node.attr.startswith("_") and not node.attr.startswith("__")
                if private_name and node.value.id in names:
                    text = f"uses {node.value.id}.{node.attr}; drop its underscore"
                    violations.append(Violation(path, node.lineno, text))
    return violations


def absent_names(root: Path) -> list[Violation]:
    """Return the names in ``__all__`` that a module neither defines nor has as a file."""
    violations = []
    paths = modules(root)
    for module, path in paths.items():
        tree = parse(root, path)
        defined = set(definitions(tree))
        for node in tree.body:
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
                for name in ast.literal_eval(node.value):
                    if name not in defined and f"{module}.{name}".lstrip(".") not in paths:
                        text = f"__all__ has {name!r}, which is not there"
                        violations.append(Violation(path, node.lineno, text))
    return violations


def definitions(tree: ast.AST) -> Iterator[str]:
    """Yield the names that a module binds at its top."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Import | ast.ImportFrom):
            yield from (alias.asname or alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        else:
            yield from definitions(node)
