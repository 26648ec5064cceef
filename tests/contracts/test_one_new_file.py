"""One new file, and no edit, adds a prior, a network, a format, an export or a figure."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TOYS = Path(__file__).parent / "toys"
CONTRACTS = {
    "priors": "test_priors.py",
    "svae/networks": "test_networks.py",
    "export": "test_exports.py",
    "figures": "test_figures.py",
    "depth/readers": "test_readers.py",
}


@pytest.mark.parametrize("folder", CONTRACTS)
def test_a_new_file_keeps_the_contract_of_its_folder(folder, tmp_path):
    package = tmp_path / "syllabary"
    shutil.copytree(ROOT / "pipeline/syllabary", package)
    shutil.copy(TOYS / folder / "toy.py", package / folder)
    contract = ROOT / "tests/contracts" / CONTRACTS[folder]
    done = subprocess.run(
        [sys.executable, *("-m", "pytest", "-q", "-k", "toy", "-p", "no:cacheprovider"), str(contract)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        text=True,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:]
    assert re.search(r"\b[1-9]\d* passed", done.stdout), done.stdout


def test_there_is_a_toy_for_each_contract():
    assert sorted(path.parent for path in TOYS.rglob("*.py")) == sorted(TOYS / f for f in CONTRACTS)
