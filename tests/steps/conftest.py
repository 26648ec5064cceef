"""A small study in the layout of a results folder, filled by the steps themselves."""

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest

from figures import synthetic
from oracles import small_recordings
from reduction import registered
from syllabary import steps
from syllabary.provenance import Provenance
from syllabary.records import tables
from syllabary.records.posterior import Posterior

MADE = Provenance("test", {}, None, {}, "")
REDUCE = {"components": 3, "frames": 400, "registration_frames": 200, "passes": 3}
MODEL = {
    "prior": "arhmm",
    "prior_settings": {"states": 5, "lags": 1},
    "training": {"restarts": 1, "restart_iterations": 3, "iterations": 3, "target_duration_s": 0.4},
}
TRAINED = ("a", "b")
EXTRACT = {
    "camera": small_recordings.CAMERA,
    "arena": {"floor_range_mm": [300, 900]},
    "tracking": {"min_area_mm2": 20, "tail_width_mm": 0},
    "crop": {"size_px": 32, "pixel_mm": 4},
    "background": {"frames": 10},
}


class Results(NamedTuple):
    """A folder of results, and rows of the table of recordings."""

    folder: Path
    rows: list[dict[str, str]]

    def recording(self, name, *places):
        return self.folder.joinpath("recordings", name, *places)

    def each(self, *places, names=None):
        """One path for each recording."""
        return [self.recording(name, *places) for name in names or [r["recording"] for r in self.rows]]


def write_quality(path, recording, verdict="good", reasons=()):
    path.parent.mkdir(parents=True, exist_ok=True)
    text = {"recording": recording, "verdict": verdict, "reasons": list(reasons)}
    path.write_text(json.dumps(text), encoding="utf-8")
    return path


def rows_of(names, role="train"):
    return [{"recording": n, "subject": n, "group": "control", "role": role} for n in names]


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """Crops of two recordings, their reduction, a model, and its labels."""
    results = Results(tmp_path_factory.mktemp("trained") / "results", rows_of(TRAINED))
    rng = np.random.default_rng(8)
    for name in TRAINED:
        path = results.recording(name, "crops.h5")
        path.parent.mkdir(parents=True)
        heights, shifts = registered.animals(rng, 150)
        # Recordings are known by their folder.
        written = registered.write(
            path.parent / f"{name}.h5", heights, scalars=registered.tracked(rng, shifts)
        )
        written.rename(path)
        write_quality(results.recording(name, "quality.json"), name)
    models = results.folder / "models"
    training = {"crops": results.each("crops.h5"), "quality": results.each("quality.json")}
    reduced = {"pca": models / "pca.h5", "changepoints": models / "changepoints.parquet"}
    models.mkdir()
    steps.reduce(**training, **reduced, settings=REDUCE, seed=1)
    steps.fit(**training, **reduced, folder=models / "m", settings=MODEL, seed=1)
    for name in TRAINED:
        steps.segment(
            crops=results.recording(name, "crops.h5"),
            model=models / "m" / "model.safetensors",
            posterior=results.recording(name, "posterior", "m.h5"),
        )
        steps.label(
            posterior=results.recording(name, "posterior", "m.h5"),
            model=models / "m" / "model.safetensors",
            labels=results.recording(name, "labels", "m.parquet"),
        )
    return results


@pytest.fixture(scope="session")
def labeled(tmp_path_factory):
    """Crops, labels, truth and posteriors of four made-up recordings, in two groups."""
    names = ("m1", "m2", "m3", "m4")
    rows = [
        {**row, "group": group, "role": role}
        for row, group, role in zip(
            rows_of(names),
            ("control", "drug") * 2,
            ("train", "train", "train", "held_out"),
            strict=True,
        )
    ]
    results = Results(tmp_path_factory.mktemp("labeled") / "results", rows)
    rng = np.random.default_rng(5)
    for name in names:
        syllables = synthetic.runs(rng, 5)
        path = results.recording(name, "crops.h5")
        path.parent.mkdir(parents=True)
        synthetic.write_crops(path, name, syllables, rng)
        write_quality(results.recording(name, "quality.json"), name)
        table = synthetic.label_table(syllables, rng)
        place = results.recording(name, "labels", "m.parquet")
        tables.write(place, table, MADE, tables.LABELS, syllable_of=np.arange(5))
        truth = pd.DataFrame({
            "frame": table["frame"], "time_s": table["time_s"], "syllable": syllables,
            "behavior": [synthetic.BEHAVIORS[s] for s in syllables], "x_mm": 0.0, "y_mm": 0.0,
            "heading_rad": 0.0, "height_mm": 30.0, "dropped": False,
        })  # fmt: skip
        place = results.folder / "simulated" / name / "truth.parquet"
        tables.write(place, truth, MADE, tables.TRUTH)
        states = np.full((len(syllables), 5), 0.05, np.float32)
        states[np.arange(len(syllables)), syllables] = 0.8
        zeros = np.zeros((len(syllables), 2), np.float32)
        write_posterior(results.recording(name, "posterior", "m.h5"), zeros, states)
    return results


def summarize(results, folder, names=steps.TABLES, quality=(), **settings):
    """Tables of the made-up recordings, by name."""
    steps.summarize(
        labels=results.each("labels", "m.parquet"),
        crops=results.each("crops.h5"),
        results=[folder / f"{name}.parquet" for name in names],
        recordings=results.rows,
        quality=quality,
        settings={"bootstrap_samples": 100, "permutations": 100, **settings},
        seed=3,
    )
    return {name: tables.read(folder / f"{name}.parquet") for name in names}


@pytest.fixture(scope="session")
def session(tmp_path_factory):
    """A session folder of ten frames."""
    return small_recordings.recordings(tmp_path_factory.mktemp("raw"))["session"]


@pytest.fixture
def extracted(session, tmp_path):
    """Crops of the session, or of another source, by the settings of the small recording."""

    def run(source=session, **changes):
        crops = tmp_path / "m1" / "crops.h5"
        arguments = {"settings": EXTRACT, "recording": "m1", "preview": tmp_path / "m1" / "preview.mp4"}
        steps.extract(source=source, crops=crops, **{**arguments, **changes})
        return crops

    return run


def write_posterior(path, latents, states):
    path.parent.mkdir(parents=True, exist_ok=True)
    ticks = np.arange(len(states))
    Posterior(latents, latents + 1, states, np.zeros(len(states)), ticks, ticks / 30).save(path, MADE)


def merged_labels(results, folder, syllable_of):
    """Labels of the made-up recordings in which states are merged, by a map (5,)."""
    syllable_of = np.asarray(syllable_of)
    places = []
    for row in results.rows:
        places.append(folder / row["recording"] / "labels" / "m.parquet")
        table = tables.read(results.recording(row["recording"], "labels", "m.parquet"))
        table = table.assign(syllable=syllable_of[table["state"]])
        tables.write(places[-1], table, MADE, tables.LABELS, syllable_of=syllable_of)
    return places
