"""One thread that does one thing after another, for others who wait only as long as they want to."""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from collections.abc import Callable
from typing import Any, Generic, TypeVar, cast

from target._background.clock import monotonic_s
from target._background.service import Service

T = TypeVar("T")

_END_S = 0.5  # for a thread that hangs


class StillAtIt(Exception):
    """What was asked for was not done in time; it will be, all the same."""


class _Task(Generic[T]):
    """One piece of work, and what came of it."""

    def __init__(self, work: Callable[[], T], late: Callable[[Callable[[], T]], object] | None) -> None:
        self.asked_at_s = monotonic_s()
        self._work = work
        self._late = late
        self._lock = threading.Lock()
        self._done = threading.Lock()
        self._done.acquire()
        self._left = False
        self._result: T | None = None
        self._error: Exception | None = None

    def run(self) -> None:
        if self._left and self._late is None:
            return  # nobody wants to know
        try:
            self._result = self._work()
        except Exception as error:  # noqa: BLE001  (whatever it is belongs to who waits)
            self._error = error
        with self._lock:
            self._done.release()
            left = self._left
        if left and self._late is not None:
            self._late(self.outcome)

    def wait(self, seconds: float | None) -> bool:
        """Whether it was done by then. If not, ``late`` gets the outcome."""
        if self._done.acquire(timeout=-1 if seconds is None else max(0.0, seconds)):
            return True
        with self._lock:
            self._left = not self._done.acquire(blocking=False)
            return not self._left

    def outcome(self) -> T:
        if self._error is not None:
            raise self._error
        return cast("T", self._result)


class OneThread:
    """Does what it is given, in order, on a thread of a service."""

    def __init__(self, name: str) -> None:
        self._service = Service(name)
        self.begin_anew()

    def begin_anew(self) -> None:
        """Have nothing to do: so in the child of a fork."""
        self._tasks: deque[_Task[Any]] = deque()  # the first may be in progress
        # Held while something is done, by the thread or by who asks where there is none.
        self._at_work = threading.Lock()

    def do(
        self, work: Callable[[], T], wait_s: float | None, late: Callable[[Callable[[], T]], object] | None = None
    ) -> T:
        """What ``work`` returns or raises.

        Args:
            work: Is done once all is done that was asked for before.
            wait_s: How many seconds to wait for that; None for as long as it takes.
            late: Is called on this thread when the work is done after that, with what returns or raises its outcome.
                Without it, work that has not begun by then is never done.

        Raises:
            StillAtIt: The time has passed.
        """
        task = _Task(work, late)
        self._put(task)
        if not task.wait(wait_s):
            raise StillAtIt
        return task.outcome()

    def pause(self, seconds: float) -> bool:
        """Begin nothing more until ``go_on``: whether what was in progress was done in so many seconds."""
        return self._at_work.acquire(timeout=seconds)

    def go_on(self) -> None:
        """After a ``pause`` that was True."""
        self._at_work.release()

    def waits_s(self) -> float:
        """For how many seconds the oldest piece of work has not been done."""
        try:
            return monotonic_s() - self._tasks[0].asked_at_s
        except IndexError:
            return 0.0

    def end(self, last: Callable[[], object]) -> None:
        """Do ``last`` after all else, and end the thread; not waited for if it hangs. The next work begins another."""
        self._service.end()
        self._put(_Task(last, None))
        self._service.join(_END_S)

    def _put(self, task: _Task[Any]) -> None:
        try:
            self._tasks.append(task)
            if not self._service.put(self._do_all):  # no thread to be had: then who asks does it
                self._service.do_here()
        except BaseException:  # of a signal handler: nobody waits for it
            self._forget(task)
            raise

    def _do_all(self) -> None:
        while True:
            with self._at_work:  # for one at a time, so that ``pause`` may come between
                try:
                    task = self._tasks[0]
                except IndexError:
                    return
                try:
                    task.run()
                finally:
                    self._forget(task)

    def _forget(self, task: _Task[Any]) -> None:
        with contextlib.suppress(ValueError):
            self._tasks.remove(task)
