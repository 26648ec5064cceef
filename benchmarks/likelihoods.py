"""What log likelihood do models give to held-out animals (higher is better)?

Models of the shipped configuration are trained on all simulated animals but the last ones, and score
those: bound, importance weighted bound of clips, and predictions of pixels and of components. Nats are
comparable only between models of the same pixels, so that there are two comparisons:

*registered*: all models get registered crops without the animals' offsets, as in the shipped default.
*plain*: all models get crops without registration.

All models have the same components and the same likelihood of a pixel, with a share of outliers. Each
pixel has one variance, fitted to the training animals at the end of training (``svae.pixel_noise``).

    python benchmarks/likelihoods.py [--kind nonlinear] [--seeds 1] [--animals 8] [--minutes 3]
        [--held-out 2] [--crops registered,plain] [--folder FOLDER] [--save]

With ``--folder``, studies, models and scores are kept, and a second run reads them.
"""

import argparse
import contextlib
import sys
import tempfile
from pathlib import Path

import pandas as pd
import torch

sys.path.insert(0, str(Path(__file__).parent))
import results
from recovery import latents
from recovery.methods import shipped
from recovery.studies import MADE, Study, simulate, write

from syllabary.provenance import generator
from syllabary.study import Config
from syllabary.svae import scores
from syllabary.svae.model import Model
from syllabary.svae.settings import EvaluateSettings, ModelSettings

OURS = "slds"
RIVALS = ("pca-slds", "pca-arhmm")
CROPS = {
    "registered": {"registration": True, "subject_offset": True},
    "plain": {"registration": False, "subject_offset": False},
}
SETTINGS = EvaluateSettings(clips=6, targets=48)


def settings_of(name: str, crop_kind: str) -> ModelSettings:
    """Shipped settings of a model, for one kind of crops and with our likelihood of a pixel."""
    models = Config().models
    chosen = models[name].model_dump(exclude_unset=True)
    outliers = models[OURS].network_settings["outliers"]
    chosen["network_settings"] = {**chosen.get("network_settings", {}), "outliers": outliers}
    return ModelSettings(**(chosen | CROPS[crop_kind]))


def trained(study: Study, name: str, crop_kind: str) -> Model:
    """Train a model, or read it if an earlier run trained it."""
    place = study.folder / "models" / f"{crop_kind}-{name}.safetensors"
    if not place.exists():
        model = shipped.learn(study.folder, settings_of(name, crop_kind), study.seed)
        write(place, lambda path: model.save(path, MADE))
    return Model.load(place)


def held_out(study: Study) -> list[str]:
    return [name for name, role in study.roles.items() if role == "held_out"]


def scored(study: Study, name: str, crop_kind: str) -> pd.DataFrame:
    """Score a model on every held-out animal."""
    place = study.folder / "scores" / f"{crop_kind}-{name}.parquet"
    if not place.exists():
        model = trained(study, name, crop_kind)
        tables = []
        for animal in held_out(study):
            with study.crops(animal) as crops:
                rng = generator(study.seed, "likelihoods", animal)
                tables.append(scores.table(model, crops, SETTINGS, rng).assign(animal=animal))
        table = pd.concat(tables, ignore_index=True)
        write(place, lambda path: table.to_parquet(path))
    return pd.read_parquet(place)


def prepared(folder: Path, kind: str, seed: int, animals: int, minutes: float, apart: int) -> Study:
    """Return a study with its reduction; both are made if they are missing."""
    if not (folder / "study.json").exists():
        simulate(kind, seed, animals, minutes, folder, apart)
    if not (folder / "reduction.npz").exists():
        latents.save(folder, "reduction", latents.of_reduction(Study(folder), seed))
    return Study(folder)


def best(rows: pd.DataFrame) -> pd.Series:
    """Return nats per frame by measure, horizon and animal, of the largest number of samples."""
    best_estimates = (
        rows.sort_values("samples").groupby(["measure", "horizon", "animal"], sort=False).tail(1)
    )
    return best_estimates.set_index(["measure", "horizon", "animal"])["nats_per_frame"].sort_index()


def compare(crop_kind: str, nats: dict[str, pd.Series], case: str, keep: bool) -> None:
    """Print every measure of every model, and the difference of ours from each rival by animal."""
    animals = len(nats[OURS].groupby(["seed", "animal"]))
    print(f"\n{crop_kind} crops, {animals} held-out animals; nats per frame, mean over animals")
    print(f"{'':>14}" + "".join(f"{name:>12}" for name in nats), end="")
    print("".join(f"{'above ' + name:>32}" for name in RIVALS))
    for measure, horizon in (
        ("bound", 0), ("iwae", 0),
        *(("pixels", h) for h in SETTINGS.horizons), *(("components", h) for h in SETTINGS.horizons),
    ):  # fmt: skip
        by_model = {name: series.xs((measure, horizon), level=(0, 1)) for name, series in nats.items()}
        title = f"{measure} {horizon}" if horizon else measure
        line = f"{title:>14}" + "".join(f"{values.mean():12.2f}" for values in by_model.values())
        for name in RIVALS:
            apart = (by_model[OURS] - by_model[name]).dropna()
            range_ = f"{apart.mean():+9.2f} [{apart.min():+.2f}, {apart.max():+.2f}]"
            line += f"{range_:>27} {int((apart > 0).sum()):>2}/{len(apart)}"
            if keep:
                results.add(
                    "likelihoods", case, f"{crop_kind}: {title}", apart.mean(), "nats/frame", name
                )
        print(line, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--kind", default="nonlinear")
    parser.add_argument("--seeds", default="1")
    parser.add_argument("--animals", type=int, default=8)
    parser.add_argument("--minutes", type=float, default=3.0)
    parser.add_argument("--held-out", type=int, default=2)
    parser.add_argument("--crops", default=",".join(CROPS))
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--save", action="store_true", help="add the differences to results.csv")
    options = parser.parse_args()
    torch.set_num_threads(1)
    with contextlib.ExitStack() as stack:
        root = options.folder or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        for crop_kind in options.crops.split(","):
            parts: dict[str, list[pd.Series]] = {name: [] for name in (OURS, *RIVALS)}
            for seed in map(int, options.seeds.split(",")):
                study = prepared(
                    root / f"{options.kind}-{seed}",
                    options.kind,
                    seed,
                    options.animals,
                    options.minutes,
                    options.held_out,
                )
                for name in parts:
                    parts[name].append(
                        pd.concat({seed: best(scored(study, name, crop_kind))}, names=["seed"])
                    )
            joined = {
                name: pd.concat(series).reorder_levels(["measure", "horizon", "seed", "animal"])
                for name, series in parts.items()
            }
            case = f"{options.kind} {options.seeds}, {options.animals} x {options.minutes:g} min"
            compare(crop_kind, joined, case, options.save)


if __name__ == "__main__":
    main()
