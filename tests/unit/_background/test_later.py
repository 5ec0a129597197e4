"""What is done at a certain time: then, in its order, unless it is called off, and never by a forked child."""

from __future__ import annotations

import os
import threading
import time

import pytest

from target._background.later import _timers, do_later
from tests.kit.calls import eventually

WITHIN_S = 10.0


def test_it_is_done_when_its_time_has_come_and_the_first_first() -> None:
    done: list[str] = []
    begun_s = time.monotonic()
    last = threading.Event()
    do_later(0.3, lambda: (done.append("last"), last.set()))
    do_later(0.05, lambda: done.append("first"))
    assert last.wait(WITHIN_S)
    assert time.monotonic() - begun_s >= 0.3
    assert done == ["first", "last"]


def test_a_time_that_has_passed_is_now() -> None:
    done = threading.Event()
    do_later(-5.0, done.set)
    assert done.wait(WITHIN_S)


def test_what_is_called_off_is_not_done() -> None:
    done: list[str] = []
    call_off = do_later(0.1, lambda: done.append("called off"))
    after = threading.Event()
    do_later(0.2, after.set)
    call_off()
    call_off()
    assert after.wait(WITHIN_S)
    assert done == []


def test_what_takes_its_time_keeps_nothing_else_waiting() -> None:
    go_on, done = threading.Event(), threading.Event()
    do_later(0.0, lambda: go_on.wait(WITHIN_S))
    do_later(0.05, done.set)
    assert done.wait(WITHIN_S)
    go_on.set()


@pytest.mark.waits
def test_it_runs_on_daemon_threads_that_end() -> None:
    seen: list[bool] = []
    do_later(0.0, lambda: seen.append(threading.current_thread().daemon))
    assert eventually(lambda: seen)
    assert seen == [True]
    assert eventually(lambda: not _timers.service.threads)


def test_a_forked_child_does_its_own_only() -> None:
    done = threading.Event()
    do_later(0.5, done.set)
    child = os.fork()
    if child == 0:
        own = threading.Event()
        do_later(0.6, own.set)
        os._exit(0 if own.wait(WITHIN_S) and not done.is_set() else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert done.wait(WITHIN_S)
