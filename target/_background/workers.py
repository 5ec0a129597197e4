"""The threads that serve calls with a callback, and the handle such a call returns."""

from __future__ import annotations

import contextlib
import logging
import queue
import threading
from collections.abc import Callable
from functools import partial
from typing import Any, Generic, NoReturn, TypeVar

from target._background.clock import monotonic_s
from target._background.ends import finish_before_end
from target._background.flag import Flag
from target._background.forks import renew_in_children
from target._background.service import Service
from target._background.shares import HOME, MOST_SHARES, Host, Shares, did_answer
from target.causes import hush, hushed
from target.errors import ClientClosed, OptionsError, TargetTimeout, TransportError
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
    """A call on its way: what to do, whom to tell, and whether its host answered, once that is known."""

    answered: bool | None = None

    def __init__(
        self,
        work: Callable[[], T],
        callback: Callable[[T], object],
        err_callback: Callable[[Exception], object] | None,
        host: Host | None,
    ) -> None:
        self.work = work
        self.callback = callback
        self.err_callback = err_callback
        self.host = host
        self.result: AsyncResult[T] = AsyncResult()


class Workers:
    """The threads of calls with a callback.

    At most ``size`` work for one host, so that one that hangs does not hold up the work for the others (``Shares``).
    """

    def __init__(self, size: int, logger: logging.Logger) -> None:
        self._size = size
        self._logger = logger
        self._takes_none = self._refuses = False
        self.begin_anew()
        self._service = Service("target-worker-{}", size * MOST_SHARES)
        renew_in_children(self)
        finish_before_end(self)

    def begin_anew(self) -> None:
        """In a forked child: what waits is the parent's to do."""
        self._lock = threading.Lock()  # of the shares, and never waited for
        self._shares: Shares[_Task[Any]] = Shares(self._size)
        self._changes: queue.SimpleQueue[Callable[[], object]] = queue.SimpleQueue()  # to the shares, not made yet
        self._open: set[_Task[Any]] = set()
        self._at_work: dict[int, _Task[Any]] = {}  # by thread

    def submit(
        self,
        work: Callable[[], T],
        callback: Callable[[T], object],
        err_callback: Callable[[Exception], object] | None,
        host: Host | None = HOME,
    ) -> AsyncResult[T]:
        """Run ``work``, a call to ``host``, on a worker, then the callback that fits. None: who submits bounds calls.

        Raises:
            ClientClosed: After ``close``.
        """
        if self._takes_none:
            raise ClientClosed("The client is closed: make a new one with TargetClient.create")
        task = _Task(work, callback, err_callback, host)
        self._open.add(task)
        try:
            is_begun = self._begin(task) if host is None else self._change(partial(self._shares.wait, host, task))
            if not is_begun and not self._service.threads:
                raise TransportError("No thread can be started for a callback: make the call without one")
        except BaseException:
            self._open.discard(task)  # nobody has it to wait for
            raise
        if self._refuses:  # meanwhile
            self._refuse_all()
        return task.result

    @property
    def unfinished(self) -> int:
        """How much of what was submitted has not ended, its callback included."""
        return len(self._open)

    def wait(self, timeout_s: float) -> int:
        """Wait until all that was submitted has ended: how much has not, after so many seconds. A callback does not
        wait for itself."""
        ends_at_s = monotonic_s() + timeout_s
        waited = [task.result for task in self._open.copy() - {self._at_work.get(threading.get_ident())}]
        for result in waited:
            result.wait(max(0.0, ends_at_s - monotonic_s()))
        return sum(not result.ready() for result in waited)

    def close(self) -> None:
        """Begin no more: work that has not begun ends with ClientClosed, running work goes on."""
        self._takes_none = self._refuses = True
        self._refuse_all()
        self._service.end()

    def finish(self, timeout_s: float) -> bool:
        """Take no more, do what was taken, and wait up to ``timeout_s`` seconds for that: whether it was enough."""
        self._takes_none = True
        return self._service.close(timeout_s)

    def join(self, timeout_s: float) -> bool:
        """Wait, after ``close``, until all threads have ended; False when ``timeout_s`` seconds were not enough."""
        return self._service.join(timeout_s)

    def _change(self, change: Callable[[], object]) -> bool:
        """Let the shares change, and begin what may begin then. Who finds them in use leaves that to whoever uses them:
        a signal handler may have interrupted it. False where there is no thread for what may begin."""
        is_begun = True
        self._changes.put(change)
        while not self._changes.empty() and self._lock.acquire(blocking=False):
            try:
                with contextlib.suppress(queue.Empty):
                    while True:
                        self._changes.get_nowait()()
                while (found := self._shares.next()) is not None:
                    is_begun = self._begin(found[1]) and is_begun
            finally:
                self._lock.release()
        return is_begun

    def _begin(self, task: _Task[Any]) -> bool:
        return self._service.put(partial(self._run, task), partial(self._over, task))

    def _over(self, task: _Task[Any]) -> None:
        if task.host is not None:
            self._change(partial(self._shares.end, task.host, task.answered))

    def _refuse_all(self) -> None:
        self._change(self._drain)
        self._service.do_here()

    def _drain(self) -> None:
        for task in self._shares.drain():
            self._run(task)

    def _run(self, task: _Task[Any]) -> None:
        """Do it and tell of it, or tell that the client was closed before."""
        if task not in self._open:
            return  # who submitted it was told that it could not begin
        own = threading.get_ident()
        self._at_work[own] = task
        value, error = _outcome(_refuse if self._refuses else task.work)
        task.answered = did_answer(error)
        try:
            if error is None:
                task.callback(value)
            elif task.err_callback is not None:
                task.err_callback(error)
        except BaseException as raised:
            self._logger.error("A callback raised; the result of its call is kept", exc_info=hushed(raised))
        finally:
            self._at_work.pop(own, None)
            self._open.discard(task)
            task.result._finish(value, error)


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
