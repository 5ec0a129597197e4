"""AsyncTargetClient over real HTTP, on both transports: as TargetClient, but awaited, cancelled and closed."""

from __future__ import annotations

import asyncio
import inspect
import typing
from typing import Any

import pytest
import time_machine
import urllib3

from target import (
    AsyncTargetClient,
    AttributesProvider,
    OptionsError,
    TargetClient,
    TargetDeliveryResponse,
)
from target.options import AsyncClientOptions, ClientOptions
from tests.kit import aio
from tests.kit.built_calls import CLICK
from tests.kit.calls import CALL, options_of
from tests.kit.loopback import LoopbackServer, Received

COOKIE = "session#my-session#9999999999|PC#device.38_0#9999999999"

transports = pytest.mark.parametrize("transport", ["threads", "aiohttp"])


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

    ours = aio.with_client(server, awaited, transport=transport, telemetry_enabled=False)
    with TargetClient.create(**options_of(server.domain, telemetry_enabled=False)) as client:
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
        asyncio.run(AsyncTargetClient.create(**options_of(server.domain, **options)))


@pytest.mark.parametrize("name", ["transport", "max_concurrency"])
def test_the_sync_client_names_the_client_that_has_these_options(name: str, server: LoopbackServer) -> None:
    with pytest.raises(OptionsError, match=f"'{name}' belongs to AsyncTargetClient"):
        TargetClient.create(**options_of(server.domain, **{name: 8}))


def test_the_class_itself_is_no_constructor() -> None:
    with pytest.raises(OptionsError, match=r"AsyncTargetClient\.create"):
        AsyncTargetClient()


@pytest.mark.parametrize("method", ["get_offers", "get_attributes", "send_notifications", "queue_notifications"])
@pytest.mark.parametrize("name", ["callback", "err_callback"])
def test_a_callback_is_refused(method: str, name: str, server: LoopbackServer) -> None:
    arguments = (["home"],) if method == "get_attributes" else ()
    with pytest.raises(OptionsError, match=rf"'{name}'.*await.*asyncio\.timeout"):
        aio.with_client(server, lambda client: getattr(client, method)(*arguments, **{**CALL, name: print}))


# Events, errors, services


# Closing
