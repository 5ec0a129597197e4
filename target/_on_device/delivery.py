"""Delivers one call in the background: whether it was taken, has to wait, or has failed."""

from __future__ import annotations

from collections.abc import Callable

from target._background.breaker import Breaker
from target._background.clock import monotonic_s
from target._http.routes import Routes
from target.delivery.reply import Reply, require_taken
from target.delivery.request import Call
from target.delivery.retry import pause_s
from target.errors import ApiError, TargetTimeout, TargetUnavailable, TransportError

FROZEN_S = 0.25  # a call that ends so long after its deadline was not at work meanwhile, nor was its process


class SleptThrough(Exception):
    """The process stood still during the call, whose failure (the cause) says nothing about anybody."""


class Delivery:
    """Sends calls, and keeps to what their hosts ask for.

    Args:
        send: Makes a call, blocking: its answer, whatever the status.
        breaker: Which hosts are left alone.
        routes: Where a call goes instead.
        timeout_s: How long ``send`` takes at most, unless the process does not run.
    """

    def __init__(self, send: Callable[[Call], Reply], breaker: Breaker, routes: Routes, timeout_s: float) -> None:
        self._send = send
        self._breaker = breaker
        self._routes = routes
        self._timeout_s = timeout_s

    def __call__(self, call: Call) -> float | None:
        """Send ``call``: None when it was taken, else for how many seconds its host is to be left alone.

        Raises:
            TargetError: It was not taken, nor will be.
            SleptThrough: Nobody knows.
        """
        reply = None
        try:
            if self._breaker.rests_s(call.base_url):
                call = self._routes.to_account(call)
            with self._breaker.watching(call.base_url) as watch:
                reply = self._exchange(call)
                require_taken(reply, call)
                watch.moved = reply.moved
        except TargetUnavailable:
            return self._breaker.rests_s(call.base_url)
        except ApiError as error:
            wanted_s = None if reply is None else pause_s(error.status, reply.retry_after_s)
            if wanted_s is None:
                raise
            return wanted_s
        return None

    def _exchange(self, call: Call) -> Reply:
        started_s = monotonic_s()
        try:
            return self._send(call)
        except (TargetTimeout, TransportError) as error:
            if monotonic_s() - started_s < self._timeout_s + FROZEN_S:
                raise
            raise SleptThrough from error
