"""An exception from a signal handler, or from another thread, at any point: no lock stays held, no connection is left
in the middle of something, and later calls get their own answers in time."""

from __future__ import annotations

import textwrap

import pytest

from tests.kit import processes
from tests.kit.loopback import LoopbackServer

BEGIN = """
import sys
import urllib3
from target import AsyncTargetClient, Outbox, TargetClient
from tests.kit.calls import client_of, options_of
from tests.lifecycle.interrupting import *

guard()
domain = sys.argv[1]
"""


def run_script(script: str, server: LoopbackServer) -> str:
    return processes.run_script(BEGIN + textwrap.dedent(script), server.domain)


POOLS = {
    "own": "None",
    "caller's": "urllib3.PoolManager(maxsize=4)",
    "caller's that blocks": "urllib3.PoolManager(maxsize=4, block=True)",
}


@pytest.mark.waits
@pytest.mark.parametrize("pool", POOLS)
def test_by_a_signal_handler(pool: str, server: LoopbackServer) -> None:
    script = f"""
        client = client_of(domain, timeout=2000, pool={POOLS[pool]})
        ask(client, 0)
        interrupted = strike_by_signal(lambda number: ask(client, number), 300)
        assert interrupted > 50, interrupted
        for number in range(40):
            ask(client, number)
        client.close()
    """
    run_script(script, server)


def test_by_a_signal_handler_while_names_are_looked_up(server: LoopbackServer) -> None:
    script = """
        client = client_of("localhost:" + domain.rpartition(":")[2], timeout=2000)
        ask(client, 0)
        interrupted = strike_by_signal(lambda number: ask(client, number), 600, 0.003)
        assert interrupted > 50, interrupted
        for number in range(20):
            ask(client, number)
        client.close()
    """
    run_script(script, server)


@pytest.mark.parametrize("pool", POOLS)
def test_in_threads(pool: str, server: LoopbackServer) -> None:
    script = f"""
        client = client_of(domain, timeout=2000, pool={POOLS[pool]})
        ask(client, 0)
        strike_threads(lambda number: ask(client, number), 100)
        for number in range(40):
            ask(client, number)
        client.close()
    """
    run_script(script, server)


def test_calls_with_a_callback(server: LoopbackServer) -> None:
    script = """
        client = client_of(domain, timeout=2000, async_workers=2)

        def aside(number):
            ask_aside(client, number, 4)

        aside(0)
        strike_by_signal(aside, 250)
        strike_threads(aside, 80)
        for number in range(40):
            aside(number)
        client.close()
    """
    run_script(script, server)


def test_queueing_notifications(server: LoopbackServer) -> None:
    script = """
        client = client_of(domain, timeout=2000, outbox=Outbox.memory())
        queued = []

        def queue(number):
            shown = {"id": str(number), "type": "click", "timestamp": 1, "mbox": {"name": "a"}}
            queued.extend(client.queue_notifications(request={"notifications": [shown]}))

        queue(0)
        strike_by_signal(queue, 250, 0.0005)
        strike_threads(queue, 80)
        queue(99999)
        assert client.outbox.flush(timeout=8000)
        assert client.outbox.counters["acknowledged"] >= len(set(queued))
        client.close()
    """
    run_script(script, server)


@pytest.mark.parametrize("transport", ["threads", "aiohttp"])
def test_an_event_loop_that_ends_in_the_middle_of_calls(transport: str, server: LoopbackServer) -> None:
    """As with KeyboardInterrupt; the next loop, with a client of its own, works."""
    script = f"""
        import asyncio

        async def visit(number):
            async with await AsyncTargetClient.create(**options_of(domain, transport="{transport}")) as client:
                asked = {{"mboxes": [{{"name": f"mbox-{{number}}"}}]}}
                request = {{"execute": asked, "requestId": f"request-{{number}}"}}
                check(await client.get_offers(request=request), number)
                if number:
                    asyncio.get_running_loop().call_later(0.05, stop)
                    await asyncio.gather(*(client.get_offers(request=request) for _ in range(999)))

        def stop():
            raise KeyboardInterrupt

        for number in range(1, 6):
            try:
                asyncio.run(visit(number))
            except KeyboardInterrupt:
                pass
        asyncio.run(visit(0))
    """
    run_script(script, server)


def test_with_everything_switched_on(server: LoopbackServer) -> None:
    """Breaker, telemetry, logger."""
    script = """
        logger = logging.getLogger("shop")
        logger.addHandler(logging.NullHandler())
        client = client_of(domain, timeout=2000, breaker_failures=3, breaker_reset=50, logger=logger)
        ask(client, 0)
        strike_by_signal(lambda number: ask(client, number), 300)
        strike_threads(lambda number: ask(client, number), 100)
        time.sleep(0.2)
        for number in range(40):
            ask(client, number)
        client.close()
    """
    run_script(script, server)
