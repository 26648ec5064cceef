"""Let one method with one setting label one study.

    python -m recovery.recover STUDY METHOD SETTING SEED OUT

``OUT.npz`` holds ``path (T,)`` and ``states (T, K)`` of every recording, and ``cpu_s``, the latents'
own time in it. Scores are made of it apart: a new score trains nothing again.
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
    said = chosen.recover(folder, chosen.SETTINGS[setting], seed)
    arrays = {"cpu_s": np.asarray(cpu_s + time.process_time() - start)}
    for name, (path, states) in said.items():
        # Three digits of a probability are enough, and a study has millions of them.
        arrays |= {f"path/{name}": path.astype(np.int16), f"states/{name}": states.astype(np.float16)}

    def to(place: Path) -> None:
        with place.open("wb") as file:
            np.savez_compressed(file, **arrays)

    write(out, to)


def load(place: Path, study: Study) -> tuple[StatePrediction, float]:
    """Read what ``recover`` wrote: path and states of every recording, and seconds."""
    with np.load(place) as stored:
        said = {
            name: (stored[f"path/{name}"].astype(int), stored[f"states/{name}"].astype(float))
            for name in study.recordings
        }
        return said, float(stored["cpu_s"])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("study", type=Path)
    parser.add_argument("method")
    parser.add_argument("setting")
    parser.add_argument("seed", type=int)
    parser.add_argument("out", type=Path)
    given = parser.parse_args()
    torch.set_num_threads(1)
    recover(given.study, given.method, given.setting, given.seed, given.out)
