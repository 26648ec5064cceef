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


@pytest.fixture
def cut(monkeypatch):
    """Set the most frames of a GPU's chunk, and the frames of its warm-up."""
    from syllabary.messages.backends.cuda import chunks

    def set_(longest, warm_up):
        monkeypatch.setattr(chunks, "best_length", lambda *_: longest)
        monkeypatch.setattr(chunks, "WARM_UP", warm_up)

    return set_
