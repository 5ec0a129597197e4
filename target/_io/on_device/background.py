"""Sends calls after their caller has gone on: display notifications and telemetry, from one thread per client."""

from __future__ import annotations

import atexit
import contextlib
import logging
import os
import queue
import threading
import time
import weakref
from collections.abc import Callable

from target.delivery.request import Call
from target.errors import ClientClosed

MOST_PENDING = 1000
SOON_S = 0.5  # within the second that telemetry may wait
EXIT_S = 1.0  # what the end of the process, or of a client that nobody closed, waits for

Failed = Callable[[Call, Exception], object]


class _State:
    """What the thread and its owner share; it leads to no client."""

    def __init__(self, deliver: Callable[[Call], object]) -> None:
        self.deliver = deliver
        # A SimpleQueue may be put into from anywhere, a garbage collection included. None: look at the rest.
        self.calls: queue.SimpleQueue[Call | None] = queue.SimpleQueue()
        self.compose_at_s: float | None = None
        self.ends_at_s: float | None = None
        self.sent = self.failed = self.dropped = 0

    def release(self) -> None:
        """The owner is gone without ``close``: send what waits, for a moment."""
        if self.ends_at_s is None:
            self.ends_at_s = time.monotonic() + EXIT_S
        self.calls.put(None)


class Background:
    """Sends what it is given, one call after the other, without ever delaying or failing who gave it.

    Args:
        deliver: Sends one call and reads the answer; raises what went wrong. It must not hold the client.
        failed: Is told of each call that was not delivered, on the thread.
        logger: Where failures go.
        compose: Makes the call that ``send_soon`` asks for, or None where it is not needed any more.
        most_pending: Above it the oldest are dropped.
    """

    def __init__(
        self,
        deliver: Callable[[Call], object],
        failed: Failed,
        logger: logging.Logger,
        compose: Callable[[], Call | None] | None = None,
        most_pending: int = MOST_PENDING,
    ) -> None:
        self._deliver = deliver
        self._failed = failed
        self._logger = logger
        self._compose = compose
        self._most_pending = most_pending
        self._closed = False
        self._fork_lock = threading.Lock()
        self._begin()
        _alive.add(self)

    def _begin(self) -> None:
        self._lock = threading.Lock()
        self._state = _State(self._deliver)
        self._thread: threading.Thread | None = None
        weakref.finalize(self, self._state.release).atexit = False
        self._process_id = os.getpid()

    def _begin_after_fork(self) -> None:
        """A fork leaves the thread behind; what waited is the parent's to send."""
        with self._fork_lock:
            if self._process_id != os.getpid():
                self._begin()

    @property
    def pending(self) -> int:
        """How many calls wait, the one in flight not counted."""
        return self._state.calls.qsize()

    @property
    def counts(self) -> dict[str, int]:
        """How many calls were ``sent``, ``failed`` or ``dropped``, since this process began to use it."""
        state = self._state
        return {"sent": state.sent, "failed": state.failed, "dropped": state.dropped}

    def submit(self, call: Call) -> None:
        """Send ``call`` soon. Never raises or blocks; after ``close``, or without room, it is logged and counted."""
        if self._process_id != os.getpid():
            self._begin_after_fork()
        state = self._state
        if self._closed:
            self._drop("the client is closed")
            return
        while state.calls.qsize() >= self._most_pending:
            with contextlib.suppress(queue.Empty):
                if state.calls.get_nowait() is not None:
                    self._drop("too many wait, so the oldest is given up")
        state.calls.put(call)
        if self._thread is None:
            self._start_thread()

    def send_soon(self) -> None:
        """Send within a second what ``compose`` makes then. Never raises or blocks."""
        if self._process_id != os.getpid():
            self._begin_after_fork()
        state = self._state
        if self._closed or state.compose_at_s is not None:
            return
        state.compose_at_s = time.monotonic() + SOON_S
        state.calls.put(None)
        if self._thread is None:
            self._start_thread()

    def close(self, timeout_s: float) -> None:
        """Send what waits for up to ``timeout_s`` seconds, then end. What is left counts as failed."""
        if self._closed or self._process_id != os.getpid():
            self._closed = True
            return
        self._closed = True
        _alive.discard(self)
        state = self._state
        state.ends_at_s = time.monotonic() + timeout_s
        state.calls.put(None)
        thread = self._thread
        if thread is threading.current_thread():
            return
        if thread is not None:
            thread.join(timeout_s)
        with contextlib.suppress(queue.Empty):
            while True:
                call = state.calls.get_nowait()
                if call is not None:
                    self.fail(call, ClientClosed("The client was closed before this was sent"))
        state.calls.put(None)  # the thread's own may be among what was just taken

    def fail(self, call: Call, error: Exception) -> None:
        """For the thread: ``call`` is given up."""
        self._state.failed += 1
        with contextlib.suppress(BaseException):  # foreign code behind it: not even SystemExit may end the thread
            self._logger.warning("Request %s, sent in the background, failed: %s", call.trace_id, error)
            self._failed(call, error)

    def compose(self) -> Call | None:
        """For the thread: the call that ``send_soon`` asked for."""
        if self._compose is None:
            return None
        try:
            return self._compose()
        except Exception:  # whatever it is must not end the thread
            self._logger.exception("A request to send in the background could not be made")
            return None

    def _drop(self, why: str) -> None:
        with self._lock:
            self._state.dropped += 1
            dropped = self._state.dropped
        if dropped & (dropped - 1) == 0:  # 1, 2, 4, 8...: a flood must not become a flood of lines
            self._logger.warning("A request to send in the background is dropped, number %d so far: %s", dropped, why)

    def _start_thread(self) -> None:
        with self._lock:
            if self._thread is not None:
                return
            thread = threading.Thread(
                target=_serve, args=(weakref.ref(self), self._state), name="target-background", daemon=True
            )
            try:
                thread.start()
            except RuntimeError:  # the system's limit, or the interpreter is about to end
                self._logger.error("No thread can be started to send in the background: what waits is not sent for now")
                return
            self._thread = thread


_alive: weakref.WeakSet[Background] = weakref.WeakSet()


def _serve(reference: weakref.ref[Background], state: _State) -> None:
    """The thread. It holds its owner only while there is a failure to tell or a call to compose."""
    while True:
        call = _next(reference, state)
        if call is None:
            if state.ends_at_s is not None and state.calls.empty():
                return
            continue
        error: Exception | None = None
        if state.ends_at_s is not None and time.monotonic() >= state.ends_at_s:
            error = ClientClosed("The client was closed before this was sent")
        else:
            try:
                state.deliver(call)
            except Exception as failure:  # noqa: BLE001  (whatever it is must not keep what follows)
                error = failure
        if error is None:
            state.sent += 1
        elif (owner := reference()) is not None:
            owner.fail(call, error)
            del owner
        del call, error  # an idle thread must not keep a visitor's data


def _next(reference: weakref.ref[Background], state: _State) -> Call | None:
    """The next call to send; None to look again."""
    ends = state.ends_at_s is not None
    wait_s = None if state.compose_at_s is None else max(0.0, state.compose_at_s - time.monotonic())
    with contextlib.suppress(queue.Empty):
        call = state.calls.get(timeout=0 if ends else wait_s)
        if call is not None:
            return call
    if state.compose_at_s is None or not (ends or time.monotonic() >= state.compose_at_s):
        return None
    state.compose_at_s = None
    owner = reference()
    return None if owner is None else owner.compose()


def _close_all() -> None:
    give_up_at_s = time.monotonic() + EXIT_S
    for background in list(_alive):
        background.close(max(0.0, give_up_at_s - time.monotonic()))


atexit.register(_close_all)
