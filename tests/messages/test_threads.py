"""Tasks of one call on threads that stay."""

import multiprocessing
import os
import threading
import time

import pytest

from syllabary.messages.backends.cpu.threads import each

TASKS = [(i, i + 1) for i in range(20)]


def done_by(threads: int) -> set[tuple[int, int]]:
    done = []
    each(lambda *task: done.append(task), TASKS, threads)
    assert sorted(done) == TASKS
    return set(done)


@pytest.mark.parametrize("threads", [1, 2, 3, 50])
def test_every_task_is_done_once(threads):
    done_by(threads)
    each(lambda *task: None, [], threads)


def test_threads_work_side_by_side():
    meeting = threading.Barrier(2, timeout=20)
    each(lambda *task: meeting.wait(), TASKS[:2], 2)


@pytest.mark.parametrize("by_the_caller", [True, False])
def test_an_error_reaches_the_caller_when_all_have_stopped(by_the_caller):
    caller, running = threading.get_ident(), []

    def run(begin: int, stop: int) -> None:
        running.append(begin)
        if (threading.get_ident() == caller) == by_the_caller:
            raise ValueError(begin)
        time.sleep(0.05)
        running.remove(begin)

    with pytest.raises(ValueError):
        each(run, TASKS, 2)
    assert len(running) == 1  # the one that failed


def test_calls_of_many_threads_wait_for_no_others():
    """More of them than there are helpers, each asking for helpers inside a task of its own."""
    calls = [
        threading.Thread(target=each, args=(lambda *task: done_by(4), TASKS, 4))
        for _ in range(2 * (os.cpu_count() or 1) + 1)
    ]
    for call in calls:
        call.start()
    for call in calls:
        call.join(20)
    assert not any(call.is_alive() for call in calls)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_child_has_threads_of_its_own():
    done_by(2)
    child = multiprocessing.get_context("fork").Process(target=done_by, args=(2,))
    child.start()
    child.join(20)
    assert child.exitcode == 0
