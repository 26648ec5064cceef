"""How many registers, spilled bytes and shared memory do the kernels need on a GPU?

    pip install -c constraints.txt -e ".[gpu]" nvidia-cuda-nvcc
    python benchmarks/cuda_kernels.py

No GPU is needed. Every kernel that a backend function launches is compiled for three generations of
GPUs by NVVM and ptxas, whose reports are rows of results.csv. The functions are called with tensors
of the CPU and a launch that records kernels, so that no list of kernels can be outdated.
"""

import argparse
import re
import subprocess
import tempfile
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace

import numba.cuda.dispatcher
import numpy as np
import results
import torch
from numba import cuda as compiler

from syllabary.messages import hmm, lds, switching
from syllabary.messages.backends.cuda import arguments, chunks, launch
from syllabary.messages.backends.cuda.hmm import calls as hmm_calls
from syllabary.messages.backends.cuda.lds import calls as lds_calls
from syllabary.messages.backends.cuda.switching import calls as switching_calls
from syllabary.messages.regression import ar_log_likelihood

ARCHITECTURES = {"sm_80": (8, 0), "sm_90": (9, 0), "sm_100": (10, 0)}
# Sizes of chains: states and dimensions. A kernel that is the same for all is compiled once.
SIZES, FRAMES = ((512, 32), (256, 16), (200, 10), (128, 8), (64, 4), (25, 3)), 3


def launches(dtype: torch.dtype) -> dict:
    """Return every launched kernel with the types of its arguments, threads and bytes."""
    kernels = {}

    def note(kernel, spec, *parts):
        types = arguments.types_of(arguments.flatten(parts, -1, []), compiler.types)
        function = kernel.py_func
        name = f"{function.__module__.rpartition('.')[2]}.{function.__name__}"
        kernels.setdefault((name, kernel), (types, *spec[1:]))

    callers = chunks, hmm_calls, lds_calls, switching_calls
    for module in callers:
        module.launch = note
    try:
        for states, dimensions in SIZES:
            call_everything(dtype, states, dimensions)
    finally:
        for module in callers:
            module.launch = launch.launch
    return kernels


def call_everything(dtype: torch.dtype, states: int, dimensions: int) -> None:
    rng, backend = np.random.default_rng(0), "cuda"
    shapes = ((states,), (states, states), (FRAMES, states))
    chain = [torch.zeros(shape, dtype=dtype) for shape in shapes]
    marginals = hmm.marginals(*chain, cache=True, backend=backend)
    hmm.tangent(chain[1], marginals, chain[2], backend=backend)
    hmm.path(*chain, backend=backend)
    hmm.sample(*chain, rng, backend=backend)
    square = (dimensions, dimensions)
    shapes = ((FRAMES, *square), (FRAMES - 1, *square), (FRAMES, dimensions))
    gaussian = [torch.zeros(shape, dtype=dtype) for shape in shapes]
    smooth = lds.marginals(*gaussian, cache=True, backend=backend)
    lds.marginals(*gaussian, keep="sums", backend=backend)
    lds.tangent(smooth, *gaussian, backend=backend)
    lds.sample(*gaussian, rng, backend=backend)
    start = switching.Start(torch.zeros(dimensions), torch.eye(dimensions))
    model = switching.SwitchingModel(
        torch.ones(states) / states,
        torch.ones(states, states) / states,
        torch.zeros(states, dimensions, dimensions),
        torch.zeros(states, dimensions),
        torch.eye(dimensions).expand(states, *square),
        start,
    )
    switching.filter(model, torch.ones(FRAMES, dimensions), gaussian[2], backend=backend)
    weights = torch.zeros(states, dimensions, 1)
    precision = torch.eye(dimensions).expand(states, *square)
    inputs = (torch.zeros(FRAMES, 1), weights, None, precision, torch.zeros(states))
    ar_log_likelihood(gaussian[2], *inputs, backend=backend)


def report(kernel, types: tuple, architecture: str) -> dict[str, int]:
    """Return the report of ptxas on one kernel."""
    capability = ARCHITECTURES[architecture]
    # Device functions look up the device; here it is the one of the architecture.
    numba.cuda.dispatcher.get_current_device = lambda: SimpleNamespace(compute_capability=capability)
    bounds = kernel.targetoptions.get("launch_bounds")
    code, _ = compiler.compile_ptx(kernel.py_func, types, cc=capability, launch_bounds=bounds)
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "kernel.ptx"
        source.write_text(code)
        command = [ptxas(), f"-arch={architecture}", "-v", source, "-o", source.with_suffix(".cubin")]
        text = subprocess.run(command, check=True, capture_output=True, text=True).stderr

    def number(pattern: str) -> int:
        match = re.search(pattern, text)
        return int(match[1]) if match else 0

    return {
        "registers": number(r"Used (\d+) registers"),
        "spill stores": number(r"(\d+) bytes spill stores"),
        "spill loads": number(r"(\d+) bytes spill loads"),
        "stack": number(r"(\d+) bytes stack frame"),
        "static shared memory": number(r"(\d+) bytes smem"),
    }


def ptxas() -> Path:
    """Return the assembler, which must be of the same release as NVVM."""
    import nvidia

    places = [path for place in nvidia.__path__ for path in Path(place).glob("cu*/bin/ptxas")]
    if not places:
        raise SystemExit("no ptxas: pip install nvidia-cuda-nvcc, of the release of nvidia-nvvm")
    return places[0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dry", action="store_true", help="print the table and keep no rows")
    parser.add_argument("--only", default="", help="part of the names of kernels")
    parser.add_argument("--architectures", default=",".join(ARCHITECTURES), help="with commas")
    options = parser.parse_args()
    peer = f"numba-cuda {version('numba-cuda')}, nvcc {version('nvidia-cuda-nvcc')}"
    rows = {}
    for dtype in (torch.float32, torch.float64):
        for (name, kernel), (types, threads, dynamic) in launches(dtype).items():
            if options.only not in name:
                continue
            kind = "float32" if "float32" in str(types) else "float64"
            for architecture in options.architectures.split(","):
                key = name, kind, threads, dynamic, architecture
                if key not in rows:
                    rows[key] = report(kernel, types, architecture)
    print("| kernel | numbers | threads | registers | spilled | stack | shared memory |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for name, kind, threads, dynamic in sorted({key[:4] for key in rows}):
        each = [row for key, row in rows.items() if key[:4] == (name, kind, threads, dynamic)]
        registers = ", ".join(str(row["registers"]) for row in each)
        spilled = ", ".join(f"{row['spill stores']}/{row['spill loads']}" for row in each)
        shared = f"{each[0]['static shared memory']} + {dynamic}"
        stack = ", ".join(str(row["stack"]) for row in each)
        print(f"| `{name}` | {kind} | {threads} | {registers} | {spilled} | {stack} | {shared} |")
    for (name, kind, threads, dynamic, architecture), row in rows.items():
        case = f"{name}, {kind}, {threads} threads, {dynamic} bytes, {architecture}"
        kept = {
            "registers": (row["registers"], "per thread"),
            "stack": (row["stack"], "bytes"),
            "spilled": (row["spill stores"] + row["spill loads"], "bytes"),
            "shared memory": (row["static shared memory"] + dynamic, "bytes"),
        }
        for measure, (value, unit) in kept.items():
            if not options.dry:
                results.add("cuda_kernels", case, measure, value, unit, peer)


if __name__ == "__main__":
    main()
