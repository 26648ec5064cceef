"""Label one study by one method with one setting.

    python -m recovery.recover STUDY METHOD SETTING SEED OUT

``OUT.npz`` has ``path (T,)`` and ``states (T, K)`` of every recording, and ``cpu_s`` with the time of
the latents. Scores are computed from this file, so that a new score needs no training.
"""

import argparse
import time
from pathlib import Path

import numpy as np
import torch

from recovery import latents
from recovery.studies import Study, write
from syllabary import registry

StatePrediction = dict[str, tuple[np.ndarray, np.ndarray]]


def recover(folder: Path, method: str, setting: str, seed: int, out: Path) -> None:
    chosen = registry.find("recovery.methods", method)
    cpu_s = sum(latents.load(folder, name).cpu_s for name in chosen.LATENTS)
    start = time.process_time()
    predicted = chosen.recover(folder, chosen.SETTINGS[setting], seed)
    arrays = {"cpu_s": np.asarray(cpu_s + time.process_time() - start)}
    for name, (path, states) in predicted.items():
        # Three digits of a probability are enough and save space.
        arrays |= {f"path/{name}": path.astype(np.int16), f"states/{name}": states.astype(np.float16)}

    def to(place: Path) -> None:
        with place.open("wb") as file:
            np.savez_compressed(file, **arrays)

    write(out, to)


def load(place: Path, study: Study) -> tuple[StatePrediction, float]:
    """Read path and states of every recording, and the CPU time, s."""
    with np.load(place) as stored:
        predicted = {
            name: (stored[f"path/{name}"].astype(int), stored[f"states/{name}"].astype(float))
            for name in study.recordings
        }
        return predicted, float(stored["cpu_s"])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("study", type=Path)
    parser.add_argument("method")
    parser.add_argument("setting")
    parser.add_argument("seed", type=int)
    parser.add_argument("out", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    recover(options.study, options.method, options.setting, options.seed, options.out)
