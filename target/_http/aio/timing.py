"""Waiting for so many seconds on an event loop, also where a test tool has stopped the loop's clock (freezegun)."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from types import TracebackType

from target._background.clock import monotonic_s
from target._background.later import do_later

_APART_S = 1.0  # at which a loop's clock is another than the system's


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
