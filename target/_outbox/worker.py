"""The threads of one outbox: as many as there is work for, which wait for what is due, and end when nothing waits."""

from __future__ import annotations

import functools
import math
import threading
from collections.abc import Callable

from target._background.clock import monotonic_s
from target._background.ends import EXIT_S, forget, send_before_end
from target._background.flag import Flag
from target._background.forks import renew_in_children
from target._background.service import Service, Work
from target._outbox.sender import Sender
from target._outbox.store import HOLD_S, SteadyStore
from target.loggers import Log
from target.protocols import Claim

_LOOK_S = 0.02  # between two looks at whether everything has been sent
_LONGEST_S = 1.0  # between two looks at what is due: who is woken for nothing wakes nobody else


class Worker:
    """Runs a Sender over a Store, in daemon threads that end with ``close``, or soon after ``release``.

    Args:
        store: What waits.
        sender: What sends it.
        now_s: The steady clock.
        flush_interval_s: For how long a lane's first entry waits.
        is_shared: Whether other processes may leave something in the store: then one thread always looks.
        most: How many threads.
        logger: Where failures go.
    """

    def __init__(
        self,
        store: SteadyStore,
        sender: Sender,
        now_s: Callable[[], float],
        flush_interval_s: float,
        is_shared: bool,
        most: int,
        logger: Log,
    ) -> None:
        self._store = store
        self._sender = sender
        self._now_s = now_s
        self._flush_interval_s = flush_interval_s
        self._is_shared = is_shared
        self._logger = logger
        self._ended = Flag()
        self._begin()
        self._service = Service("target-outbox", most, self._take, logger=logger)
        renew_in_children(self)
        send_before_end(self)

    def _begin(self) -> None:
        self._claiming = threading.Lock()
        self._has_started = False
        self._released_at_s: float | None = None
        self.serving = 0
        self._looks_at_s = -math.inf  # a thread is sure to look by then, unless this has passed

    def start(self) -> None:
        """Begin to send, if that has not begun."""
        self._has_started = True
        self._service.wake()

    def notice(self) -> None:
        """Something was added: look for it in time."""
        now_s = self._now_s()
        if not now_s < self._looks_at_s <= now_s + self._flush_interval_s:
            self.start()

    def flush(self, timeout_s: float | None) -> bool:
        """Send what waits now, and wait until it is settled and its events told: whether all was, in that many seconds.
        Offline what waits is stored, and is left.

        A handler of such an event may flush, too; it does not wait for itself.
        """
        give_up_at_s = math.inf if timeout_s is None else monotonic_s() + timeout_s
        if self._sender.offline:
            return self._wait_for(self._is_stored, give_up_at_s) and not self._store.counts().pending
        mark = self._store.mark(max(HOLD_S, give_up_at_s - monotonic_s()))
        self.hurry(even_hosts=True)
        while mark is None:
            if not self._wait(give_up_at_s):
                return False
            mark = self._store.mark(give_up_at_s - monotonic_s())
            self._store.hurry()  # which the store could not do before, either
        if not self._wait_for(functools.partial(self._store.passed, mark), give_up_at_s):
            return False
        telling = self._sender.telling()
        return self._service.is_inside or self._wait_for(
            lambda: telling.isdisjoint(self._sender.telling()), give_up_at_s
        )

    def hurry(self, even_hosts: bool = False) -> None:
        """Send at once what waits, and do not wait for that."""
        if even_hosts:
            self._sender.hosts.wake()
        if even_hosts or self._has_started:
            self._store.hurry()
            self.start()

    def close(self, timeout_s: float) -> None:
        """Flush for up to ``timeout_s`` seconds, then end. A call in flight ends on its own, soon after."""
        if self._ended.is_set():
            return
        give_up_at_s = monotonic_s() + timeout_s
        is_own = self._service.is_inside
        if self._has_started and not is_own and timeout_s > 0:
            self.flush(timeout_s)
        self._end()
        if not is_own:
            self._service.join(max(0.0, give_up_at_s - monotonic_s()))
        self._say_what_is_lost()
        self._store.close()

    def release(self) -> None:
        """The client is gone without ``close``: send what waits, then end. Takes no lock, and does not wait."""
        self._released_at_s = monotonic_s()
        if self._service.threads:  # else nothing waits, and this is no place to start one: anything may be interrupted
            self._service.wake()

    def begin_anew(self) -> None:
        """In a forked child: with nothing of the parent's to send, and no thread until there is something."""
        ended = self._ended.is_set()
        self._ended = Flag()
        if ended:
            self._ended.set()
        self._begin()
        self._sender.begin_anew()
        self._store.begin_anew()

    def _is_stored(self) -> bool:
        """Whether nothing waits in memory any more, after trying to carry it over: all that can be done offline."""
        self._store.tend()
        return not self._store.volatile()

    def _wait_for(self, is_over: Callable[[], bool], give_up_at_s: float) -> bool:
        while not is_over():
            if not self._wait(give_up_at_s):
                return False
        return True

    def _wait(self, give_up_at_s: float) -> bool:
        """Wait for a moment. False when there is no time left, or nobody sends any more."""
        left_s = give_up_at_s - monotonic_s()
        return left_s > 0 and not self._ended.wait(min(left_s, _LOOK_S))

    def _take(self) -> Work | float | None:
        """For the threads: a session that is due, or in how many seconds to look again, or None where nothing waits."""
        found = self._find()
        if self._ended.is_set() and not self.serving and not callable(found):
            self._store.close()  # which may have been closed before, and opened by this look
        return found

    def _find(self) -> Work | float | None:
        with self._claiming:
            if self._ended.is_set():
                return None
            if self._released_at_s is not None and not self._wind_up(self._released_at_s):
                return None
            has_more = self._store.tend()
            claim = self._store.claim(self._sender.is_open)
            if claim is None:
                return 0.0 if has_more else self._next_look_s()
            self.serving += 1
            has_begun = self._sender.begin(claim)
        if claim.more:
            self._service.wake()
        return functools.partial(self._serve, claim, has_begun)

    def _next_look_s(self) -> float | None:
        now_s = self._now_s()
        due_s = self._store.next_due_s(self._sender.is_open)
        if self._is_shared:
            self._store.refresh()  # what others added or sent, to be known to whoever may not ask
        opens_s = self._sender.hosts.next_open_s()
        if due_s is None and opens_s is None and not self._is_shared:
            self._looks_at_s = -math.inf
            return None
        self._looks_at_s = min(due_s or math.inf, opens_s or math.inf, now_s + _LONGEST_S)
        return max(0.0, self._looks_at_s - now_s)

    def _serve(self, claim: Claim, has_begun: bool) -> None:
        try:
            if not self._sender.serve(claim, has_begun, self._ended):
                self._end()
        finally:  # the claim of one that raised goes to another sender when the lease ends
            with self._claiming:
                self.serving -= 1
                is_last = not self.serving and self._ended.is_set()
            if is_last:
                self._store.close()

    def _wind_up(self, released_at_s: float) -> bool:
        """Whether to go on sending after the client is gone."""
        self._store.hurry()
        is_over = monotonic_s() - released_at_s >= EXIT_S or not (self._store.counts().pending or self.serving)
        if is_over:
            self._end()
            self._say_what_is_lost()
        return not is_over

    def _end(self) -> None:
        self._ended.set()
        self._service.end()
        forget(self)

    def _say_what_is_lost(self) -> None:
        lost = self._store.volatile()
        if lost:
            self._logger.error("%d queued notifications were not sent before the client ended, and are lost", lost)
