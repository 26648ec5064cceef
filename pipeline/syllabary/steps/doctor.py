"""What this machine has, whether message passing works on it, and what to install; no rule runs it."""

import os
import platform
import re
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

    from ..devices import Machine

__all__ = ["doctor"]

# Where the kernel module of NVIDIA's driver tells its version.
MODULE = Path("/proc/driver/nvidia/version")
BACKENDS = "syllabary.messages.backends"
GIB = 2**30
# A chain of this size has several chunks and warps, and takes a second.
FRAMES, STATES, DIMENSIONS = 600, 40, 4
# Largest relative difference of float64 marginals that is rounding.
TOLERANCE = 1e-8


def doctor() -> str:
    """Return one screen: versions, devices, a check of each backend, and advice."""
    from .. import devices

    machine = devices.look()
    faults = list(devices.faults(machine))
    lines = [*_versions(machine), *_devices(machine), "", "Marginals of two chains against plain code:"]
    lines += [f"  {line}" for line in _checks(not faults)]
    place = "the processor" if faults else "cuda:0"
    lines += ["", f"With 'machine: {{device: auto}}' models run on {place}."]
    lines += [f"For a GPU: {fault}." for fault in faults]
    return "\n".join(lines)


def _versions(machine: "Machine") -> Iterator[str]:
    from .. import __version__

    driver = "none"
    if machine.driver:
        release = re.search(r"\b\d{3,}\.\d+(\.\d+)?\b", MODULE.read_text() if MODULE.is_file() else "")
        driver = f"{release[0]}, " if release else ""
        driver += f"for CUDA up to {'.'.join(map(str, machine.driver))}"
    yield f"syllabary     {__version__}"
    yield f"Python        {platform.python_version()} on {platform.system()} {platform.machine()}"
    yield f"torch         {machine.torch}, {_cuda(machine.torch_cuda)}"
    yield f"numba         {metadata.version('numba')}"
    yield f"numba-cuda    {machine.numba_cuda or 'none'}"
    yield f"NVIDIA driver {driver}"


def _cuda(version: str | None) -> str:
    return f"built with CUDA {version}" if version else "built without CUDA"


def _devices(machine: "Machine") -> Iterator[str]:
    yield f"cpu           {os.cpu_count()} cores"
    for number, card in enumerate(machine.cards):
        capability = ".".join(map(str, card.capability))
        place = f"cuda:{number}"
        yield f"{place:<13} {card.name}, {card.memory / GIB:.0f} GiB, compute capability {capability}"


def _checks(has_gpu: bool) -> Iterator[str]:
    """Check every backend that can run here."""
    import torch

    from .. import registry

    for name in registry.names(BACKENDS):
        if name == "reference":
            continue
        if name == "cuda" and not has_gpu:
            yield f"{name}: cannot run here"
            continue
        try:
            worst = _worst(name, torch.device(name))
        except Exception as error:  # whatever a driver or a compiler says is the finding
            yield f"{name}: FAILS with {type(error).__name__}: {str(error).partition(chr(10))[0][:120]}"
            continue
        verdict = "passes" if worst < TOLERANCE else "FAILS"
        yield f"{name}: {verdict}, worst relative difference {worst:.0e}"


def _worst(backend: str, device: "torch.device") -> float:
    """Largest difference of a backend's marginals from plain code, relative to the largest number."""
    import torch

    return max(
        float((result - expected).abs().max() / expected.abs().max())
        for result, expected in zip(
            _marginals(backend, device), _marginals("reference", torch.device("cpu")), strict=True
        )
    )


def _marginals(backend: str, device: "torch.device") -> "tuple[torch.Tensor, torch.Tensor]":
    """States of a discrete chain and means of a Gaussian one, the same chains each time."""
    import numpy as np
    import torch

    from ..messages import hmm, lds

    rng = np.random.default_rng(0)

    def drawn(*shape: int) -> torch.Tensor:
        return torch.from_numpy(rng.standard_normal(shape)).to(device)

    states = hmm.marginals(
        drawn(STATES), drawn(STATES, STATES), drawn(FRAMES, STATES), backend=backend
    ).states
    assert states is not None
    # Large on the diagonal, so that the precision is positive definite.
    unit = torch.eye(DIMENSIONS, dtype=states.dtype, device=device)
    precision = (20 * unit).expand(FRAMES, -1, -1)
    coupling, pull = drawn(FRAMES - 1, DIMENSIONS, DIMENSIONS), drawn(FRAMES, DIMENSIONS)
    return states.cpu(), lds.marginals(precision, coupling, pull, backend=backend).means.cpu()
