"""One run at a time in a study's folder, and jobs that end with the run that began them.

A run holds a lock of the file system while it lives, so a killed run leaves none. Snakemake's own
locks are files, which stay after a kill; ``claim`` removes them once their owner is known to be gone.
"""

import _thread
import atexit
import contextlib
import errno
import fcntl
import json
import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from .errors import BadInput

__all__ = ["claim", "follow"]

log = logging.getLogger(__name__)
# Below Snakemake's folder: who runs here, and what the jobs of that run hold.
RUN, JOBS = "syllabary.run", "syllabary.jobs"
# Names the run to its jobs: host, process and the start of the process.
VARIABLE = "SYLLABARY_RUN"
LOOK_EVERY_S = 1.0  # how often a job looks for its run, s
STOP_WITHIN_S = 10.0  # what a job may take to stop by itself, s
RUN_ENDS_WITHIN_S = 5.0  # how long the next command waits for a run that is being stopped, s
JOBS_END_WITHIN_S = 30.0  # how long a run waits for the jobs of a killed one, s
UNSUPPORTED = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL)
held: list[int] = []


def claim(folder: Path) -> None:
    """Take the folder for this process until it ends, and clear the locks of a run that was killed.

    Parameters
    ----------
    folder
        The folder in which Snakemake keeps its state, ``.snakemake``; it is made if need be.

    Raises
    ------
    BadInput
        Another run lives in the folder, or ended on another host in a way that can't be known here.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        place = os.open(folder / RUN, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise BadInput(
            f"{folder}: can't be written ({error.strerror}); run in a folder where you may write."
        ) from None
    owner, end = _owner(place), time.monotonic() + RUN_ENDS_WITHIN_S
    while not (is_free := _lock(place, fcntl.LOCK_EX)) and time.monotonic() < end:
        time.sleep(0.2)
    if not is_free or _lives(owner):
        os.close(place)
        raise BadInput(
            f"{folder.resolve().parent}: another run is at work here ({_described(owner)}); wait for "
            "its end, or stop it with Ctrl-C where it runs."
        )
    if owner and owner["host"] != socket.gethostname():
        os.close(place)
        raise BadInput(
            f"{folder.resolve().parent}: a run on another computer ({_described(owner)}) did not say "
            f"that it ended, which can't be checked from {socket.gethostname()}; go on there, or, if it "
            f"is gone, remove the file {folder / RUN} and run the same command again."
        )
    _wait_for_jobs(folder / JOBS)
    if owner:
        for path in (folder / "locks").glob("*.lock"):
            path.unlink(missing_ok=True)
    me = {
        "host": socket.gethostname(),
        "process": os.getpid(),
        "started": _started(os.getpid()),
        "since": f"{datetime.now():%Y-%m-%d %H:%M}",
    }
    os.ftruncate(place, 0)
    os.pwrite(place, json.dumps(me).encode(), 0)
    held.append(place)
    os.environ[VARIABLE] = json.dumps(me)
    atexit.register(_release, place, os.getpid())


def follow(folder: Path) -> None:
    """Stop this job when the run that began it is gone; does nothing for a step by hand.

    Parameters
    ----------
    folder
        The folder in which Snakemake keeps its state.
    """
    run = _parsed(os.environ.get(VARIABLE, "").encode())
    if not run:
        return
    # Also what a scheduler sends at the end of a job's time: half-written files are then removed.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with contextlib.suppress(OSError):
        place = os.open(folder / JOBS, os.O_RDWR | os.O_CREAT, 0o666)
        _lock(place, fcntl.LOCK_SH)
        held.append(place)
    # A job on another machine of a cluster can't see the run.
    if run["host"] == socket.gethostname():
        threading.Thread(target=_watch, args=(run,), daemon=True).start()


def _watch(run: Mapping[str, str | int]) -> None:
    while _lives(run):
        time.sleep(LOOK_EVERY_S)
    log.error("the run that began this job is gone; the job stops")
    _thread.interrupt_main(signal.SIGTERM)
    time.sleep(STOP_WITHIN_S)
    os._exit(1)


def _lock(place: int, kind: int) -> bool:
    """Take a lock without waiting; a file system that has none counts as free."""
    try:
        fcntl.flock(place, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in UNSUPPORTED:
            raise
    return True


def _wait_for_jobs(path: Path) -> None:
    """Wait until no job of a killed run is at work."""
    place = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        end = time.monotonic() + JOBS_END_WITHIN_S
        while not _lock(place, fcntl.LOCK_EX):
            if time.monotonic() > end:
                raise BadInput(
                    f"{path.resolve().parents[1]}: jobs of a run that was killed are still at work; "
                    "wait for them, or end them, and run the same command again."
                )
            time.sleep(0.1)
    finally:
        os.close(place)


def _owner(place: int) -> dict[str, str | int]:
    return _parsed(os.pread(place, 4096, 0))


def _parsed(text: bytes) -> dict[str, str | int]:
    """Return who runs, or nothing where it is not said."""
    try:
        owner = json.loads(text)
    except ValueError:
        return {}
    is_whole = isinstance(owner, dict) and {"host", "process", "started", "since"} <= set(owner)
    return owner if is_whole else {}


def _lives(owner: Mapping[str, str | int]) -> bool:
    """Return whether a process of this machine still is the one that was recorded."""
    if not owner or owner["host"] != socket.gethostname() or owner["process"] == os.getpid():
        return False
    return _started(int(owner["process"])) == owner["started"] != ""


def _started(pid: int) -> str:
    """Return when a process began, in the system's own words; empty if it is gone."""
    stat = Path(f"/proc/{pid}/stat")
    if stat.parent.parent.joinpath("self").exists():
        try:
            # The name of the program, in brackets, may hold spaces.
            fields = stat.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        except OSError:
            return ""
        return "" if fields[0] in "ZX" else fields[19]
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return ""
    except PermissionError:
        pass
    return "alive"


def _described(owner: Mapping[str, str | int]) -> str:
    if not owner:
        return "it has not said yet which process it is"
    return f"process {owner['process']} on {owner['host']}, since {owner['since']}"


def _release(place: int, pid: int) -> None:
    """Say that the run ended; not in a copy of the process that was forked."""
    if os.getpid() == pid:
        with contextlib.suppress(OSError):
            os.ftruncate(place, 0)
            os.close(place)
