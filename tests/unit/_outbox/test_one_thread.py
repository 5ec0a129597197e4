"""One thread does one thing after another; who asks waits for as long as they want to."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from target._outbox.one_thread import OneThread, StillAtIt
from tests.kit.calls import eventually
from tests.kit.threads import threads_of


@pytest.fixture
def thread() -> Any:
    made = OneThread("target-test-one")
    yield made
    made.end(lambda: None)


def named() -> list[threading.Thread]:
    return threads_of("target-test-one")


def test_what_is_done_is_returned_or_raised(thread: OneThread) -> None:
    assert thread.do(lambda: 7, 20) == 7
    with pytest.raises(ZeroDivisionError):
        thread.do(lambda: 1 / 0, None)
    assert len(named()) == 1
    assert thread.waits_s() == 0


def test_it_is_done_in_order_by_one_thread(thread: OneThread) -> None:
    done: list[tuple[int, int]] = []
    asking = [
        threading.Thread(target=thread.do, args=(lambda n=n: done.append((n, threading.get_ident())), None))
        for n in range(20)
    ]
    for each in asking:
        each.start()
    for each in asking:
        each.join()
    assert sorted(n for n, _ in done) == list(range(20))
    assert len({ident for _, ident in done}) == 1


@pytest.mark.parametrize("wait_s", [0, 0.01, -5.0])
def test_who_waits_no_longer_is_told_and_late_work_reports(thread: OneThread, wait_s: float) -> None:
    goes_on, reports = threading.Event(), []

    def late(outcome: Callable[[], int]) -> None:
        reports.append(outcome())

    with pytest.raises(StillAtIt):
        thread.do(lambda: goes_on.wait(20) and 7, wait_s, late)
    assert eventually(lambda: thread.waits_s() > 0)
    goes_on.set()
    assert thread.do(lambda: 8, 20) == 8
    assert reports == [7]


def test_late_work_reports_what_it_raised(thread: OneThread) -> None:
    goes_on, reports = threading.Event(), []

    def fail() -> None:
        goes_on.wait(20)
        raise KeyError("x")

    def late(outcome: Callable[[], None]) -> None:
        with pytest.raises(KeyError):
            outcome()
        reports.append("raised")

    with pytest.raises(StillAtIt):
        thread.do(fail, 0, late)
    goes_on.set()
    thread.do(lambda: None, 20)
    assert reports == ["raised"]


def test_work_that_nobody_waits_for_any_more_is_not_begun(thread: OneThread) -> None:
    goes_on, done = threading.Event(), []
    with pytest.raises(StillAtIt):
        thread.do(lambda: goes_on.wait(20), 0, lambda _: None)
    with pytest.raises(StillAtIt):
        thread.do(lambda: done.append("read"), 0)
    with pytest.raises(StillAtIt):
        thread.do(lambda: done.append("written"), 0, lambda _: None)
    goes_on.set()
    thread.do(lambda: None, 20)
    assert done == ["written"]


def test_it_ends_after_all_else_and_begins_again(thread: OneThread) -> None:
    goes_on, done = threading.Event(), []
    with pytest.raises(StillAtIt):
        thread.do(lambda: goes_on.wait(20) and done.append("first"), 0, lambda _: None)
    goes_on.set()
    thread.end(lambda: done.append("last"))
    assert eventually(lambda: not named())
    assert done == ["first", "last"]
    thread.end(lambda: done.append("at once"))
    assert done[-1] == "at once"
    assert thread.do(lambda: 9, 20) == 9
    assert eventually(lambda: not named())


def test_without_a_thread_to_be_had_who_asks_does_it(thread: OneThread, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    assert thread.do(threading.get_ident, 20) == threading.get_ident()
    monkeypatch.undo()
    assert thread.do(threading.get_ident, 20) != threading.get_ident()


def test_an_idle_thread_keeps_nothing_of_its_last_work(thread: OneThread) -> None:
    import gc
    import weakref

    class Secret:
        pass

    secret = Secret()
    gone = weakref.ref(secret)
    thread.do(lambda secret=secret: None, 20)  # type: ignore[misc]
    del secret
    assert eventually(lambda: gc.collect() is not None and gone() is None)
