"""Waiting for so many seconds on an event loop, also where a test tool has stopped the loop's clock (freezegun)."""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import Callable
from contextvars import Context
from functools import partial
from types import TracebackType
from typing import Protocol

from target._background.clock import monotonic_s
from target._background.later import do_later

_APART_S = 1.0  # at which a loop's clock is another than the system's
_TICKS = 256  # in a second


class Alarm(Protocol):
    """Something that is to hear when a point in time has come."""

    def ring(self) -> object:
        """It has, or had when this was no longer to be heard."""


class Alarms:
    """Rings at points in time, on the running event loop. What is due within the same four milliseconds shares a timer
    of the loop: a thousand calls at once need a few, and most of them are called off."""

    def __init__(self) -> None:
        self._due: dict[int, tuple[Callable[[], object], dict[Alarm, None]]] = {}  # by tick: what calls the timer off

    def set(self, at_s: float, alarm: Alarm) -> int:
        """Ring ``alarm`` at ``at_s`` of ``monotonic_s``, or less than a tick later: the tick, to call it off by."""
        tick = math.ceil(at_s * _TICKS)
        due = self._due.get(tick)
        if due is None:
            due = self._due[tick] = _begin_timer(tick / _TICKS, partial(self._ring, tick)), {}
        due[1][alarm] = None
        return tick

    def call_off(self, tick: int, alarm: Alarm) -> None:
        """Do not ring ``alarm``. It may be too late for that, and what was about to ring does."""
        due = self._due.get(tick)
        if due is None:
            return
        end_timer, alarms = due
        alarms.pop(alarm, None)
        if not alarms:
            del self._due[tick]
            end_timer()

    def _ring(self, tick: int) -> None:
        _, alarms = self._due.pop(tick, (None, ()))
        loop = asyncio.get_running_loop()
        for alarm in alarms:
            loop.call_soon(alarm.ring)  # each by itself, whatever becomes of the others


def _begin_timer(at_s: float, ring: Callable[[], object]) -> Callable[[], object]:
    """Call ``ring`` at ``at_s``: what calls that off."""
    loop, seconds = asyncio.get_running_loop(), max(at_s - monotonic_s(), 0.0)
    if _runs(loop):
        return loop.call_later(seconds, ring, context=Context()).cancel  # which keeps nothing of this one call

    def tell() -> None:
        with contextlib.suppress(RuntimeError):  # the loop was closed: nobody waits
            loop.call_soon_threadsafe(ring)

    return do_later(seconds, tell)


def begin_timeout(seconds: float) -> tuple[asyncio.Timeout, Callable[[], object]]:
    """A context that cancels what is within after ``seconds``, and what is to be called once that is over."""
    loop = asyncio.get_running_loop()
    if _runs(loop):
        return asyncio.timeout(max(seconds, 0)), _nothing
    wait = asyncio.timeout(None)

    def ring() -> None:
        with contextlib.suppress(RuntimeError):  # the loop was closed: nobody waits
            loop.call_soon_threadsafe(expire)

    def expire() -> None:
        with contextlib.suppress(RuntimeError):  # it is over
            if not wait.expired():
                wait.reschedule(loop.time())

    return wait, do_later(seconds, ring)


class timeout:  # noqa: N801  (used as asyncio.timeout is)
    """Cancels what is within after ``seconds``. Raises TimeoutError then.

    No generator: a loop that ends takes no new ones, and a client may be closed by its end.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    async def __aenter__(self) -> None:
        self._wait, self._end = begin_timeout(self._seconds)
        await self._wait.__aenter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            await self._wait.__aexit__(kind, error, trace)
        finally:
            self._end()


async def sleep(seconds: float) -> None:
    """Return after ``seconds``."""
    loop = asyncio.get_running_loop()
    if _runs(loop):
        await asyncio.sleep(seconds)
        return
    with contextlib.suppress(TimeoutError):
        async with timeout(seconds):
            await loop.create_future()


def _runs(loop: asyncio.AbstractEventLoop) -> bool:
    return abs(loop.time() - monotonic_s()) < _APART_S


def _nothing() -> None:
    """There is nothing to end."""
