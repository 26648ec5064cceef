"""All scores in one CSV, and medians over seeds as text.

python -m recovery.table OUT.csv OUT.md SCORES.json ...
"""

import argparse
import json
from pathlib import Path

import pandas as pd

from recovery.studies import write

CASE = ["study", "method", "setting", "decoding"]
# Heading, measure, and pool of animals.
COLUMNS = (
    ("AMI", "ami", "all"),
    ("ARI", "ari", "all"),
    ("boundary F1", "boundary_f1", "all"),
    ("by chance", "boundary_f1_chance", "all"),
    ("duration ratio", "duration_ratio", "all"),
    ("states > 1 %", "states_above_1_percent", "all"),
    ("best-shift AMI", "best_shift_ami", "all"),
    ("rear recall", "rear_recall", "all"),
    ("groom recall", "groom_recall", "all"),
    ("worst recall", "worst_recall", "all"),
    ("behaviors < 0.5", "behaviors_below_half", "all"),
    ("largest share", "largest_share", "all"),
    ("calibration error", "calibration_error", "all"),
    ("left-out nats", "left_out_nats", "all"),
    ("tail ratio", "tail_ratio", "all"),
    ("residual correlation", "residual_correlation", "all"),
    ("square correlation", "square_correlation", "all"),
    ("AMI trained", "ami", "trained"),
    ("AMI held out", "ami", "held_out"),
    ("CPU s", "cpu_s", "all"),
)
HEAD = """# Which known syllables does each method recover?

Medians over seeds ({seeds}), of all animals unless a column names others. `smoothed` is at the
duration of the method, `matched` at the true one; it uses the truth for all methods.
"""


def medians(rows: pd.DataFrame) -> pd.DataFrame:
    """Return a row per case and a column per entry of ``COLUMNS``."""
    values = rows.groupby([*CASE, "pool"])[sorted({measure for _, measure, _ in COLUMNS})].median()
    columns = {title: values[measure].xs(pool, level="pool") for title, measure, pool in COLUMNS}
    return pd.DataFrame(columns).reset_index()


def best(table: pd.DataFrame) -> pd.DataFrame:
    """Return the setting of highest AMI of each method, for every study and decoding."""
    # If the truth is one state, every AMI is 0, and a single label is right.
    ordered = table.sort_values(["AMI", "largest share"], ascending=False, kind="stable")
    return ordered.groupby(["study", "method", "decoding"]).head(1)


def text(rows: pd.DataFrame) -> str:
    table = medians(rows)
    counts = rows.groupby("study")["seed"].nunique()
    parts = [HEAD.format(seeds=", ".join(f"{study}: {count}" for study, count in counts.items()))]
    for title, part in (("Best setting of each method by AMI", best(table)), ("All settings", table)):
        parts.append(f"## {title}\n")
        for study, group in part.groupby("study"):
            parts.append(f"### {study}\n\n{markdown(group.drop(columns='study'))}")
    return "\n".join(parts)


def markdown(table: pd.DataFrame) -> str:
    table = table.sort_values(["decoding", "method", "setting"])
    lines = [list(table.columns), ["---"] * len(table.columns)]
    lines += [[cell(value) for value in row] for row in table.itertuples(index=False)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def cell(value: float | str) -> str:
    if isinstance(value, str):
        return value
    if pd.isna(value):
        return "–"
    return f"{value:.0f}" if value >= 10 else f"{value:.3f}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("csv", type=Path)
    parser.add_argument("markdown", type=Path)
    parser.add_argument("scores", type=Path, nargs="+")
    options = parser.parse_args()
    everything = pd.DataFrame([row for path in options.scores for row in json.loads(path.read_text())])
    write(options.csv, lambda path: everything.to_csv(path, index=False, float_format="%.6g"))
    write(options.markdown, lambda path: path.write_text(text(everything)))
