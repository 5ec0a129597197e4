"""The threads that serve calls with a callback, and the handle such a call returns."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections import deque
from collections.abc import Callable
from contextvars import copy_context
from functools import partial
from typing import Any, Generic, NoReturn, TypeVar

from target._background.clock import monotonic_s
from target._background.ends import finish_before_end
from target._background.flag import Flag
from target._background.forks import renew_in_children
from target._background.service import Service, Work
from target._background.shares import HOME, MOST_SHARES, Host, Shares, did_answer
from target.causes import hush, hushed
from target.errors import ClientClosed, OptionsError, TargetTimeout, TransportError
from target.loggers import Log
from target.notices import Notices
from target.values import parse_seconds

T = TypeVar("T")


class AsyncResult(Generic[T]):
    """The result of a call with a callback, as ``multiprocessing.pool.AsyncResult`` is one; timeouts are seconds."""

    def __init__(self) -> None:
        self._done = Flag()
        self._value: T | None = None
        self._error: Exception | None = None

    def ready(self) -> bool:
        """Whether the call has ended, its callback included."""
        return self._done.is_set()

    def successful(self) -> bool:
        """Whether the call ended without an error. Raises OptionsError (a ValueError) while it is not ready."""
        if not self.ready():
            raise OptionsError("successful() was asked before the call ended: call wait() first")
        return self._error is None

    def wait(self, timeout: float | None = None) -> None:
        """Return when the call has ended, or after ``timeout`` seconds. Raises OptionsError if that is no duration."""
        self._done.wait(None if timeout is None else parse_seconds("timeout", timeout))

    def get(self, timeout: float | None = None) -> T:
        """What the callback receives.

        Raises:
            OptionsError: ``timeout`` is no duration.
            TargetTimeout: The call has not ended after ``timeout`` seconds. It goes on.
            TargetError: Whatever the call itself raised.
        """
        if not self._done.wait(None if timeout is None else parse_seconds("timeout", timeout)):
            raise TargetTimeout(f"The call has not ended within {timeout} s: wait longer, or lower 'timeout'")
        if self._error is not None:
            raise self._error
        return self._value  # type: ignore[return-value]

    def _finish(self, value: T | None, error: Exception | None) -> None:
        self._value, self._error = value, error
        self._done.set()


class _Task(Generic[T]):
    """A call on its way: what to do, whom to tell, in the context of whom, where it has a place, and whether its host
    answered."""

    place: Host | None = None
    answered: bool | None = None

    def __init__(
        self,
        work: Callable[[], T],
        callback: Callable[[T], object],
        err_callback: Callable[[Exception], object] | None,
    ) -> None:
        self.work = work
        self.callback = callback
        self.err_callback = err_callback
        self.context = copy_context()
        self.result: AsyncResult[T] = AsyncResult()
        self._unclaimed = [None]

    def claim(self) -> bool:
        """Whether the caller, who is the first to ask, has to see to it."""
        try:
            self._unclaimed.pop()  # one step
        except IndexError:
            return False
        return True


class Workers:
    """The threads of calls with a callback.

    At most ``size`` work for one host, so that one that hangs does not hold up the work for the others (``Shares``).
    Who submits may be interrupted anywhere, for good: it changes nothing but what one step changes, and leaves the
    rest to the threads.
    """

    def __init__(self, size: int, logger: Log) -> None:
        self._size = size
        self._logger = logger
        self._notices = Notices(logger)
        self._takes_none = self._refuses = False
        self.begin_anew()
        most = size * MOST_SHARES + 1  # the last is for what need not wait for its host, since it is refused
        self._service = Service("target-worker-{}", most, self._take, self._of_use, logger)
        renew_in_children(self)
        finish_before_end(self)

    def begin_anew(self) -> None:
        """In a forked child: what waits is the parent's to do."""
        self._open: dict[_Task[Any], None] = {}
        self._at_work: dict[int, _Task[Any]] = {}  # by thread
        self._changes: queue.SimpleQueue[Callable[[], object]] = queue.SimpleQueue()  # to what follows, not made yet
        self._lock = threading.Lock()  # of what only the threads touch
        self._shares: Shares[_Task[Any]] = Shares(self._size)
        self._unshared: deque[_Task[Any]] = deque()  # calls that need no place
        self._has_next = False

    def submit(
        self,
        work: Callable[[], T],
        callback: Callable[[T], object],
        err_callback: Callable[[Exception], object] | None,
        host: Host | None = HOME,
    ) -> AsyncResult[T]:
        """Run ``work``, a call to ``host``, on a worker, then the callback that fits: each in a copy of the caller's
        context. None: who submits bounds calls.

        Raises:
            ClientClosed: After ``close``.
        """
        if self._takes_none:
            raise ClientClosed("The client is closed: make a new one with TargetClient.create")
        task = _Task(work, callback, err_callback)
        try:
            self._open[task] = None
            wait = self._unshared.append if host is None else partial(self._shares.wait, host)
            self._changes.put(partial(wait, task))
            # Where its host has all its places, the thread that gives one back sees the task.
            is_seen = host is not None and self._shares.is_full(host)
            if not is_seen and not self._wake():
                raise TransportError("No thread can be started for a callback: make the call without one")
        except BaseException:
            if task.claim():  # nobody has it to wait for
                self._open.pop(task, None)
            raise
        if self._refuses:  # meanwhile
            self._see_to_all()
        return task.result

    @property
    def unfinished(self) -> int:
        """How much of what was submitted has not ended, its callback included."""
        return len(self._open)

    def wait(self, timeout_s: float) -> int:
        """Wait until all that was submitted has ended: how much has not, after so many seconds. A callback does not
        wait for itself."""
        ends_at_s = monotonic_s() + timeout_s
        own = self._at_work.get(threading.get_ident())
        waited = [task.result for task in self._open.copy() if task is not own]
        for result in waited:
            result.wait(max(0.0, ends_at_s - monotonic_s()))
        return sum(not result.ready() for result in waited)

    def close(self) -> None:
        """Begin no more: work that has not begun ends with ClientClosed, running work goes on."""
        self._takes_none = self._refuses = True
        self._see_to_all()
        self._service.end()

    def finish(self, timeout_s: float) -> bool:
        """Take no more, do what was taken, and wait up to ``timeout_s`` seconds for that: whether it was enough."""
        self._takes_none = True
        return self._service.close(timeout_s)

    def join(self, timeout_s: float) -> bool:
        """Wait, after ``close``, until all threads have ended; False when ``timeout_s`` seconds were not enough."""
        return self._service.join(timeout_s)

    def _of_use(self) -> tuple[int, int]:
        """Those at work, and one for what may begin; see Service. Who submits asks for one where it is needed."""
        at_work, has_next = len(self._at_work), self._has_next or self._refuses
        return at_work + (has_next or not self._changes.empty()), at_work + has_next

    def _wake(self) -> bool:
        """Let a thread look for what may begin; False where there is none to be had."""
        return self._service.wake() or bool(self._service.threads)

    def _see_to_all(self) -> None:
        """Let threads do, or refuse, what waits; where there is none to be had, this one does it."""
        if not self._wake():
            while (work := self._take()) is not None:
                work()

    def _take(self) -> Work | None:
        """For a thread: the next task that may begin; see Service."""
        with self._lock:
            with contextlib.suppress(queue.Empty):
                while True:
                    self._changes.get_nowait()()
            if self._refuses:
                self._unshared.extend(self._shares.drain())
            task = self._next()
            self._has_next = bool(self._unshared) or self._shares.has_next
        if task is None:
            return None
        self._at_work[threading.get_ident()] = task
        return partial(self._do, task)

    def _next(self) -> _Task[Any] | None:
        if self._unshared:
            return self._unshared.popleft()
        found = self._shares.next()
        if found is None:
            return None
        place, task = found
        task.place = place
        return task

    def _do(self, task: _Task[Any]) -> None:
        if self._has_next:
            self._service.wake()
        if task.claim():
            self._run(task)
        else:  # who submitted it has gone
            self._leave(task)

    def _leave(self, task: _Task[Any]) -> None:
        """Its thread is free, and its place, where it has one."""
        self._at_work.pop(threading.get_ident(), None)
        if task.place is not None:
            self._changes.put(partial(self._shares.end, task.place, task.answered))

    def _run(self, task: _Task[Any]) -> None:
        """Do it and tell of it, or tell that the client was closed before."""
        value, error = _outcome(_refuse if self._refuses else partial(task.context.copy().run, task.work))
        task.answered = did_answer(error)
        try:
            if error is None:
                task.context.run(task.callback, value)
            elif task.err_callback is not None:
                task.context.run(task.err_callback, error)
            else:
                self._tell_unheard(error)
        except BaseException as raised:
            self._logger.error("A callback raised; the result of its call is kept", exc_info=hushed(raised))
        finally:
            self._leave(task)  # first: who waits for the result may submit the next
            self._open.pop(task, None)
            task.result._finish(value, error)

    def _tell_unheard(self, error: Exception) -> None:
        """Nobody may ever ask the handle: an account that answers no call would go unnoticed."""
        kind = (type(error).__name__, str(getattr(error, "status", "")))
        self._notices.error_once(
            ("unheard", *kind),
            "A call with a callback failed, and has no err_callback (later errors of this kind are not logged): %s: %s",
            kind[0],
            hushed(error),
        )


def _refuse() -> NoReturn:
    raise ClientClosed("The client was closed before this call began")


def _outcome(work: Callable[[], T]) -> tuple[T | None, Exception | None]:
    """What ``work`` returns, or what it raises."""
    try:
        return work(), None
    except Exception as failure:  # noqa: BLE001  (whatever it is belongs to who waits for the result)
        hush(failure)
        return None, failure
    except BaseException as failure:  # noqa: BLE001  (a SystemExit must end neither the worker nor the wait)
        error = TransportError(f"The call was interrupted by {type(failure).__name__}: make it again")
        error.__cause__ = failure
        hush(error)
        return None, error
