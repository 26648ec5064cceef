"""Random files of timestamps: the times that come out are those that went in, or the file is refused."""

import datetime

import numpy as np
import pytest

from syllabary.depth.readers import timestamps_file
from syllabary.depth.settings import SourceSettings
from syllabary.depth.timing import ticks
from syllabary.errors import BadInput

STRICT = SourceSettings()
PER_SECOND = {"s": 1, "ms": 1e3, "us": 1e6, "100ns": 1e7, "ns": 1e9}
WORDS = {
    "s": ["time_s", "Time (s)", "seconds", "timestamp_sec"],
    "ms": ["time_ms", "Time [ms]", "timestampMs", "milliseconds"],
    "us": ["time_us", "timestamp (us)", "device_timestamp_usec"],
    "100ns": ["time_100ns", "filetime"],
    "ns": ["time_ns", "TimestampNs"],
}
EPOCH_S = 1_614_861_296.0
FILETIME_S = 11_644_473_600


def frame_times(rng):
    """Times of the frames of a camera that jitters and drops some, s from an arbitrary start."""
    count = int(rng.choice([4, 12, 60, 400]))
    rate = rng.uniform(5, 120)
    kept = rng.random(count) > rng.choice([0, 0.02, 0.1])
    kept[:3] = True
    jitter = rng.choice([0, 0.01, 0.08]) * rng.uniform(-1, 1, count)
    return (np.arange(count) + jitter)[kept] / rate, np.flatnonzero(kept), rate


def clock_column(rng, times_s):
    """Cells, name, and the coarsest step that the cells show, s."""
    form = rng.choice(["s", "ms", "us", "100ns", "ns", "iso", "day"])
    start_s = float(rng.choice([0.0, 731.25, 86_000.5, EPOCH_S]))
    times_s = times_s + start_s
    if form == "iso":
        return iso_column(rng, times_s)
    if form == "day":
        of_day = times_s % 86_400
        cells = [f"{int(t // 3600):02d}:{int(t // 60 % 60):02d}:{t % 60:09.6f}" for t in of_day]
        return cells, rng.choice(["time", "clock", "Timestamp"]), 1e-6
    if form == "100ns" and start_s == EPOCH_S:
        times_s = times_s + FILETIME_S
    decimals = {"s": rng.choice([3, 4, 6]), "ms": rng.choice([0, 1, 3])}.get(form, 0)
    cells = [f"{t * PER_SECOND[form]:.{decimals}f}" for t in times_s]
    name = rng.choice(["time", "timestamp", rng.choice(WORDS[form])])
    return cells, name, max(10.0**-decimals / PER_SECOND[form], 1e-6)


def iso_column(rng, times_s):
    decimals, gap, offset = (
        rng.choice([3, 6, 7]),
        rng.choice(["T", " "]),
        rng.choice(["", "Z", "-05:00"]),
    )
    cells = []
    for time in times_s:
        # Rounded as decimals first, so that no second has sixty.
        whole, part = divmod(round(time * 10 ** int(decimals)), 10 ** int(decimals))
        moment = datetime.datetime(1970, 1, 1) + datetime.timedelta(seconds=int(whole))
        cells.append(f"{moment:%Y-%m-%d}{gap}{moment:%H:%M:%S}.{part:0{decimals}d}{offset}")
    return cells, rng.choice(["time", "Timestamp", "datetime"]), 10.0**-decimals


def other_column(rng, numbers, times_s):
    """A column that holds no times, or those of another clock that agrees."""
    count = len(numbers)
    kind = rng.choice(["counter", "device", "flag", "sensor", "encoder", "twice", "clock"])
    if kind == "clock":
        cells, name, _ = clock_column(rng, times_s + 3.0)
        return cells, "host_" + name
    values = {
        "counter": np.arange(count) + rng.integers(0, 2),
        "device": numbers + 34_812,
        "flag": np.zeros(count, int),
        "sensor": np.round(rng.normal(36, 1, count), 2),
        "encoder": np.cumsum(rng.integers(0, 60, count)),
        "twice": 2 * np.arange(count),
    }[kind]
    names = {"counter": ["frame", "", "index", "Frame Number"], "device": ["frame_id", "FrameCounter"]}
    return [str(v) for v in values], rng.choice(names.get(str(kind), [str(kind)]))


def write(rng, path):
    """Write a random file; return the times in it, s, and what its cells resolve, s."""
    times_s, numbers, rate = frame_times(rng)
    cells, name, step_s = clock_column(rng, times_s)
    columns = [(cells, name)] + [other_column(rng, numbers, times_s) for _ in range(rng.integers(0, 3))]
    columns = [columns[i] for i in rng.permutation(len(columns))]
    part = rng.choice([",", ";", "\t", " ", ", "])
    comma = part in (";", "\t") and rng.random() < 0.5
    quote = '"' if rng.random() < 0.2 else ""
    lines = [part.join(quote + row[i] + quote for row, _ in columns) for i in range(len(cells))]
    if comma:
        lines = [line.replace(".", ",") for line in lines]
    if rng.random() < 0.6:
        names = [name if part != " " else name.replace(" ", "_") or "n" for _, name in columns]
        lines.insert(0, part.join(names))
    end = rng.choice(["\n", "\r\n"])
    path.write_bytes((end.join(lines) + end).encode(rng.choice(["utf-8", "utf-8-sig", "utf-16"])))
    return times_s, step_s, rate, "\n".join(lines[:5])


@pytest.mark.parametrize("seed", range(6))
def test_random_columns_give_the_true_times_or_are_refused(tmp_path, seed):
    rng = np.random.default_rng(seed)
    read = 0
    recording = tmp_path / "m1.dat"
    for _ in range(80):
        path = tmp_path / rng.choice(["m1_ts.txt", "m1_timestamps.csv"])
        truth, step_s, rate, text = write(rng, path)
        try:
            times_s = timestamps_file.match(recording, len(truth), STRICT).times_s
        except BadInput as error:
            assert str(path) in str(error)
        else:
            read += 1
            # Another clock that agrees may have been read, whose cells are at most 1 ms coarse.
            tolerance = max(step_s, 1e-3) * 1.01
            wrong = np.abs(np.diff(times_s) - np.diff(truth)).max()
            assert wrong <= tolerance, f"{rate} frames/s, {path.name}:\n{text}"
            assert ticks.from_timestamps(times_s).time_s[-1] == pytest.approx(
                truth[-1] - truth[0], abs=0.01
            )
        path.unlink()
    # Most files leave no doubt.
    assert read >= 56


@pytest.mark.parametrize("others", [0, 1, 2])
def test_files_that_hold_no_clock_are_refused(tmp_path, rng, others):
    path = tmp_path / "m1_ts.txt"
    for _ in range(60):
        count = int(rng.choice([60, 400]))
        start, step = rng.choice([0, 1, 34_812]), rng.choice([1, 1, 2])
        columns = [start + step * np.arange(count)]
        nothing = [
            np.zeros(count, int),
            np.cumsum(rng.integers(0, 60, count)),
            np.round(rng.normal(36, 1, count), 2),
            np.arange(count) / 1800,  # minutes
            np.arange(count) // 30,  # seconds without their fraction
        ]
        columns += [nothing[i] for i in rng.permutation(5)[:others]]
        columns = [columns[i] for i in rng.permutation(len(columns))]
        lines = [" ".join(str(column[i]) for column in columns) for i in range(count)]
        path.write_text("\n".join(lines))
        with pytest.raises(BadInput, match=r"m1_ts\.txt"):
            timestamps_file.match(tmp_path / "m1.dat", count, STRICT)
