"""Every benchmark finds what it uses of the package, so that a rename cannot break it unnoticed."""

import subprocess
import sys

from benchmarks.conftest import BENCHMARKS

IMPORT = """
import importlib, sys
for name in {names!r}:
    importlib.import_module(name)
    print(name)
"""


def modules():
    for path in sorted(BENCHMARKS.rglob("*.py")):
        parts = path.relative_to(BENCHMARKS).with_suffix("").parts
        if parts[0] != "extraction":
            yield ".".join(part for part in parts if part != "__init__")


def run(code, folder):
    command = [sys.executable, "-c", code]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)


def test_every_benchmark_imports():
    names = [name for name in modules() if name]
    done = run(IMPORT.format(names=names), BENCHMARKS)
    assert done.stdout.split() == names, done.stderr[-2000:]


def test_benchmarks_of_extraction_import_beside_each_other():
    names = sorted(path.stem for path in (BENCHMARKS / "extraction").glob("*.py"))
    setup = f"import sys; sys.path.insert(0, {str(BENCHMARKS)!r})\n"
    done = run(setup + IMPORT.format(names=names), BENCHMARKS / "extraction")
    assert done.stdout.split() == names, done.stderr[-2000:]
