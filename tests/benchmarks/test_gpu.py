"""What is ready for the day with a GPU: it runs in the simulator, and says what it lacks without one."""

import os
import subprocess
import sys

import pytest
import torch

from benchmarks.conftest import BENCHMARKS


def run(*command, **variables):
    return subprocess.run(
        command, cwd=BENCHMARKS, capture_output=True, text=True, timeout=300,
        env={**os.environ, "PYTHON": sys.executable, **variables},
    )  # fmt: skip


def test_the_checks_of_a_gpu_pass_in_the_simulator():
    done = run(sys.executable, "gpu.py", "--tiny", NUMBA_ENABLE_CUDASIM="1")
    assert done.returncode == 0, done.stderr[-2000:]
    assert "All sizes agree with NumPy" in done.stdout


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
@pytest.mark.parametrize("command", ["gpu.py", "gpu_fit.py", "gpu.sh"])
def test_without_a_gpu_one_sentence_says_so(command, tmp_path):
    program = "bash" if command.endswith(".sh") else sys.executable
    more = [str(tmp_path / "results.txt")] if command.endswith(".sh") else []
    done = run(program, command, *more, NUMBA_ENABLE_CUDASIM="0")
    assert done.returncode == 1
    assert "needs an NVIDIA GPU" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not list(tmp_path.iterdir())
