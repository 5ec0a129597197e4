"""Threads that grow with the work there is: how many there are, when they end, and that no work is forgotten."""

from __future__ import annotations

import ctypes
import gc
import logging
import math
import queue
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any

import pytest

from target._background import service as service_module
from target._background.service import Service
from target.loggers import Log
from tests.kit.calls import eventually

LOGGER = Log(logging.getLogger("service"))
WITHIN_S = 10.0


class Desk:
    """Work in the order it came, and what is due later."""

    def __init__(self, most: int) -> None:
        self.waiting: queue.SimpleQueue[Callable[[], object]] = queue.SimpleQueue()
        self.due_at_s: float | None = None
        self.due: Callable[[], object] = lambda: None
        self.service = Service("desk", most, self.take, logger=LOGGER)

    def take(self) -> Callable[[], object] | float | None:
        try:
            return self.waiting.get_nowait()
        except queue.Empty:
            pass
        if self.due_at_s is None:
            return None
        left_s = self.due_at_s - time.monotonic()
        if left_s > 0:
            return left_s
        self.due_at_s = None
        return self.due

    def put(self, *works: Callable[[], object]) -> None:
        for work in works:
            self.waiting.put(work)
            self.service.wake()


@pytest.fixture
def make_desk() -> Iterator[Callable[[int], Desk]]:
    desks: list[Desk] = []

    def make(most: int) -> Desk:
        desks.append(Desk(most))
        return desks[-1]

    yield make
    for desk in desks:
        desk.service.end()
        assert desk.service.join(WITHIN_S)


Make = Callable[[int], Desk]


def test_there_are_as_many_threads_as_work_in_progress_needs_and_no_more(make_desk: Make) -> None:
    desk, go_on, running = make_desk(5), threading.Event(), threading.Semaphore(0)

    def work() -> None:
        running.release()
        go_on.wait(WITHIN_S)

    assert desk.service.threads == frozenset()
    desk.put(*[work] * 20)
    for _ in range(5):
        assert running.acquire(timeout=WITHIN_S)
    assert not running.acquire(timeout=0.05)
    assert len(desk.service.threads) == 5
    go_on.set()
    for _ in range(15):
        assert running.acquire(timeout=WITHIN_S)


def test_work_one_after_the_other_needs_one_thread_and_one_that_stands_ready(make_desk: Make) -> None:
    desk, most = make_desk(32), 0
    for _ in range(50):
        done = threading.Event()
        desk.put(done.set)
        assert done.wait(WITHIN_S)
        most = max(most, len(desk.service.threads))
    assert most <= 3  # one may not be back yet from what it did


def test_who_asks_starts_the_first_thread_only(make_desk: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    desk, go_on, starters = make_desk(8), threading.Event(), set()
    start = threading.Thread.start

    def noting(thread: threading.Thread) -> None:
        starters.add((thread.name, threading.current_thread().name))
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", noting)
    desk.put(*[lambda: go_on.wait(WITHIN_S)] * 8)
    assert eventually(lambda: len(desk.service.threads) == 8)
    go_on.set()
    assert starters == {("desk", threading.current_thread().name), ("desk", "desk")}


def test_idle_threads_end_and_begin_again(make_desk: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service_module, "IDLE_S", 0.02)
    desk, done = make_desk(8), threading.Semaphore(0)
    for _ in range(3):
        desk.put(*[done.release] * 8)
        for _ in range(8):
            assert done.acquire(timeout=WITHIN_S)
        assert eventually(lambda: not desk.service.threads)


def test_no_work_is_forgotten_while_threads_come_and_go(make_desk: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service_module, "IDLE_S", 0.001)
    desk, done = make_desk(4), threading.Semaphore(0)
    for number in range(300):
        desk.put(done.release)
        if number % 3:
            time.sleep(0.001)  # about as long as a thread stays
    for _ in range(300):
        assert done.acquire(timeout=WITHIN_S)


def test_what_is_due_later_is_done_then_and_keeps_one_thread(make_desk: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service_module, "IDLE_S", 0.01)
    desk, go_on, done = make_desk(4), threading.Event(), threading.Event()
    desk.put(*[lambda: go_on.wait(WITHIN_S)] * 4)
    started_s = time.monotonic()
    desk.due, desk.due_at_s = done.set, started_s + 0.3
    go_on.set()
    assert eventually(lambda: len(desk.service.threads) == 1)
    assert done.wait(WITHIN_S)
    assert time.monotonic() - started_s >= 0.3
    assert eventually(lambda: not desk.service.threads)


def test_what_is_due_is_done_though_the_thread_that_waits_for_it_gets_other_work(make_desk: Make) -> None:
    desk, go_on, busy, done = make_desk(2), threading.Event(), threading.Event(), threading.Event()
    desk.due, desk.due_at_s = done.set, time.monotonic() + 0.2
    desk.service.wake()
    assert eventually(lambda: desk.service._watched_until_s < math.inf)
    desk.put(lambda: (busy.set(), go_on.wait(WITHIN_S)))
    assert busy.wait(WITHIN_S)
    assert done.wait(WITHIN_S)
    go_on.set()


def test_what_is_due_sooner_than_what_a_thread_waits_for_is_done_in_time(
    make_desk: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever of the free threads hears of it."""
    monkeypatch.setattr(service_module, "IDLE_S", 0.3)
    desk = make_desk(3)
    desk.due_at_s = time.monotonic() + 3600
    together = threading.Barrier(4)
    desk.put(*[lambda: together.wait(WITHIN_S)] * 3)
    together.wait(WITHIN_S)
    assert eventually(lambda: len(desk.service._gates) == 3)
    done = threading.Event()
    desk.due, desk.due_at_s = done.set, time.monotonic() + 0.5  # longer than a thread stays for that is not needed
    desk.service.wake()
    assert done.wait(2)


@pytest.mark.parametrize("raised", [ValueError("private"), SystemExit(3), KeyboardInterrupt()])
def test_work_that_raises_harms_nothing_and_is_logged_by_its_type(
    raised: BaseException, make_desk: Make, caplog: pytest.LogCaptureFixture
) -> None:
    desk, done = make_desk(1), threading.Event()

    def angry() -> None:
        raise raised

    desk.put(angry, done.set)
    assert done.wait(WITHIN_S)
    assert [record.getMessage() for record in caplog.records] == [
        f"Work in the background raised {type(raised).__name__}"
    ]


def test_end_lets_all_that_waits_be_done_and_waits_for_nothing_due_later(make_desk: Make) -> None:
    desk, done = make_desk(3), []
    desk.due_at_s = time.monotonic() + 3600
    desk.put(*[lambda: (time.sleep(0.001), done.append(1))] * 30)
    desk.service.end()
    assert desk.service.join(WITHIN_S)
    assert len(done) == 30
    assert desk.service.threads == frozenset()


def test_no_thread_to_be_had_is_logged_and_tried_again(
    make_desk: Make, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def none_left(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    desk, done = make_desk(2), threading.Semaphore(0)
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", none_left)
        desk.put(done.release)
    assert "No thread can be started" in caplog.text
    desk.put(done.release)
    assert done.acquire(timeout=WITHIN_S)
    assert done.acquire(timeout=WITHIN_S)


def test_an_interrupt_while_a_thread_starts_does_not_stop_what_follows(
    make_desk: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(_: threading.Thread) -> None:
        raise KeyboardInterrupt

    desk, done = make_desk(2), threading.Event()
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", interrupted)
        with pytest.raises(KeyboardInterrupt):
            desk.put(done.set)
    desk.service.wake()
    assert done.wait(WITHIN_S)


def test_threads_know_nothing_of_the_request_that_started_them(make_desk: Make) -> None:
    request: ContextVar[str] = ContextVar("request", default="none")
    request.set("somebody's")
    desk, seen = make_desk(2), []
    done = threading.Event()
    desk.put(lambda: (seen.append(request.get()), done.set()))
    assert done.wait(WITHIN_S)
    assert seen == ["none"]


def test_an_idle_thread_keeps_nothing_of_its_last_work(make_desk: Make) -> None:
    class Held:
        pass

    desk, held, done = make_desk(1), Held(), threading.Event()
    gone = weakref.ref(held)

    def work(held: Any = held) -> None:
        done.set()

    desk.put(work)
    del work, held
    assert done.wait(WITHIN_S)
    assert eventually(lambda: gc.collect() >= 0 and gone() is None)


# --- what strikes at any moment


def test_who_wakes_it_while_it_starts_a_thread_waits_for_nothing(
    make_desk: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a signal handler does, or the collection of a client's garbage: a lock would be held by the thread itself."""
    desk, done, start = make_desk(1), threading.Semaphore(0), threading.Thread.start

    def interrupted(thread: threading.Thread) -> None:
        monkeypatch.undo()
        desk.put(done.release)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", interrupted)
    desk.put(done.release)
    assert done.acquire(timeout=WITHIN_S)
    assert done.acquire(timeout=WITHIN_S)
    assert len(desk.service.threads) == 1


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_an_exception_from_outside_ends_a_free_thread_and_not_the_work_it_is_woken_for(make_desk: Make) -> None:
    desk = make_desk(1)
    for _ in range(5):
        done = threading.Event()
        desk.put(done.set)
        assert done.wait(WITHIN_S)
        assert eventually(lambda: desk.service._gates)
        (free,) = desk.service._threads
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(free.ident or 0), ctypes.py_object(SystemExit))


def test_a_thread_that_died_without_a_word_takes_nobodys_place(make_desk: Make) -> None:
    desk, done = make_desk(1), threading.Event()
    dead = threading.Thread()
    dead.start()
    dead.join()
    desk.service._threads.append(dead)
    desk.put(done.set)
    assert done.wait(WITHIN_S)


def test_looking_for_work_that_raises_is_logged_and_done_again(
    make_desk: Make, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(service_module, "_PAUSE_AFTER_ERROR_S", 0.01)
    desk, done, problems = make_desk(1), threading.Event(), [ValueError("private")]
    take = desk.take

    def angry() -> Callable[[], object] | float | None:
        if problems:
            raise problems.pop()
        return take()

    desk.service._take = angry
    desk.put(done.set)
    assert done.wait(WITHIN_S)
    assert caplog.messages == ["Looking for work in the background raised ValueError"]


def test_who_wakes_it_after_its_end_is_served(make_desk: Make) -> None:
    desk = make_desk(1)
    desk.service.end()
    for _ in range(200):
        done = threading.Event()
        desk.put(done.set)
        assert done.wait(WITHIN_S)
    assert desk.service.join(WITHIN_S)
    assert desk.service.threads == frozenset()
