"""Memory that was freed is kept for the next arrays of its size.

A sweep frees arrays of many megabytes and at once asks for the same again. The C library gives such
memory back to the system, which clears every page before it hands it out anew: up to a fifth of the
time of message passing.
"""

import ctypes
import platform

__all__ = ["keep_freed"]

# Parameters of glibc's mallopt: blocks from this size on are the system's, and so is what is free
# beyond that at the end of the heap, bytes.
MMAP_THRESHOLD, TRIM_THRESHOLD = (-3, 1 << 30), (-1, 1 << 29)


def keep_freed() -> None:
    """Ask the C library to keep half a gigabyte; libraries other than glibc are left as they are."""
    if platform.libc_ver()[0] == "glibc":
        library = ctypes.CDLL(None)
        for parameter, size in (MMAP_THRESHOLD, TRIM_THRESHOLD):
            library.mallopt(parameter, size)
