"""A deadline in the shape of a urllib3 Timeout, whose own is per read: a server that drips outlasts that."""

from __future__ import annotations

import math
import queue
import socket
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import urllib3

from target._background.clock import monotonic_s
from target._background.flag import Flag
from target._http.abort import Abort
from target._http.beside import Superseded, try_beside

if TYPE_CHECKING:
    from target._http.exchange import DeadlineConnection
    from target._http.idle import IdleConnections

T = TypeVar("T")

SOONEST_S = 0.001  # a socket timeout of 0 would mean "do not block"
_SHARE = 4
_LONGEST_PATIENCE_S = 0.4


class Keeping:
    """How long the connections of one client are kept, and how long an answer on a kept one is waited for alone.

    Args:
        max_idle_s: Idle for so long, a connection is not used again.
    """

    def __init__(self, max_idle_s: float) -> None:
        self.max_idle_s = max_idle_s
        self._slow_s = 0.0  # twice what an answer took that was taken for lost

    def patience_s(self, remaining_s: float) -> float:
        """Seconds to wait for the first byte of an answer before anything is done about it."""
        share_s = min(remaining_s / _SHARE, _LONGEST_PATIENCE_S)
        return min(max(share_s, self._slow_s), remaining_s / 2)

    def was_slow(self, took_s: float) -> None:
        """A connection that had been taken for dead answered after so many seconds."""
        self._slow_s = 2 * took_s

    def was_dead(self) -> None:
        """A connection that had been taken for dead said nothing, while another one answered."""
        self._slow_s = 0.0


class _Left(float):
    """Seconds left, as urllib3 hands them on to a connection, with what else the connection must know of the call."""

    __slots__ = ("deadline",)
    deadline: Deadline


class Deadline(urllib3.Timeout):
    """A point in time in the shape of a Timeout: however often urllib3 asks, it is told what is left.

    With ``abort`` the call can also be ended before, from another thread.

    Attributes:
        anew: Whether no connection that was used before will do.
        took_kept: Whether one was used.
        keeping: How long connections are kept; the pools say.
        try_beside: What to do about a kept connection that stays silent (``beside.py``): raises Superseded, or says
            whether it answers after all.
        first: That connection's socket, for the attempt beside it.
        repeats: How many attempts were made beside others.
        connects_until: When making a connection has to end, where another host can be tried after that.
    """

    keeping = Keeping(math.inf)
    try_beside: Callable[[socket.socket], bool] | None = None
    first: socket.socket | None = None
    anew = took_kept = False
    repeats = 0
    connects_until = math.inf

    def __init__(self, timeout_s: float, abort: Abort | None = None) -> None:  # of the base class nothing is used
        self.ends_at = monotonic_s() + timeout_s
        self.abort = abort

    def __repr__(self) -> str:
        return f"Deadline({self.remaining_s():.3f} s left)"

    def remaining_s(self) -> float:
        """Seconds left; 0 or less when it has passed."""
        return self.ends_at - monotonic_s()

    def beside(self, first: socket.socket) -> Deadline:
        """The same point in time for another attempt, over a new connection, while ``first`` may still answer."""
        self.repeats += 1
        second = Deadline(0.0, self.abort)
        second.ends_at, second.keeping, second.first, second.anew = self.ends_at, self.keeping, first, True
        return second

    def answer_of(self, exchange: Callable[[Deadline], T]) -> T:
        """What ``exchange`` returns, or what it returns over a new connection where a kept one is silent for too long.

        Args:
            exchange: One attempt, to its end, within the deadline it is given. It hands on FirstAnswered and
                Superseded.
        """
        self.try_beside = partial(try_beside, self, exchange)
        try:
            return exchange(self)
        except Superseded as superseded:
            answer: T = superseded.answer
            return answer
        finally:
            self.try_beside = None

    def sleep(self, seconds: float) -> None:
        """Wait. Raises ClientClosed when the call is ended from another thread."""
        if self.abort is None:
            time.sleep(seconds)
        else:
            self.abort.wait(Flag(), seconds)

    def clone(self) -> Deadline:
        """The same point in time: urllib3 clones a Timeout before each use of it."""
        return self

    def start_connect(self) -> float:
        """Nothing to start: this clock already runs."""
        return 0.0

    @property
    def connect_timeout(self) -> float:
        """Seconds left for connecting."""
        left_s = self.ends_at - monotonic_s()
        return _left(self, left_s if left_s > SOONEST_S else SOONEST_S)

    @property
    def read_timeout(self) -> float:
        """Seconds left for reading; 0 makes urllib3 give up."""
        left_s = self.ends_at - monotonic_s()
        return _left(self, left_s if left_s > 0.0 else 0.0)

    @property
    def pool_timeout(self) -> float:
        """Seconds to wait for a connection of a pool all of whose are in use: the attempt beside another has one."""
        return self.connect_timeout if self.first is None else _left(self, SOONEST_S)


def _left(deadline: Deadline, seconds: float) -> _Left:
    left = _Left(seconds)
    left.deadline = deadline
    return left


class Exchange(Deadline):
    """The deadline of one attempt whose answer may turn out to be another request's. Until that is known, its
    connection is not given back. ``end`` must follow.

    Args:
        deadline: Of the whole call.
    """

    def __init__(self, deadline: Deadline) -> None:
        self.ends_at = deadline.ends_at
        self.abort = deadline.abort
        self.anew = deadline.anew
        self.try_beside, self.first = deadline.try_beside, deadline.first
        self.connects_until = deadline.connects_until
        #: Whether the request went over a connection that had been used before; None where something else carried it.
        self.is_kept: bool | None = None
        self._carrier: DeadlineConnection | None = None
        self._idle: IdleConnections | None = None
        self._is_over = False

    def is_carried_by(self, connection: DeadlineConnection, is_kept: bool) -> None:
        """The request is about to be written to ``connection``."""
        self.is_kept, self._carrier = is_kept, connection

    def takes_back(self, connection: DeadlineConnection, idle: IdleConnections) -> bool:
        """Whether ``connection`` is to be kept here until this is over."""
        if self._is_over or connection is not self._carrier:
            return False
        self._idle = idle
        return True

    def end(self, keep: bool) -> None:
        """Its answer is known: give the connection back, or close it."""
        connection, idle, self._is_over = self._carrier, self._idle, True
        self._carrier = self._idle = self.first = self.try_beside = None  # an idle connection keeps no visitor's data
        if connection is None:
            return
        if not keep:
            connection.is_spoilt = True  # it may be in a pool already, where it must not be closed under another call
        if idle is not None:
            if not keep:
                connection.close()
            try:
                idle.put(connection)
            except queue.Full:
                connection.close()
        if connection.exchange is self:
            connection.exchange = None
