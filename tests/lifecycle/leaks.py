"""What a process holds more after so many calls or clients than it held after the first few: run as a module."""

from __future__ import annotations

import asyncio
import gc
import itertools
import json
import os
import sys
import threading
import time
import tracemalloc
from collections.abc import Awaitable, Callable
from typing import Any

from target import AsyncTargetClient, Outbox
from tests.kit.calls import client_of, options_of
from tests.lifecycle.forking import call_of

BATCH = 20
SETTLE_S = 2.0

kept: list[object] = []
PLANTS: dict[str, Callable[[], object]] = {
    "nothing": lambda: None,
    "object": lambda: kept.append(object()),
    "kilobyte": lambda: kept.append(bytearray(1000)),
    "descriptor": lambda: os.dup(0),
    "thread": lambda: threading.Thread(target=time.sleep, args=(60,), daemon=True).start(),
}


def held() -> dict[str, int]:
    """What this process holds, once threads that were told to end have ended."""
    before: dict[str, int] = {}
    give_up_at = time.monotonic() + SETTLE_S
    while time.monotonic() < give_up_at:
        gc.collect()
        now = {
            "threads": len(os.listdir("/proc/self/task")),
            "descriptors": len(os.listdir("/proc/self/fd")),
            "bytes": tracemalloc.get_traced_memory()[0],
            "blocks": sys.getallocatedblocks(),
        }
        if before and now["threads"] <= before["threads"] and now["bytes"] >= before["bytes"] - 100:
            break
        before = now
        time.sleep(0.05)
    return now


def calls(domain: str) -> Callable[[], None]:
    """One call."""
    client = client_of(domain)
    return lambda: used(client.get_offers(call_of("session")))


def callbacks(domain: str) -> Callable[[], None]:
    """One call with a callback, waited for, so that as many threads are at work each time."""
    client = client_of(domain, async_workers=2)
    return lambda: used(client.get_offers(**call_of("session"), callback=used).get(5))


def clients(domain: str) -> Callable[[], None]:
    """One client from create to close: a call, a callback, a queued notification, an event to come."""

    def one() -> None:
        with client_of(domain, events={"client_ready": used}, outbox=Outbox.memory(flush_interval=0)) as client:
            client.get_offers(call_of("session"))
            client.get_offers(**call_of("session"), callback=used)
            item = {"id": "a", "type": "display", "timestamp": 1_700_000_000_000}
            client.queue_notifications(request={"notifications": [item]})

    return one


def async_calls(domain: str, transport: str) -> Callable[[], Awaitable[None]]:
    """One call on an event loop."""
    made: list[AsyncTargetClient] = []

    async def one() -> None:
        if not made:
            made.append(await AsyncTargetClient.create(options_of(domain, transport=transport, max_concurrency=2)))
        await made[0].get_offers(call_of("session"))

    return one


def async_clients(domain: str, transport: str) -> Callable[[], Awaitable[None]]:
    """One client from create to aclose."""

    async def one() -> None:
        options = options_of(domain, transport=transport, events={"client_ready": used}, outbox=Outbox.memory())
        async with await AsyncTargetClient.create(options) as client:
            await asyncio.gather(*(client.get_offers(call_of("session")) for _ in range(2)))
            item = {"id": "a", "type": "display", "timestamp": 1_700_000_000_000}
            await client.queue_notifications(request={"notifications": [item]})

    return one


def used(_: object) -> None:
    """The result is let go."""


async def grown(one: Callable[[], Any], count: int, plant: Callable[[], object]) -> dict[str, int]:
    """How much more is held after ``count`` of them than after the first few."""

    async def repeat(times: int) -> None:
        for _ in range(times):
            if (waiting := one()) is not None:
                await waiting
            plant()

    tracemalloc.start()
    await repeat(max(count // 4, BATCH))
    held()  # what looking itself takes
    seen = [held()]
    for _ in range(2):
        await repeat(count // 2)
        seen.append(held())
    # What leaks grows in both halves; a cache or a table that grows now and then, in one.
    return {name: 2 * min(now[name] - before[name] for before, now in itertools.pairwise(seen)) for name in seen[0]}


def main(kind: str, domain: str, count: int, planted: str) -> None:
    name, _, transport = kind.partition("/")
    makers: dict[str, Any] = {made.__name__: made for made in (calls, callbacks, clients, async_calls, async_clients)}
    one = makers[name](*([domain, transport] if transport else [domain]))
    print(json.dumps(asyncio.run(grown(one, count, PLANTS[planted]))))  # noqa: T201


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4])
