"""Progress of long loops: items pass unchanged, and people see how far they are."""

import itertools
import logging
import re

import numpy as np
import pytest

from syllabary import progress


@pytest.fixture
def clock(monkeypatch):
    """Time that advances by 20 s at each look."""
    ticks = itertools.count(0, 20)
    monkeypatch.setattr(progress.time, "monotonic", lambda: float(next(ticks)))
    monkeypatch.setattr(progress.sys.stderr, "isatty", lambda: False, raising=False)


def test_items_pass_in_order(clock):
    assert list(progress.track(iter("abc"), "letters")) == ["a", "b", "c"]


def test_lines_are_logged_at_most_every_half_minute(clock, caplog):
    with caplog.at_level(logging.INFO, "syllabary.progress"):
        list(progress.track(range(6), "extract m01", unit="frames", step=100))
    # Every item takes 20 s, so that each second one is reported.
    assert [record.message for record in caplog.records] == [
        "extract m01: 200 of 600 frames, 5/s, 1.3 min left",
        "extract m01: 400 of 600 frames, 5/s, 0.7 min left",
        "extract m01: 600 of 600 frames, 5/s, 0.0 min left",
    ]


def test_without_a_length_the_remaining_time_is_unknown(clock, caplog):
    with caplog.at_level(logging.INFO, "syllabary.progress"):
        list(progress.track(iter(range(2)), "read"))
    assert [record.message for record in caplog.records] == ["read: 2 items, 20 s each"]


def test_a_given_total_wins(clock, caplog):
    with caplog.at_level(logging.INFO, "syllabary.progress"):
        list(progress.track([1, 2], "fit", total=8, unit="epochs"))
    assert caplog.records[0].message.startswith("fit: 2 of 8 epochs")


def test_a_short_loop_logs_nothing(monkeypatch, caplog):
    monkeypatch.setattr(progress.time, "monotonic", lambda: 0.0)
    with caplog.at_level(logging.INFO, "syllabary.progress"):
        assert sum(progress.track([1, 2, 3], "sum")) == 6
    assert not caplog.records


def test_a_terminal_shows_a_bar(monkeypatch, capsys):
    monkeypatch.setattr(progress.sys.stderr, "isatty", lambda: True, raising=False)
    assert list(progress.track([1, 2], "extract m01", unit="frames", step=50)) == [1, 2]
    shown = capsys.readouterr().err
    assert "extract m01" in shown and "100/100" in shown


def test_an_error_in_the_loop_is_passed_on(clock):
    with pytest.raises(ZeroDivisionError):
        for item in progress.track([1, 0], "divide"):
            1 // item


def simulated_clock(monkeypatch, costs):
    """Time that advances while an item is at work, by its cost."""
    clock = [1000.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(progress.sys.stderr, "isatty", lambda: False, raising=False)

    def spend(i):
        clock[0] += costs[i]

    return spend


def costs_of(shape, count, rng):
    """Seconds of each of ``count`` units."""
    part = np.arange(count) / count
    costs = {
        "even": np.full(count, 40.0),
        "uneven": rng.lognormal(3, 0.3, count),
        "slow start": np.where(np.arange(count) == 0, 400.0, 12.0),
        "rising": 20 + 60 * part,
        "falling": 80 - 60 * part,
        "falling squares": 5 + 80 * (1 - part) ** 2,
        "heavy now and then": np.where(np.arange(count) % 10 == 5, 60.0, 15.0),
    }
    return costs[shape]


SHAPES = [
    *("even", "uneven", "slow start", "rising", "falling", "falling squares", "heavy now and then"),
]


@pytest.mark.parametrize("count", [40, 100, 1000])
@pytest.mark.parametrize("shape", SHAPES)
def test_after_a_tenth_the_time_left_is_right_within_a_factor_of_two(
    shape, count, monkeypatch, caplog, rng
):
    costs = costs_of(shape, count, rng)
    spend = simulated_clock(monkeypatch, costs)
    with caplog.at_level(logging.INFO, "syllabary.progress"):
        for i in progress.track(range(count), "fit: something", unit="iterations"):
            spend(i)
    lines = 0
    for record in caplog.records:
        words = re.search(r": (\d+) of \d+ iterations, .*, ([\d.]+) min left$", record.message)
        done, left_s = int(words[1]), 60 * float(words[2])
        true_s = costs[done:].sum()
        if count / 10 <= done <= 0.9 * count:
            lines += 1
            assert true_s / 2 <= left_s <= 2 * true_s, (record.message, true_s / 60)
    assert lines > 0.2 * min(count, costs.sum() / 60)


@pytest.mark.parametrize(
    ("cost_s", "rate"), [(40.0, "40 s each"), (3.25, "3.2 s each"), (0.5, "2/s"), (0.01, "100/s")]
)
def test_a_rate_below_one_a_second_is_seconds_each(cost_s, rate, monkeypatch, caplog):
    spend = simulated_clock(monkeypatch, np.full(8000, cost_s))
    with caplog.at_level(logging.INFO, "syllabary.progress"):
        for i in progress.track(range(8000), "read", unit="sweeps"):
            spend(i)
    assert f" sweeps, {rate}, " in caplog.records[0].message


def test_a_loop_that_may_end_early_has_at_most_that_long(monkeypatch, caplog):
    spend = simulated_clock(monkeypatch, [30.0] * 10)
    with caplog.at_level(logging.INFO, "syllabary.progress"):
        for i in progress.track(range(10), "fit: points", unit="iterations", may_end=True):
            spend(i)
    assert caplog.records[3].message == (
        "fit: points: 4 of 10 iterations, 30 s each, at most 3.0 min left"
    )
