"""The threads that serve calls with a callback, and the handle such a call returns."""

from __future__ import annotations

import contextlib
import logging
import queue
import threading
import weakref
from collections.abc import Callable
from typing import Any, Generic, NamedTuple, NoReturn, TypeVar

from target._background.clock import monotonic_s
from target._background.ends import finish_before_end
from target._background.flag import Flag
from target._background.forks import renew_in_children
from target._background.shares import HOME, MOST_SHARES, Host, Shares, did_answer
from target.causes import hush, hushed
from target.errors import ClientClosed, OptionsError, TargetTimeout, TransportError
from target.values import parse_seconds

T = TypeVar("T")


class _Task(NamedTuple):
    """``run``, with False to refuse it; ``over`` is to be called after that, when the thread is free again."""

    run: Callable[[bool], None]
    over: Callable[[], None]


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


class Workers:
    """Daemon threads, begun when there is work for them; they end with ``close`` or with the owner.

    At most ``size`` work for one host, so that one that hangs does not hold up the work for the others (``Shares``).
    """

    def __init__(self, size: int, logger: logging.Logger) -> None:
        self._size = size
        self._logger = logger
        self._closed = False
        self._begin()
        renew_in_children(self)
        finish_before_end(self)

    def _begin(self) -> None:
        self._lock = threading.Lock()
        self._shares: Shares[_Task] = Shares(self._size)
        self._tasks: queue.SimpleQueue[_Task | None] = queue.SimpleQueue()
        self._idle: queue.SimpleQueue[None] = queue.SimpleQueue()  # one for each thread that has nothing to do
        self._threads: list[threading.Thread] = []
        self._ended: queue.SimpleQueue[None] = queue.SimpleQueue()  # one for each thread that has ended
        self._open: set[AsyncResult[Any]] = set()
        self._at_work: dict[int, AsyncResult[Any]] = {}  # by thread
        self._end = weakref.finalize(self, _end_all, self._tasks, self._size * MOST_SHARES)

    def begin_anew(self) -> None:
        """In a forked child: the threads stayed behind, and what waits for them is the parent's to do."""
        self._end.detach()
        self._begin()

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
        result: AsyncResult[T] = AsyncResult()
        logger = self._logger

        unfinished, at_work = self._open, self._at_work
        answered: bool | None = None

        def task(run: bool) -> None:
            nonlocal answered
            own = threading.get_ident()
            at_work[own] = result
            value, error = _outcome(work if run else _refuse)
            answered = did_answer(error)
            try:
                if error is None:
                    callback(value)  # type: ignore[arg-type]
                elif err_callback is not None:
                    err_callback(error)
            except BaseException as raised:
                logger.error("A callback raised; the result of its call is kept", exc_info=hushed(raised))
            finally:
                at_work.pop(own, None)
                unfinished.discard(result)
                result._finish(value, error)

        with self._lock:
            if self._closed:
                raise ClientClosed("The client is closed: make a new one with TargetClient.create")
            self._open.add(result)
            try:
                if host is None:
                    self._begin_task(_Task(task, _nothing))
                else:
                    self._shares.wait(host, _Task(task, lambda: self._over(host, answered)))
                    self._begin_what_may()
            except BaseException:
                self._open.discard(result)  # nobody has it to wait for
                raise
        return result

    def _begin_what_may(self) -> None:
        while (found := self._shares.next()) is not None:
            self._begin_task(found[1])

    def _begin_task(self, task: _Task) -> None:
        self._tasks.put(task)
        if not self._is_one_idle() and len(self._living()) < self._size * MOST_SHARES:
            self._start_thread()

    def _over(self, host: Host, answered: bool | None) -> None:
        with self._lock:
            self._shares.end(host, answered)
            if not self._closed:
                self._begin_what_may()

    def _is_one_idle(self) -> bool:
        try:
            self._idle.get_nowait()
        except queue.Empty:
            return False
        return bool(self._living())

    def _living(self) -> list[threading.Thread]:
        """The threads; an exception raised from outside ends one."""
        if not self._ended.empty():
            living = [thread for thread in self._threads if thread.is_alive()]
            with contextlib.suppress(queue.Empty):
                for _ in range(len(self._threads) - len(living)):
                    self._ended.get_nowait()
            self._threads = living
        return self._threads

    @property
    def unfinished(self) -> int:
        """How much of what was submitted has not ended, its callback included."""
        return len(self._open)

    def wait(self, timeout_s: float) -> int:
        """Wait until all that was submitted has ended: how much has not, after so many seconds. A callback does not
        wait for itself."""
        ends_at_s = monotonic_s() + timeout_s
        waited = self._open.copy() - {self._at_work.get(threading.get_ident())}
        for result in waited:
            result.wait(max(0.0, ends_at_s - monotonic_s()))
        return sum(not result.ready() for result in waited)

    def _start_thread(self) -> None:
        name = f"target-worker-{len(self._threads) + 1}"
        thread = threading.Thread(target=_work, args=(self._tasks, self._idle, self._ended), name=name, daemon=True)
        try:
            thread.start()
        except RuntimeError as error:
            if not self._threads:
                raise TransportError("No thread can be started for a callback: make the call without one") from error
            return  # the threads there are take the work in turn
        self._threads.append(thread)

    def close(self) -> None:
        """Begin no more: work that has not begun ends with ClientClosed, running work goes on."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            waiting = self._shares.drain()
        for waits in waiting:
            waits.run(False)
        while True:
            try:
                task = self._tasks.get_nowait()
            except queue.Empty:
                break
            if task is not None:
                task.run(False)
        self._end()

    def finish(self, timeout_s: float) -> bool:
        """Take no more, do what was taken, and wait up to ``timeout_s`` seconds for that: whether it was enough."""
        with self._lock:
            self._closed = True
            for task in self._shares.drain():  # the threads there are do it all
                self._tasks.put(task)
        self._end()
        return self.join(timeout_s)

    def join(self, timeout_s: float) -> bool:
        """Wait, after ``close``, until all threads have ended; False when ``timeout_s`` seconds were not enough."""
        ends_at = monotonic_s() + timeout_s
        others = [thread for thread in self._threads if thread is not threading.current_thread()]
        for thread in others:
            thread.join(max(ends_at - monotonic_s(), 0))
        return not any(thread.is_alive() for thread in others)


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


def _nothing() -> None:
    """Nobody has to be told."""


def _work(
    tasks: queue.SimpleQueue[_Task | None], idle: queue.SimpleQueue[None], ended: queue.SimpleQueue[None]
) -> None:
    try:
        while (task := tasks.get()) is not None:
            try:
                # All that is left to raise is the caller's own logger, and exceptions from outside.
                with contextlib.suppress(BaseException):
                    task.run(True)
            finally:
                idle.put(None)
                task.over()
                del task  # an idle worker must not keep the last call's data, or its client, alive
    finally:
        ended.put(None)


def _end_all(tasks: queue.SimpleQueue[_Task | None], size: int) -> None:
    for _ in range(size):
        tasks.put(None)
