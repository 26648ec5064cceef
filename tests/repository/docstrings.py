"""Docstrings agree with signatures, and arrays have shapes."""

import ast
import re
from pathlib import Path

from repository.sources import PACKAGE, Function, Violation, arguments, functions, parse, python_files

LAYERS = ("messages", "priors", "expfam", "svae", "reduction")
KERNELS = f"{PACKAGE}/messages/backends/"
ARRAY = re.compile(r"\b(Tensor|NDArray|Floats|ndarray)\b")
# An annotation of one of these holds arrays without being one.
HOLDER = re.compile(r"\b(Mapping|Sequence|dict|list|Iterable|Iterator|Callable)\b")
SHAPE = re.compile(r"\([^)]*\)")
ENTRY = re.compile(r"^(\*{0,2}\w+(?:\s*,\s*\*{0,2}\w+)*)\s*(?::\s*(.*))?$")


def disagreements(root: Path) -> list[Violation]:
    """Return what docstrings of public functions get wrong about arguments."""
    violations = []
    for path in python_files(root, *(f"{PACKAGE}/{layer}/" for layer in LAYERS)):
        if path.startswith(KERNELS):
            continue
        tree = parse(root, path)
        public = names_offered(tree)
        for function in functions(tree):
            parts = function.qualname.split(".")
            if function.is_method or not any(part.startswith("_") for part in parts):
                required = len(parts) == 1 and parts[0] in public
                violations += [
                    Violation(path, function.node.lineno, f"{function.qualname}: {text}")
                    for text in faults(function, required=required)
                ]
    return violations


def names_offered(tree: ast.Module) -> set[str]:
    """Return ``__all__`` of a file, or the names without an underscore."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return set(ast.literal_eval(node.value))
    return {n.name for n in tree.body if isinstance(n, ast.FunctionDef) and n.name[0] != "_"}


def faults(function: Function, *, required: bool) -> list[str]:
    """Return what is wrong with the section ``Parameters`` of one function."""
    signature = arguments(function.node, is_method=function.is_method)
    arrays = [a.arg for a in signature if a.annotation and is_array(a.annotation)]
    entries = parameters(ast.get_docstring(function.node) or "")
    if entries is None:
        if required and arrays:
            return [f"has arrays ({', '.join(arrays)}) but no section Parameters"]
        return []
    documented = [name for names, _ in entries for name in names]
    star = [a.arg for a in (function.node.args.vararg, function.node.args.kwarg) if a]
    expected = [a.arg for a in signature]
    texts = [
        f"documents {name!r}, which it does not take"
        for name in documented
        if name not in expected + star
    ]
    texts += [f"does not document {name!r}" for name in expected if name not in documented]
    shared = [name for name in documented if name in expected]
    if shared != [name for name in expected if name in shared]:
        texts.append(f"documents {', '.join(shared)} in another order than it takes them")
    for names, text in entries:
        texts += [
            f"gives no shape of {name!r}" for name in names if name in arrays and not SHAPE.search(text)
        ]
    return texts


def is_array(annotation: ast.expr) -> bool:
    """Tell whether an annotation is an array."""
    text = ast.unparse(annotation)
    return bool(ARRAY.search(text)) and not HOLDER.search(text)


def parameters(docstring: str) -> list[tuple[list[str], str]] | None:
    """Return the entries of the section ``Parameters``: names, and all that stands about them."""
    _, heading, rest = docstring.partition("Parameters\n----------\n")
    if not heading:
        return None
    section = re.split(r"\n\n?[A-Z][a-z]+\n-{3,}\n", rest)[0]
    entries: list[tuple[list[str], str]] = []
    for line in section.splitlines():
        if line and not line[0].isspace():
            if not (match := ENTRY.match(line)):
                break
            names = [name.strip().lstrip("*") for name in match[1].split(",")]
            entries.append((names, match[2] or ""))
        elif line.strip() and entries:
            entries[-1] = (entries[-1][0], f"{entries[-1][1]} {line.strip()}")
    return entries
