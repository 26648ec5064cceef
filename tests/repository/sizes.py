"""Files, functions, signatures and folders stay small enough to read."""

import ast
import io
import tokenize
from collections import Counter
from pathlib import Path, PurePosixPath

from repository.sources import (
    PACKAGE,
    Violation,
    arguments,
    functions,
    parse,
    python_files,
    read,
)

FILE_LINES = {"pipeline": 400, "benchmarks": 400, "workflow": 400, "tests": 500}
TEXT_LINES = {"README.md": 150, "config/config.yaml": 60, "Snakefile": 40}
FUNCTION_LINES = 60
ARGUMENTS = 10
LOOSE_FILES = 15
CROWDED = ("svae", "messages", "depth", "priors", "reduction")
TESTS_PER_SOURCE = 0.6

BACKENDS = f"{PACKAGE}/messages/backends"
TIME_LOOP = "one loop over time whose parts share twenty locals in registers and shared memory"
EMITTED = "emits straight-line code, in the order in which it runs"
KERNEL = "compiled code takes arrays one by one; records of arrays cost time at every call"
INTERFACE = "a function of the interface that every backend offers"

# path:function -> why it is longer than FUNCTION_LINES.
LONG: dict[str, str] = {
    f"{BACKENDS}/cpu/hmm/scaled.py:backward": TIME_LOOP,
    f"{BACKENDS}/cpu/hmm/scaled.py:forward": TIME_LOOP,
    f"{BACKENDS}/cpu/lds/matrices.py:invert_block": EMITTED,
    f"{BACKENDS}/cpu/simd/small_products.py:_products": EMITTED,
    f"{BACKENDS}/cpu/simd/small_products.py:_products.products": EMITTED,
    f"{BACKENDS}/cpu/simd/sums.py:emit_sums": EMITTED,
    f"{BACKENDS}/cuda/hmm/paths.py:best": "a factory of a kernel, for a layout",
    f"{BACKENDS}/cuda/hmm/paths.py:best.best": TIME_LOOP,
    f"{BACKENDS}/cuda/hmm/scaled.py:passes": "a factory of two kernels that share their layout",
    f"{BACKENDS}/cuda/hmm/scaled.py:passes.backward": TIME_LOOP,
    f"{BACKENDS}/cuda/hmm/scaled.py:passes.forward": TIME_LOOP,
    f"{BACKENDS}/cuda/hmm/tangent.py:passes": "a factory of two kernels that share what agrees",
    f"{BACKENDS}/cuda/hmm/tangent.py:passes.backward": TIME_LOOP,
    f"{BACKENDS}/cuda/hmm/tangent.py:passes.forward": TIME_LOOP,
    f"{BACKENDS}/cuda/lds/passes.py:passes": "a factory of two kernels that share their layout",
    f"{BACKENDS}/cuda/lds/passes.py:passes.filter_forward": TIME_LOOP,
    f"{BACKENDS}/cuda/lds/passes.py:passes.smooth_backward": TIME_LOOP,
    f"{BACKENDS}/cuda/lds/tangent.py:passes": "a factory of three kernels that share what agrees",
    f"{BACKENDS}/cuda/lds/tangent.py:passes.backward": TIME_LOOP,
    f"{BACKENDS}/cuda/lds/tangent.py:passes.draw": TIME_LOOP,
    f"{BACKENDS}/cuda/lds/tangent.py:passes.forward": TIME_LOOP,
}
# path:function -> why it takes more than ARGUMENTS.
WIDE: dict[str, str] = {
    f"{BACKENDS}/cpu/hmm/calls.py:hmm_marginals": INTERFACE,
    f"{BACKENDS}/cpu/hmm/scaled.py:backward": KERNEL,
    f"{BACKENDS}/cpu/hmm/scaled.py:forward": KERNEL,
    f"{BACKENDS}/cpu/hmm/tangent.py:tangent": KERNEL,
    f"{BACKENDS}/cpu/lds/calls.py:lds_marginals": INTERFACE,
    f"{BACKENDS}/cpu/simd/small_products.py:_products.products": KERNEL,
    f"{BACKENDS}/cpu/simd/tiles.py:_tile.tile": KERNEL,
    f"{BACKENDS}/cuda/hmm/calls.py:hmm_marginals": INTERFACE,
    f"{BACKENDS}/cuda/lds/calls.py:lds_marginals": INTERFACE,
    f"{BACKENDS}/reference.py:hmm_marginals": INTERFACE,
    f"{BACKENDS}/reference.py:lds_marginals": INTERFACE,
}


def long_files(root: Path) -> list[Violation]:
    """Return the files with too many lines."""
    violations = []
    for place, allowed in FILE_LINES.items():
        for path in python_files(root, place + "/"):
            lines = len(read(root, path).splitlines())
            if lines > allowed:
                violations.append(Violation(path, lines, f"{lines} lines; {allowed} allowed"))
    return violations


def long_texts(root: Path) -> list[Violation]:
    """Return the texts that a reader should see whole and cannot."""
    counts = {path: len((root / path).read_text(encoding="utf-8").splitlines()) for path in TEXT_LINES}
    return [
        Violation(path, lines, f"{lines} lines; {TEXT_LINES[path]} allowed")
        for path, lines in counts.items()
        if lines > TEXT_LINES[path]
    ]


def long_functions(root: Path) -> list[Violation]:
    """Return the functions with too many lines of code or too many arguments."""
    violations = []
    for path in python_files(root, "pipeline/", "benchmarks/"):
        tree = parse(root, path)
        code = lines_of_code(read(root, path), tree)
        for function in functions(tree):
            key = f"{path}:{function.qualname}"
            node = function.node
            lines = len([n for n in code if node.lineno <= n <= (node.end_lineno or 0)])
            if lines > FUNCTION_LINES and key not in LONG:
                text = f"{function.qualname} has {lines} lines of code; {FUNCTION_LINES} allowed"
                violations.append(Violation(path, node.lineno, text))
            taken = len(arguments(node, is_method=function.is_method))
            if taken > ARGUMENTS and key not in WIDE:
                text = f"{function.qualname} takes {taken} arguments; {ARGUMENTS} allowed"
                violations.append(Violation(path, node.lineno, text))
    return violations


def lines_of_code(text: str, tree: ast.Module) -> set[int]:
    """Return the numbers of the lines that hold code: no comment, docstring or blank line."""
    lines: set[int] = set()
    nothing = (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT)
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in (*nothing, tokenize.ENDMARKER):
            lines.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(tree):
        text = node.value if isinstance(node, ast.Expr) else None
        if isinstance(text, ast.Constant) and isinstance(text.value, str):
            lines.difference_update(range(text.lineno, (text.end_lineno or 0) + 1))
    return lines


def crowded_folders(root: Path) -> list[Violation]:
    """Return the folders with too many loose files."""
    paths = python_files(root, *(f"{PACKAGE}/{layer}/" for layer in CROWDED))
    counts = Counter(
        str(PurePosixPath(path).parent) for path in paths if not path.endswith("__init__.py")
    )
    return [
        Violation(f"{folder}/__init__.py", 1, f"{count} files beside it; {LOOSE_FILES} allowed")
        for folder, count in counts.items()
        if count > LOOSE_FILES
    ]


def few_tests(root: Path) -> list[Violation]:
    """Return a violation if there are too few lines of tests."""
    tests, source = (
        sum(len(read(root, path).splitlines()) for path in python_files(root, place))
        for place in ("tests/", PACKAGE + "/")
    )
    if tests >= TESTS_PER_SOURCE * source:
        return []
    text = f"{tests} lines of tests for {source}: {tests / source:.2f}; {TESTS_PER_SOURCE} wanted"
    return [Violation("tests", 1, text)]


def unused_exceptions(root: Path) -> list[Violation]:
    """Return the exceptions that no function needs."""
    present = {
        f"{path}:{function.qualname}"
        for path in python_files(root, "pipeline/", "benchmarks/")
        for function in functions(parse(root, path))
    }
    return [
        Violation("tests/repository/sizes.py", 1, f"there is no {key}")
        for key in (*LONG, *WIDE)
        if key not in present
    ]
