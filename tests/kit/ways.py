"""The four ways to make a call, behind the same methods."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

import pytest

from target import AsyncTargetClient, TargetClient
from tests.kit.calls import CALL

WAIT_S = 10.0


class Way(Protocol):
    """One client of the server, and one way to call it."""

    def call(self, request: dict[str, Any]) -> Any:
        """The result. Raises what the call raises."""

    def close(self, timeout: float = 1000) -> None:
        """Close the client; ``timeout`` is ms."""


class Sync:
    """A plain call."""

    def __init__(self, **options: Any) -> None:
        self.client = TargetClient.create(**options)

    def call(self, request: dict[str, Any]) -> Any:
        return self.client.get_offers(**{**CALL, "request": request})

    def close(self, timeout: float = 1000) -> None:
        self.client.close(timeout)


class Callback(Sync):
    """A call with callbacks, exactly one of which is called, with what the handle has."""

    def call(self, request: dict[str, Any]) -> Any:
        return self.begin(request)()

    def begin(self, request: dict[str, Any]) -> Callable[[], Any]:
        """Make the call; what is returned waits for its end."""
        results: list[Any] = []
        errors: list[Exception] = []
        callbacks = {"callback": results.append, "err_callback": errors.append}
        handle = self.client.get_offers(**{**CALL, "request": request}, **callbacks)

        def end() -> Any:
            handle.wait(WAIT_S)
            if handle.successful():
                assert (results, errors) == ([handle.get()], [])
                return results[0]
            assert (len(results), len(errors)) == (0, 1)
            with pytest.raises(type(errors[0])) as caught:
                handle.get()
            assert caught.value is errors[0]
            raise errors[0]

        return end


class Asyncio:
    """An awaited call, on an event loop that runs on a thread of its own."""

    transport = "threads"

    def __init__(self, **options: Any) -> None:
        self.complaints: list[str] = []
        self.loop = asyncio.new_event_loop()
        self.loop.set_exception_handler(lambda _, context: self.complaints.append(str(context)))
        self._thread = threading.Thread(target=self.loop.run_forever)
        self._thread.start()
        self.client = self._begin(AsyncTargetClient.create(**options, transport=self.transport))()

    def call(self, request: dict[str, Any]) -> Any:
        return self.begin(request)()

    def begin(self, request: dict[str, Any]) -> Callable[[], Any]:
        """Make the call; what is returned waits for its end."""
        return self._begin(self.client.get_offers(**{**CALL, "request": request}))

    def close(self, timeout: float = 1000) -> None:
        try:
            self._begin(self.client.aclose(timeout))()
            left = self._begin(_others())()
        finally:
            self.loop.call_soon_threadsafe(self.loop.stop)
            self._thread.join(WAIT_S)
            self.loop.close()
        assert not left, f"tasks that outlive their client: {left}"
        assert not self.complaints, self.complaints

    def _begin(self, work: Any) -> Callable[[], Any]:
        return partial(asyncio.run_coroutine_threadsafe(work, self.loop).result, WAIT_S)


async def _others() -> list[str]:
    return [str(task) for task in asyncio.all_tasks() if task is not asyncio.current_task()]


class Aiohttp(Asyncio):
    """The same through aiohttp."""

    transport = "aiohttp"


WAYS: dict[str, Callable[..., Way]] = {
    "sync": Sync,
    "callback": Callback,
    "asyncio on threads": Asyncio,
    "asyncio on aiohttp": Aiohttp,
}
#: Those whose calls run while their client is closed.
BESIDE: dict[str, Callable[..., Callback | Asyncio]] = {
    "callback": Callback,
    "asyncio on threads": Asyncio,
    "asyncio on aiohttp": Aiohttp,
}


def through(client: Any, options: dict[str, Any]) -> Any:
    """The result of a call with ``options`` alone, made by ``client``, which is a way."""
    if hasattr(client, "loop"):
        return client._begin(client.client.get_offers(**options))()
    if type(client).__name__ == "Callback":
        return client.client.get_offers(**options, callback=lambda _: None).get(10)
    return client.client.get_offers(**options)


class Attempts(logging.Handler):
    """Counts the attempts that a client logs."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []
        self.logger = logging.Logger("faults", logging.DEBUG)
        self.logger.addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())

    @property
    def count(self) -> int:
        return sum(line.startswith("POST ") for line in self.lines)
