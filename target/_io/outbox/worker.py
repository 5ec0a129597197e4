"""The threads of one outbox: one that waits for what is due, and others while there is more than it can send alone."""

from __future__ import annotations

import functools
import logging
import math
import queue
import threading
import time
from collections.abc import Callable

from target._io.ends import EXIT_S, forget, send_before_end
from target._io.forks import renew_in_children
from target._io.outbox.sender import Sender
from target._io.outbox.store import Limits, Store

MOST_HELPERS = 3
_LOOK_S = 0.02  # between two looks at whether everything has been sent
_SHORTEST_WAIT_S = 0.001
_PAUSE_AFTER_ERROR_S = 1.0


class Worker:
    """Runs a Sender over a Store, in daemon threads that end with ``close``, or soon after ``release``.

    Args:
        store: What waits.
        sender: What sends it.
        limits: Its clock and flush interval.
        poll_s: How long to sleep at most, for a store that other processes add to; None for one they do not.
        logger: Where failures go.
    """

    def __init__(
        self, store: Store, sender: Sender, limits: Limits, poll_s: float | None, logger: logging.Logger
    ) -> None:
        self._store = store
        self._sender = sender
        self._limits = limits
        self._poll_s = poll_s
        self._logger = logger
        self._begin()
        renew_in_children(self)
        send_before_end(self)

    def _begin(self) -> None:
        self._lock = threading.Lock()
        self._threads: set[threading.Thread] = set()
        self._main: threading.Thread | None = None
        self._ended = threading.Event()
        self._released_at_s: float | None = None
        # A SimpleQueue may be put into from anywhere, a garbage collection in the middle of a get included.
        self._wake: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._sleeps_until_s = -math.inf

    def start(self) -> None:
        """Begin to send, if that has not begun."""
        with self._lock:
            if self._main is None and not self._ended.is_set():
                self._main = self._spawn(self._run, "target-outbox")
                if self._main is None:
                    self._logger.error("No thread can be started for the outbox: what waits is not sent for now")

    def notice(self) -> None:
        """Something was added: look for it in time."""
        if self._main is None:
            self.start()
        elif self._limits.now_s() + self._limits.flush_interval_s < self._sleeps_until_s:
            self._wake.put(None)

    def flush(self, timeout_s: float | None) -> bool:
        """Send what waits now, and wait until it is settled and its events told: whether all was, in that many seconds.

        A handler of such an event may flush, too; it does not wait for itself.
        """
        give_up_at = math.inf if timeout_s is None else time.monotonic() + timeout_s
        mark = self._store.mark()
        self._sender.hosts.wake()
        self._store.hurry()
        self.start()
        self._wake.put(None)
        is_over = functools.partial(self._store.passed, mark)
        if not self._wait_for(is_over, give_up_at):
            return False
        telling = self._sender.telling()
        return threading.current_thread() in self._threads or self._wait_for(
            lambda: telling.isdisjoint(self._sender.telling()), give_up_at
        )

    def _wait_for(self, is_over: Callable[[], bool], give_up_at: float) -> bool:
        while not is_over():
            left_s = give_up_at - time.monotonic()
            if left_s <= 0 or self._ended.is_set():
                return False
            self._ended.wait(min(left_s, _LOOK_S))
        return True

    def close(self, timeout_s: float) -> None:
        """Flush for up to ``timeout_s`` seconds, then end. A call in flight ends on its own, soon after."""
        if self._ended.is_set():
            return
        give_up_at = time.monotonic() + timeout_s
        with self._lock:
            own = threading.current_thread() in self._threads
            started = self._main is not None
        if started and not own and timeout_s > 0:
            self.flush(timeout_s)
        self._end()
        for thread in [] if own else list(self._threads):
            thread.join(max(0.0, give_up_at - time.monotonic()))
        self._say_what_is_lost()
        self._store.close()

    def release(self) -> None:
        """The client is gone without ``close``: send what waits, then end. Takes no lock, and does not wait."""
        self._released_at_s = time.monotonic()
        self._wake.put(None)

    def hurry(self) -> None:
        """Send at once what waits."""
        if self._main is not None:
            self._store.hurry()
            self._wake.put(None)

    def begin_anew(self) -> None:
        """In a forked child: with nothing of the parent's to send, and no thread until there is something."""
        ended = self._ended.is_set()
        self._begin()
        if ended:
            self._ended.set()
        self._sender.begin_anew()
        self._store.forget()

    def _spawn(self, work: Callable[[], None], name: str) -> threading.Thread | None:
        thread = threading.Thread(target=work, name=name, daemon=True)
        self._threads.add(thread)
        try:
            thread.start()
        except RuntimeError:  # the system's limit, or the interpreter is about to end
            self._threads.discard(thread)
            return None
        return thread

    def _run(self) -> None:
        try:
            while not self._ended.is_set():
                try:
                    if not self._serve_next():
                        self._sleep()
                    if self._released_at_s is not None:
                        self._wind_up(self._released_at_s)
                except Exception as error:  # noqa: BLE001  (one entry that cannot be handled must not keep the others)
                    self._logger.error("The outbox failed to handle a notification: %s", type(error).__name__)
                    self._ended.wait(_PAUSE_AFTER_ERROR_S)
        finally:
            self._leave()

    def _help(self) -> None:
        try:
            while not self._ended.is_set() and self._serve_next():
                pass
        except Exception as error:  # noqa: BLE001  (its claim goes to another sender when the lease ends)
            self._logger.error("The outbox failed to handle a notification: %s", type(error).__name__)
        finally:
            self._leave()

    def _serve_next(self) -> bool:
        """Serve the session that is due, with another thread where others are due as well. False when none is."""
        claim = self._store.claim()
        if claim is None:
            return False
        if claim.more and len(self._threads) <= MOST_HELPERS:
            with self._lock:
                if len(self._threads) <= MOST_HELPERS and not self._ended.is_set():
                    self._spawn(self._help, f"target-outbox-{len(self._threads)}")
        if not self._sender.serve(claim):
            self._end()
        return True

    def _sleep(self) -> None:
        self._sleeps_until_s = math.inf  # first, so that what is added from here on wakes this thread
        due_s = self._store.next_due_s()
        wait_s = self._poll_s
        if due_s is not None:
            self._sleeps_until_s = due_s
            wait_s = max(_SHORTEST_WAIT_S, due_s - self._limits.now_s())
            wait_s = wait_s if self._poll_s is None else min(wait_s, self._poll_s)
        try:
            self._wake.get(timeout=wait_s)
            while True:
                self._wake.get_nowait()
        except queue.Empty:
            self._sleeps_until_s = -math.inf

    def _wind_up(self, released_at_s: float) -> None:
        self._store.hurry()
        while time.monotonic() - released_at_s < EXIT_S and not self._ended.is_set() and self._serve_next():
            pass
        self._end()
        self._say_what_is_lost()

    def _end(self) -> None:
        self._ended.set()
        self._wake.put(None)
        forget(self)

    def _leave(self) -> None:
        with self._lock:
            self._threads.discard(threading.current_thread())
            if self._main is threading.current_thread():
                self._main = None  # should anything have ended it early, the next notification begins another
            is_last = not self._threads
        self._wake.put(None)  # what a helper leaves behind is due sooner than the end of its claim
        if is_last and self._ended.is_set():
            self._store.close()

    def _say_what_is_lost(self) -> None:
        lost = self._store.volatile()
        if lost:
            self._logger.error("%d queued notifications were not sent before the client ended, and are lost", lost)
