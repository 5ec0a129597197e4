"""What the threads that send in the background work at: the next thing to do, and what becomes of a call."""

from __future__ import annotations

import contextlib
import threading
from collections import Counter, deque
from collections.abc import Callable
from functools import partial
from typing import Protocol
from weakref import ref

from target._background.clock import monotonic_s
from target._background.service import Work
from target._on_device.backlog import Backlog
from target._on_device.delivery import SleptThrough
from target._on_device.waiting import Waiting
from target.delivery.request import Call
from target.errors import ApiError, BackgroundFull, ClientClosed, TargetTimeout, TransportError
from target.loggers import Log

_MOST_TRIES = 3  # of a call that the process slept through
_MOST_UNTOLD = 10_000

#: Sends one call. Seconds for which its host is to be left alone, the call having not been taken; None when it was.
Deliver = Callable[[Call], float | None]


class Owner(Protocol):
    """Whom the desk tells, for as long as somebody else keeps it."""

    def tell(self, call: Call, error: BaseException) -> None:
        """``call`` is given up."""

    def compose(self) -> Call | None:
        """The call that was asked for by ``compose_at_s``."""


class Desk:
    """Shared between the threads. It leads to the owner only while that lives, and so to no client.

    Args:
        backlog: What waits.
        deliver: What sends it.
        owner: Whom to tell.
        logger: Where it is said that something is dropped.
    """

    def __init__(self, backlog: Backlog, deliver: Deliver, owner: ref[Owner], logger: Log) -> None:
        self.backlog = backlog
        self._deliver = deliver
        self._owner = owner
        self._logger = logger
        self.begin_anew()

    def begin_anew(self) -> None:
        """Forget everything: in the child of a fork."""
        self.backlog.begin_anew()
        self._lock = threading.Lock()
        self._counts = Counter({"sent": 0, "failed": 0, "dropped": 0})
        self._untold: deque[tuple[Call, Exception]] = deque(maxlen=_MOST_UNTOLD)
        self.compose_at_s: float | None = None
        self.ends_at_s: float | None = None

    @property
    def counts(self) -> dict[str, int]:
        """How many calls were ``sent``, ``failed`` or ``dropped``."""
        with self._lock:
            return dict(self._counts)

    def of_use(self) -> tuple[int, int]:
        """How many threads there have to be, and at most need to be; see Service. Where all of them send, and too much
        waits, another one gives up what is too much and tells."""
        most = self.backlog.most_of_use
        return (most + 1, most + 1) if self._untold or self.backlog.has_excess else (1, most)

    def take(self) -> Work | float | None:
        """For a thread: the next thing to do; see Service."""
        now_s = monotonic_s()
        for call in self.backlog.take_excess():
            self.drop(call, _full())
        ends = self.ends_at_s is not None
        if self.ends_at_s is not None and now_s >= self.ends_at_s:
            self.give_up()
        with contextlib.suppress(IndexError):
            return partial(self._tell, *self._untold.popleft())
        compose_at_s = self.compose_at_s
        if compose_at_s is not None and (now_s >= compose_at_s or ends):
            self.compose_at_s = None
            return self.compose
        found = self.backlog.take(now_s)
        if isinstance(found, Waiting):
            return partial(self._send, found)
        if found is not None and ends:  # nobody waits any longer for a host that is to be left alone
            self.give_up()
            return self.tell_all
        if compose_at_s is None:
            return found
        return compose_at_s - now_s if found is None else min(found, compose_at_s - now_s)

    def put(self, call: Call) -> None:
        """Let ``call`` wait for a thread."""
        given_up = self.backlog.put(call)
        if given_up is not None:
            self.drop(given_up, _full())

    def compose(self) -> None:
        """Let the call wait that the owner makes."""
        owner = self._owner()
        call = None if owner is None else owner.compose()
        if call is not None:
            self.put(call)

    def drop(self, call: Call, error: Exception) -> None:
        """Give ``call`` up unsent, which a thread tells."""
        dropped = self._count("dropped")
        if dropped & (dropped - 1) == 0:  # 1, 2, 4, 8...: a flood must not become a flood of lines
            self._logger.warning("A request to send in the background is dropped, number %d so far: %s", dropped, error)
        self._untold.append((call, error))

    def give_up(self) -> None:
        """Give up all that waits: there is no time left."""
        for call in self.backlog.take_all():
            self._count("failed")
            self._untold.append((call, ClientClosed("The client was closed before this was sent")))

    def tell_all(self) -> None:
        """Tell what threads have not told yet."""
        with contextlib.suppress(IndexError):
            while True:
                self._tell(*self._untold.popleft())

    def _send(self, waiting: Waiting) -> None:
        try:
            pause_s = self._deliver(waiting.call)
        except SleptThrough as slept:
            if waiting.tries < _MOST_TRIES:
                self.backlog.put_back(waiting)
            else:
                self._failed(waiting, slept.__cause__ or slept)
        except BaseException as error:  # noqa: BLE001  (whatever it is must not keep what follows)
            self._failed(waiting, error)
        else:
            if pause_s is not None:
                self.backlog.put_back(waiting, monotonic_s() + pause_s)
                return
            self._count("sent")
            self.backlog.settle(waiting, answered=True)

    def _failed(self, waiting: Waiting, error: BaseException) -> None:
        self._tell(waiting.call, error)
        self._count("failed")
        answered = None
        if isinstance(error, ApiError | TargetTimeout | TransportError):
            answered = isinstance(error, ApiError)
        self.backlog.settle(waiting, answered)

    def _tell(self, call: Call, error: BaseException) -> None:
        owner = self._owner()
        if owner is not None:
            owner.tell(call, error)

    def _count(self, what: str) -> int:
        with self._lock:
            self._counts[what] += 1
            return self._counts[what]


def _full() -> BackgroundFull:
    return BackgroundFull("More waits to be sent in the background than background_queue allows: the oldest goes")
