"""Compiled kernels on disk: a process that needs a kernel compiles it only if none has before.

A file is named by a digest of everything that its code follows from: the sources of this backend, what
the kernel was made for, its signature, the device's generation, and the compiler's
versions. Files lie in ``NUMBA_CACHE_DIR``, or else in the user's folder for caches; all of them may be
deleted at any time.
"""

import hashlib
import importlib
import logging
import os
import re
import tempfile
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NamedTuple

from numba import config

from . import compiler
from .arguments import Signature, types_of

__all__ = ["Binary", "binary_for", "folder"]

SOURCES = Path(__file__).parent
# Distributions of which a new version may write other code.
TOOLS = "numba-cuda", "numba-cuda-mlir", "llvmlite", "cuda-core", "nvidia-nvvm", "nvidia-nvjitlink"

log = logging.getLogger(__name__)


class Binary(NamedTuple):
    """Machine code for one generation of devices."""

    entry: str
    """Name of the kernel in it."""
    image: bytes


def binary_for(kernel: compiler.Kernel, signature: Signature, capability: tuple[int, int]) -> Binary:
    """Read a kernel for arguments of a signature from disk; compile and keep it if it is not there.

    Parameters
    ----------
    kernel : dispatcher of the compiler
    signature : tuple
        See ``arguments``.
    capability : (int, int)
        Of the device, as NVIDIA counts generations.
    """
    function = kernel.py_func
    wanted = (
        compiler.PACKAGE,
        _identity(function),
        kernel.targetoptions,
        signature,
        capability,
        _versions(),
    )
    name = hashlib.sha256(repr(wanted).encode() + _sources()).hexdigest()[:32]
    path = folder() / f"{function.__name__}-{name}.cubin"
    try:
        entry, image = path.read_bytes().split(b"\n", 1)
        return Binary(entry.decode(), image)
    except OSError:
        pass
    binary = _compile(kernel, signature, capability)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Many processes may compile the same; each replaces the whole file.
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
            file.write(binary.entry.encode() + b"\n" + binary.image)
        Path(file.name).replace(path)
    except OSError as error:
        log.info("compiled kernels are not kept in %s: %s", path.parent, error)
    return binary


def folder() -> Path:
    """Folder of compiled kernels."""
    home = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(config.CACHE_DIR or Path(home).expanduser() / "syllabary") / "cuda"


def _compile(kernel: compiler.Kernel, signature: Signature, capability: tuple[int, int]) -> Binary:
    linking: Any = importlib.import_module("cuda.core")
    options = {
        key: value for key, value in kernel.targetoptions.items() if key in ("fastmath", "launch_bounds")
    }
    types = types_of(signature, compiler.cuda.types)
    text, _ = compiler.cuda.compile_ptx(kernel.py_func, types, cc=capability, **options)
    architecture = f"sm_{capability[0]}{capability[1]}"
    linker = linking.Linker(
        linking.ObjectCode.from_ptx(text.encode()), options=linking.LinkerOptions(arch=architecture)
    )
    entry = re.search(r"\.entry\s+([\w$]+)", text)
    assert entry is not None
    return Binary(entry[1], bytes(linker.link("cubin").code))


def _identity(function: Any) -> tuple[object, ...]:
    """Return what tells apart functions that the same lines make: their names and the numbers held."""
    held = [cell.cell_contents for cell in function.__closure__ or ()]
    inner = [getattr(part, "py_func", part) for part in held]
    return (
        function.__module__,
        function.__qualname__,
        *(_identity(part) if hasattr(part, "__code__") else repr(part) for part in inner),
    )


@cache
def _sources() -> bytes:
    digest = hashlib.sha256()
    for path in sorted((*SOURCES.rglob("*.py"), SOURCES.parent / "compiled.py")):
        digest.update(path.read_bytes())
    return digest.digest()


@cache
def _versions() -> tuple[str, ...]:
    tools = []
    for name in TOOLS:
        try:
            tools.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    return tuple(tools)
