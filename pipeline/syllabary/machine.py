"""How a process uses the machine: memory that is kept, and one thread where sums must not move.

A forward or backward pass frees arrays of many megabytes and allocates the same again at once. The
C library gives such memory back to the system, which clears every page before it hands it out anew:
up to a fifth of the time of message passing.
"""

import contextlib
import ctypes
import platform
from collections.abc import Callable, Iterator
from typing import Literal

__all__ = ["keep_freed", "one_thread"]

# Parameters of glibc's mallopt: blocks from this size on are the system's, and so is what is free
# beyond that at the end of the heap, bytes.
MMAP_THRESHOLD, TRIM_THRESHOLD = (-3, 1 << 30), (-1, 1 << 29)


def keep_freed() -> None:
    """Ask the C library to keep half a gigabyte; libraries other than glibc are left as they are."""
    if platform.libc_ver()[0] == "glibc":
        library = ctypes.CDLL(None)
        for parameter, size in (MMAP_THRESHOLD, TRIM_THRESHOLD):
            library.mallopt(parameter, size)


@contextlib.contextmanager
def one_thread(library: Literal["torch", "opencv"]) -> Iterator[int]:
    """Hold a library to one thread for a while, and yield how many it had.

    More threads inside a matrix product would change the order of its sums, and so their bits; threads
    inside OpenCV gain nothing on small images and take cores from other recordings.
    """
    get: Callable[[], int]
    put: Callable[[int], object]
    if library == "torch":
        import torch

        get, put = torch.get_num_threads, torch.set_num_threads
    else:
        import cv2

        get, put = cv2.getNumThreads, cv2.setNumThreads
    before = get()
    put(1)
    try:
        yield before
    finally:
        put(before)
