"""Whatever is wrong with a recording, ``extract`` ends in one sentence or in whole files.

Each input is extracted in a process of its own, which may take 20 s and 2 GB more than the imports did.
"""

import gc
import os
import resource
import signal
import sys
import time
import traceback
from collections import Counter
from pathlib import Path

import pytest

from oracles import damage, small_recordings
from syllabary import steps
from syllabary.records.crops import Crops

pytestmark = pytest.mark.alone
SEED, COUNT = 7, 520
SECONDS, BYTES = 20, 2 << 30
FINE, REFUSED, BROKEN = 0, 1, 2


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    # What the step imports is imported before the first fork.

    steps.code_of("extract")
    return small_recordings.recordings(tmp_path_factory.mktemp("whole"))


def attempt(source: Path, out: Path) -> tuple[int, str, float]:
    """Extract in a forked process; return how it ended, what it said, and how long it took."""
    out.mkdir()
    (out / "scratch").mkdir()
    message = out.with_suffix(".message")
    started = time.monotonic()
    child = os.fork()
    if child == 0:
        _extract(source, out, message)
    while True:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            break
        if time.monotonic() - started > SECONDS:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return BROKEN, f"still running after {SECONDS} s", SECONDS
        time.sleep(0.002)
    took = time.monotonic() - started
    text = message.read_text(errors="replace") if message.exists() else ""
    message.unlink(missing_ok=True)
    if os.WIFSIGNALED(status):
        return BROKEN, f"killed by signal {os.WTERMSIG(status)}\n{text}", took
    return os.WEXITSTATUS(status), text, took


def _extract(source: Path, out: Path, message: Path) -> None:
    """Do what the command line does, and end the process."""
    code = BROKEN
    try:
        sys.stdout = sys.stderr = message.open("w", errors="replace")
        size = int(Path("/proc/self/statm").read_text().split()[0]) if sys.platform == "linux" else 0
        if size:
            limit = size * resource.getpagesize() + BYTES
            resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        steps.extract(
            source=source,
            crops=out / "crops.h5",
            preview=out / "preview.mp4",
            recording="m1",
            settings={"camera": small_recordings.CAMERA},
            scratch=out / "scratch",
        )
        code = FINE
    except steps.SyllabaryError as error:
        print(f"{type(error).__name__}: {error}")
        code = REFUSED
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        os._exit(code)


def fault(code: int, text: str, out: Path, before: dict, source: Path) -> str:
    """What is wrong with how an attempt ended; empty if nothing is."""
    left = sorted(path.name for path in out.iterdir())
    if code not in (FINE, REFUSED):
        return text
    if list((out / "scratch").iterdir()):
        return "left something in scratch"
    if _state(source) != before:
        return "changed the raw recording"
    if code == FINE:
        if left != ["crops.h5", "preview.mp4", "scratch"]:
            return f"left {left}"
        with Crops(out / "crops.h5") as crops:
            crops.heights(), crops.observed()
        return ""
    if left != ["scratch"]:
        return f"refused but left {left}: {text}"
    sentence = text.strip()
    if "\n" in sentence or not sentence.endswith((".", "?")) or len(sentence) > 700:
        return f"no sentence: {text[:2000]}"
    return ""


def _state(source: Path) -> dict:
    root = source if source.is_dir() else source.parent
    return {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in root.rglob("*")}


@pytest.mark.parametrize("name", ["session", "dat", "avi", "mkv", "azure", "hdf5", "legacy", "packed"])
def test_whole_ones_are_extracted(whole, tmp_path, name):
    code, text, _ = attempt(whole[name], tmp_path / "out")
    assert code == FINE, text
    assert not fault(code, text, tmp_path / "out", _state(whole[name]), whole[name])


@pytest.mark.parametrize("what", ["traceback", "memory", "crash"])
def test_what_must_not_happen_would_be_seen(whole, tmp_path, monkeypatch, what):
    def extract(**_):
        if what == "memory":
            bytearray(BYTES + (1 << 28))
        if what == "crash":
            os.kill(os.getpid(), signal.SIGKILL)  # quieter than a fault in memory
        raise KeyError("a mistake of ours")

    monkeypatch.setattr(steps, "extract", extract)
    code, text, _ = attempt(whole["dat"], tmp_path / "out")
    assert code == BROKEN
    assert {"traceback": "KeyError", "memory": "MemoryError", "crash": "signal"}[what] in text


def test_damaged_ones_end_in_one_sentence_or_whole_files(whole, tmp_path):
    faults, ended = [], Counter()
    gc.freeze()
    for name, source in damage.damaged(whole, tmp_path / "raw", SEED, COUNT):
        out = tmp_path / f"out-{name[:4]}"
        before = _state(source)
        code, text, _ = attempt(source, out)
        ended[code] += 1
        wrong = fault(code, text, out, before, source)
        if wrong:
            faults.append(f"{name}: {wrong}")
    gc.unfreeze()
    assert not list(tmp_path.rglob("*escaped*"))
    assert not Path("/tmp/escaped-from-an-archive").exists()
    assert not faults, f"{len(faults)} of {COUNT}:\n" + "\n".join(faults)
    # Damage that does no harm is rare, and some is (a byte of a comment, of padding).
    assert ended[REFUSED] > COUNT / 2
