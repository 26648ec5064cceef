"""The device that networks and message passing run on: a GPU if there is a working one.

A GPU works if its driver, torch's build and numba-cuda go together. The driver itself is asked,
for a build of torch without CUDA sees no card. A GPU rounds otherwise than the processor: results agree
to a tolerance, not bit for bit. On one device the same command gives the same bits twice.
"""

import ctypes
import logging
import os
import re
from collections.abc import Iterator
from importlib import metadata
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final, NamedTuple

from .errors import BadSetting

if TYPE_CHECKING:
    import torch

__all__ = ["Card", "Machine", "choose", "describe", "faults", "look", "use", "wants_gpu"]

log = logging.getLogger(__name__)
LIBRARIES: Final = ("libcuda.so.1", "nvcuda.dll")
# Attributes of a card by their numbers in cuda.h.
MAJOR, MINOR = 75, 76
# What message passing is compiled with; numba-cuda makes code for cards from here on.
NUMBA_CUDA, OLDEST_CARD = "numba-cuda", (7, 5)
# Without it cuBLAS may add up in another order each time.
WORKSPACE: Final = ("CUBLAS_WORKSPACE_CONFIG", ":4096:8")


class Card(NamedTuple):
    """A GPU."""

    name: str
    memory: int
    """Bytes."""
    capability: tuple[int, int]


class Machine(NamedTuple):
    """What a machine has of all that a GPU needs."""

    cards: tuple[Card, ...] = ()
    driver: tuple[int, int] | None = None
    """Newest version of CUDA that the driver knows; None without a driver."""
    torch: str = ""
    """Version of torch."""
    torch_cuda: str | None = None
    """Version of CUDA that torch was built with; None for a build without."""
    numba_cuda: str | None = None
    """Version of numba-cuda; None if it is not installed."""
    has_compiler: bool = False
    """Whether numba-cuda finds its compiler, libNVVM."""


def look() -> Machine:
    """Return what this machine has."""
    import torch

    driver, cards = _driver()
    numba_cuda = _version(NUMBA_CUDA) if find_spec("numba_cuda") else None
    return Machine(
        cards,
        driver,
        torch.__version__,
        torch.version.cuda,
        numba_cuda,
        bool(numba_cuda and _has_compiler()),
    )


def faults(machine: Machine, index: int = 0) -> Iterator[str]:
    """Yield all that keeps a GPU from working, each with the way out; nothing if it works.

    Parameters
    ----------
    machine : Machine
    index : int
        Number of the card.
    """
    newest = "" if machine.driver is None else _point(machine.driver)
    if machine.driver is None:
        yield "there is no NVIDIA driver; install one (nvidia.com/drivers), or run on the processor"
    elif not machine.cards:
        yield "the NVIDIA driver finds no GPU; see what 'nvidia-smi' lists"
    elif index >= len(machine.cards):
        yield f"there is no GPU number {index}; they are numbered from 0 to {len(machine.cards) - 1}"
    elif machine.cards[index].capability < OLDEST_CARD:
        name, capability = machine.cards[index].name, _point(machine.cards[index].capability)
        yield (
            f"{name} is too old, for its compute capability is {capability} and kernels need "
            f"{_point(OLDEST_CARD)}; run on the processor"
        )
    if machine.torch_cuda is None:
        wanted = f"CUDA {newest}" if newest else "CUDA"
        yield (
            f"torch {machine.torch} is a build for the processor; install one for {wanted} "
            "(pytorch.org/get-started)"
        )
    elif machine.driver and int(machine.torch_cuda.partition(".")[0]) > machine.driver[0]:
        yield (
            f"the NVIDIA driver is too old, for it knows CUDA {newest} and torch was built with "
            f"{machine.torch_cuda}; update the driver, or install torch for CUDA {newest}"
        )
    if machine.numba_cuda is None:
        yield "numba-cuda is not installed; pip install 'syllabary[gpu]'"
    elif not machine.has_compiler:
        yield (
            f"numba-cuda {machine.numba_cuda} finds no compiler (libNVVM); pip install "
            "'syllabary[gpu]', or set CUDA_HOME to a CUDA toolkit"
        )


def wants_gpu(setting: str) -> bool:
    """Whether a step with this setting should be given a card.

    Parameters
    ----------
    setting : str
        ``machine.device``. With ``auto`` a card is wanted where this machine has a working one.
    """
    if setting != "auto":
        return setting != "cpu"
    # The driver is asked first: torch takes a second to import.
    return bool(_driver()[1]) and not any(faults(look()))


def choose(setting: str) -> "torch.device":
    """Return the device of a setting.

    Parameters
    ----------
    setting : str
        ``auto``, ``cpu``, ``cuda`` or ``cuda:N``. ``auto`` takes a GPU if there is a working one, and
        otherwise the processor with a line in the log.

    Raises
    ------
    BadSetting
        It is no device, or a GPU is asked for and there is no working one.
    """
    import torch

    if setting == "cpu":
        return torch.device("cpu")
    if not re.fullmatch(r"auto|cuda(:\d+)?", setting):
        raise BadSetting(f"machine.device = {setting!r}: wanted auto, cpu, cuda or cuda:N.")
    index = int(setting.partition(":")[2] or 0)
    why = next(faults(look(), index), None)
    if why is None and not torch.cuda.is_available():
        why = "torch cannot use the GPU, though all it needs is there; see what 'nvidia-smi' prints"
    if why is None:
        return torch.device("cuda", index)
    if setting == "auto":
        log.info("runs on the processor: %s.", why)
        return torch.device("cpu")
    raise BadSetting(f"machine.device = {setting}: {why}.")


def use(setting: str) -> "torch.device":
    """Return the device of a setting, and make a GPU's results the same in every run.

    Nothing is set for the processor. On a GPU sums keep one order, and float32 keeps all its bits.

    Raises
    ------
    BadSetting
        See ``choose``.
    """
    device = choose(setting)
    if device.type != "cpu":
        log.info("runs on %s.", describe(device))
        _make_reproducible()
    return device


def describe(device: "torch.device") -> str:
    """Return the name of a device on which bits depend: ``cpu``, or the model of a GPU."""
    import torch

    if device.type != "cuda":
        return device.type
    return f"{device.type} ({torch.cuda.get_device_name(device)})"


def _make_reproducible() -> None:
    import torch

    os.environ.setdefault(*WORKSPACE)
    torch.use_deterministic_algorithms(True)
    # Memory that kernels overwrite need not be filled first.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.deterministic = True
    products, convolutions = torch.backends.cuda.matmul, torch.backends.cudnn
    # TF32 rounds to 10 bits. torch refuses to read the old switch once the new one was set.
    if hasattr(convolutions, "conv"):
        products.fp32_precision = "ieee"
        convolutions.conv.fp32_precision = "ieee"
    else:
        products.allow_tf32 = convolutions.allow_tf32 = False


def _driver() -> tuple[tuple[int, int] | None, tuple[Card, ...]]:
    """Ask the driver for the newest CUDA that it knows, and for its cards."""
    for name in LIBRARIES:
        try:
            library = ctypes.CDLL(name)
        except OSError:
            continue
        version = ctypes.c_int()
        if library.cuDriverGetVersion(ctypes.byref(version)) != 0:
            continue
        newest = (version.value // 1000, version.value % 1000 // 10)
        return newest, tuple(_cards(library)) if library.cuInit(0) == 0 else ()
    return None, ()


def _cards(library: ctypes.CDLL) -> Iterator[Card]:
    count = ctypes.c_int()
    if library.cuDeviceGetCount(ctypes.byref(count)) != 0:
        return
    for number in range(count.value):
        device, name, memory = ctypes.c_int(), ctypes.create_string_buffer(256), ctypes.c_size_t()
        library.cuDeviceGet(ctypes.byref(device), number)
        library.cuDeviceGetName(name, len(name), device)
        library.cuDeviceTotalMem_v2(ctypes.byref(memory), device)
        capability = []
        for attribute in (MAJOR, MINOR):
            value = ctypes.c_int()
            library.cuDeviceGetAttribute(ctypes.byref(value), attribute, device)
            capability.append(value.value)
        yield Card(name.value.decode(errors="replace"), memory.value, (capability[0], capability[1]))


def _has_compiler() -> bool:
    """Whether libNVVM is there: from a wheel, or from a toolkit."""
    try:
        from cuda.pathfinder import load_nvidia_dynamic_lib

        return bool(load_nvidia_dynamic_lib("nvvm"))
    except (ImportError, RuntimeError, OSError):
        return False


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "of unknown version"


def _point(capability: tuple[int, int]) -> str:
    return ".".join(map(str, capability))
