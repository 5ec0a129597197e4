"""AsyncTargetClient over real HTTP, on both transports: as TargetClient, but awaited, cancelled and closed."""

from __future__ import annotations

import asyncio
import inspect
import subprocess
import sys
import time
import typing
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import pytest
import time_machine
import urllib3

from target import (
    ApiError,
    AsyncTargetClient,
    AttributesProvider,
    ClientClosed,
    OptionsError,
    Outbox,
    TargetClient,
    TargetDeliveryResponse,
    TargetTimeout,
    TargetUnavailable,
    TransportError,
)
from target._http.aio.aiohttp_transport import AiohttpTransport
from target._http.aio.threads import ThreadTransport
from target.options import AsyncClientOptions, ClientOptions
from tests.kit.built_calls import CLICK
from tests.kit.calls import ROOT, run
from tests.kit.loopback import Answer, LoopbackServer, Received, ok

CALL: dict[str, Any] = {"request": {"execute": {"mboxes": [{"name": "home"}]}}}
COOKIE = "session#my-session#9999999999|PC#device.38_0#9999999999"

transports = pytest.mark.parametrize("transport", ["threads", "aiohttp"])


def options_of(server: LoopbackServer, **options: Any) -> Any:
    fixed: dict[str, Any] = {
        "client": "acme",
        "organization_id": "1234@AdobeOrg",
        "server_domain": server.domain,
        "secure": False,
        "edge_routing": False,
    }
    return {**fixed, **options}


def with_client(server: LoopbackServer, use: Callable[[AsyncTargetClient], Awaitable[Any]], **options: Any) -> Any:
    """What ``use`` returns, on a client that is closed afterwards."""

    async def main() -> Any:
        async with await AsyncTargetClient.create(options_of(server, **options)) as client:
            return await use(client)

    return asyncio.run(main())


def slowly(seconds: float) -> Callable[[Received], Answer]:
    def answer(received: Received) -> Answer:
        time.sleep(seconds)
        return ok(received)

    return answer


async def received(server: LoopbackServer, count: int) -> None:
    """Until the server has seen so many calls."""
    async with asyncio.timeout(5):
        while len(server.received) < count:
            await asyncio.sleep(0.005)


# One surface

EXCEPTIONS = {
    "close": "asyncio's closing methods are coroutines, which by custom begin with an a",
    "aclose": "the same",
    "__enter__": "the client is an asynchronous context manager",
    "__exit__": "the same",
    "__aenter__": "the same",
    "__aexit__": "the same",
}
OPTION_EXCEPTIONS = {
    "async_workers": "bounds the threads of callbacks, of which there are none",
    "transport": "there is one way to block, and two not to",
    "max_concurrency": "bounds the calls in progress; a thread that blocks makes one at a time",
}


def public(client: type) -> dict[str, Any]:
    special = {"__enter__", "__exit__", "__aenter__", "__aexit__"}
    return {name: value for name, value in vars(client).items() if not name.startswith("_") or name in special}


def test_both_clients_have_the_same_methods() -> None:
    assert public(TargetClient).keys() ^ public(AsyncTargetClient).keys() == EXCEPTIONS.keys()
    for name in ("TARGET_COOKIE_NAME", "TARGET_LOCATION_HINT_COOKIE_NAME"):
        assert getattr(TargetClient, name) == getattr(AsyncTargetClient, name)


@pytest.mark.parametrize(
    ("sync", "asynchronous"),
    [
        *((name, name) for name in sorted(public(TargetClient).keys() & public(AsyncTargetClient).keys())),
        ("close", "aclose"),
        ("__exit__", "__aexit__"),
    ],
)
def test_their_methods_take_the_same(sync: str, asynchronous: str) -> None:
    ours, theirs = getattr(AsyncTargetClient, asynchronous), getattr(TargetClient, sync)
    if isinstance(theirs, str | property):
        assert type(ours) is type(theirs)
        return
    ours_takes, theirs_takes = (
        [(p.name, p.kind, p.default) for p in inspect.signature(method).parameters.values()]
        for method in (ours, theirs)
    )
    assert ours_takes == theirs_takes
    assert inspect.iscoroutinefunction(ours) is (sync != "visitor_cookie_name")


@pytest.mark.parametrize(
    "name", ["create", "get_offers", "get_attributes", "send_notifications", "queue_notifications"]
)
def test_their_overloads_take_the_same_but_for_callbacks(name: str) -> None:
    def annotations(client: type) -> set[str]:
        overloads = typing.get_overloads(getattr(client, name))
        assert overloads
        return {
            str(annotation).replace("AsyncClientOptions", "ClientOptions")
            for overload in overloads
            for parameter, annotation in overload.__annotations__.items()
            if parameter != "return" and "Callback" not in str(annotation)
        }

    assert annotations(AsyncTargetClient) == annotations(TargetClient)


def test_both_take_the_same_options() -> None:
    ours, theirs = set(AsyncClientOptions.__annotations__), set(ClientOptions.__annotations__)
    assert ours ^ theirs == OPTION_EXCEPTIONS.keys()


@transports
@time_machine.travel(0, tick=False)  # cookies say until when they count
def test_both_send_and_get_the_same(transport: str, server: LoopbackServer) -> None:
    calls: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = [
        ("get_offers", (), {**CALL, "target_cookie": COOKIE}),
        ("get_attributes", (["home", "basket"],), {"target_cookie": COOKIE}),
        ("send_notifications", (), {"request": {"notifications": [CLICK]}, "target_cookie": COOKIE}),
    ]

    async def awaited(client: AsyncTargetClient) -> list[Any]:
        return [await getattr(client, name)(*arguments, **options) for name, arguments, options in calls]

    ours = with_client(server, awaited, transport=transport, telemetry_enabled=False)
    with TargetClient.create(options_of(server, telemetry_enabled=False)) as client:
        theirs = [getattr(client, name)(*arguments, **options) for name, arguments, options in calls]
    assert [type(result) for result in ours] == [TargetDeliveryResponse, AttributesProvider, TargetDeliveryResponse]
    for mine, other in zip(ours, theirs, strict=True):
        mine, other = (r.get_response() if isinstance(r, AttributesProvider) else r for r in (mine, other))
        assert mine.target_cookie.value.split("|") == other.target_cookie.value.split("|")
        for part in ("execute", "notifications", "edge_host", "id"):
            assert getattr(mine.response, part) == getattr(other.response, part)
    assert ours[1].as_object() == theirs[1].as_object() == {"home": {"part": "execute"}, "basket": {"part": "execute"}}
    for mine, other in zip(server.received[:3], server.received[3:], strict=True):
        assert without_ids(mine) == without_ids(other)


def without_ids(request: Received) -> tuple[Any, ...]:
    fresh = {"requestId", "impressionId"}
    body = {key: value for key, value in request.body.items() if key not in fresh}
    body["notifications"] = [{**item, "impressionId": ""} for item in body.get("notifications", [])]
    for entry in body.get("telemetry", {}).get("entries", []):
        entry |= {"requestId": "", "timestamp": 0, "execution": 0}
    headers = {name.lower(): value for name, value in request.headers.items()} | {"x-request-id": ""}
    return request.target, headers | {"content-length": ""}, body


# Options


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"transport": "trio"}, "'transport' must be one of: auto, threads, aiohttp"),
        ({"max_concurrency": 0}, "'max_concurrency' must be at least 1"),
        ({"async_workers": 2}, "'async_workers' belongs to TargetClient.*'max_concurrency'"),
        ({"transport": "aiohttp", "pool": urllib3.PoolManager()}, "'pool' is a pool of urllib3.*'threads'"),
        ({"client": ""}, "Client is required"),
        ({"time_out": 1}, "did you mean 'timeout'"),
        ({"transport": "aiohttp", "proxy": "nonsense"}, "'proxy' must be a URL"),
    ],
)
def test_wrong_options(options: dict[str, Any], message: str, server: LoopbackServer) -> None:
    with pytest.raises(OptionsError, match=message):
        asyncio.run(AsyncTargetClient.create(options_of(server, **options)))


@pytest.mark.parametrize("name", ["transport", "max_concurrency"])
def test_the_sync_client_names_the_client_that_has_these_options(name: str, server: LoopbackServer) -> None:
    with pytest.raises(OptionsError, match=f"'{name}' belongs to AsyncTargetClient"):
        TargetClient.create(options_of(server, **{name: 8}))


def test_the_class_itself_is_no_constructor() -> None:
    with pytest.raises(OptionsError, match=r"AsyncTargetClient\.create"):
        AsyncTargetClient()


@pytest.mark.parametrize("method", ["get_offers", "get_attributes", "send_notifications", "queue_notifications"])
@pytest.mark.parametrize("name", ["callback", "err_callback"])
def test_a_callback_is_refused(method: str, name: str, server: LoopbackServer) -> None:
    arguments = (["home"],) if method == "get_attributes" else ()
    with pytest.raises(OptionsError, match=rf"'{name}'.*await.*asyncio\.timeout"):
        with_client(server, lambda client: getattr(client, method)(*arguments, **{**CALL, name: print}))


def transport_of(server: LoopbackServer, **options: Any) -> tuple[type, int]:
    async def look(client: AsyncTargetClient) -> tuple[type, int]:
        return type(client._transport), client._config.client.pool_size

    return with_client(server, look, **options)  # type: ignore[no-any-return]


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


# Events, errors, services


@transports
def test_client_ready_is_told_once_and_not_after_closing(transport: str, server: LoopbackServer) -> None:
    told: list[Any] = []

    async def wait(client: AsyncTargetClient) -> None:
        assert told == []
        assert await client.wait_until_ready() is True
        await asyncio.sleep(0.15)

    with_client(server, wait, transport=transport, events={"client_ready": told.append})
    assert told == [{"type": "client_ready"}]

    async def close_early() -> None:
        client = await AsyncTargetClient.create(options_of(server, events={"client_ready": told.append}))
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
        with_client(server, lambda client: client.get_offers(**CALL), transport=transport)
    with pytest.raises(OptionsError, match="request"):
        with_client(server, lambda client: client.get_offers({"request": None}), transport=transport)
    with pytest.raises(TransportError, match="cannot be reached"):
        with_client(server, lambda client: client.get_offers(**CALL), transport=transport, server_domain="127.0.0.1:1")


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
    provider = with_client(server, fail, transport=transport, **given)
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

    with_client(server, fail, transport=transport, breaker_failures=1, timeout=100)


@transports
def test_notifications_are_queued_and_sent_before_closing(transport: str, server: LoopbackServer) -> None:
    request = {"notifications": [CLICK]}

    async def queue(client: AsyncTargetClient) -> list[str]:
        assert client.outbox is not None
        return await client.queue_notifications(request=request)

    assert with_client(server, queue, transport=transport, outbox=Outbox.memory()) == ["n1"]
    assert [item["id"] for received in server.received for item in received.body["notifications"]] == ["n1"]
    with pytest.raises(OptionsError, match="outbox"):
        with_client(server, lambda client: client.queue_notifications(request=request), transport=transport)


@transports
def test_a_cluster_is_learnt(transport: str, server: LoopbackServer) -> None:
    async def twice(client: AsyncTargetClient) -> list[Any]:
        return [(await client.get_offers(**CALL)).target_location_hint_cookie for _ in range(2)]

    assert [cookie.value for cookie in with_client(server, twice, transport=transport)] == ["38", "38"]


# Closing


@transports
def test_closing_waits_for_calls_and_ends_what_takes_too_long(transport: str, server: LoopbackServer) -> None:
    async def close_while(seconds: float, timeout_ms: float) -> tuple[float, Any]:
        server.answer = slowly(seconds)
        client = await AsyncTargetClient.create(options_of(server, transport=transport, max_concurrency=1))
        calls = [asyncio.create_task(client.get_offers(**CALL)) for _ in range(2)]  # the second waits its turn
        await received(server, len(server.received) + 1)
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
    client = asyncio.run(AsyncTargetClient.create(options_of(server, transport=transport)))
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
            client = await AsyncTargetClient.create(client="acme", organization_id="o", server_domain=sys.argv[1],
                secure=False, edge_routing=False, transport=sys.argv[2], timeout=10_000)
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
    printed = run("import sys, target; target.TargetClient; print(sorted({'asyncio', 'aiohttp'} & sys.modules.keys()))")
    assert printed.strip() == "[]"
    printed = run("import sys; from target import AsyncTargetClient; print('aiohttp' in sys.modules)")
    assert printed.strip() == "False"
