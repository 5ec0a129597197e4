"""Who asks for work beside calls is struck at each step: later work is done at once, and nothing is left over."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from target._background.later import do_later
from target._background.service import Service
from target._background.workers import Workers
from target._outbox.one_thread import OneThread
from target.loggers import Log
from tests.kit.strikes import Struck, at_each_step

LOGGER = Log(logging.getLogger("struck"))
WITHIN_S = 10.0
SOON_S = 2.0  # much shorter than what a thread that nobody wakes sleeps, and what is lost is never done
PARTS = ("/target/_background/", "/target/_outbox/")
FEWEST = 5  # steps: there are some to be struck at


def ignore(_: object) -> None:
    """A callback that wants nothing."""


@pytest.fixture(params=[False, True], ids=["with a thread", "without one"])
def fresh(request: pytest.FixtureRequest) -> bool:
    """Whether who is struck has to start the thread."""
    return bool(request.param)


def count_steps(work: Callable[[], object], check: Callable[[], object]) -> int:
    steps = 0
    for _ in at_each_step(work, *PARTS):
        check()
        steps += 1
    return steps


def test_a_strike_reaches_each_step() -> None:
    reached: list[int] = []

    def two() -> None:
        reached.append(1)
        reached.append(2)

    counts = []
    for _ in at_each_step(two, __file__):
        counts.append(len(reached))
        reached.clear()
    assert counts == [0, 1, 2, 2], counts


def test_what_fails_by_itself_is_not_taken_for_struck() -> None:
    def fail() -> None:
        raise ValueError("own")

    with pytest.raises(ValueError, match="own"):
        list(at_each_step(fail, "nowhere"))


def test_submitting_a_call(fresh: bool) -> None:
    made = [Workers(2, LOGGER)]

    def check() -> None:
        workers = made[0]
        assert workers.submit(lambda: 2, ignore, None).get(SOON_S) == 2
        assert workers.wait(SOON_S) == 0
        assert workers.unfinished == 0
        if fresh:
            workers.close()
            assert workers.join(WITHIN_S)
            made[0] = Workers(2, LOGGER)

    assert count_steps(lambda: made[0].submit(lambda: 1, ignore, None), check) > FEWEST
    made[0].close()
    assert made[0].join(WITHIN_S)


def test_submitting_where_all_places_are_taken() -> None:
    workers, go_on, at_work = Workers(1, LOGGER), threading.Event(), threading.Event()
    done: list[int] = []

    def hang() -> None:
        at_work.set()
        go_on.wait(WITHIN_S)

    first = workers.submit(hang, ignore, None)
    assert at_work.wait(WITHIN_S)
    steps = count_steps(lambda: workers.submit(lambda: done.append(1), ignore, None), lambda: None)
    go_on.set()
    first.get(WITHIN_S)
    assert workers.submit(lambda: 2, ignore, None).get(SOON_S) == 2
    assert workers.wait(SOON_S) == 0
    assert workers.unfinished == 0
    assert steps > FEWEST
    assert 1 <= len(done) <= steps, "the last was not struck; who was struck has nobody to wait for it"
    workers.close()


def test_closing_tells_all_who_wait() -> None:
    def begin() -> None:
        go_on, at_work = threading.Event(), threading.Event()
        workers = Workers(1, LOGGER)
        workers.submit(lambda: (at_work.set(), go_on.wait(WITHIN_S)), ignore, None)
        assert at_work.wait(WITHIN_S)
        made[:] = [workers, go_on, [workers.submit(lambda: 1, ignore, None) for _ in range(3)]]

    def check() -> None:
        workers, go_on, waiting = made
        workers.close()  # again, as who was interrupted may
        go_on.set()
        assert workers.join(WITHIN_S)
        for result in waiting:
            result.wait(SOON_S)
            assert result.ready()
        begin()

    made: list[Any] = []
    begin()

    def close() -> None:
        made[0].close()

    assert count_steps(close, check) > FEWEST
    check()
    made[1].set()


@pytest.fixture
def service() -> Iterator[Service]:
    made = Service("struck", 3)
    yield made
    assert made.close(WITHIN_S)


def expect_done(put: Callable[[Callable[[], object]], object]) -> None:
    done = threading.Event()
    put(done.set)
    assert done.wait(SOON_S)


def test_putting_work(service: Service) -> None:
    assert count_steps(lambda: service.put(lambda: None), lambda: expect_done(service.put)) > FEWEST
    for count in (1, 2, 3):  # and there are as many threads as ever
        together = threading.Barrier(count + 1)
        for _ in range(count):
            service.put(lambda together=together: together.wait(WITHIN_S))  # type: ignore[misc]
        together.wait(WITHIN_S)


def test_asking_for_something_later() -> None:
    def ask_and_cancel() -> None:
        do_later(1, lambda: None)()

    assert count_steps(ask_and_cancel, lambda: expect_done(lambda done: do_later(0, done))) > FEWEST


@pytest.mark.parametrize("hangs", [False, True])
def test_what_one_thread_does_for_others(hangs: bool) -> None:
    one = OneThread("struck")

    def work() -> int:
        if hangs:
            time.sleep(0.001)
        return 1

    def check() -> None:
        assert one.do(lambda: 2, SOON_S) == 2
        assert one.waits_s() == 0.0

    assert count_steps(lambda: one.do(work, SOON_S), check) > FEWEST
    assert one.pause(SOON_S)
    one.go_on()
    one.end(lambda: None)


def test_a_strike_is_what_is_raised() -> None:
    seen: list[type] = []

    def work() -> None:
        try:
            ignore(1)
        except BaseException as error:
            seen.append(type(error))
            raise

    list(at_each_step(work, __file__))
    assert set(seen) == {Struck}
