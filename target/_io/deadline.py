"""A deadline in the shape of a urllib3 Timeout, whose own is per read: a server that drips outlasts that."""

from __future__ import annotations

import threading
import time

import urllib3

from target._io.abort import Abort

SOONEST_S = 0.001  # a socket timeout of 0 would mean "do not block"


class _Left(float):
    """Seconds left, as urllib3 hands them on to a connection, with what else the connection must know of the call."""

    ends_at: float
    abort: Abort | None


class Deadline(urllib3.Timeout):
    """A point in time in the shape of a Timeout: however often urllib3 asks, it is told what is left.

    With ``abort`` the call can also be ended before, from another thread.
    """

    def __init__(self, timeout_s: float, abort: Abort | None = None) -> None:  # of the base class nothing is used
        self.ends_at = time.monotonic() + timeout_s
        self.abort = abort

    def __repr__(self) -> str:
        return f"Deadline({self.remaining_s():.3f} s left)"

    def remaining_s(self) -> float:
        """Seconds left; 0 or less when it has passed."""
        return self.ends_at - time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait. Raises ClientClosed when the call is ended from another thread."""
        if self.abort is None:
            time.sleep(seconds)
        else:
            self.abort.wait(threading.Event(), seconds)

    def clone(self) -> Deadline:
        """The same point in time: urllib3 clones a Timeout before each use of it."""
        return self

    def start_connect(self) -> float:
        """Nothing to start: this clock already runs."""
        return 0.0

    @property
    def connect_timeout(self) -> float:
        """Seconds left for connecting."""
        return self._left(SOONEST_S)

    @property
    def read_timeout(self) -> float:
        """Seconds left for reading; 0 makes urllib3 give up."""
        return self._left(0.0)

    def _left(self, least_s: float) -> _Left:
        left = _Left(max(self.remaining_s(), least_s))
        left.ends_at = self.ends_at
        left.abort = self.abort
        return left
