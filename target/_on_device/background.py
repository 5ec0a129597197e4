"""Sends calls after their caller has gone on: display notifications and telemetry, by threads that grow with them."""

from __future__ import annotations

import contextlib
import weakref
from collections.abc import Callable

from target._background.clock import monotonic_s
from target._background.ends import EXIT_S, forget, send_before_end
from target._background.forks import renew_in_children
from target._background.service import Service
from target._http.failures import fields_of
from target._on_device.backlog import Backlog
from target._on_device.desk import Deliver, Desk
from target.causes import hushed
from target.delivery.request import Call
from target.errors import ApiError, BackgroundFull, ClientClosed, TargetError
from target.loggers import Log

SOON_S = 0.5  # within the second that telemetry may wait

Failed = Callable[[Call, BaseException], object]


class Background:
    """Sends what it is given, without ever delaying or failing who gave it.

    The calls of one session are sent one after the other, in their order: the API refuses a session's parallel ones.
    A call that its host did not take, since it asked to be left alone (Retry-After, an open breaker), waits, and what
    else is for that host; so does one that the process slept through.

    Args:
        deliver: Sends one call and reads the answer; raises what went wrong. It must not hold the client.
        failed: Is told of each call that was not delivered, on a thread of this object.
        logger: Where failures go.
        most_pending: How many calls may wait. Above it the oldest are dropped.
        most_at_once: How many calls, at most, are in flight to one host.
        compose: Makes the call that ``send_soon`` asks for, or None where it is not needed any more.
    """

    def __init__(
        self,
        deliver: Deliver,
        failed: Failed,
        logger: Log,
        most_pending: int,
        most_at_once: int,
        compose: Callable[[], Call | None] | None = None,
    ) -> None:
        self._failed = failed
        self._logger = logger
        self._compose = compose
        self._closed = False
        backlog = Backlog(most_pending, most_at_once)
        self._desk = Desk(backlog, deliver, weakref.ref(self), logger)
        # One more than calls can be in flight: hosts that hang must not keep what is dropped from being told.
        most = backlog.most_in_flight + 1
        self._service = Service("target-background", most, self._desk.take, self._desk.of_use, logger)
        weakref.finalize(self, _release, self._desk, self._service).atexit = False
        renew_in_children(self)
        send_before_end(self)

    def begin_anew(self) -> None:
        """In a forked child: what waited is the parent's to send."""
        self._desk.begin_anew()

    @property
    def pending(self) -> int:
        """How many calls wait, those in flight not counted."""
        return self._desk.backlog.waiting

    @property
    def counts(self) -> dict[str, int]:
        """How many calls were ``sent``, ``failed`` or ``dropped``, since this process began to use it."""
        return self._desk.counts

    @property
    def status(self) -> dict[str, int]:
        """``counts``, and how many calls are ``pending``: those in flight included."""
        return {"pending": self.pending + self._desk.backlog.in_flight, **self.counts}

    @property
    def senders(self) -> int:
        """How many calls are in flight, each on a thread."""
        return self._desk.backlog.in_flight

    def submit(self, call: Call) -> None:
        """Send ``call`` soon. Never raises or blocks; after ``close`` it is dropped."""
        if self._closed:
            self.drop(call, ClientClosed("The client was closed before this was sent"))
            return
        self._desk.put(call)
        self._service.wake()

    def drop(self, call: Call, error: TargetError) -> None:
        """Count ``call`` as given up unsent, and let a thread tell."""
        self._desk.drop(call, error)
        self._service.wake()

    def send_soon(self) -> None:
        """Send within a second what ``compose`` makes then. Never raises or blocks."""
        if self._closed or self._desk.compose_at_s is not None:
            return
        self._desk.compose_at_s = monotonic_s() + SOON_S
        self._service.wake()

    def hurry(self) -> None:
        """Send at once what ``send_soon`` asked for: all the rest is being sent already."""
        if self._desk.compose_at_s is not None:
            self._desk.compose_at_s = None
            self._desk.compose()
        if self.pending:
            self._service.wake()

    def flush(self, timeout_s: float) -> int:
        """Send what waits now, ``send_soon`` included: how many calls are not done with after so many seconds at most.

        What waits for a host that is to be left alone for longer is not waited for. A handler of an event does not
        wait at all: it may be what is waited for.
        """
        ends_at_s = monotonic_s() + timeout_s
        self.hurry()
        backlog = self._desk.backlog
        return backlog.wait(backlog.mark(), -1.0 if self._service.is_inside else ends_at_s)

    def close(self, timeout_s: float) -> None:
        """Send what waits for up to ``timeout_s`` seconds, then end. What is left counts as failed."""
        if self._closed:
            return
        self._closed = True
        forget(self)
        ends_at_s = monotonic_s() + timeout_s
        inside = (
            self._service.is_inside
        )  # the handler of an event, which must not be waited for: the threads see to the rest
        if not inside:
            self.flush(timeout_s)
            self._desk.give_up()
            self._desk.tell_all()
        self._desk.ends_at_s = ends_at_s
        self._service.end()
        if not inside:
            self._service.join(max(0.0, ends_at_s - monotonic_s()))

    def tell(self, call: Call, error: BaseException) -> None:
        """For the threads: tell that ``call`` is given up."""
        with contextlib.suppress(BaseException):  # foreign code behind it: not even SystemExit may end a thread
            if not isinstance(error, BackgroundFull):  # of which a flood must not become a flood of lines
                status = error.status if isinstance(error, ApiError) else None
                self._logger.warning(
                    "Request %s, sent in the background, failed: %s",
                    call.trace_id,
                    error,
                    extra=fields_of(call, status),
                )
            self._failed(call, error)

    def compose(self) -> Call | None:
        """For the threads: the call that ``send_soon`` asked for."""
        if self._compose is None:
            return None
        try:
            return self._compose()
        except Exception as error:
            self._logger.error("A request to send in the background could not be made", exc_info=hushed(error))
            return None


def _release(desk: Desk, service: Service) -> None:
    """The owner is gone without ``close``: send what waits, for a moment."""
    desk.ends_at_s = monotonic_s() + EXIT_S
    service.end()
