"""The threads that serve calls with a callback, and the handle such a call returns."""

from __future__ import annotations

import logging
import queue
import threading
import weakref
from collections.abc import Callable
from typing import Generic, TypeVar

from target.errors import ClientClosed, OptionsError, TargetTimeout

T = TypeVar("T")

_Task = Callable[[bool], None]


class AsyncResult(Generic[T]):
    """The result of a call with a callback, as ``multiprocessing.pool.AsyncResult`` is one; timeouts are seconds."""

    def __init__(self) -> None:
        self._done = threading.Event()
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
        """Return when the call has ended, or after ``timeout`` seconds."""
        self._done.wait(timeout)

    def get(self, timeout: float | None = None) -> T:
        """What the callback receives.

        Raises:
            TargetTimeout: The call has not ended after ``timeout`` seconds. It goes on.
            TargetError: Whatever the call itself raised.
        """
        if not self._done.wait(timeout):
            raise TargetTimeout(f"The call has not ended within {timeout} s: wait longer, or lower 'timeout'")
        if self._error is not None:
            raise self._error
        return self._value  # type: ignore[return-value]

    def _finish(self, value: T | None, error: Exception | None) -> None:
        self._value, self._error = value, error
        self._done.set()


class Workers:
    """At most ``size`` daemon threads, begun when there is work for them; they end with ``close`` or with the owner."""

    def __init__(self, size: int, logger: logging.Logger) -> None:
        self._size = size
        self._logger = logger
        self._lock = threading.Lock()
        self._tasks: queue.SimpleQueue[_Task | None] = queue.SimpleQueue()
        self._idle = threading.Semaphore(0)
        self._threads = 0
        self._closed = False
        self._end = weakref.finalize(self, _end_all, self._tasks, size)

    def submit(
        self,
        work: Callable[[], T],
        callback: Callable[[T], object],
        err_callback: Callable[[Exception], object] | None,
    ) -> AsyncResult[T]:
        """Run ``work`` on a worker, then the callback that fits. Raises ClientClosed after ``close``."""
        result: AsyncResult[T] = AsyncResult()
        logger = self._logger

        def task(run: bool) -> None:
            value, error = None, None
            try:
                if not run:
                    raise ClientClosed("The client was closed before this call began")
                value = work()
            except Exception as failure:  # noqa: BLE001  (whatever it is belongs to who waits for the result)
                error = failure
            try:
                if error is None:
                    callback(value)  # type: ignore[arg-type]
                elif err_callback is not None:
                    err_callback(error)
            except BaseException:  # a callback is foreign code; even SystemExit must not end a worker
                logger.exception("A callback raised; the result of its call is kept")
            finally:
                result._finish(value, error)

        with self._lock:
            if self._closed:
                raise ClientClosed("The client is closed: make a new one with TargetClient.create")
            self._tasks.put(task)
            if not self._idle.acquire(blocking=False) and self._threads < self._size:
                self._threads += 1
                name = f"target-worker-{self._threads}"
                threading.Thread(target=_work, args=(self._tasks, self._idle), name=name, daemon=True).start()
        return result

    def close(self) -> None:
        """Let running work end; work that has not begun ends with ClientClosed."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
        while True:
            try:
                task = self._tasks.get_nowait()
            except queue.Empty:
                break
            if task is not None:
                task(False)
        self._end()


def _work(tasks: queue.SimpleQueue[_Task | None], idle: threading.Semaphore) -> None:
    while (task := tasks.get()) is not None:
        task(True)
        del task  # an idle worker must not keep the last call's data, or its client, alive
        idle.release()


def _end_all(tasks: queue.SimpleQueue[_Task | None], size: int) -> None:
    for _ in range(size):
        tasks.put(None)
