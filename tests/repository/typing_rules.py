"""Types are given: few ``Any``, and a prior has its own type."""

import ast
from pathlib import Path

from repository.sources import PACKAGE, Violation, parse, python_files

MAX_ANY = 200
EVIDENCE = "'{}'; put what differs in the interface"
# Layers that use a prior.
TYPED = tuple(f"{PACKAGE}/{layer}/" for layer in ("svae", "priors", "reduction", "steps"))


def too_many_any(root: Path) -> list[Violation]:
    """Return how often each file says ``Any``, if the package says it too often."""
    counts = {}
    for path in python_files(root, PACKAGE):
        uses = [n for n in ast.walk(parse(root, path)) if isinstance(n, ast.Name) and n.id == "Any"]
        if uses:
            counts[path] = (uses[0].lineno, len(uses))
    total = sum(count for _, count in counts.values())
    if total <= MAX_ANY:
        return []
    return [
        Violation(path, line, f"'Any' {count} times; {total} in the package, {MAX_ANY} allowed")
        for path, (line, count) in counts.items()
    ]


def untyped_priors(root: Path) -> list[Violation]:
    """Return where a prior is any module, or is looked at to learn what it can do."""
    return [
        Violation(path, getattr(node, "lineno", 1), text)
        for path in python_files(root, PACKAGE, "tests", "benchmarks")
        for node in ast.walk(parse(root, path))
        if (text := untyped(path, node))
    ]


def untyped(path: str, node: ast.AST) -> str:
    """Return what is wrong with one node of the syntax; empty if nothing is."""
    text = ""
    if isinstance(node, ast.Name) and node.id == "ModuleType" and path.startswith(TYPED):
        text = "'ModuleType' has no interface; use a Protocol"
    elif isinstance(node, ast.Call) and ast.unparse(node.func) == "hasattr" and path.startswith(TYPED):
        text = f"'{ast.unparse(node)}'; put it in the interface"
    elif isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.Is | ast.IsNot):
        text = EVIDENCE.format(ast.unparse(node)) * ast.unparse(node.left).endswith(".Evidence")
    return text
