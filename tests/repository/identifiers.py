"""Names that the code gives to things use the field's words."""

import ast
import re
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

from repository import words
from repository.sources import Violation, parse, read, text_files

PLACES = ("pipeline", "tests", "benchmarks", "workflow")
TABLE = "tests/repository/words.py"
WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
Names = Iterator[tuple[int, str]]


def refused_words(root: Path) -> list[Violation]:
    """Return the names that use a refused word, each once in a file for each line."""
    violations = {
        Violation(path, line, f"{name!r} uses {word!r}; say {better}"): None
        for path, line, name in all_names(root)
        for word, better in refused(path, name)
    }
    return list(violations)


def all_names(root: Path) -> Iterator[tuple[str, int, str]]:
    """Yield path, line and name of all that the code names, files among it."""
    for path in text_files(root):
        if path.startswith(PLACES) and path != TABLE and path.endswith((".py", ".smk")):
            yield from ((path, 1, part) for part in Path(path).with_suffix("").parts)
            is_python = path.endswith(".py")
            text = read(root, path)
            for line, name in bound_names(parse(root, path)) if is_python else snakemake_names(text):
                yield path, line, name


def refused(path: str, name: str) -> Iterator[tuple[str, str]]:
    """Yield the refused words of one name, and the word to use."""
    excepted = [text for (pattern, text) in words.EXCEPTIONS if fnmatch(path, pattern)]
    if name in excepted:
        return
    if name.lower() in words.WHOLE:
        yield name, words.WHOLE[name.lower()]
    is_sentence = name.startswith("test_")
    for part in WORD.findall(name):
        word = part.lower()
        if word in excepted:
            continue
        better = words.PRIVATE.get(word)
        if not better and not is_sentence:
            better = words.ORDINARY.get(word) or words.VAGUE.get(word)
        if better:
            yield word, better


def bound_names(tree: ast.Module) -> Names:
    """Yield the names that a file binds: variables, arguments, attributes, functions, columns."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.lineno, node.name
        elif isinstance(node, ast.arg):
            yield node.lineno, node.arg
        elif isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.id if isinstance(node, ast.Name) else node.attr
        elif isinstance(node, ast.alias) and node.asname:
            yield node.lineno, node.asname
        elif isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar) and node.name:
            yield node.lineno, node.name
    for statement in tree.body:
        if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]).isupper():
            yield from columns(statement.value)


def columns(value: ast.expr) -> Names:
    """Yield the texts of a constant that names columns: keys of a mapping, items of a list."""
    if isinstance(value, ast.Call) and value.args:
        value = value.args[0]
    if isinstance(value, ast.Dict):
        items = [key for key in value.keys if key]
    elif isinstance(value, ast.Tuple | ast.List | ast.Set):
        items = list(value.elts)
    else:
        return
    for item in items:
        if isinstance(item, ast.Constant) and isinstance(item.value, str) and item.value.isidentifier():
            yield item.lineno, item.value


def snakemake_names(text: str) -> Names:
    """Yield what a file of rules names: rules, functions, constants, keywords of a rule."""
    pattern = re.compile(r"^\s*(?:rule|def|checkpoint)\s+(\w+)|^\s*(\w+)\s*=[^=]")
    for number, line in enumerate(text.splitlines(), 1):
        if match := pattern.match(line):
            yield number, match[1] or match[2]


def unused_exceptions(root: Path) -> list[Violation]:
    """Return the exceptions that no name needs."""
    names = {(path, name) for path, _, name in all_names(root)}
    return [
        Violation(TABLE, 1, f"no name needs the exception {pattern!r}, {text!r}")
        for pattern, text in words.EXCEPTIONS
        if not any(
            fnmatch(path, pattern) and (name == text or text in map(str.lower, WORD.findall(name)))
            for path, name in names
        )
    ]
