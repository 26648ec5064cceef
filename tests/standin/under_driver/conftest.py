"""The stand-in driver as tests see it, and tensors of the processor in place of a GPU's."""

import ctypes
from typing import NamedTuple

import numba.cuda
import pytest

from syllabary.messages.backends.cuda import launch


class _Launch(ctypes.Structure):
    """As in driver.c."""

    _fields_ = (
        ("name", ctypes.c_char * 4096),
        ("grid", ctypes.c_uint * 3),
        ("block", ctypes.c_uint * 3),
        ("shared", ctypes.c_uint),
        ("stream", ctypes.c_void_p),
        ("context", ctypes.c_void_p),
        ("bytes", ctypes.c_int),
        ("params", ctypes.c_ubyte * 4096),
    )


class Launch(NamedTuple):
    """A launch that the driver took."""

    kernel: str
    grid: tuple[int, ...]
    threads: tuple[int, ...]
    shared: int
    stream: int
    context: int
    params: bytes


class Driver:
    def __init__(self):
        self.library = ctypes.CDLL("libcuda.so.1")
        self.library.standin_launch.restype = ctypes.POINTER(_Launch)

    def reset(self):
        self.library.standin_reset()

    def count(self, what):
        return self.library.standin_count(what.encode())

    def launches(self):
        kept = []
        for i in range(self.count("launches")):
            launched = self.library.standin_launch(i).contents
            kept.append(
                Launch(
                    name_of(launched.name.decode()),
                    tuple(launched.grid),
                    tuple(launched.block),
                    launched.shared,
                    launched.stream or 0,
                    launched.context,
                    bytes(launched.params[: launched.bytes]),
                )
            )
        return kept


def name_of(mangled):
    """File and function of numba's name for a kernel: ``_ZN``, and each part after its length."""
    rest, parts = mangled.removeprefix("_ZN"), []
    while rest[:1].isdigit():
        digits = rest[: next(i for i, letter in enumerate(rest) if not letter.isdigit())]
        rest = rest[len(digits) :]
        parts.append(rest[: int(digits)])
        rest = rest[int(digits) :]
    places = [part for part in parts if "locals" not in part]
    return places[-1] if "cuda" not in places else ".".join(places[places.index("cuda") + 1 :])


@pytest.fixture(scope="session")
def _driver():
    numba.cuda.config.CUDA_LOW_OCCUPANCY_WARNINGS = 0  # where tests use numba's own launch
    return Driver()


@pytest.fixture
def driver(_driver, monkeypatch):
    """What the driver saw since the test began; tensors of the processor count as a GPU's."""
    monkeypatch.setattr(launch, "place", lambda tensor: (0, 0))
    _driver.reset()
    return _driver
