"""How long should the kernels take on an H200, counted without one?

    pip install -c constraints.txt -e ".[gpu]" nvidia-cuda-nvcc nvidia-cuda-nvdisasm
    python benchmarks/gpu_predicted.py

A call runs on tensors of the processor with a launch that records kernels, so grids are the true ones.
Each kernel is compiled for sm_90 and disassembled. Of its loop over frames, what every warp executes is
counted once, the loop over pivots D times, what lies between BSSY and BSYNC by the share of the warps
that have a state, a logarithm by one warp, and slow paths (CALL, polynomials of float64) not at all. A
step takes as long as the longest warp, at CYCLES per instruction that waits for the one before, or as
all warps of a multiprocessor need for their issue slots, whichever is more; and the pass not less than
its bytes. torch's operations count as bytes read and written, and at least GAP each. So a prediction
that a GPU contradicts by more than half says which of these assumptions is wrong.
"""

import argparse
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import numba
import numba.cuda.dispatcher
import numpy as np
import torch
from numba import cuda as compiler
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from syllabary.messages import dispatch, hmm, lds
from syllabary.messages.backends import cuda
from syllabary.messages.backends.cuda import chunks, launch
from syllabary.messages.backends.cuda.hmm import calls as hmm_calls
from syllabary.messages.backends.cuda.hmm import pairs
from syllabary.messages.backends.cuda.lds import calls as lds_calls
from syllabary.priors import slds
from syllabary.priors.types import GaussianEvidence

# An H200: multiprocessors, cycles and bytes a second (4.3 TB/s measured by others), registers.
PROCESSORS, CLOCK, BYTES, REGISTERS = 132, 1.8e9, 4.3e12, 65536
# Cycles from an instruction of a warp to its next, which waits for it, with half of them hidden; at a
# barrier; seconds of a launch that has nothing to do; and of a kernel of torch at least.
CYCLES, BARRIER, EMPTY, GAP = 2.5, 30, 4e-6, 2e-6
SCHEDULERS = 4


class Launch(NamedTuple):
    """A launch that was recorded."""

    kernel: object
    types: tuple
    grid: tuple[int, ...]
    threads: int
    numbers: int
    warm_up: int | None
    longest: int


class TorchCost(TorchDispatchMode):
    """Seconds of torch's operations by their bytes."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds, self.count = 0.0, 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        out = function(*args, **(kwargs or {}))
        name = function.__name__.split(".")[0]
        free = {"view", "expand", "slice", "select", "transpose", "detach", "as_strided", "alias"}
        free |= {"unsqueeze", "squeeze", "permute", "t", "diagonal", "split", "empty", "new_empty"}
        free |= {"_unsafe_view", "_local_scalar_dense", "empty_like", "unbind", "reshape"}
        if name not in free:
            tensors = [part for part in tree_leaves((args, out)) if isinstance(part, torch.Tensor)]
            moved = sum(part.numel() * part.itemsize for part in set(tensors))
            self.seconds += max(GAP, moved / BYTES)
            self.count += 1
        return out


def record(call: Callable[[], object]) -> tuple[list[Launch], TorchCost]:
    """Run a call, and return its launches in order and torch's work between them."""
    made: list[Launch] = []

    def note(kernel, spec, *arguments):
        types = tuple(numba.typeof(launch._each(part, torch.Tensor.numpy)) for part in arguments)
        grid, threads, _ = spec
        pair = [part for part in arguments if isinstance(part, tuple) and len(part) == 2]
        plan = [part for part in pair if all(isinstance(number, int) for number in part)]
        warm_up, longest = plan[0] if plan else (None, 0)
        tensors = {id(part): part for part in tree_leaves(arguments) if isinstance(part, torch.Tensor)}
        numbers = sum(part.numel() * part.itemsize for part in tensors.values())
        grid = grid if isinstance(grid, tuple) else (grid,)
        made.append(Launch(kernel, types, grid, threads, numbers, warm_up, longest))
        if kernel.py_func.__name__ == "forward" and kernel.py_func.__module__.endswith("scaled"):
            arguments[-1].fill_(1)  # nothing was lost

    modules = chunks, hmm_calls, lds_calls
    chosen = dispatch.backend_for
    for module in modules:
        module.launch = note
    choosers = [module for name, module in sys.modules.items()
                if name.startswith("syllabary.messages") and hasattr(module, "backend_for")]  # fmt: skip
    for module in choosers:
        module.backend_for = lambda *_: cuda
    try:
        with TorchCost() as cost_of_torch:
            call()
    finally:
        for module in modules:
            module.launch = launch.launch
        for module in choosers:
            module.backend_for = chosen
    return made, cost_of_torch


def tool(name: str) -> Path:
    """Path of a program in NVIDIA's wheels."""
    import nvidia

    places = [path for place in nvidia.__path__ for path in Path(place).glob(f"cu*/bin/{name}")]
    if not places:
        raise SystemExit(f"no {name}: pip install nvidia-cuda-nvcc nvidia-cuda-nvdisasm")
    return places[0]


def disassembled(kernel, types: tuple) -> tuple[list[str], dict[str, int], int]:
    """Return instructions, the places of labels, and registers per thread."""
    numba.cuda.dispatcher.get_current_device = lambda: SimpleNamespace(compute_capability=(9, 0))
    bounds = kernel.targetoptions.get("launch_bounds")
    code, _ = compiler.compile_ptx(kernel.py_func, types, cc=(9, 0), launch_bounds=bounds)
    with tempfile.TemporaryDirectory() as folder:
        source, cubin = Path(folder) / "kernel.ptx", Path(folder) / "kernel.cubin"
        source.write_text(code)
        command = [tool("ptxas"), "-arch=sm_90", "-v", source, "-o", cubin]
        report = subprocess.run(command, check=True, capture_output=True, text=True).stderr
        command = [tool("nvdisasm"), "-c", cubin]
        text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    instructions: list[str] = []
    labels: dict[str, int] = {}
    for line in text.splitlines():
        if label := re.match(r"\s*(\.L_x_\d+):", line):
            labels[label[1]] = len(instructions)
        elif instruction := re.match(r"\s+/\*[0-9a-f]{4,}\*/\s+(.*?);", line):
            instructions.append(instruction[1])
    registers = re.search(r"Used (\d+) registers", report)
    return instructions, labels, int(registers[1]) if registers else 255


def loops_of(instructions: list[str], labels: dict[str, int]) -> list[tuple[int, int]]:
    """First and last instruction of every loop, the longest first."""
    ends: dict[int, int] = {}
    for n, text in enumerate(instructions):
        jump = re.search(r"BRA.*`\((\.L_x_\d+)\)", text)
        if jump and labels.get(jump[1], n + 1) < n:
            ends[labels[jump[1]]] = max(n, ends.get(labels[jump[1]], 0))
    return sorted(ends.items(), key=lambda span: span[0] - span[1])


class Count(NamedTuple):
    """Instructions of a step: of the longest warp, and of all warps of a block; and its barriers."""

    longest: float
    block: float
    barriers: float


def count(instructions, labels, warps: int, share: float, pivots: int, trips: float) -> Count:
    """Count a step of a pass; loops without a barrier inside it run ``trips`` times."""
    loops = loops_of(instructions, labels)
    outer = next(span for span in loops if "BAR.SYNC" in " ".join(instructions[slice(*span)]))
    inside = [span for span in loops if outer[0] < span[0] and span[1] < outer[1]]
    step = next(span for span in inside if "BAR.SYNC" in " ".join(instructions[slice(*span)]))
    inner = [span for span in inside if step[0] < span[0] and span[1] <= step[1]]
    weights = np.ones(len(instructions))
    for low, high in inner:
        body = " ".join(instructions[low : high + 1])
        writes = "STG" in body and "BAR.SYNC" not in body  # once in a chunk
        weights[low : high + 1] *= pivots if "BAR.SYNC" in body else 0 if writes else trips
    everyone, states, lone = weights.copy(), weights.copy(), np.zeros(len(instructions))
    opened: list[int] = []
    for n in range(step[0], step[1] + 1):
        if "BSSY" in instructions[n]:
            opened.append(n)
        elif "BSYNC" in instructions[n] and opened:
            low = opened.pop()
            body = " ".join(instructions[low : n + 1])
            if opened:
                continue
            if body.count("FFMA") + body.count("DFMA") + body.count("FMNMX") < 40:
                everyone[low : n + 1] = 0
            if "MUFU.LG2" in body:
                lone[low : n + 1], states[low : n + 1] = weights[low : n + 1], 0
    for n in range(step[0], step[1] + 1):
        if "CALL" in instructions[n]:
            for part in (everyone, states, lone):
                part[max(step[0], n - 6) : n + 1] = 0
    where = slice(step[0], step[1] + 1)
    total, all_do, alone = (float(part[where].sum()) for part in (states, everyone, lone))
    barriers = sum(weights[n] for n in range(*step) if "BAR.SYNC" in instructions[n])
    block = warps * (share * total + (1 - share) * all_do) + alone
    return Count(total + alone, block, float(barriers))


def seconds_of(made: Launch, compiled: dict, states: int, size: int) -> tuple[float, str]:
    """Predict one launch, and say what limits it."""
    name = made.kernel.py_func.__name__
    if made.warm_up == 0 or (made.warm_up is None and name != "sum_parts"):
        return EMPTY, "nothing to do"
    key = made.kernel, made.types
    if key not in compiled:
        compiled[key] = disassembled(made.kernel, made.types)
    instructions, labels, registers = compiled[key]
    warps, blocks = made.threads // 32, int(np.prod(made.grid))
    if name == "sum_parts":
        loops = loops_of(instructions, labels)
        lines = next(s for s in reversed(loops) if "FMA" in " ".join(instructions[slice(*s)]))
        body = " ".join(instructions[lines[0] : lines[1] + 1])
        products = body.count("FFMA") + body.count("DFMA")
        per_slice = (lines[1] - lines[0] + 1) * pairs.SLICE * pairs.ENTRIES / products
        per_slice += (loops[0][1] - loops[0][0]) / 2
        cycles = blocks * warps * per_slice * pairs.PART / pairs.SLICE / SCHEDULERS / PROCESSORS
        return max(EMPTY + cycles / CLOCK, made.numbers / BYTES), "issue"
    share = 1.0 if warps == 1 else min(1.0, -(-states // 32) / warps)
    trips = max(1.0, states / 32 / 4)
    step = count(instructions, labels, warps, share, size, trips)
    fits = max(1, REGISTERS // (-(-registers // 8) * 8 * made.threads))
    fits = min(fits, 64 // warps, 32)
    crowd = min(fits, -(-blocks // PROCESSORS))
    waves = -(-blocks // (PROCESSORS * fits))
    alone = step.longest * CYCLES + step.barriers * BARRIER
    busy = crowd * step.block / SCHEDULERS
    steps = made.longest + (made.warm_up if made.grid[1] > 1 else 0)
    if name == "walk":
        alone += 600  # a frame's messages come from memory
    passed = waves * steps * max(alone, busy) / CLOCK
    limit = "latency" if alone > busy else "issue"
    detail = f"{step.longest:.0f}/warp, {crowd} blocks of {warps} warps, {steps} steps, {limit}"
    return max(EMPTY + passed, made.numbers / BYTES), detail


def problems() -> dict[str, tuple[Callable[[], object], int, int, str, str]]:
    """Name to call, states, dimensions, goal, and an earlier estimate, ms."""
    rng = np.random.default_rng(0)
    frames = 100_000
    chain = [torch.zeros(100), torch.zeros(100, 100), torch.zeros(frames, 100)]
    gaussian = [torch.zeros(s) for s in ((frames, 10, 10), (frames - 1, 10, 10), (frames, 10))]

    def iteration(dtype: torch.dtype) -> Callable[[], object]:
        values = torch.from_numpy(rng.standard_normal((256, 512, 10))).to(dtype)
        settings = slds.Settings(states=50, kappa=1e4)
        parameters = slds.initial(settings, values[:8].double(), None, np.random.default_rng(5))
        evidence = GaussianEvidence(values, torch.full_like(values, 20.0))
        start = torch.full((256, 512, 50), 0.02, dtype=dtype)
        return lambda: slds.infer(parameters, evidence, start=start, max_iterations=1, cache=False)

    return {
        "HMM marginals, K = 100, T = 1e5": (
            lambda: hmm.marginals(*chain, backend="cuda"), 100, 1, "0.6", "0.7-1.1"),
        "Gaussian marginals, D = 10, T = 1e5": (
            lambda: lds.marginals(*gaussian, backend="cuda"), 1, 10, "0.6", "0.9-1.3"),
        "SLDS iteration, 256 x 512, K = 50, D = 10, float32": (
            iteration(torch.float32), 50, 10, "3", "3"),
        "SLDS iteration, the same in float64": (
            iteration(torch.float64), 50, 10, "3", "4.5-5.5"),
        "Viterbi, K = 100, T = 1e5": (
            lambda: hmm.path(*chain, backend="cuda"), 100, 1, "5", "100-200"),
        "sample, K = 100, T = 1e5": (
            lambda: hmm.sample(*chain, rng, backend="cuda"), 100, 1, "5", "-"),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", help="part of the names of problems")
    arguments = parser.parse_args()
    print("| problem | kernels | torch | predicted, ms | goal | estimated before |")
    print("| --- | --- | --- | --- | --- | --- |")
    compiled: dict = {}
    details = []
    for name, (call, states, size, goal, before) in problems().items():
        if arguments.only not in name:
            continue
        made, cost_of_torch = record(call)
        total = 0.0
        for each in made:
            seconds, detail = seconds_of(each, compiled, states, size)
            total += seconds
            function = each.kernel.py_func
            label = f"{function.__module__.rpartition('.')[2]}.{function.__name__}"
            details.append(f"{name}: {label} {each.grid}: {1e3 * seconds:.3f} ms ({detail})")
        sum_ms, torch_ms = 1e3 * total, 1e3 * cost_of_torch.seconds
        cells = f"{sum_ms:.2f}, {len(made)} launches | {torch_ms:.2f}, {cost_of_torch.count} operations"
        print(f"| {name} | {cells} | {sum_ms + torch_ms:.2f} | {goal} | {before} |", flush=True)
    print("\n" + "\n".join(details))


if __name__ == "__main__":
    main()
