"""Kernels as NVIDIA's driver knows them: loaded once on a device, and launched with words."""

import ctypes
import importlib
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from ....errors import BadInput
from .arguments import Signature, Word, words_format
from .binaries import Binary

__all__ = ["Loaded", "capability", "undisturbed"]

MAJOR, MINOR = 75, 76  # attributes of a device


class Loaded:
    """A kernel on one device, for arguments of one signature.

    Parameters
    ----------
    ordinal : int
        Number of the device.
    binary : Binary
    signature : tuple
        See ``arguments``.
    """

    def __init__(self, ordinal: int, binary: Binary, signature: Signature) -> None:
        self._driver, self._context = _driver(), _context(ordinal)
        call(self._driver.cuCtxPushCurrent(self._context))
        try:
            self._module = call(self._driver.cuModuleLoadData(binary.image))
            self._function = call(self._driver.cuModuleGetFunction(self._module, binary.entry.encode()))
        finally:
            call(self._driver.cuCtxPopCurrent())
        layout = struct.Struct(words_format(signature))
        self._pack, count = layout.pack_into, layout.size // 8
        self._require_words(count)
        self._words = ctypes.create_string_buffer(max(layout.size, 8))
        first = ctypes.addressof(self._words)
        self._places = (ctypes.c_void_p * max(count, 1))(*(first + 8 * i for i in range(count)))
        self._address = ctypes.addressof(self._places)
        self._lock = threading.Lock()

    def _require_words(self, count: int) -> None:
        """Refuse a kernel of a compiler that lays arrays out in other words."""
        last, beyond = (self._driver.cuFuncGetParamInfo(self._function, n) for n in (count - 1, count))
        if last[0] != 0 or last[1:] != (8 * count - 8, 8) or beyond[0] == 0:
            raise BadInput(
                f"a kernel takes other than the {count} words of its arguments; install the version of "
                "numba-cuda that constraints.txt names, and unset SYLLABARY_CUDA_COMPILER."
            )

    def launch(
        self,
        grid: tuple[int, int, int],
        threads: int,
        shared: int,
        stream: int,
        words: list[Word],
    ) -> None:
        """Run on a stream; the driver copies the words before it returns.

        ``shared`` is bytes of shared memory, ``stream`` the driver's handle.
        """
        driver = self._driver
        # The thread may have no context yet, or torch's for another device.
        with self._lock:
            call(driver.cuCtxPushCurrent(self._context))
            try:
                self._pack(self._words, 0, *words)
                call(
                    driver.cuLaunchKernel(
                        self._function, *grid, threads, 1, 1, shared, stream, self._address, 0
                    )
                )
            finally:
                call(driver.cuCtxPopCurrent())


@cache
def capability(ordinal: int) -> tuple[int, int]:
    """Generation of a device, as NVIDIA counts them."""
    driver = _driver()
    device = call(driver.cuDeviceGet(ordinal))
    attribute = driver.CUdevice_attribute
    return tuple(call(driver.cuDeviceGetAttribute(attribute(n), device)) for n in (MAJOR, MINOR))


@contextmanager
def undisturbed() -> Iterator[None]:
    """Give the thread back the context that it has: the compiler makes its own current."""
    before = call(_driver().cuCtxGetCurrent())
    try:
        yield
    finally:
        call(_driver().cuCtxSetCurrent(before))


def call(answer: tuple[Any, ...]) -> Any:
    """Return the result of a call of the driver.

    Raises
    ------
    BadInput
        The driver refused it.
    """
    if answer[0] != 0:
        raise BadInput(
            f"the driver of the GPU refused a kernel with {answer[0].name}; 'syllabary doctor' shows "
            "whether the driver is as new as the compiler, and 'device: cpu' does without."
        )
    return answer[1] if len(answer) > 1 else None


@cache
def _driver() -> Any:
    driver = importlib.import_module("cuda.bindings.driver")
    call(driver.cuInit(0))
    return driver


@cache
def _context(ordinal: int) -> Any:
    """Context of a device that torch and numba share."""
    return call(_driver().cuDevicePrimaryCtxRetain(call(_driver().cuDeviceGet(ordinal))))
