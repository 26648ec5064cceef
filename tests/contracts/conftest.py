"""What contract tests share."""

import sys

import numba
import pytest


@pytest.fixture(autouse=True, scope="module")
def impatient_simulator():
    """Threads of numba's simulator hand the interpreter on at every barrier: 15 times as fast so."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(5e-5 if numba.config.ENABLE_CUDASIM else before)
    yield
    sys.setswitchinterval(before)
