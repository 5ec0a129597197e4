"""The idle connections of one pool: taken by one exchange at a time, and kept only when that is over.

urllib3 keeps them in a queue.LifoQueue, whose lock stays held for ever when an exception strikes at the wrong moment:
one that a signal handler raises, or another thread. Here each step is one operation of a deque, and nothing waits.
"""

from __future__ import annotations

import queue
import weakref
from collections import deque
from typing import Any

import urllib3

from target._io.exchange import DeadlineConnection


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
        if self.full():
            raise queue.Full
        self.queue.append(item)

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
            connection.close()


def use_idle_connections(pool: urllib3.HTTPConnectionPool) -> None:
    """Let a pool keep its connections so; not one that makes its users wait for each other (``block``), for some may be
    waiting at its queue now."""
    theirs = pool.pool
    if type(theirs) is not queue.LifoQueue or pool.block:
        return
    idle: Any = IdleConnections(theirs.maxsize)
    pool.pool = idle
    weakref.finalize(pool, idle.close_all)
    try:
        while True:
            connection = theirs.get(block=False)
            if connection is not None:
                idle.put(connection)
    except queue.Empty:
        return
