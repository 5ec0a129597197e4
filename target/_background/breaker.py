"""The circuit breaker: a host that keeps failing is left alone for a while, so that no call waits for it."""

from __future__ import annotations

import math
import threading
import weakref
from types import TracebackType
from typing import Any, Self

from target._background.clock import monotonic_s
from target._background.forks import renew_in_children
from target.errors import ApiError, TargetTimeout, TargetUnavailable, TransportError

_MOST_HOSTS = 256
_LOOK_S = 0.1  # while another call tries the host


class _Try:
    """A call that tries a host whose circuit is open, for as long as somebody keeps this: it may be interrupted before
    it can say that it is over."""


class _Host:
    """One host that failed: how often in a row, until when it is left alone, which call tries it now."""

    __slots__ = ("closed_until_s", "failures", "tried_by")

    def __init__(self) -> None:
        self.failures = 0
        self.closed_until_s = 0.0
        self.tried_by: weakref.ref[_Try] | None = None

    @property
    def is_tried(self) -> bool:
        """Whether a call tries it now."""
        return self.tried_by is not None and self.tried_by() is not None


class Watch:
    """Around one call: what it raises decides whether it counts as failed. ``moved`` is to be set where it succeeded,
    but at another host than the one it was for."""

    __slots__ = ("_breaker", "_host", "_own", "moved")

    def __init__(self, breaker: Breaker, host: str) -> None:
        self._breaker, self._host = breaker, host
        self._own: _Try | None = None
        self.moved = False

    def __enter__(self) -> Self:
        self._own = self._breaker.enter(self._host)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._breaker.leave(self._host, self._own, error, self.moved)


class Breaker:
    """Counts failures by host. Safe to share between threads.

    Args:
        failures: How many failed calls in a row open the circuit; 0 switches the breaker off.
        reset_s: Seconds for which an open circuit lets no call through. After that one call at a time tries.
    """

    def __init__(self, failures: int, reset_s: float) -> None:
        self._limit = failures
        self._reset_s = reset_s
        self.begin_anew()
        renew_in_children(self)

    def begin_anew(self) -> None:
        """Know of no failure; so in a forked child, where threads that stayed behind would never end what they try."""
        self._lock = threading.Lock()
        self._hosts: dict[str, _Host] = {}

    def watching(self, host: str) -> Watch:
        """Around one call to ``host``.

        Raises:
            TargetUnavailable: The circuit is open.
        """
        return Watch(self, host)

    def rests_s(self, host: str) -> float:
        """Seconds after which a call to ``host`` is let through, or may be; 0 where one is now."""
        known = self._hosts.get(host)
        if known is None or known.failures < self._limit:
            return 0.0
        return max(known.closed_until_s - monotonic_s(), _LOOK_S if known.is_tried else 0.0)

    def status(self) -> dict[str, dict[str, Any]]:
        """Of each host that failed of late its state, how often in a row, and in how many ms a call may try it."""
        return {host: self._status_of(host, known) for host, known in self._hosts.copy().items()}

    def _status_of(self, host: str, known: _Host) -> dict[str, Any]:
        rests_s = self.rests_s(host)
        state = "closed"
        if known.failures >= self._limit:
            state = "open" if known.closed_until_s > monotonic_s() else "half-open"
        return {"state": state, "failures": known.failures, "tried_in": math.ceil(rests_s * 1000)}

    def enter(self, host: str) -> _Try | None:
        """Let a call through (None), or be the one that tries an open circuit. ``leave`` must follow; see Watch."""
        known = self._hosts.get(host)
        if known is None or known.failures < self._limit:
            return None
        own = _Try()
        with self._lock:
            if known.is_tried or monotonic_s() < known.closed_until_s:
                raise TargetUnavailable(
                    f"{host} failed {known.failures} times in a row and is left alone for a while: fall back to "
                    "default content; calls go through again as soon as one that tries succeeds"
                )
            known.tried_by = weakref.ref(own)
        return own

    def leave(self, host: str, own: _Try | None, error: BaseException | None, moved: bool) -> None:
        """A call is over for which ``enter`` gave ``own``: it raised ``error``, or succeeded (``moved``: elsewhere)."""
        try:
            if error is not None or moved:
                self.ended(host, error)
            else:
                self.succeeded(host)
        finally:
            if own is not None:
                self.let_go(host, own)

    def ended(self, host: str, error: BaseException | None) -> None:
        """Take note of how a call ended that raised ``error``, or, with None, succeeded at another host."""
        if error is None or isinstance(error, TransportError | TargetTimeout):
            self._failed(host)
        elif isinstance(error, ApiError):
            (self._failed if error.status >= 500 else self.succeeded)(host)
        # anything else that is raised (cancelled, closed) says nothing about the host

    def succeeded(self, host: str) -> None:
        """Forget that it ever failed."""
        if host in self._hosts:
            with self._lock:
                self._hosts.pop(host, None)

    def let_go(self, host: str, own: _Try) -> None:
        """``own`` tries the host no longer."""
        known = self._hosts.get(host)
        if known is not None and known.tried_by is not None and known.tried_by() is own:
            known.tried_by = None

    def _failed(self, host: str) -> None:
        if not self._limit:
            return
        with self._lock:
            known = self._hosts.get(host)
            if known is None:
                if len(self._hosts) >= _MOST_HOSTS:
                    # Hosts that visitors' cookies name come and go; the one that fails all the time stays.
                    del self._hosts[min(self._hosts, key=lambda name: self._hosts[name].failures)]
                known = self._hosts[host] = _Host()
            known.failures += 1
            known.closed_until_s = monotonic_s() + self._reset_s
