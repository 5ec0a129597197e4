"""One thread that does one thing after another, for others who wait only as long as they want to."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections import deque
from collections.abc import Callable
from typing import Any, Generic, TypeVar, cast

from target._background.clock import monotonic_s

T = TypeVar("T")

_END_S = 0.5  # for a thread that hangs


class StillAtIt(Exception):
    """What was asked for was not done in time; it will be, all the same."""


class _Task(Generic[T]):
    """One piece of work, and what came of it."""

    def __init__(self, work: Callable[[], T], late: Callable[[Callable[[], T]], object] | None) -> None:
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


class _Line:
    """What one thread is to do, in order."""

    thread: threading.Thread

    def __init__(self) -> None:
        self._tasks: queue.SimpleQueue[_Task[Any] | None] = queue.SimpleQueue()
        self._asked_at_s: deque[float] = deque()  # of what is not done yet

    def put(self, task: _Task[Any] | None) -> None:
        self._asked_at_s.append(monotonic_s())
        self._tasks.put(task)

    def serve(self, at_work: threading.Lock, wait: bool = True) -> None:
        """Do all of it, up to a None; or, without ``wait``, until there is nothing left."""
        with contextlib.suppress(queue.Empty):
            while (task := self._tasks.get(block=wait)) is not None:
                with at_work:
                    task.run()
                del task  # a thread with nothing to do must not keep a visitor's data
                self._asked_at_s.popleft()

    def waits_s(self) -> float:
        try:
            return monotonic_s() - self._asked_at_s[0]
        except IndexError:
            return 0.0


class OneThread:
    """Does what it is given on a daemon thread, which begins with the first and ends with ``end``."""

    def __init__(self, name: str) -> None:
        self._name = name
        self.begin_anew()

    def begin_anew(self) -> None:
        """Have no thread, and nothing to do: so in the child of a fork."""
        self._lock = threading.Lock()
        self._line: _Line | None = None
        #: Held while something is done.
        self.at_work = threading.Lock()

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
        with self._lock:
            line = self._line
            if line is not None:
                line.put(task)
        if line is None:
            self._begin_with(task)
        if not task.wait(wait_s):
            raise StillAtIt
        return task.outcome()

    def waits_s(self) -> float:
        """For how many seconds the oldest piece of work has not been done."""
        line = self._line
        return 0.0 if line is None else line.waits_s()

    def end(self, last: Callable[[], object]) -> None:
        """Do ``last`` after all else, and end the thread; not waited for if it hangs. The next work begins another."""
        with self._lock:
            line, self._line = self._line, None
            if line is not None:
                line.put(_Task(last, None))
                line.put(None)
        if line is None:
            with self.at_work:
                last()
        elif line.thread is not threading.current_thread():
            line.thread.join(_END_S)

    def _begin_with(self, task: _Task[Any]) -> None:
        with self._lock:
            line = self._line or _Line()
            line.put(task)
            if self._line is not None:
                return
            line.thread = threading.Thread(target=line.serve, args=(self.at_work,), name=self._name, daemon=True)
            try:
                line.thread.start()
                self._line = line
                return
            except RuntimeError:  # the system's limit, or the interpreter is about to end: then who asks does it
                pass
        line.serve(self.at_work, wait=False)
