"""How these tests make asyncio clients and look for what they left behind."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from target import AsyncTargetClient, TargetError
from tests.kit.calls import CALL, SLACK_S, assert_discreet, options_of
from tests.kit.loopback import LoopbackServer
from tests.kit.threads import threads_of

transports = pytest.mark.parametrize("transport", ["threads", "aiohttp"])


@asynccontextmanager
async def client_of(domain: str, **options: Any) -> AsyncIterator[AsyncTargetClient]:
    """A client of the server at ``domain``, over plain HTTP unless ``options`` say otherwise, closed afterwards."""
    client = await AsyncTargetClient.create(**options_of(domain, **options))
    try:
        yield client
    finally:
        await client.aclose()


async def error_of(domain: str, **options: Any) -> TargetError:
    """What a call of a client of ``domain`` raises, in time."""
    async with client_of(domain, **options) as client:
        started = time.monotonic()
        with pytest.raises(TargetError) as caught:
            await client.get_offers(**CALL)
        assert time.monotonic() - started < options["timeout"] / 1000 + SLACK_S  # the first call imports the models
    assert_discreet(caught.value)
    return caught.value


def with_client(server: LoopbackServer, use: Callable[[AsyncTargetClient], Awaitable[Any]], **options: Any) -> Any:
    """What ``use`` returns, on a client that is closed afterwards."""

    async def main() -> Any:
        async with client_of(server.domain, **options) as client:
            return await use(client)

    return asyncio.run(main())


async def received(server: LoopbackServer, count: int) -> None:
    """Until the server has seen so many calls."""
    async with asyncio.timeout(5):
        while len(server.received) < count:
            await asyncio.sleep(0.005)


async def eventually(condition: Callable[[], object], within_s: float = 5.0) -> bool:
    """Whether ``condition`` holds soon, on a loop that goes on meanwhile."""
    ends_at = asyncio.get_running_loop().time() + within_s
    while asyncio.get_running_loop().time() < ends_at:
        if condition():
            return True
        await asyncio.sleep(0.005)
    return bool(condition())


def sockets() -> set[str]:
    """The sockets of this process, those of servers in it included, without what only waits to be collected."""
    gc.collect()
    found = set()
    for link in Path("/proc/self/fd").iterdir():
        try:
            name = os.readlink(link)
        except OSError:  # the descriptor that lists the folder
            continue
        if name.startswith("socket:"):
            found.add(name)
    return found


def workers() -> list[threading.Thread]:
    """The threads that this package has begun, but for lookups of names."""
    return threads_of("target-worker")
