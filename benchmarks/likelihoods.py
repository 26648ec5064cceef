"""How probable do models find animals they have never seen?

Simulated animals; models of the shipped configuration are trained on all but the last ones, and score
those: bound, importance weighted bound of clips, and predictions of pixels and of components. Nats are
compared between models that explain the same pixels alone, so there are two comparisons:

*registered*: every model gets registered crops without the animals' build, as the shipped default makes
    them; registration is then a step before all models, like cropping itself.
*plain*: every model gets crops as they are.

All have the same components, likelihood of a pixel (with a share of outliers) and freedom of noise: one
variance a pixel, fitted to the pixels of the training animals at the end of every training
(``svae.noise``).

    python benchmarks/likelihoods.py [--kind nonlinear] [--seeds 1] [--animals 8] [--minutes 3]
        [--held-out 2] [--views registered,plain] [--folder FOLDER] [--save]

With ``--folder`` studies, models and scores are kept, and a second run goes on from there.
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
VIEWS = {
    "registered": {"registration": True, "subject_offset": True},
    "plain": {"registration": False, "subject_offset": False},
}
SETTINGS = EvaluateSettings(clips=6, targets=48)


def settings_of(name: str, view: str) -> ModelSettings:
    """Shipped settings of a model, of the view's crops and with our likelihood of a pixel."""
    known = Config().models
    chosen = known[name].model_dump(exclude_unset=True)
    outliers = known[OURS].network_settings["outliers"]
    chosen["network_settings"] = {**chosen.get("network_settings", {}), "outliers": outliers}
    return ModelSettings(**(chosen | VIEWS[view]))


def trained(study: Study, name: str, view: str) -> Model:
    """Train a model, or read what an earlier run trained."""
    place = study.folder / "models" / f"{view}-{name}.safetensors"
    if not place.exists():
        model = shipped.learn(study.folder, settings_of(name, view), study.seed)
        write(place, lambda path: model.save(path, MADE))
    return Model.load(place)


def held_out(study: Study) -> list[str]:
    return [name for name, role in study.roles.items() if role == "held_out"]


def scored(study: Study, name: str, view: str) -> pd.DataFrame:
    """Score a model on every animal that it has not seen."""
    place = study.folder / "scores" / f"{view}-{name}.parquet"
    if not place.exists():
        model = trained(study, name, view)
        found = []
        for animal in held_out(study):
            with study.crops(animal) as crops:
                rng = generator(study.seed, "likelihoods", animal)
                found.append(scores.table(model, crops, SETTINGS, rng).assign(animal=animal))
        table = pd.concat(found, ignore_index=True)
        write(place, lambda path: table.to_parquet(path))
    return pd.read_parquet(place)


def prepared(folder: Path, kind: str, seed: int, animals: int, minutes: float, apart: int) -> Study:
    """Return a study with its reduction, made anew where it is not there."""
    if not (folder / "study.json").exists():
        simulate(kind, seed, animals, minutes, folder, apart)
    if not (folder / "reduction.npz").exists():
        latents.save(folder, "reduction", latents.of_reduction(Study(folder), seed))
    return Study(folder)


def best(rows: pd.DataFrame) -> pd.Series:
    """Nats per frame by measure, horizon and animal, of the largest number of samples."""
    most = rows.sort_values("samples").groupby(["measure", "horizon", "animal"], sort=False).tail(1)
    return most.set_index(["measure", "horizon", "animal"])["nats_per_frame"].sort_index()


def compare(view: str, found: dict[str, pd.Series], case: str, keep: bool) -> None:
    """Print every measure of every model, and by how much ours is above each rival, animal by animal."""
    animals = len(found[OURS].groupby(["seed", "animal"]))
    print(f"\n{view} crops, {animals} animals never trained on; nats per frame, mean over them")
    print(f"{'':>14}" + "".join(f"{name:>12}" for name in found), end="")
    print("".join(f"{'above ' + name:>32}" for name in RIVALS))
    for measure, horizon in (
        ("bound", 0), ("iwae", 0),
        *(("pixels", h) for h in SETTINGS.horizons), *(("components", h) for h in SETTINGS.horizons),
    ):  # fmt: skip
        own = {name: series.xs((measure, horizon), level=(0, 1)) for name, series in found.items()}
        title = f"{measure} {horizon}" if horizon else measure
        line = f"{title:>14}" + "".join(f"{one.mean():12.2f}" for one in own.values())
        for name in RIVALS:
            apart = (own[OURS] - own[name]).dropna()
            range_ = f"{apart.mean():+9.2f} [{apart.min():+.2f}, {apart.max():+.2f}]"
            line += f"{range_:>27} {int((apart > 0).sum()):>2}/{len(apart)}"
            if keep:
                results.add("likelihoods", case, f"{view}: {title}", apart.mean(), "nats/frame", name)
        print(line, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--kind", default="nonlinear")
    parser.add_argument("--seeds", default="1")
    parser.add_argument("--animals", type=int, default=8)
    parser.add_argument("--minutes", type=float, default=3.0)
    parser.add_argument("--held-out", type=int, default=2)
    parser.add_argument("--views", default=",".join(VIEWS))
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--save", action="store_true", help="add the differences to results.csv")
    given = parser.parse_args()
    torch.set_num_threads(1)
    with contextlib.ExitStack() as stack:
        root = given.folder or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        for view in given.views.split(","):
            parts: dict[str, list[pd.Series]] = {name: [] for name in (OURS, *RIVALS)}
            for seed in map(int, given.seeds.split(",")):
                study = prepared(
                    root / f"{given.kind}-{seed}", given.kind, seed, given.animals, given.minutes,
                    given.held_out,
                )  # fmt: skip
                for name in parts:
                    parts[name].append(
                        pd.concat({seed: best(scored(study, name, view))}, names=["seed"])
                    )
            joined = {
                name: pd.concat(series).reorder_levels(["measure", "horizon", "seed", "animal"])
                for name, series in parts.items()
            }
            case = f"{given.kind} {given.seeds}, {given.animals} x {given.minutes:g} min"
            compare(view, joined, case, given.save)


if __name__ == "__main__":
    main()
