"""`make bench`: 1,000 calls in flight at once on AsyncTargetClient, over bare aiohttp and over bare threads."""

from __future__ import annotations

import asyncio
import json
import os
import stat
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp

from benchmarks.command import Command
from benchmarks.delivery import ORGANIZATION_ID, TARGET_COOKIE, build_answer, build_request
from benchmarks.fast_server import FastServer, serving
from benchmarks.measure import Block, compare, in_threads, take_turns
from benchmarks.report import Row, milliseconds, spread
from benchmarks.ways import bare_call
from target.aio import AsyncTargetClient
from target.options import AsyncClientOptions, TransportName

LATENCY_S = 0.05
AT_ONCE = 1000
THREADS = 64
AIOHTTP_TARGET = 1.25
THREADS_TARGET = 1.2
_WARM_UP = 100  # connections opened at once, below what the server lets wait to be accepted

#: Makes a call, looks at the answer and lets go of it, as who serves a page does.
AsyncCall = Callable[[], Awaitable[None]]


@dataclass(frozen=True)
class Effort:
    """How often things are done, and with how many calls at once."""

    blocks: int = 9
    at_once: int = AT_ONCE


QUICK = Effort(blocks=2, at_once=60)


def options_of(server: FastServer, transport: TransportName, max_concurrency: int) -> AsyncClientOptions:
    """A client of ``server`` that waits long enough for every call to have its turn."""
    return {
        "client": "acme",
        "organization_id": ORGANIZATION_ID,
        "server_domain": server.domain,
        "secure": False,
        "edge_routing": False,  # the visitor's cookie names a cluster, and every call must stay on this machine
        "timeout": 60_000,
        "telemetry_enabled": False,  # each call would tell of others, and no two bodies be the same
        "transport": transport,
        "max_concurrency": max_concurrency,
    }


def our_call(client: AsyncTargetClient) -> AsyncCall:
    """``get_offers``: models in, models out."""
    request = build_request()

    async def call() -> None:
        offers = await client.get_offers(request=request, target_cookie=TARGET_COOKIE)
        assert offers.response is not None
        assert offers.response.execute is not None
        assert offers.response.execute.mboxes is not None
        assert offers.response.execute.mboxes[0].options

    return call


def bare_aiohttp_call(session: aiohttp.ClientSession, url: str, payload: Mapping[str, Any]) -> AsyncCall:
    """What remains without an SDK: JSON out, one POST on a kept connection, JSON in."""
    headers = {"Content-Type": "application/json"}

    async def call() -> None:
        body = json.dumps(payload, separators=(",", ":")).encode()
        async with session.post(url, data=body, headers=headers) as response:
            assert json.loads(await response.read())["execute"]["mboxes"][0]["options"]

    return call


def at_once(loop: asyncio.AbstractEventLoop, call: AsyncCall) -> Block:
    """Blocks of ``call``, all in flight together."""

    async def together(calls: int) -> float:
        started = time.perf_counter()
        await asyncio.gather(*(call() for _ in range(calls)))
        return time.perf_counter() - started

    return lambda calls: loop.run_until_complete(together(calls))


def measure_aiohttp(server: FastServer, effort: Effort) -> Row:
    """All calls in flight together, on as many connections."""
    with asyncio.Runner() as runner:
        loop = runner.get_loop()
        client = runner.run(AsyncTargetClient.create(options_of(server, "aiohttp", effort.at_once)))
        ours = at_once(loop, our_call(client))
        ours(1)
        sent = server.counts()
        session = runner.run(_open_session())
        bare = at_once(loop, bare_aiohttp_call(session, server.url + sent.target, json.loads(sent.last)))
        _warm_up([ours, bare], effort.at_once)
        result = compare(*take_turns([ours, bare], effort.blocks, effort.at_once))
        runner.run(client.aclose())
        runner.run(session.close())
    calls = effort.at_once
    return Row(
        f"{calls:,} calls at once over bare aiohttp, {LATENCY_S * 1000:.0f} ms",
        result.ratio,
        spread=spread(result),
        at_most=AIOHTTP_TARGET,
        absolute=f"ours {milliseconds(result.first_s * calls)}, bare {milliseconds(result.second_s * calls)}",
    )


def measure_threads(server: FastServer, effort: Effort, threads: int) -> Row:
    """As many calls awaited together, on a client with ``threads`` threads, over as many bare threads."""
    calls = effort.at_once // threads * threads
    with asyncio.Runner() as runner:
        client = runner.run(AsyncTargetClient.create(options_of(server, "threads", threads)))
        ours = at_once(runner.get_loop(), our_call(client))
        ours(1)
        sent = server.counts()
        bare = in_threads(bare_call(server.url + sent.target, None, json.loads(sent.last)), threads)
        take_turns([ours, bare], 1, threads)  # opens a connection for each thread
        result = compare(*take_turns([ours, bare], effort.blocks, calls))
        runner.run(client.aclose())
    return Row(
        f"{calls:,} calls over {threads:,} bare threads, {LATENCY_S * 1000:.0f} ms",
        result.ratio,
        spread=spread(result),
        at_most=THREADS_TARGET,
        absolute=f"ours {milliseconds(result.first_s * calls)}, bare {milliseconds(result.second_s * calls)}",
    )


def measure_cancelling(server: FastServer, transport: TransportName, effort: Effort) -> list[Row]:
    """What is left when half of the calls were cancelled in flight and the client was closed."""
    return asyncio.run(_cancel_half(server, transport, effort.at_once))


def measure(effort: Effort) -> list[Row]:
    """Every row."""
    with serving(build_answer(), LATENCY_S) as server:
        rows = [measure_aiohttp(server, effort), measure_threads(server, effort, min(THREADS, effort.at_once))]
        if effort.at_once > THREADS:
            rows.append(measure_threads(server, effort, effort.at_once))
        for transport in ("aiohttp", "threads"):
            rows += measure_cancelling(server, transport, effort)
    return rows


def main() -> int:
    """Measure and print; 1 with --strict when a target is missed."""
    command = Command("async_side", __doc__)
    arguments = command.parse()
    rows = measure(QUICK if arguments.quick else Effort())
    return command.tell(rows)


async def _cancel_half(server: FastServer, transport: TransportName, calls: int) -> list[Row]:
    before = _open_sockets()
    client = await AsyncTargetClient.create(options_of(server, transport, calls))
    call = our_call(client)
    tasks = [asyncio.ensure_future(call()) for _ in range(calls)]
    for _ in range(3):  # turns of the loop: every call has begun, none has its answer
        await asyncio.sleep(0)
    half = tasks[::2]
    cancelled = sum(task.cancel() for task in half)
    results = await asyncio.gather(*tasks, return_exceptions=True)
    if any(isinstance(result, Exception) for result in results):
        raise RuntimeError("a call failed that nobody cancelled")
    await client.aclose()
    left = {"sockets": _open_sockets() - before, "tasks": len(asyncio.all_tasks()) - 1}
    detail = f"{cancelled} of {calls:,} cancelled in flight"
    return [
        Row(f"{what} left by cancelled calls, {transport}", n, "", at_most=0, absolute=detail)
        for what, n in left.items()
    ]


def _open_sockets() -> int:
    folder = "/proc/self/fd" if os.path.isdir("/proc/self/fd") else "/dev/fd"
    count = 0
    for name in os.listdir(folder):
        try:
            count += stat.S_ISSOCK(os.fstat(int(name)).st_mode)
        except OSError:  # the descriptor that lists the folder
            continue
    return count


async def _open_session() -> aiohttp.ClientSession:
    connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=60)
    return aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())


def _warm_up(blocks: list[Block], calls: int) -> None:
    """Open every connection, some at a time."""
    for most in [*range(_WARM_UP, calls, _WARM_UP), calls]:
        for block in blocks:
            block(most)


if __name__ == "__main__":
    sys.exit(main())
