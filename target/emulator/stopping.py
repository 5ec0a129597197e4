"""Owns waiting within a request: it ends early where the client hangs up, or the server stops."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

try:
    from starlette.requests import Request
except ModuleNotFoundError as missing:
    from target.emulator.extra import needs_extra

    raise needs_extra(missing) from missing


class Stopping:
    """Whether the server stops. Of one event loop, as all that waits here."""

    def __init__(self) -> None:
        self._is_set = False
        self._waking: dict[object, Callable[[], object]] = {}

    @property
    def is_set(self) -> bool:
        """Whether it stops."""
        return self._is_set

    def set(self) -> None:
        """The server stops: whoever waits goes on."""
        self._is_set = True
        for wake in list(self._waking.values()):
            wake()

    def listen(self, wake: Callable[[], object]) -> Callable[[], object]:
        """Call `wake` when the server stops, at once if it does. Returns what ends that."""
        key = object()
        self._waking[key] = wake
        if self._is_set:
            wake()
        return lambda: self._waking.pop(key, None)

    async def sleep(self, request: Request, seconds: float) -> bool:
        """Wait, with the whole body of `request` read; whether the time passed, and nothing ended it early."""
        if seconds <= 0 or self._is_set:
            return not self._is_set
        stop = asyncio.Event()
        end = self.listen(stop.set)
        waiting = [asyncio.ensure_future(hung_up(request)), asyncio.ensure_future(stop.wait())]
        try:
            ended, _ = await asyncio.wait(waiting, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            end()
            for one in waiting:
                one.cancel()
        return not ended


async def hung_up(request: Request) -> None:
    """Wait, with the whole body of `request` read, until the client hangs up."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
