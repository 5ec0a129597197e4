"""Owns waiting within a request: it ends early where the client hangs up, or the server stops."""

from __future__ import annotations

import asyncio

try:
    from starlette.requests import Request
except ModuleNotFoundError as missing:
    from target.emulator.extra import needs_extra

    raise needs_extra(missing) from missing


class Stopping:
    """Whether the server stops. Of one event loop, as all that waits here."""

    def __init__(self) -> None:
        self._is_set = False
        self._waiting: set[asyncio.Future[None]] = set()

    @property
    def is_set(self) -> bool:
        """Whether it stops."""
        return self._is_set

    def set(self) -> None:
        """The server stops: whoever waits goes on."""
        self._is_set = True
        for one in self._waiting:
            if not one.done():
                one.set_result(None)

    async def sleep(self, request: Request, seconds: float) -> bool:
        """Wait, with the whole body of `request` read; whether the time passed, and nothing ended it early."""
        if seconds <= 0:
            return not self._is_set
        if self._is_set:
            return False
        stop = asyncio.get_running_loop().create_future()
        gone = asyncio.ensure_future(_gone(request))
        self._waiting.add(stop)
        try:
            ended, _ = await asyncio.wait((gone, stop), timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._waiting.discard(stop)
            gone.cancel()
        return not ended


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
