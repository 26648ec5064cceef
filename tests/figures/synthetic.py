"""A small made-up study: four mice, 20 s each, two models, tiny crops, known syllables."""

import numpy as np
import pandas as pd
from scipy.cluster import hierarchy

from syllabary import movies
from syllabary.figures.study import ModelResults, RecordingResults, StudyResults
from syllabary.provenance import Provenance
from syllabary.records import crops, tables
from syllabary.records.clips import Clips

FPS = 30.0
TICKS = 600
SIZE = 24
BEHAVIORS = ("walk", "rear_up", "groom", "pause", "turn_left", "sniff")
# Merges of ten states.
TREE = hierarchy.linkage(np.random.default_rng(2).standard_normal((10, 2)), "average")
PROVENANCE = Provenance("draw", {"palette": "golden"}, 7, {"labels": "abc"}, "code", "0.0")


def runs(rng, states, ticks=TICKS, mean=14):
    """Random bouts; state 0 is the commonest."""
    weights = 0.7 ** np.arange(states)
    states_by_tick, last = [], -1
    while len(states_by_tick) < ticks:
        state = int(rng.choice(states, p=weights / weights.sum()))
        if state != last:
            states_by_tick += [state] * int(4 + rng.geometric(1 / mean))
            last = state
    return np.array(states_by_tick[:ticks])


def mouse(syllable, t):
    """An ellipse, taller and rounder while rearing."""
    y, x = np.mgrid[:SIZE, :SIZE] - (SIZE - 1) / 2
    long, tall = (5, 70) if syllable == 1 else (9, 35)
    inside = 1 - (x / long) ** 2 - (y / 4.5) ** 2
    return (tall * np.sqrt(np.clip(inside, 0, 1)) + 0.5 * (t % 3)).astype(np.uint8)


def write_crops(path, name, syllables, rng):
    ticks = len(syllables)
    time_s = np.arange(ticks) / FPS
    frame = np.arange(ticks)
    frame[100:104] = -1
    angle = np.linspace(0, 6 * np.pi, ticks)
    x, y = 150 * np.cos(angle) + rng.normal(0, 2, ticks), 120 * np.sin(angle)
    x[100:104] = y[100:104] = np.nan
    heading = np.arctan2(120 * np.cos(angle), -150 * np.sin(angle))
    scalars = {n: np.abs(rng.normal(30, 5, ticks)) for n in crops.SCALARS}
    scalars |= {"x_mm": x, "y_mm": y, "heading_rad": heading}
    scalars["speed_mm_s"] = np.where(syllables == 0, 180, 25) + rng.normal(0, 8, ticks)
    scalars["height_max_mm"] = np.where(syllables == 1, 70, 35) + rng.normal(0, 2, ticks)
    mask = np.zeros((160, 200), bool)
    rows, columns = np.mgrid[:160, :200]
    mask[((rows - 80) / 70) ** 2 + ((columns - 100) / 85) ** 2 < 1] = True
    tracking = {
        "x_px": 100 + x / 2.4, "y_px": 80 + y / 2.4, "heading_rad": heading,
        "heading_confidence": np.full(ticks, 0.9), "detected": np.isfinite(x),
    }  # fmt: skip
    arena = {
        "background_mm": np.full(mask.shape, 700.0, np.float32),
        "mask": mask,
        "floor_plane": np.array([0, 0, 1.0, -700]),
        "intrinsics": np.array([366.0, 366.0, 100, 80]),
    }
    images = np.stack([mouse(s, t) for t, s in enumerate(syllables)])
    with crops.CropsWriter(path, recording=name, pixel_mm=4.0, size=(SIZE, SIZE)) as writer:
        writer.append(images, np.ones(images.shape, bool))
        writer.finish(
            frame=frame, time_s=time_s, start_time="", scalars=scalars, tracking=tracking,
            arena=arena, provenance=PROVENANCE,
        )  # fmt: skip
    return images


def label_table(syllables, rng):
    changed = np.concatenate([[0], np.cumsum(np.diff(syllables) != 0)])
    names = pd.array([{1: "rear"}.get(s, pd.NA) for s in syllables], dtype="string")
    return pd.DataFrame({
        "frame": np.arange(len(syllables)), "time_s": np.arange(len(syllables)) / FPS,
        "syllable": syllables, "state": syllables, "probability": rng.uniform(0.6, 1, len(syllables)),
        "entropy_nats": rng.uniform(0, 0.8, len(syllables)),
        "surprise_nats": rng.normal(20, 3, len(syllables)), "bout": changed, "name": names,
    })  # fmt: skip


def bout_table(labels, recording):
    grouped = labels.reset_index().groupby("bout")
    first, last = grouped.first(), grouped.last()
    return pd.DataFrame({
        "recording": recording.name, "subject": recording.subject, "group": recording.group,
        "role": recording.role, "bout": first.index, "syllable": first["syllable"],
        "start_tick": first["index"], "stop_tick": last["index"] + 1,
        "start_s": first["time_s"], "stop_s": last["time_s"] + 1 / FPS,
        "duration_s": last["time_s"] + 1 / FPS - first["time_s"],
        "probability": grouped["probability"].mean(),
    }).reset_index(drop=True)  # fmt: skip


def model_tables(bouts, rng):
    keys = ["recording", "subject", "group", "role"]
    usage = bouts.groupby([*keys, "syllable"], as_index=False).agg(
        usage=("duration_s", "sum"), bouts=("bout", "size"), median_duration_s=("duration_s", "median")
    )
    usage["usage"] /= TICKS / FPS
    usage["bouts_per_min"] = usage["bouts"] * 3
    after = bouts.groupby("recording")["syllable"].shift(-1)
    pairs = bouts.assign(to_syllable=after).dropna(subset=["to_syllable"])
    transitions = pairs.groupby(
        [*keys[:3], "syllable", "to_syllable"], as_index=False
    ).size().rename(columns={"syllable": "from_syllable", "size": "count"})  # fmt: skip
    total = transitions.groupby(["recording", "from_syllable"])["count"].transform("sum")
    transitions["probability"] = transitions["count"] / total
    numbers = np.sort(bouts["syllable"].unique())
    n = len(numbers)
    syllables = pd.DataFrame({
        "syllable": numbers,
        "name": pd.array([{1: "rear"}.get(s, pd.NA) for s in numbers], dtype="string"),
        "usage": [bouts.loc[bouts["syllable"] == s, "duration_s"].sum() / 80 for s in numbers],
        "bouts": [(bouts["syllable"] == s).sum() for s in numbers],
        "median_duration_s": bouts.groupby("syllable")["duration_s"].median().to_numpy(),
        "speed_mm_s": rng.uniform(5, 200, n), "height_mm": rng.uniform(20, 60, n),
        "height_max_mm": rng.uniform(30, 90, n), "length_mm": rng.uniform(60, 110, n),
        "turning_rad_s": rng.normal(0, 2, n), "probability": rng.uniform(0.7, 1, n),
    })  # fmt: skip
    statistics = pd.DataFrame({
        "measure": "usage", "syllable": numbers, "comparison": "control vs drug",
        "group_a": "control", "group_b": "drug",
        "mean_a": 0.2, "mean_b": 0.1,
        "low_a": 0.15, "high_a": 0.25, "low_b": 0.05, "high_b": 0.15, "effect_size": -0.5, "p": 0.01,
        "q": np.linspace(0.0005, 0.2, len(numbers)),
    })  # fmt: skip
    return {
        "bouts": bouts, "usage": usage, "transitions": transitions,
        "syllables": syllables, "statistics": statistics,
    }  # fmt: skip


def write_clips(path):
    """Decoded movies of a model, noise; drawn apart, so that the study is the same without them."""
    rng = np.random.default_rng(6)
    frames = rng.integers(0, 60, (5, 20, SIZE, SIZE)).astype(np.uint8)
    Clips(
        np.arange(5), np.full(5, 12), np.zeros((5, 20, 3)), frames, rng.integers(0, 5, (2, 30)),
        np.zeros((2, 30), bool), rng.integers(0, 60, (2, 30, SIZE, SIZE)).astype(np.uint8), FPS, 1.85,
    ).save(path, PROVENANCE)  # fmt: skip
    return path


def training_history(*, joint):
    """Search, three restarts, of which the last is polished, and perhaps networks after them."""
    phases = [("search", 0), *(("restart", i) for i in range(3)), ("polish", 2)]
    bound = -np.exp(-np.arange(12) / 3)
    parts = [
        pd.DataFrame({
            "restart": restart, "phase": phase, "iteration": range(12),
            "bound_nats_per_frame": bound + 0.1 * restart, "kappa": 100.0,
            "states_used": np.linspace(30, 8, 12).round(),
            "median_duration_s": np.linspace(0.2, 0.4, 12),
        })
        for phase, restart in phases
    ]  # fmt: skip
    if joint:
        # Networks belong to no restart; the column has a number all the same.
        parts.append(pd.DataFrame({
            "restart": 0, "phase": "joint", "iteration": range(4), "states_used": 8, "kappa": 100.0,
            "bound_nats_per_frame": [-3600.0, -3550.0, -3525.0, -3519.5], "median_duration_s": 0.4,
            "pixel_nats_per_frame": [-3590.0, -3540.0, -3515.0, -3509.0],
            "gradient_error": [1e-6, 1e-6, 1e-6, np.nan],
        }))  # fmt: skip
    return pd.concat(parts, ignore_index=True)


def reliability(error):
    confidence = np.linspace(0.4, 0.98, 10)
    return {
        "confidence": confidence.tolist(), "accuracy": (confidence - error).tolist(),
        "share": [0.1] * 10, "ticks": 2400, "expected_error": error, "max_error": error, "brier": 0.1,
    }  # fmt: skip


def make_study(folder, names=("m1", "m2", "m3", "m4")):
    rng = np.random.default_rng(5)
    recordings, truths = [], {}
    for i, name in enumerate(names):
        place = folder / f"recording{i}"
        truths[name] = runs(rng, len(BEHAVIORS))
        images = write_crops(place / "crops.h5", name, truths[name], rng)
        movies.write(place / "preview.mp4", np.repeat(np.repeat(images, 4, 1), 4, 2), FPS)
        columns = {
            "frame": np.arange(TICKS), "time_s": np.arange(TICKS) / FPS, "syllable": truths[name],
            "behavior": [BEHAVIORS[s] for s in truths[name]], "x_mm": 0, "y_mm": 0,
            "heading_rad": 0, "height_mm": 30, "dropped": False,
        }  # fmt: skip
        tables.write(place / "truth.parquet", pd.DataFrame(columns), PROVENANCE, tables.TRUTH)
        quality = {
            "recording": name, "verdict": ("good", "warn", "good", "good")[i % 4],
            "reasons": ["the mouse was lost for 1.2 s"] if i % 4 == 1 else [], "ticks": TICKS,
            "frames": TICKS - 4, "dropped": 4 + i, "missing_mouse_fraction": 0.01 * i, "median_fps": FPS,
        }  # fmt: skip
        recordings.append(RecordingResults(
            name, f"mouse{i}", ("control", "drug")[i % 2], "train" if i < 3 else "held_out",
            place / "crops.h5", place / "preview.mp4", place / "truth.parquet", quality,
        ))  # fmt: skip
    models = []
    for k, (model, noise) in enumerate((("slds", 0.05), ("pca-arhmm", 0.5))):
        labels, model_bouts = {}, []
        for recording in recordings:
            syllables = truths[recording.name].copy()
            wrong = np.repeat(rng.random(TICKS // 20) < noise, 20)
            syllables[wrong] = runs(rng, 7 + k)[wrong]
            table = label_table(syllables, rng)
            labels[recording.name] = folder / f"{recording.crops_path.parent.name}-{model}.parquet"
            tables.write(
                labels[recording.name], table, PROVENANCE, tables.LABELS, syllable_of=np.arange(10)
            )
            model_bouts.append(bout_table(table, recording))
        history = training_history(joint=model == "slds")
        per_syllable = [
            {
                "syllable": i, "behavior": b, "frames": 100, "label": i, "precision": 0.9,
                "recall": 0.8, "mostly_recall": 0.95,
            }
            for i, b in enumerate(BEHAVIORS)
        ]  # fmt: skip
        pooled = {
            "ami": 0.8 - noise / 2, "nmi": 0.82 - noise / 2, "ari": 0.7 - noise / 2,
            "macro_f1": 0.75 - noise / 2, "boundary_f1": 0.7 - noise / 3, "boundary_f1_chance": 0.3,
            "duration_ratio": 1.1, "states_above_1_percent": 7, "frames": 2400,
            "behaviors": {"rear": {"frames": 90, "recall": 0.98, "precision": 0.9, "f1": 0.94}},
            "syllables": per_syllable, "calibration_error": noise,
            "calibration": {"syllable": reliability(noise), "behavior": reliability(noise / 2)},
        }  # fmt: skip
        scores = {"all": pooled, "held_out": {**pooled, "ami": pooled["ami"] - 0.05}}
        models.append(ModelResults(
            model, {"network": "conv", "prior": model}, labels, {},
            model_tables(pd.concat(model_bouts, ignore_index=True), rng), history, scores,
            write_clips(folder / f"{model}-clips.h5") if model == "slds" else None,
            TREE,
        ))  # fmt: skip
    ticks = np.arange(0, TICKS, 13)
    changes = pd.concat([
        pd.DataFrame({"recording": n, "tick": ticks, "score": 1.0})
        .assign(time_s=ticks / FPS + rng.uniform(0, 0.3, len(ticks)))
        for n in names
    ])  # fmt: skip
    import h5py

    with h5py.File(folder / "pca.h5", "w") as h5:
        y, x = np.mgrid[:SIZE, :SIZE] / SIZE
        h5["components"] = np.stack([np.sin((i + 1) * 3 * x) * np.cos(i * 2 * y) for i in range(10)])
        h5["mean"] = images.mean(0)
        h5["explained_variance_ratio"] = 0.4 * 0.6 ** np.arange(10)
    return StudyResults("Simulated study", tuple(recordings), tuple(models), folder / "pca.h5", changes)
