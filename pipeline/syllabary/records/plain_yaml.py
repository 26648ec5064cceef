"""YAML that people write, and strangers too: it holds values, and nothing that runs or multiplies.

Snakemake evaluates Python expressions in a config with the key ``__use_yte__``, takes the second of
two equal keys, and follows aliases without a limit. ``require`` is therefore called before Snakemake
reads a file.
"""

import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from ..errors import BadInput

__all__ = ["read", "require"]

MAX_BYTES = 1 << 20
MAX_DEPTH = 30
MAX_VALUES = 100_000
EXPRESSIONS = "__use_yte__"
PREFIX = "tag:yaml.org,2002:"
TAGS = frozenset(
    PREFIX + name for name in ("null", "bool", "int", "float", "timestamp", "str", "seq", "map", "merge")
)
# Whole numbers of YAML 1.1 that most readers take for another number: octal, sexagesimal.
MISREAD = re.compile(r"[-+]?0[0-9_]*[0-9]|[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?")


def require(path: Path | str) -> None:
    """Require that a YAML file, if there is one, holds plain values only.

    Raises
    ------
    BadInput
        As ``read``, except that a missing file is for others to refuse.
    """
    if Path(path).exists():
        read(path)


def read(path: Path | str) -> dict[str, Any]:
    """Return what a YAML file of sections holds; nothing if it is empty.

    Parameters
    ----------
    path : path

    Raises
    ------
    BadInput
        There is no such file, it is no YAML in UTF-8, holds no sections, or is too large; a value is
        an expression or an object of a program; a key is there twice; an alias repeats its own
        anchor; a number is written so that YAML reads another one.
    """
    path = Path(path)
    if not path.is_file():
        raise BadInput(f"{path}: no such file; give the study's settings with --config.")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise BadInput(f"{path}: can't be read ({error.strerror}); correct its permissions.") from None
    if len(content) > MAX_BYTES:
        raise BadInput(f"{path}: has {len(content)} bytes; wanted settings, at most {MAX_BYTES} bytes.")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadInput(
            f"{path}: is not UTF-8 text (byte {error.start}); save it as UTF-8 again."
        ) from None
    try:
        _require_small(path, text)
        node = yaml.compose(io.StringIO(text), Loader=yaml.SafeLoader)
        if node is not None:
            _require_plain(path, node)
        values = yaml.load(io.StringIO(text), Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        raise BadInput(f"{path}{_fault(text, error)}") from None
    except (ValueError, TypeError, OverflowError) as error:
        if isinstance(error, BadInput):
            raise
        # Such as the date 2026-99-99.
        raise BadInput(f"{path}: is not YAML ({error}); quote text that looks like a date.") from None
    values = {} if values is None else values
    if not isinstance(values, dict):
        raise BadInput(f"{path}: holds a {type(values).__name__}; wanted sections, 'name: value'.")
    return values


def _require_small(path: Path, text: str) -> None:
    """Count values as if every alias were written out; nothing is built for it."""
    depth, sizes, documents = 0, dict[str, int](), 0
    open_: list[tuple[str | None, int]] = [(None, 0)]
    for event in yaml.parse(io.StringIO(text), Loader=yaml.SafeLoader):
        where = f"{path}, line {event.start_mark.line + 1 if event.start_mark else 1}"
        anchor = getattr(event, "anchor", None)
        if isinstance(event, yaml.DocumentStartEvent):
            documents += 1
            if documents > 1:
                raise BadInput(f"{where}: a second YAML document begins; keep one.")
        elif isinstance(event, yaml.AliasEvent):
            if anchor not in sizes:
                raise BadInput(f"{where}: the alias *{anchor} is inside its own anchor; write it out.")
            open_[-1] = (open_[-1][0], open_[-1][1] + sizes[anchor])
        elif isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            open_.append((anchor, 1))
        elif isinstance(event, yaml.CollectionEndEvent | yaml.ScalarEvent):
            name, size = open_.pop() if isinstance(event, yaml.CollectionEndEvent) else (anchor, 1)
            depth -= isinstance(event, yaml.CollectionEndEvent)
            if name is not None:
                sizes[name] = size
            open_[-1] = (open_[-1][0], open_[-1][1] + size)
        if depth > MAX_DEPTH:
            raise BadInput(f"{where}: values are nested more than {MAX_DEPTH} deep; settings are not.")
        if open_[-1][1] > MAX_VALUES:
            raise BadInput(
                f"{where}: more than {MAX_VALUES} values, aliases written out; settings have fewer."
            )


def _require_plain(path: Path, root: yaml.Node) -> None:
    for node, is_key in _nodes(root, False, set()):
        where = f"{path}, line {node.start_mark.line + 1}"
        if node.tag not in TAGS:
            name = node.tag.removeprefix(PREFIX)
            raise BadInput(f"{where}: the tag {name!r} makes an object; write a plain value.")
        if isinstance(node, yaml.MappingNode):
            _require_keys_once(where, node)
        if isinstance(node, yaml.ScalarNode):
            if node.value == EXPRESSIONS:
                raise BadInput(
                    f"{where}: {EXPRESSIONS} makes Snakemake run what the file holds as a program; "
                    "remove it, and use no config whose author you do not trust."
                )
            if not is_key and node.style is None and MISREAD.fullmatch(node.value):
                raise BadInput(
                    f"{where}: YAML reads {node.value} as another number or as text; write a number "
                    "without leading zeros and colons, or put a name in quotes."
                )


def _nodes(node: yaml.Node, is_key: bool, visited: set[int]) -> Iterator[tuple[yaml.Node, bool]]:
    """Yield every node once, and whether it is a key."""
    if id(node) in visited:
        return
    visited.add(id(node))
    yield node, is_key
    if isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _nodes(item, False, visited)
    elif isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield from _nodes(key, True, visited)
            yield from _nodes(value, False, visited)


def _require_keys_once(where: str, node: yaml.MappingNode) -> None:
    lines = dict[tuple[str, str], int]()
    for key, _ in node.value:
        if not isinstance(key, yaml.ScalarNode):
            raise BadInput(f"{where}: a list or mapping is a key; wanted a name, such as 'seed: 0'.")
        line, name = key.start_mark.line + 1, (key.tag, key.value)
        if name in lines:
            raise BadInput(
                f"{where.rpartition(',')[0]}, line {line}: {key.value!r} is already on line "
                f"{lines[name]}, and the second would count alone; keep one."
            )
        lines[name] = line


def _fault(text: str, error: Exception) -> str:
    """Return the line of a fault, what is wrong there, and what to do."""
    mark = getattr(error, "problem_mark", None)
    position = getattr(error, "position", None)
    if mark is None and position is not None:
        number = text.count("\n", 0, position) + 1
        return (
            f", line {number}: has a character that text can't have; remove it, or save the file "
            "again as UTF-8."
        )
    if mark is None:
        return f": is not YAML ({' '.join(str(error).split())}); compare it with the shipped one."
    lines = text.splitlines() or [""]
    number = min(mark.line, len(lines) - 1)
    # The parser may notice a tab on the line after it.
    for at in (number, number - 1):
        start = lines[at][: len(lines[at]) - len(lines[at].lstrip())] if at >= 0 else ""
        if "\t" in start:
            return f", line {at + 1}: is indented with a tab; YAML wants spaces, so replace the tab."
    problem = getattr(error, "problem", None) or "it can't be understood"
    return (
        f", line {number + 1}: is not YAML ({problem}); look there and on the line before for a colon, "
        "a quote or a bracket that is missing, and for lines that don't begin below each other."
    )
