"""Rows of benchmarks/results.csv."""

import csv
from pathlib import Path

import syllabary

PATH = Path(__file__).with_name("results.csv")
COLUMNS = ("benchmark", "case", "measure", "value", "unit", "peer", "version")


def add(benchmark: str, case: str, measure: str, value: float, unit: str = "", peer: str = "") -> None:
    """Add a row to the file, which is made if it is missing."""
    fresh = not PATH.exists()
    with PATH.open("a", newline="", encoding="utf-8") as file:
        rows = csv.writer(file, lineterminator="\n")
        if fresh:
            rows.writerow(COLUMNS)
        rows.writerow([benchmark, case, measure, f"{value:.6g}", unit, peer, syllabary.__version__])
