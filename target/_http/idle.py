"""The idle connections of one pool: taken by one exchange at a time, and kept only when that is over.

urllib3 keeps them in a queue.LifoQueue, whose lock stays held for ever when an exception strikes at the wrong moment:
one that a signal handler raises, or another thread. Here each step is one operation of a deque, and nothing waits.
"""

from __future__ import annotations

import contextlib
import queue
import threading
import time
import weakref
from collections import deque
from typing import Any

import urllib3

from target._background.clock import monotonic_s
from target._http.deadline import Deadline
from target._http.exchange import DeadlineConnection

_LOOK_S = 0.005


class IdleConnections(queue.LifoQueue[Any]):
    """The latest used first. A LifoQueue to those who look at one, such as vcrpy; its locks are not used."""

    queue: deque[Any]  # type: ignore[assignment]

    def __init__(self, maxsize: int) -> None:
        super().__init__(maxsize)
        self.queue = deque()

    def get(self, block: bool = True, timeout: Any = None) -> Any:  # noqa: ARG002  (it never waits)
        """A connection that nobody uses. Raises queue.Empty where there is none, or where the attempt whose time is
        ``timeout`` wants a new one: the pool then makes one."""
        deadline = getattr(timeout, "deadline", None)
        if deadline is not None and deadline.anew:
            raise queue.Empty
        try:
            return self.queue.pop()
        except IndexError:
            raise queue.Empty from None

    def put(self, item: Any, block: bool = True, timeout: Any = None) -> None:  # noqa: ARG002  (it never waits)
        """Keep a connection whose exchange is over; one that is in the middle of something is closed.

        Where the exchange has yet to say whether it got what it asked for, it has the connection until then.

        Raises:
            queue.Full: There are enough of them.
        """
        if item is None:
            return  # urllib3 fills the pool with places for connections; here there need not be any
        if isinstance(item, DeadlineConnection):
            if item.is_closed or item.is_in_use:
                item.close()
                return
            if item.exchange is not None and item.exchange.takes_back(item, self):
                return
        self._close_stale()
        if len(self.queue) >= self.maxsize:
            raise queue.Full
        self.queue.append(item)

    def _close_stale(self) -> None:
        """Close what was idle for so long that no call would use it, as after a burst."""
        while self.queue:
            try:
                if not _is_stale(self.queue[0]):
                    return
                oldest = self.queue.popleft()
            except IndexError:  # other threads have taken the rest
                return
            if not _is_stale(oldest):  # another thread has taken that one
                self.queue.appendleft(oldest)
                return
            oldest.close()

    def qsize(self) -> int:
        """How many there are."""
        return len(self.queue)

    def empty(self) -> bool:
        """Whether there is none."""
        return not self.queue

    def full(self) -> bool:
        """Whether there are enough."""
        return len(self.queue) >= self.maxsize

    def close_all(self) -> None:
        """Close them."""
        while self.queue:
            try:
                connection = self.queue.pop()
            except IndexError:
                return
            if connection is not None:
                connection.close()

    def begin_anew(self) -> None:
        """In a forked child: what is here, its parent has, too."""
        self.close_all()


def _is_stale(connection: Any) -> bool:
    return isinstance(connection, DeadlineConnection) and connection.is_stale


class Places(IdleConnections):
    """The same for a pool whose users wait for each other (``block``): there are so many places, each with a connection
    or with None. Who waits looks now and then, until its time is over.

    An exchange that was interrupted before it could give its place back loses it to the next of its thread, or, where
    the thread has ended, to whoever waits.
    """

    def __init__(self, maxsize: int) -> None:
        super().__init__(maxsize)
        self._takers: dict[int, list[Deadline]] = {}  # by thread: a second attempt runs beside the first

    def get(self, block: bool = True, timeout: Any = None) -> Any:
        """What is in the latest place. Raises queue.Empty when the time is over, or at once without ``block``."""
        taker = getattr(timeout, "deadline", None)
        if taker is not None:
            takers = self._takers.setdefault(threading.get_ident(), [])
            if taker.first is None:
                self._take_from(takers)
            takers.append(taker)
        try:
            return self._wait(block, timeout, taker is not None and taker.anew)
        except BaseException:
            if taker is not None and taker in takers:
                takers.remove(taker)
            raise

    def put(self, item: Any, block: bool = True, timeout: Any = None) -> None:  # noqa: ARG002  (it never waits)
        """Give a place back."""
        takers = self._takers.get(threading.get_ident())
        taker = takers[-1] if takers and item is None else None  # urllib3 gives None back where an attempt failed
        if isinstance(item, DeadlineConnection):
            taker = item.deadline if item.keeps_deadline else None
            if item.is_closed or item.is_in_use:
                item.close()
                item = None
            elif item.exchange is not None and item.exchange.takes_back(item, self):
                return
        has_room = not self.full()
        try:  # both, or neither: an interruption can come from within what is called only
            if has_room:
                self.queue.append(item)
        finally:
            if takers and taker in takers:
                takers.remove(taker)
        if not has_room and item is not None:
            item.close()

    def begin_anew(self) -> None:
        """In a forked child: what was taken belongs to threads that this process lacks."""
        super().begin_anew()
        self._takers = {}
        self.queue.extend([None] * self.maxsize)

    def _wait(self, block: bool, timeout: Any, anew: bool) -> Any:
        ends_at_s = None if timeout is None else monotonic_s() + timeout
        while True:
            try:
                item = self.queue.pop()
            except IndexError:
                if not block or (ends_at_s is not None and monotonic_s() >= ends_at_s):
                    raise queue.Empty from None
                self._look_for_lost()
                time.sleep(_LOOK_S)
                continue
            if anew and item is not None:
                item.close()
                return None
            return item

    def _look_for_lost(self) -> None:
        living = {thread.ident for thread in threading.enumerate()}
        for ident in list(self._takers):
            if ident not in living:
                self._take_from(self._takers.pop(ident, []))

    def _take_from(self, takers: list[Deadline]) -> None:
        while takers:
            takers.pop()
            if not self.full():
                self.queue.append(None)


def use_idle_connections(pool: urllib3.HTTPConnectionPool) -> None:
    """Let a pool keep its connections so."""
    theirs = pool.pool
    if type(theirs) is not queue.LifoQueue or (pool.block and not theirs.queue):  # somebody may be waiting there now
        return
    idle: Any = (Places if pool.block else IdleConnections)(theirs.maxsize)
    pool.pool = idle
    weakref.finalize(pool, idle.close_all)
    while theirs.queue:  # by itself, without the locks
        idle.queue.appendleft(theirs.queue.pop())
    if not pool.block:
        _drop_places(idle.queue)


def _drop_places(kept: deque[Any]) -> None:
    with contextlib.suppress(ValueError):
        while True:
            kept.remove(None)
