"""The docstring of a package names its modules, in reading order."""

import ast
import re
from pathlib import Path

from repository.imports import modules
from repository.sources import Violation, parse

NAME = re.compile(r"``([a-z_][\w/]*)``")


def stale_reading_orders(root: Path) -> list[Violation]:
    """Return what the paragraph 'In reading order' names without being there, or leaves out.

    Members of a registry, which is a package with ``SHARED``, may be left out.
    """
    violations = []
    paths = modules(root)
    for package, path in paths.items():
        if not path.endswith("__init__.py") or not package:
            continue
        tree = parse(root, path)
        docstring = ast.get_docstring(tree) or ""
        inside = {
            module.removeprefix(f"{package}.").split(".")[0]
            for module in paths
            if module.startswith(f"{package}.")
        }
        named = {name.split("/")[0] for name in NAME.findall(docstring)}
        paragraphs = [p for p in docstring.split("\n\n") if "n reading order" in p]
        outside = re.sub(r"\([^)]*\)", "", "\n".join(paragraphs))
        listed = {name.split("/")[0] for name in NAME.findall(outside)}
        absent = [name for name in sorted(listed - inside) if not (root / path).with_name(name).is_dir()]
        texts = [f"the reading order names {name!r}, which is not there" for name in absent]
        if not any(isinstance(n, ast.Name) and n.id == "SHARED" for n in ast.walk(tree)):
            left_out = sorted(name for name in inside - named if not name.startswith("_"))
            texts += [f"the docstring does not name {name!r}" for name in left_out]
        violations += [Violation(path, 1, text) for text in texts]
    return violations
