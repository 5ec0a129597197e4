"""Waiting for so many seconds on an event loop, also where a test tool has stopped the loop's clock (freezegun)."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

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


@contextlib.asynccontextmanager
async def timeout(seconds: float) -> AsyncIterator[None]:
    """Cancels what is within after ``seconds``. Raises TimeoutError then."""
    wait, end = begin_timeout(seconds)
    try:
        async with wait:
            yield
    finally:
        end()


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
