"""Does a GPU train the same model as the processor, and how fast?

    python benchmarks/gpu_fit.py [--iterations 200] [--animals 4] [--minutes 1] [--devices cpu cuda]

A study is simulated as crops and reduced once. The step ``fit`` then runs on each device from the same
seed. The bounds of all iterations are compared with those of the first device, and frames per second
are those of all iterations over the time of the whole step, compilation included.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from recovery import studies

from syllabary import steps
from syllabary.records import tables

SEED = 1
# Of a bound, relative: devices add in other orders, and EM repeats what they differ by.
ALLOWED = 1e-3


def settings(iterations: int) -> dict[str, object]:
    """A switching linear system without discovery, which gets all its iterations."""
    training = {
        "restarts": 1,
        "restart_iterations": min(10, iterations),
        "iterations": iterations,
        "tolerance_nats": 1e-9,
        "target_duration_s": 0.4,
    }
    return {"prior": "slds", "prior_settings": {"states": 25}, "training": training}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--iterations", type=int, default=200)
    parser.add_argument("--animals", type=int, default=4)
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--devices", nargs="+", default=["cpu", "cuda"])
    options = parser.parse_args()
    if any(name.startswith("cuda") for name in options.devices) and not torch.cuda.is_available():
        raise SystemExit(
            "gpu_fit.py needs an NVIDIA GPU, and torch finds none here: run it where there is one, or "
            "with --devices cpu."
        )
    with tempfile.TemporaryDirectory() as scratch:
        study = studies.simulate(
            "nonlinear", SEED, options.animals, options.minutes, Path(scratch) / "study", held_out=0
        )
        inputs: dict[str, list[Path]] = {"crops": [], "quality": []}
        frames = 0
        for name in study.trained:
            inputs["crops"].append(study.path(name))
            verdict = {"recording": name, "verdict": "good", "reasons": []}
            inputs["quality"].append(Path(scratch) / f"{name}.json")
            inputs["quality"][-1].write_text(json.dumps(verdict), encoding="utf-8")
            with study.crops(name) as recording:
                frames += len(recording.time_s)
        reduced = {
            "pca": Path(scratch) / "pca.h5",
            "changepoints": Path(scratch) / "changepoints.parquet",
        }
        steps.reduce(**inputs, **reduced, settings={}, seed=SEED)
        bounds = []
        for device in options.devices:
            folder, begun = Path(scratch) / f"model-{len(bounds)}", time.perf_counter()
            chosen = settings(options.iterations)
            steps.fit(**inputs, **reduced, folder=folder, settings=chosen, seed=SEED, device=device)
            took = time.perf_counter() - begun
            history = tables.read(folder / "history.parquet")
            bounds.append(history["bound_nats_per_frame"].to_numpy())
            rate = frames * len(history) / took
            print(f"{device}: {len(history)} iterations, {took:.1f} s, {rate:.0f} frames/s", flush=True)
    for device, other in zip(options.devices[1:], bounds[1:], strict=True):
        number = min(len(other), len(bounds[0]))
        gap = np.abs(other[:number] - bounds[0][:number]) / np.maximum(1, np.abs(bounds[0][:number]))
        print(f"{device}: bounds differ by {gap.max():.1e} at most, allowed {ALLOWED:.0e}")
        if gap.max() > ALLOWED:
            raise SystemExit(f"Wrong: iteration {int(gap.argmax())} on {device} has another bound.")


if __name__ == "__main__":
    main()
