"""Fixtures that every room's tests share."""

import os
from pathlib import Path

import numpy as np
import pytest

from syllabary.messages import dispatch


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20161123)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of real recordings; tests that need it are skipped where there is none."""
    folder = os.environ.get("SYLLABARY_REAL_DATA")
    if not folder:
        pytest.skip("SYLLABARY_REAL_DATA is not set: no real recording on this machine")
    return Path(folder)


@pytest.fixture(autouse=True)
def unset_memory_is_nan(monkeypatch):
    """Nothing that a kernel should have written can pass for an answer."""
    monkeypatch.setattr(dispatch, "unset", lambda shape, kind: np.full(shape, np.nan, kind))
