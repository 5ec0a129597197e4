"""An outbox beside an event loop: nothing that is awaited, or called from a coroutine, blocks the loop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from target import AsyncTargetClient, Outbox
from tests.kit.calls import options_of
from tests.kit.loopback import LoopbackServer
from tests.kit.outboxes import ids_of, locked, notification
from tests.kit.shop import HOME, Shop

CALLS = 20
# What a blocked loop would stand still for is seconds: 20 times the file's lock is waited for.
LONGEST_S = 0.9


async def longest_stop(work: Callable[[], Awaitable[Any]]) -> float:
    """For how many seconds the loop did nothing else, at the longest, while ``work`` was awaited."""
    longest, last = 0.0, time.monotonic()

    async def tick() -> None:
        nonlocal longest, last
        while True:
            now = time.monotonic()
            longest, last = max(longest, now - last), now
            await asyncio.sleep(0.005)

    ticking = asyncio.create_task(tick())
    try:
        await work()
    finally:
        await asyncio.sleep(0.01)
        ticking.cancel()
    return longest


@pytest.mark.parametrize("transport", ["threads", "aiohttp"])
def test_queueing_while_the_file_is_locked_does_not_block_the_loop(
    transport: str, server: LoopbackServer, tmp_path: Path
) -> None:
    async def main() -> None:
        outbox = Outbox.sqlite(tmp_path / "outbox.db", flush_interval=60_000)
        async with await AsyncTargetClient.create(
            options_of(server.domain, outbox=outbox, transport=transport)
        ) as client:

            async def queue(name: str) -> list[str]:
                request = {"notifications": [notification(name)]}
                return await client.queue_notifications(request=request, session_id=name)

            await queue("first")
            with locked(tmp_path / "outbox.db"):
                started = time.monotonic()

                async def queue_all() -> None:
                    names = [f"n-{number}" for number in range(CALLS)]
                    assert await asyncio.gather(*map(queue, names)) == [[name] for name in names]

                assert await longest_stop(queue_all) < LONGEST_S
                assert time.monotonic() - started < 8  # callers wait for a moment, at once
            assert client.outbox is not None
            assert await asyncio.to_thread(client.outbox.flush, 10_000)

    asyncio.run(main())
    assert sorted(ids_of(server)) == sorted(["first", *(f"n-{number}" for number in range(CALLS))])


def test_deciding_while_the_file_is_locked_does_not_block_the_loop_and_counts_every_impression(
    server: LoopbackServer, tmp_path: Path
) -> None:
    shop = Shop(server)

    async def main() -> None:
        outbox = Outbox.sqlite(tmp_path / "outbox.db", flush_interval=60_000)
        async with await AsyncTargetClient.create(options_of(server.domain, outbox=outbox, **shop.options)) as client:
            await client.get_offers(request=HOME, session_id="first")
            await asyncio.sleep(0.3)  # the file is made
            with locked(tmp_path / "outbox.db"):

                async def decide() -> None:
                    for number in range(CALLS):
                        await client.get_offers(request=HOME, session_id=f"s-{number}")
                        await asyncio.sleep(0)

                assert await longest_stop(decide) < LONGEST_S
                assert shop.notified == []
            assert client.outbox is not None
            assert await asyncio.to_thread(client.outbox.flush, 10_000)

    asyncio.run(main())
    assert len(shop.notified) == 1 + CALLS


@pytest.mark.waits
def test_making_and_closing_a_client_whose_file_is_locked_does_not_block_the_loop(
    server: LoopbackServer, tmp_path: Path
) -> None:
    async def main() -> None:
        outbox = Outbox.sqlite(tmp_path / "outbox.db", flush_interval=60_000)
        first = await AsyncTargetClient.create(
            options_of(server.domain, outbox=outbox)
        )  # imports what is imported once
        await first.queue_notifications(request={"notifications": [notification("a")]})
        await first.aclose(0)
        with locked(tmp_path / "outbox.db"):
            made: list[AsyncTargetClient] = []

            async def make_and_close() -> None:
                made.append(await AsyncTargetClient.create(options_of(server.domain, outbox=outbox)))
                await made[0].queue_notifications(request={"notifications": [notification("b")]})
                await made[0].aclose(300)

            assert await longest_stop(make_and_close) < LONGEST_S

    asyncio.run(main())
