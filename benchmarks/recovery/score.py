"""Score the labels of one method on one study.

    python -m recovery.score STUDY PREDICTED METHOD SETTING OUT

``OUT.json`` has a row per decoding and pool of animals: training animals, held-out ones, and all.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from recovery import decoding, latents
from recovery.gauges import gauges
from recovery.recover import load
from recovery.studies import Study, write
from syllabary.syllables import calibration, decode, scores

KEYS = (
    "ami", "ari", "macro_f1", "boundary_f1", "boundary_f1_chance", "duration_ratio",
    "states_above_1_percent", "best_shift_ami", "best_shift_ticks",
)  # fmt: skip
BEHAVIORS = ("rear", "groom")


def rows(study: Study, place: Path, method: str, setting: str) -> list[dict[str, Any]]:
    """Return all scores of one method, a row per decoding and pool."""
    predicted, cpu_s = load(place, study)
    truths = {name: study.truth(name) for name in study.recordings}
    true_paths = [truths[name]["syllable"].to_numpy(int) for name in study.trained]
    one_state = len(np.unique(np.concatenate(true_paths))) == 1
    decoded = decoding.paths(
        predicted, study.trained, None if one_state else decoding.median_bout(true_paths)
    )
    about = {"study": study.kind, "seed": study.seed, "method": method, "setting": setting}
    pools = {
        "trained": study.trained,
        "held_out": [name for name in study.recordings if name not in study.trained],
        "all": study.recordings,
    }
    result, registered = [], latents.registered(study)
    for title, (paths, stay) in decoded.items():
        without_truth = gauges(study, registered, paths)
        labels = {name: labeled(study, name, paths[name], predicted[name][1]) for name in paths}
        for pool, names in pools.items():
            row = about | {"decoding": title, "stay": stay, "pool": pool, "cpu_s": cpu_s}
            pairs = [(labels[name], truths[name]) for name in names]
            posteriors = [(labels[name], predicted[name][1], truths[name]) for name in names]
            reliability = calibration.of_posteriors(posteriors, calibration.mapping(pairs))
            error = {"calibration_error": reliability.expected_error}
            result.append(row | score(pairs) | error | without_truth)
    return result


def score(pairs: list[tuple[Any, Any]]) -> dict[str, float | int | None]:
    """Return the scores of a pool as one flat mapping."""
    values = scores.score_many(pairs)
    usage = np.unique(np.concatenate([labels["syllable"] for labels, _ in pairs]), return_counts=True)[1]
    recalls = behavior_recalls(pairs)
    named = {
        f"{name}_{measure}": values["behaviors"][name][measure]
        for name in BEHAVIORS
        for measure in ("recall", "precision")
    }
    common = {
        "largest_share": usage.max() / usage.sum(),
        "worst_recall": min(recalls.values(), default=None),
        "behaviors_below_half": sum(recall < 0.5 for recall in recalls.values()),
    }
    return {name: values[name] for name in KEYS} | named | common


def behavior_recalls(pairs: list[tuple[Any, Any]], min_share: float = 0.03) -> dict[str, float]:
    """Return the recall of every true behavior that takes a share of the time, many labels to one.

    Every label stands for the behavior it overlaps most, so a behavior may be split without loss.
    """
    both = pd.concat(
        [
            labels.loc[labels["frame"] >= 0, ["frame", "syllable"]].merge(
                truth.loc[truth["syllable"] >= 0, ["frame", "behavior"]], on="frame"
            )
            for labels, truth in pairs
        ]
    )
    counts = pd.crosstab(both["syllable"], both["behavior"])
    predicted = both["syllable"].map(counts.idxmax(axis=1))
    shares = both["behavior"].value_counts(normalize=True)
    right = (predicted == both["behavior"]).groupby(both["behavior"]).mean()
    return {str(name): float(right[name]) for name in shares.index[shares >= min_share]}


def labeled(study: Study, name: str, path: np.ndarray, states: np.ndarray) -> Any:
    """Return the table of labels of a recording."""
    with study.crops(name) as recording:
        return decode.table(
            recording.frame,
            recording.time_s,
            syllable=path,
            probabilities=states,
            surprise_nats=np.zeros(len(path)),
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("study", type=Path)
    parser.add_argument("predicted", type=Path)
    parser.add_argument("method")
    parser.add_argument("setting")
    parser.add_argument("out", type=Path)
    options = parser.parse_args()
    made = rows(Study(options.study), options.predicted, options.method, options.setting)
    write(options.out, lambda path: path.write_text(json.dumps(made, indent=1) + "\n"))
