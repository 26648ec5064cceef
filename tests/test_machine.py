"""Freed memory is kept."""

import platform
import subprocess
import sys

import pytest

PROGRAM = """
import resource
from syllabary.machine import keep_freed

keep_freed()
faults = []
for _ in range(3):
    block = bytearray(b"x") * 50_000_000
    del block
    faults.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt)
print(faults[2] - faults[1])
"""


@pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc",
    reason="only glibc is told to keep memory; elsewhere nothing is set",
)
def test_what_is_freed_is_not_fetched_again():
    result = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert int(result.stdout) < 20  # 50 MB are 25 pages of the largest kind that is given unasked
