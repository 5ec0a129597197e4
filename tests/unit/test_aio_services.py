"""What goes on beside the calls of the asyncio client, and how it ends."""

from __future__ import annotations

import asyncio
import inspect
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
import urllib3

from target import (
    ApiError,
    AsyncTargetClient,
    AttributesProvider,
    ClientClosed,
    OptionsError,
    Outbox,
    TargetDeliveryResponse,
    TargetTimeout,
    TargetUnavailable,
    TransportError,
)
from target._http.aio.aiohttp_transport import AiohttpTransport
from target._http.aio.threads import ThreadTransport
from tests.kit import aio
from tests.kit.aio import transports
from tests.kit.built_calls import CLICK
from tests.kit.calls import CALL, options_of
from tests.kit.loopback import Answer, LoopbackServer, Received, ok, slowly
from tests.kit.processes import ROOT, run_script


def transport_of(server: LoopbackServer, **options: Any) -> tuple[type, int]:
    async def look(client: AsyncTargetClient) -> tuple[type, int]:
        return type(client._transport), client._config.client.pool_size

    return aio.with_client(server, look, **options)


def test_auto_is_aiohttp_where_it_can_be(server: LoopbackServer, monkeypatch: pytest.MonkeyPatch) -> None:
    assert transport_of(server)[0] is transport_of(server, transport="auto")[0] is AiohttpTransport
    with urllib3.PoolManager() as pool:
        assert transport_of(server, pool=pool)[0] is ThreadTransport
    monkeypatch.setitem(sys.modules, "target._http.aio.aiohttp_transport", None)  # as where aiohttp is not installed
    assert transport_of(server)[0] is ThreadTransport
    with pytest.raises(OptionsError, match=r"pip install target-delivery\[aiohttp\]"):
        transport_of(server, transport="aiohttp")


def test_each_thread_has_its_connection(server: LoopbackServer) -> None:
    assert transport_of(server)[1] == 64
    assert transport_of(server, max_concurrency=8)[1] == 32
    assert transport_of(server, max_concurrency=100)[1] == 100
    assert transport_of(server, max_concurrency=100, pool_size=5)[1] == 5


@transports
def test_client_ready_is_told_once_and_not_after_closing(transport: str, server: LoopbackServer) -> None:
    told: list[Any] = []

    async def wait(client: AsyncTargetClient) -> None:
        assert told == []
        assert await client.wait_until_ready() is True
        await asyncio.sleep(0.15)

    aio.with_client(server, wait, transport=transport, events={"client_ready": told.append})
    assert told == [{"type": "client_ready"}]

    async def close_early() -> None:
        client = await AsyncTargetClient.create(**options_of(server.domain, events={"client_ready": told.append}))
        await client.aclose()
        with pytest.raises(ClientClosed):
            await client.wait_until_ready(10)
        await asyncio.sleep(0.15)

    asyncio.run(close_early())
    assert len(told) == 1


@transports
def test_errors_are_those_of_the_sync_client(transport: str, server: LoopbackServer) -> None:
    server.answer = lambda _: Answer({"status": 400, "message": "no such thing"}, 400)
    with pytest.raises(ApiError, match="400: no such thing"):
        aio.with_client(server, lambda client: client.get_offers(**CALL), transport=transport)
    with pytest.raises(OptionsError, match="request"):
        aio.with_client(server, lambda client: client.get_offers({"request": None}), transport=transport)
    with pytest.raises(TransportError, match="cannot be reached"):
        aio.with_client(
            server, lambda client: client.get_offers(**CALL), transport=transport, server_domain="127.0.0.1:1"
        )


@transports
def test_the_breaker_and_default_attributes(transport: str, server: LoopbackServer) -> None:
    server.answer = lambda _: Answer({}, 503)

    async def fail(client: AsyncTargetClient) -> AttributesProvider:
        for _ in range(2):
            with pytest.raises(ApiError):
                await client.get_offers(**CALL)
        with pytest.raises(TargetUnavailable):
            await client.get_offers(**CALL)
        return await client.get_attributes(["home"])

    given = {"breaker_failures": 2, "retries": 0, "default_attributes": {"home": {"color": "blue"}}}
    provider = aio.with_client(server, fail, transport=transport, **given)
    assert (provider.is_default, provider.get_value("home", "color")) == (True, "blue")
    assert isinstance(provider.error, TargetUnavailable)
    assert len(server.received) == 2


@transports
def test_timeouts_count_for_the_breaker_and_cancelling_does_not(transport: str, server: LoopbackServer) -> None:
    server.answer = slowly(0.3)

    async def fail(client: AsyncTargetClient) -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.02):
                await client.get_offers(**CALL)
        with pytest.raises(TargetTimeout):
            await client.get_offers(**CALL)
        with pytest.raises(TargetUnavailable):
            await client.get_offers(**CALL)

    aio.with_client(server, fail, transport=transport, breaker_failures=1, timeout=100)


@transports
def test_notifications_are_queued_and_sent_before_closing(transport: str, server: LoopbackServer) -> None:
    request = {"notifications": [CLICK]}

    async def queue(client: AsyncTargetClient) -> list[str]:
        assert client.outbox is not None
        return await client.queue_notifications(request=request)

    assert aio.with_client(server, queue, transport=transport, outbox=Outbox.memory()) == ["n1"]
    assert [item["id"] for received in server.received for item in received.body["notifications"]] == ["n1"]
    with pytest.raises(OptionsError, match="outbox"):
        aio.with_client(server, lambda client: client.queue_notifications(request=request), transport=transport)


@transports
def test_a_cluster_is_learnt(transport: str, server: LoopbackServer) -> None:
    async def twice(client: AsyncTargetClient) -> list[Any]:
        return [(await client.get_offers(**CALL)).target_location_hint_cookie for _ in range(2)]

    assert [cookie.value for cookie in aio.with_client(server, twice, transport=transport)] == ["38", "38"]


@transports
def test_closing_waits_for_calls_and_ends_what_takes_too_long(transport: str, server: LoopbackServer) -> None:
    async def close_while(seconds: float, timeout_ms: float) -> tuple[float, Any]:
        server.answer = slowly(seconds)
        client = await AsyncTargetClient.create(**options_of(server.domain, transport=transport, max_concurrency=1))
        calls = [asyncio.create_task(client.get_offers(**CALL)) for _ in range(2)]  # the second waits its turn
        await aio.received(server, len(server.received) + 1)
        started = time.monotonic()
        await client.aclose(timeout_ms)
        taken = time.monotonic() - started
        with pytest.raises(ClientClosed, match=r"AsyncTargetClient\.create"):
            await client.get_offers(**CALL)
        await client.aclose()
        return taken, await asyncio.gather(*calls, return_exceptions=True)

    taken, results = asyncio.run(close_while(0.1, 2000))
    assert [type(result) for result in results] == [TargetDeliveryResponse, TargetDeliveryResponse]
    taken, results = asyncio.run(close_while(4, 50))
    assert taken < 3
    assert [type(result) for result in results] == [ClientClosed, ClientClosed]


@transports
def test_another_event_loop_is_refused(transport: str, server: LoopbackServer) -> None:
    client = asyncio.run(AsyncTargetClient.create(**options_of(server.domain, transport=transport)))
    uses: list[Callable[[], Coroutine[Any, Any, Any]]] = [lambda: client.get_offers(**CALL), client.aclose]
    for use in uses:
        with pytest.raises(OptionsError, match="another event loop"):
            asyncio.run(use())


@transports
def test_a_process_that_forgot_to_close_ends_at_once_and_says_nothing(transport: str, server: LoopbackServer) -> None:
    script = """
        import asyncio, sys
        from target import AsyncTargetClient
        async def main():
            global client, waiting
            client = await AsyncTargetClient.create(client="acme", organization_id="o@AdobeOrg",
                server_domain=sys.argv[1], secure=False, edge_routing=False, transport=sys.argv[2], timeout=10_000)
            await client.get_offers(request={"execute": {"mboxes": [{"name": "home"}]}})
            waiting = asyncio.create_task(client.get_offers(request={"execute": {"mboxes": [{"name": "hang"}]}}))
            await asyncio.sleep(0.2)
        asyncio.run(main())
    """

    def answer(request: Received) -> Answer:
        if b"hang" in request.content:
            time.sleep(5)
        return ok(request)

    server.answer = answer
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", inspect.cleandoc(script), server.domain, transport],
        cwd=ROOT,
        env={"PYTHONPATH": f"{ROOT}:{ROOT / 'generated'}", "PATH": ""},
        capture_output=True,
        text=True,
        timeout=20,
        check=True,
    )
    assert (done.stdout, done.stderr) == ("", "")
    assert len(server.received) == 2
    assert time.monotonic() - started < 4


def test_importing_target_imports_neither_asyncio_nor_aiohttp() -> None:
    printed = run_script(
        "import sys, target; target.TargetClient; print(sorted({'asyncio', 'aiohttp'} & sys.modules.keys()))"
    )
    assert printed.strip() == "[]"
    printed = run_script("import sys; from target import AsyncTargetClient; print('aiohttp' in sys.modules)")
    assert printed.strip() == "False"
