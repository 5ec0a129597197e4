"""Clients of either kind, used alike from tests that do not await."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from typing import Any

from target import AsyncTargetClient

#: Makes a client with these options, a dict.
Make = Callable[..., Any]


class Blocking:
    """An AsyncTargetClient used from a test that does not await: every call runs on a loop of its own thread."""

    def __init__(self, options: dict[str, Any]) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._client = self._wait(AsyncTargetClient.create(options))

    def _wait(self, awaitable: Awaitable[Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(awaitable, self._loop).result(30)  # type: ignore[arg-type]

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._client, name)
        if not asyncio.iscoroutinefunction(attribute):
            return attribute
        return lambda *positional, **keywords: self._wait(attribute(*positional, **keywords))

    def close(self, timeout: float = 1000) -> None:
        if self._loop.is_closed():
            return
        self._wait(self._client.aclose(timeout))
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()
