"""Rows of results.csv."""

import csv

import syllabary


def test_rows_are_added_below_one_header(tmp_path, monkeypatch):
    import results

    monkeypatch.setattr(results, "PATH", tmp_path / "results.csv")
    results.add("speed", "K = 8", "marginals", 0.123456789, "s")
    results.add("speed", "K = 8", "marginals", 1e-9, "s", "dynamax")
    with results.PATH.open(newline="") as file:
        rows = list(csv.reader(file))
    assert tuple(rows[0]) == results.COLUMNS
    assert rows[1] == ["speed", "K = 8", "marginals", "0.123457", "s", "", syllabary.__version__]
    assert rows[2][3:6] == ["1e-09", "s", "dynamax"]


def test_the_rows_that_are_kept_have_all_columns():
    import results

    with results.PATH.open(newline="") as file:
        rows = list(csv.DictReader(file, strict=True))
    assert rows and set(rows[0]) == set(results.COLUMNS)
    assert all(None not in row and None not in row.values() for row in rows)
    assert all(row["benchmark"] and row["measure"] for row in rows)
    for row in rows:
        float(row["value"])
