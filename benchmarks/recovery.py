"""Does the simulated study separate methods, and what does each model recover?

For every seed a study is simulated (crops or raw sessions through the whole depth chain), and its true
syllables are scored against k-means on single crops, as a floor, and against the models given. Frame AMI
of k-means should stay below 0.35 (a posture is no syllable) and the baseline's between 0.4 and 0.8.

    python benchmarks/recovery.py --seeds 101 102 103
    python benchmarks/recovery.py --seeds 101 --raw --minutes 1

Rows are added to benchmarks/results.csv.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from results import add
from sklearn.cluster import KMeans

from syllabary.depth import extraction
from syllabary.depth.settings import ExtractSettings
from syllabary.provenance import Provenance
from syllabary.records import tables
from syllabary.records.crops import Crops
from syllabary.simulate import acquisition, crops
from syllabary.simulate.settings import SimulateSettings
from syllabary.study import Config
from syllabary.svae import inference, joint, pca, training
from syllabary.svae.latents import LatentSeries
from syllabary.svae.model import Model
from syllabary.svae.settings import ReduceSettings
from syllabary.syllables import changepoints, decode, scores
from syllabary.syllables.settings import ChangepointSettings

MADE = Provenance("benchmark", {}, None, {}, "")
SHOWN = ("ami", "ari", "macro_f1", "boundary_f1", "boundary_f1_chance", "duration_ratio")


def simulate(
    folder: Path, seed: int, animals: int, minutes: float, raw: bool
) -> list[tuple[Path, Path]]:
    """Write a study of two groups; return crops and truth of every recording."""
    settings = SimulateSettings(duration_s=60 * minutes)
    found = []
    for i in range(animals):
        name = f"m{i + 1}"
        who = {"recording": name, "subject": name, "group": ("control", "drug")[i % 2]}
        place = folder / name / "crops.h5"
        place.parent.mkdir(parents=True)
        truth = place.parent / "truth.parquet"
        if raw:
            acquisition.record(place.parent, settings, **who, seed=seed, provenance=MADE)
            preview = place.parent / "preview.mp4"
            extraction.extract(
                place.parent, place, preview, ExtractSettings(), recording=name, provenance=MADE
            )
            (place.parent / "depth.dat").unlink()
        else:
            crops.render(place, truth, settings, **who, seed=seed, provenance=MADE)
        found.append((place, truth))
    return found


def labelled(where: Path, path: np.ndarray, count: int) -> object:
    with Crops(where) as recording:
        states = np.eye(count, dtype=np.float32)[path]
        surprise = np.zeros(len(path))
        return decode.labels(
            recording.frame, recording.time_s, path=path, states=states, surprise_nats=surprise
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", required=True)
    parser.add_argument("--animals", type=int, default=8)
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--raw", action="store_true", help="through raw depth video and extraction")
    parser.add_argument("--models", nargs="+", default=list(Config().models), help="shipped models")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    for seed in arguments.seeds:
        with tempfile.TemporaryDirectory() as scratch:
            study = simulate(Path(scratch), seed, arguments.animals, arguments.minutes, arguments.raw)
            evaluate(study, seed, "raw" if arguments.raw else "crops", arguments.models)


def series_of(
    study: list[tuple[Path, Path]], seed: int, fitted: int | None = None
) -> tuple[pca.Pca, dict[str, LatentSeries], float, float]:
    """Latents of every recording by components of the first ``fitted``; target duration and rate."""
    reduction = pca.fit([where for where, _ in study[:fitted]], ReduceSettings(), seed=seed)
    series, found, rates = {}, [], []
    for where, _ in study:
        with Crops(where) as recording:
            name = recording.recording
            series[name] = pca.scores(reduction, recording)
            rates.append(1 / np.median(np.diff(recording.time_s)))
            found.append(
                changepoints.find(
                    *series[name][:2], recording.time_s, ChangepointSettings(), recording=name, seed=seed
                )
            )
    target_s = changepoints.median_duration_s(changepoints.join(found[:fitted]))
    return reduction, series, target_s, float(np.mean(rates))


def evaluate(study: list[tuple[Path, Path]], seed: int, kind: str, models: list[str]) -> None:
    truths = [tables.read(truth, tables.TRUTH) for _, truth in study]
    syllables = len(np.unique(np.concatenate([t["syllable"].to_numpy() for t in truths])))
    reduction, series, target_s, fps = series_of(study, seed)
    unwhitened = {name: s.values * reduction.scale for name, s in series.items()}
    for title, values in (
        ("k-means", unwhitened),
        ("k-means, whitened", {n: s.values for n, s in series.items()}),
    ):
        points = np.concatenate([v[np.isfinite(v).all(1)] for v in values.values()])
        clusters = KMeans(syllables, n_init=3, random_state=seed).fit(points)
        pairs = []
        for (where, _), truth, v in zip(study, truths, values.values(), strict=True):
            path = clusters.predict(np.nan_to_num(v))
            pairs.append((labelled(where, path, syllables), truth))
        report(title, seed, kind, scores.score_many(pairs))
    places = {name: where for name, (where, _) in zip(series, study, strict=True)}
    for name in models:
        start = time.process_time()
        settings = Config().models[name]
        fitted = training.fit(series, settings, target_duration_s=target_s, fps=fps, seed=seed)
        fitted, networks = joint.fit(fitted, places, series, settings, reduction, fps=fps, seed=seed)
        model = Model.of(settings, fitted, reduction, networks, fps=fps)
        pairs = []
        for (where, _), truth in zip(study, truths, strict=True):
            with Crops(where) as recording:
                said = inference.segment(model, series[recording.recording], recording)
                pairs.append(
                    (
                        decode.labels(
                            recording.frame,
                            recording.time_s,
                            path=said.path,
                            states=said.states,
                            surprise_nats=said.surprise_nats,
                        ),
                        truth,
                    )
                )
        result = scores.score_many(pairs)
        report(name, seed, kind, result, cpu_s=time.process_time() - start)
        print(scores.format(result), flush=True)


def report(method: str, seed: int, kind: str, result: dict, **more: float) -> None:
    values = {name: result[name] for name in SHOWN}
    for name in ("rear", "groom"):
        values |= {
            f"{name}_{m}": result["behaviours"].get(name, {}).get(m) for m in ("recall", "precision")
        }
    print(
        f"{kind} seed {seed} {method}: "
        + "  ".join(f"{k} {v:.2f}" for k, v in values.items() if v is not None),
        flush=True,
    )
    for name, value in {**values, **more}.items():
        if value is not None:
            add("recovery", f"{kind}, seed {seed}", f"{method} {name}", value)


if __name__ == "__main__":
    main()
