"""A study folder of its own for every module: the code is copied, so that tests may edit it."""

import contextlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
CONFIG = """
seed: {seed}
simulate:
  duration_s: 12
models:
  slds:
    network: conv
    network_settings: {{channels: [4, 8, 8], hidden: 32}}
    prior: slds
    prior_settings: {{states: 12}}
    registration: true
    kinematics: true
    subject_offset: true
    bridge_s: 0.1
    training:
      {{restarts: 1, restart_iterations: 3, iterations: 5, latent_iterations: 3, epochs: 2,
       window_frames: 64}}
  pca-arhmm:
    prior_settings: {{states: 12}}
    training: {{restarts: 2, restart_iterations: 5, iterations: 10}}
draw:
  examples: 4
"""
RECORDINGS = "recording\tpath\tsubject\tgroup\n" + "".join(
    f"{group[0]}{i}\tsimulated\t{group[0]}{i}\t{group}\n"
    for group in ("control", "drug")
    for i in (1, 2)
)


class Study:
    """A folder with a workflow, its code and its config."""

    def __init__(self, folder: Path, seed: int = 1) -> None:
        self.folder = folder
        for name in ("pipeline", "workflow", "profiles"):
            shutil.copytree(REPOSITORY / name, folder / name)
        shutil.copy2(REPOSITORY / "Snakefile", folder)
        self.write("config/config.yaml", CONFIG.format(seed=seed))
        self.write("config/recordings.tsv", RECORDINGS)

    def write(self, name: str, text: str) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def edit(self, name: str, old: str, new: str) -> None:
        path = self.folder / name
        text = path.read_text()
        assert old in text, f"{name} no longer has {old!r}"
        path.write_text(text.replace(old, new, 1))

    @contextlib.contextmanager
    def changed(self, name: str, change):
        """Change a file's text for a while."""
        path = self.folder / name
        before = path.read_text()
        try:
            path.write_text(change(before))
            assert path.read_text() != before, f"{name} is as it was"
            yield
        finally:
            path.write_text(before)

    def python(self, *arguments: str, **options) -> subprocess.CompletedProcess:
        environment = {**os.environ, "PYTHONPATH": str(self.folder / "pipeline"), "OMP_NUM_THREADS": "1"}
        environment.pop("PYTEST_ADDOPTS", None)
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=self.folder,
            env=environment,
            text=True,
            capture_output=True,
            timeout=900,
            check=False,
            **options,
        )

    def snakemake(self, *arguments: str) -> subprocess.CompletedProcess:
        return self.python("-m", "snakemake", "--cores", "2", *arguments)

    def run(self, *arguments: str) -> str:
        done = self.snakemake(*arguments)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-6000:]
        return done.stdout + done.stderr

    def would_run(self) -> set[str]:
        """Rules that a run would execute now."""
        text = self.run("--dry-run")
        lines = iter(text.splitlines())
        rules = set()
        for line in lines:
            if line.startswith("Job stats:"):
                next(lines), next(lines)
                for row in lines:
                    if not row.strip():
                        break
                    rules.add(row.split()[0])
        return rules - {"all", "total"}


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> Study:
    return Study(tmp_path_factory.mktemp("study"))
