"""Progress of long loops: items pass unchanged, and people see how far they are."""

import itertools
import logging

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
    assert [record.message for record in caplog.records] == ["read: 2 of ? it, 0/s"]


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
