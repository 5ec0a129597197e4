"""Sends calls after their caller has gone on: display notifications and telemetry, by a few threads."""

from __future__ import annotations

import contextlib
import logging
import math
import queue
import threading
import time
import weakref
from collections.abc import Callable

from target._io.ends import EXIT_S, forget, send_before_end
from target._io.forks import renew_in_children
from target.delivery.request import Call
from target.errors import ClientClosed

MOST_PENDING = 1000
MOST_THREADS = 4
SOON_S = 0.5  # within the second that telemetry may wait

Failed = Callable[[Call, Exception], object]


class _Lane:
    """The calls of some sessions, sent one after the other by one thread; it leads to no client."""

    def __init__(self, deliver: Callable[[Call], object]) -> None:
        self.deliver = deliver
        self.thread: threading.Thread | None = None
        # A SimpleQueue may be put into from anywhere, a garbage collection included. None: look at the rest.
        self.calls: queue.SimpleQueue[Call | None] = queue.SimpleQueue()
        self.compose_at_s: float | None = None
        self.ends_at_s: float | None = None
        self.sent = self.failed = 0

    def end(self, ends_at_s: float) -> None:
        """Send what waits until then, and no longer. Takes no lock."""
        if self.ends_at_s is None:
            self.ends_at_s = ends_at_s
        self.calls.put(None)


class Background:
    """Sends what it is given, without ever delaying or failing who gave it.

    The calls of one session are sent one after the other, in their order: the API refuses a session's parallel ones.

    Args:
        deliver: Sends one call and reads the answer; raises what went wrong. It must not hold the client.
        failed: Is told of each call that was not delivered, on a thread of this object.
        logger: Where failures go.
        compose: Makes the call that ``send_soon`` asks for, or None where it is not needed any more.
        most_pending: Above it the oldest are dropped.
        most_threads: How many calls, at most, are in flight at once.
    """

    def __init__(
        self,
        deliver: Callable[[Call], object],
        failed: Failed,
        logger: logging.Logger,
        compose: Callable[[], Call | None] | None = None,
        most_pending: int = MOST_PENDING,
        most_threads: int = MOST_THREADS,
    ) -> None:
        self._deliver = deliver
        self._failed = failed
        self._logger = logger
        self._compose = compose
        self._most_pending = most_pending
        self._most_threads = most_threads
        self._closed = False
        self._begin()
        renew_in_children(self)
        send_before_end(self)

    def _begin(self) -> None:
        self._lock = threading.Lock()
        self._lanes = [_Lane(self._deliver) for _ in range(self._most_threads)]
        self._dropped = 0
        self._end = weakref.finalize(self, _release, self._lanes)
        self._end.atexit = False

    def begin_anew(self) -> None:
        """In a forked child: the threads stayed behind, and what waited is the parent's to send."""
        self._end.detach()
        self._begin()

    @property
    def pending(self) -> int:
        """How many calls wait, those in flight not counted."""
        return sum(lane.calls.qsize() for lane in self._lanes)

    @property
    def counts(self) -> dict[str, int]:
        """How many calls were ``sent``, ``failed`` or ``dropped``, since this process began to use it."""
        return {
            "sent": sum(lane.sent for lane in self._lanes),
            "failed": sum(lane.failed for lane in self._lanes),
            "dropped": self._dropped,
        }

    def submit(self, call: Call) -> None:
        """Send ``call`` soon. Never raises or blocks; after ``close``, or without room, it is logged and counted."""
        if self._closed:
            self._drop("the client is closed")
            return
        while self.pending >= self._most_pending:
            longest = max(self._lanes, key=lambda lane: lane.calls.qsize())
            with contextlib.suppress(queue.Empty):
                if longest.calls.get_nowait() is not None:
                    self._drop("too many wait, so the oldest is given up")
        lane = self._lanes[hash(call.session_id) % self._most_threads]
        lane.calls.put(call)
        if lane.thread is None:
            self._start_thread(lane)

    def send_soon(self) -> None:
        """Send within a second what ``compose`` makes then. Never raises or blocks."""
        lane = self._lanes[0]
        if self._closed or lane.compose_at_s is not None:
            return
        lane.compose_at_s = time.monotonic() + SOON_S
        lane.calls.put(None)
        if lane.thread is None:
            self._start_thread(lane)

    def hurry(self) -> None:
        """Send at once what ``send_soon`` asked for: all the rest is being sent already."""
        lane = self._lanes[0]
        if lane.compose_at_s is not None:
            lane.compose_at_s = -math.inf
            lane.calls.put(None)

    def close(self, timeout_s: float) -> None:
        """Send what waits for up to ``timeout_s`` seconds, then end. What is left counts as failed."""
        if self._closed:
            return
        self._closed = True
        forget(self)
        ends_at_s = time.monotonic() + timeout_s
        threads = [lane.thread for lane in self._lanes]
        for lane in self._lanes:
            lane.end(ends_at_s)
        if threading.current_thread() in threads:  # the handler of an event: its own thread must not be waited for
            return
        for thread in threads:
            if thread is not None:
                thread.join(max(0.0, ends_at_s - time.monotonic()))
        for lane in self._lanes:
            with contextlib.suppress(queue.Empty):
                while True:
                    call = lane.calls.get_nowait()
                    if call is not None:
                        self.fail(call, ClientClosed("The client was closed before this was sent"))
                        lane.failed += 1
            lane.calls.put(None)  # the thread's own may be among what was just taken

    def fail(self, call: Call, error: Exception) -> None:
        """For the threads: tell that ``call`` is given up."""
        with contextlib.suppress(BaseException):  # foreign code behind it: not even SystemExit may end a thread
            self._logger.warning("Request %s, sent in the background, failed: %s", call.trace_id, error)
            self._failed(call, error)

    def compose(self) -> Call | None:
        """For a thread: the call that ``send_soon`` asked for."""
        if self._compose is None:
            return None
        try:
            return self._compose()
        except Exception:  # whatever it is must not end the thread
            self._logger.exception("A request to send in the background could not be made")
            return None

    def _drop(self, why: str) -> None:
        with self._lock:
            self._dropped += 1
            dropped = self._dropped
        if dropped & (dropped - 1) == 0:  # 1, 2, 4, 8...: a flood must not become a flood of lines
            self._logger.warning("A request to send in the background is dropped, number %d so far: %s", dropped, why)

    def _start_thread(self, lane: _Lane) -> None:
        with self._lock:
            if lane.thread is not None:
                return
            thread = threading.Thread(
                target=_serve, args=(weakref.ref(self), lane), name="target-background", daemon=True
            )
            try:
                thread.start()
            except RuntimeError:  # the system's limit, or the interpreter is about to end
                self._logger.error("No thread can be started to send in the background: what waits is not sent for now")
                return
            lane.thread = thread


def _serve(reference: weakref.ref[Background], lane: _Lane) -> None:
    """A thread. It holds its owner only while there is a failure to tell or a call to compose."""
    while True:
        call = _next(reference, lane)
        if call is None:
            if lane.ends_at_s is not None and lane.calls.empty() and lane.compose_at_s is None:
                return
            continue
        error: Exception | None = None
        if lane.ends_at_s is not None and time.monotonic() >= lane.ends_at_s:
            error = ClientClosed("The client was closed before this was sent")
        else:
            try:
                lane.deliver(call)
            except Exception as failure:  # noqa: BLE001  (whatever it is must not keep what follows)
                error = failure
        if error is None:
            lane.sent += 1
        else:
            if (owner := reference()) is not None:
                owner.fail(call, error)
            del owner
            lane.failed += 1
        del call, error  # an idle thread must not keep a visitor's data


def _next(reference: weakref.ref[Background], lane: _Lane) -> Call | None:
    """The next call to send; None to look again."""
    ends = lane.ends_at_s is not None
    wait_s = None if lane.compose_at_s is None else max(0.0, lane.compose_at_s - time.monotonic())
    with contextlib.suppress(queue.Empty):
        call = lane.calls.get(timeout=0 if ends else wait_s)
        if call is not None:
            return call
    if lane.compose_at_s is None or not (ends or time.monotonic() >= lane.compose_at_s):
        return None
    lane.compose_at_s = None
    owner = reference()
    return None if owner is None else owner.compose()


def _release(lanes: list[_Lane]) -> None:
    """The owner is gone without ``close``: send what waits, for a moment."""
    ends_at_s = time.monotonic() + EXIT_S
    for lane in lanes:
        lane.end(ends_at_s)
