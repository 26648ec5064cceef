"""The script through which every rule runs its step."""

import logging
import runpy
from pathlib import Path
from types import SimpleNamespace

import pytest

from syllabary import steps

SCRIPT = Path(__file__).parents[2] / "workflow" / "scripts" / "step.py"


@pytest.fixture
def run(tmp_path, monkeypatch):
    def run(machine):
        arguments = {}

        def extract(*, source, crops, settings, scratch=None):
            arguments.update(source=source, crops=crops, settings=settings, scratch=scratch)

        monkeypatch.setattr(steps, "extract", extract)
        job = SimpleNamespace(
            rule="extract",
            config={} if machine is None else {"machine": machine},
            log=[str(tmp_path / "log")],
            input={"raw": ["raw/m1/depth.dat"]},
            output={"crops": "crops.h5"},
            params={"source": "raw/m1", "settings": {}, "code": "abc"},
        )
        handlers = logging.root.handlers[:]
        try:
            runpy.run_path(str(SCRIPT), init_globals={"snakemake": job})
        finally:
            logging.root.handlers[:] = handlers
        return arguments

    return run


@pytest.mark.parametrize("machine", [None, {}, {"log_level": "info"}])
def test_a_step_gets_the_files_and_parameters_that_it_names(run, machine):
    expected = {"source": "raw/m1", "crops": Path("crops.h5"), "settings": {}, "scratch": None}
    assert run(machine) == expected


def test_what_the_machine_offers_reaches_a_step_that_names_it(run):
    assert run({"scratch": "/big/disk", "log_level": "info"})["scratch"] == "/big/disk"


def test_the_device_of_the_config_reaches_the_steps_that_compute(monkeypatch, run):
    accepted = [
        name
        for name in steps.__all__
        if "device" in getattr(getattr(steps, name), "__annotations__", {})
    ]
    assert sorted(accepted) == ["evaluate", "fit", "segment"]
    assert "device" not in run({"device": "cuda:1"}), "extract has no device"
