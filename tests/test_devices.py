"""Which device is taken, what is missing where there is none, and the screen that tells."""

import ctypes
import logging
import os

import pytest
import torch
from typer.testing import CliRunner

from syllabary import cli, devices, steps, study
from syllabary.devices import Card, Machine
from syllabary.errors import BadSetting

H200 = Card("NVIDIA H200", 139 << 30, (9, 0))
WHOLE = Machine((H200,), (13, 0), "2.13.0", "13.0", "0.30.4", True)
BARE = Machine(torch="2.13.0+cpu")


def machine(monkeypatch, parts):
    """A machine that has these things, as far as it is asked."""
    monkeypatch.setattr(devices, "look", lambda: parts)
    monkeypatch.setattr(devices, "_driver", lambda: (parts.driver, parts.cards))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: not any(devices.faults(parts)))


@pytest.mark.parametrize(
    ("lacks", "advice"),
    [
        ({"driver": None, "cards": ()}, "no NVIDIA driver; install one"),
        ({"cards": ()}, "finds no GPU; see what 'nvidia-smi' lists"),
        (
            {"torch": "2.13.0+cpu", "torch_cuda": None},
            "build for the processor; install one for CUDA 13.0",
        ),
        ({"driver": (12, 4)}, "driver is too old, for it knows CUDA 12.4 and torch was built with 13.0"),
        ({"cards": (Card("Tesla P100", 16 << 30, (6, 0)),)}, "Tesla P100 is too old"),
        ({"numba_cuda": None}, r"numba-cuda is not installed; pip install 'syllabary\[gpu\]'"),
        ({"has_compiler": False}, r"finds no compiler \(libNVVM\).*CUDA_HOME"),
    ],
)
def test_what_is_missing_is_said_in_one_sentence(monkeypatch, caplog, lacks, advice):
    machine(monkeypatch, WHOLE._replace(**lacks))
    with pytest.raises(BadSetting, match=rf"^machine.device = cuda: .*{advice}") as raised:
        devices.use("cuda")
    assert "\n" not in str(raised.value)
    with caplog.at_level(logging.INFO):
        assert devices.use("auto") == torch.device("cpu")
    assert [record.message.partition(":")[0] for record in caplog.records] == ["runs on the processor"]
    assert not devices.wants_gpu("auto")


def test_a_working_card_is_taken_by_its_number(monkeypatch):
    machine(monkeypatch, WHOLE._replace(cards=(H200, H200)))
    assert devices.choose("auto") == devices.choose("cuda") == torch.device("cuda", 0)
    assert devices.choose("cuda:1") == torch.device("cuda", 1)
    with pytest.raises(BadSetting, match="no GPU number 2; they are numbered from 0 to 1"):
        devices.choose("cuda:2")
    assert devices.choose("cpu") == torch.device("cpu")


def test_a_driver_is_asked_by_its_own_library(monkeypatch):
    class Library:
        """The functions of libcuda.so.1 that are called, for one card."""

        def __getattr__(self, name):
            def function(*arguments):
                values = {
                    "cuDriverGetVersion": 12040,
                    "cuDeviceGetCount": 1,
                    "cuDeviceGet": 0,
                    "cuDeviceTotalMem_v2": 24 << 30,
                    "cuDeviceGetAttribute": {75: 8, 76: 9}[arguments[1]]
                    if name.endswith("Attribute")
                    else 0,
                }
                if name == "cuDeviceGetName":
                    arguments[0].value = b"NVIDIA L4"
                elif name in values:
                    arguments[0]._obj.value = values[name]
                return 0

            return function

    monkeypatch.setattr(ctypes, "CDLL", lambda name: Library())
    assert devices._driver() == ((12, 4), (Card("NVIDIA L4", 24 << 30, (8, 9)),))


def test_only_a_gpu_changes_how_torch_computes(monkeypatch):
    changed = []
    monkeypatch.setattr(devices, "_make_reproducible", lambda: changed.append(True))
    monkeypatch.setattr(devices, "describe", str)
    machine(monkeypatch, WHOLE)
    devices.use("cpu")
    assert not changed
    devices.use("auto")
    assert changed


def test_sums_keep_one_order_and_float32_its_bits(monkeypatch):
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    products, convolutions = torch.backends.cuda.matmul, torch.backends.cudnn.conv
    before = (products.fp32_precision, convolutions.fp32_precision, torch.backends.cudnn.deterministic)
    try:
        devices._make_reproducible()
        assert torch.are_deterministic_algorithms_enabled() and torch.backends.cudnn.deterministic
        assert (products.fp32_precision, convolutions.fp32_precision) == ("ieee", "ieee")
        assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"
    finally:
        torch.use_deterministic_algorithms(False)
        torch.utils.deterministic.fill_uninitialized_memory = True
        products.fp32_precision, convolutions.fp32_precision, torch.backends.cudnn.deterministic = before


@pytest.mark.parametrize(
    ("parts", "cards", "needed"), [(BARE, 0, 1), (WHOLE, 1, 1), (WHOLE._replace(driver=(12, 4)), 0, 1)]
)
def test_jobs_ask_for_a_card_where_there_is_one_or_it_is_declared(monkeypatch, parts, cards, needed):
    machine(monkeypatch, parts)
    assert steps.gpus(study.read_config({})) == cards
    assert steps.gpus(study.read_config({"machine": {"device": "cuda"}})) == needed
    assert steps.gpus(study.read_config({"machine": {"device": "cpu"}})) == 0


def test_no_other_word_is_a_device():
    for device in ("gpu", "cuda:", "cuda:-1", "CUDA"):
        with pytest.raises(BadSetting, match=r"machine\.device"):
            study.read_config({"machine": {"device": device}})


def screen():
    """What the doctor prints."""
    result = CliRunner().invoke(cli.app, ["doctor"])
    assert result.exit_code == 0, result.output
    assert len(result.output.splitlines()) <= 25
    assert "cpu: passes, worst relative difference" in result.output
    return result.output


def test_the_doctor_of_a_machine_without_a_gpu(monkeypatch):
    machine(monkeypatch, BARE)
    text = screen()
    assert "cuda: cannot run here" in text and "models run on the processor" in text
    assert text.count("For a GPU: ") == 3, "driver, torch, numba-cuda"


def test_the_doctor_of_an_old_driver(monkeypatch):
    machine(monkeypatch, WHOLE._replace(driver=(12, 4)))
    text = screen()
    assert "cuda:0        NVIDIA H200, 139 GiB, compute capability 9.0" in text
    assert text.count("For a GPU: ") == 1
    assert "update the driver, or install torch for CUDA 12.4" in text


def test_the_doctor_without_numba_cuda(monkeypatch):
    machine(monkeypatch, WHOLE._replace(numba_cuda=None, has_compiler=False))
    text = screen()
    assert text.count("For a GPU: ") == 1 and "pip install 'syllabary[gpu]'" in text


def test_the_doctor_says_which_backend_fails(monkeypatch):
    machine(monkeypatch, WHOLE)
    text = screen()
    # Every probe answers yes, and yet nothing works: torch itself finds no card.
    assert "cuda: FAILS with " in text and "models run on cuda:0" in text
