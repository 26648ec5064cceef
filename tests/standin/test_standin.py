"""The whole launch path without a GPU: real compiler and bindings, and a driver that runs no kernel.

The driver is compiled here and found through LD_LIBRARY_PATH, so that tests need a process of their own.
"""

import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

HERE = Path(__file__).parent
COMPILER = shutil.which("gcc") or shutil.which("cc")

pytestmark = [
    pytest.mark.skipif(find_spec("numba_cuda") is None, reason="no numba-cuda: make test-standin"),
    pytest.mark.skipif(COMPILER is None, reason="no C compiler for the stand-in driver"),
    pytest.mark.skipif(sys.platform != "linux", reason="the stand-in driver is for Linux"),
]


@pytest.fixture(scope="session")
def library(tmp_path_factory):
    """Folder of the stand-in driver."""
    folder = tmp_path_factory.mktemp("driver")
    command = [COMPILER, "-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC"]
    subprocess.run([*command, "-o", folder / "libcuda.so.1", HERE / "driver.c", "-ldl"], check=True)
    return folder


@pytest.mark.parametrize("name", ["marshalling.py", "calls.py"])
def test_under_the_stand_in_driver(name, library, tmp_path, capsys):
    environment = {key: value for key, value in os.environ.items() if key != "NUMBA_ENABLE_CUDASIM"}
    paths = [str(library), environment.get("LD_LIBRARY_PATH", "")]
    environment |= {
        "LD_LIBRARY_PATH": ":".join(filter(None, paths)),
        "NUMBA_CACHE_DIR": str(tmp_path),
        "STANDIN_DEVICES": "2",
        "OMP_NUM_THREADS": "1",
    }
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-s"]
    done = subprocess.run(
        [*command, HERE / "under_driver" / name],
        cwd=HERE.parent.parent,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    with capsys.disabled():
        print("\n" + done.stdout)
    assert done.returncode == 0, done.stderr
