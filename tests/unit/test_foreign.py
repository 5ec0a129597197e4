"""Every option of every public call, given what is none: an OptionsError that names it, and never anything else."""

from __future__ import annotations

import asyncio
import datetime
import enum
import fractions
import itertools
import threading
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

from target import (
    AsyncTargetClient,
    ClientHints,
    Context,
    OptionsError,
    Outbox,
    TargetClient,
    TargetCookie,
    TargetError,
    Visitor,
    qa_mode_from_cookie,
    qa_mode_from_url,
    qa_mode_to_cookie,
)
from target.foreign import exact_dict, items_of, plain_copy, shown, text_of_id
from target.options import AsyncClientOptions, ClientOptions, RequestCallbackOptions
from tests.kit.built_calls import CLICK, PAGE_LOAD
from tests.kit.calls import ACCOUNT
from tests.kit.loopback import LoopbackServer
from tests.kit.odd import (
    Disguised,
    EqualToAll,
    Lying,
    Nameless,
    NamelessFunction,
    Number,
    Odd,
    OddMapping,
    OddNumber,
    OddText,
    coroutine,
)

FINE = {**ACCOUNT, "server_domain": "127.0.0.1:9", "secure": False}
RULES = {"version": "1.0.0", "rules": {"mboxes": {}, "views": {}}}


def values() -> dict[str, Any]:
    deep: list[Any] = []
    for _ in range(5000):
        deep = [deep]
    ring: dict[str, Any] = {}
    ring["request"] = ring["home"] = ring
    return {
        "-1": -1,
        "0": 0,
        "1.5": 1.5,
        "nan": float("nan"),
        "infinity": float("inf"),
        "1e308": 1e308,
        "huge": 10**400,
        "huger": 10**5000,
        "minus-huger": -(10**5000),
        "true": True,
        "text": "x",
        "crlf": "a\r\nX: 1",
        "nul": "a\0b",
        "surrogate": "\ud800",
        "megabyte": "x" * 10**6,
        "url": "http://evil.example/",
        "bytes": b"x",
        "bytearray": bytearray(b"x"),
        "list": ["x"],
        "no-items": [],
        "dict": {"a": 1},
        "no-keys": {},
        "number-keys": {1: 2},
        "set": {1},
        "tuple": (1, 2),
        "object": object(),
        "class": dict,
        "function": lambda *a: 1,
        "coroutine-function": coroutine,
        "generator": (number for number in range(3)),
        "deep": deep,
        "ring": ring,
        "disguised": Disguised("x"),
        "odd": Odd(),
        "nameless-function": NamelessFunction(),
        "odd-mapping": OddMapping(),
        "nameless": Nameless(),
        "odd-text": OddText("x"),
        "odd-number": OddNumber(5),
        "lying": Lying(execute={"mboxes": [{"name": "home"}]}),
        "equal-to-all": EqualToAll(),
        "fraction": fractions.Fraction(1, 3),
        "datetime": datetime.datetime(2026, 1, 1),
        "number-of-a-subclass": Number("nan"),
        "complex": 1j,
        "memoryview": memoryview(b"x"),
        "lock": threading.Lock(),
        "enum": enum.Enum("E", "A").A,  # type: ignore[attr-defined]
        "exception": ValueError("x"),
    }


@pytest.fixture(scope="module")
def client() -> Iterator[TargetClient]:
    """On device, so that calls are decided and nothing is sent."""
    with TargetClient.create(
        **FINE, decisioning_method="on-device", artifact_payload=RULES, polling_interval=0, telemetry_enabled=False
    ) as made:
        yield made


def names_nothing_else(work: Callable[[], object], *names: str) -> bool:
    """Whether ``work`` was refused, by an OptionsError alone that names what was wrong."""
    try:
        work()
    except OptionsError as error:
        said = str(error)
        assert any(name in said for name in names), said
        assert len(said) < 500
        assert said.isprintable()
        return True
    except TargetError:
        return False
    return False


CREATE = sorted(ClientOptions.__annotations__)
ON_DEVICE = {
    "decisioning_method": "on-device",
    "artifact_payload": RULES,
    "polling_interval": 0,
    "maximum_wait_ready": 0,
}


@pytest.mark.parametrize("method", ["server-side", "on-device"])
@pytest.mark.parametrize("name", CREATE)
def test_every_option_of_create(name: str, method: str) -> None:
    base = {**FINE, **(ON_DEVICE if method == "on-device" else {})}

    def create(value: Any) -> None:
        TargetClient.create({**base, "telemetry_enabled": False, name: value}).close(timeout=0)

    refused = sum(names_nothing_else(partial(create, value), name) for value in values().values())
    assert refused >= 20


@pytest.mark.parametrize("name", sorted(AsyncClientOptions.__annotations__))
def test_every_option_of_the_asyncio_clients_create(name: str) -> None:
    async def create(value: Any) -> None:
        made = await AsyncTargetClient.create({**FINE, name: value})
        await made.aclose(0)

    refused = sum(
        names_nothing_else(lambda value=value: asyncio.run(create(value)), name)  # type: ignore[misc]
        for value in values().values()
    )
    assert refused >= 20


@pytest.mark.parametrize("name", sorted(RequestCallbackOptions.__annotations__))
def test_every_option_of_a_call(name: str, client: TargetClient) -> None:
    calls: list[Callable[[Any], object]] = [
        lambda value: client.get_offers({"request": PAGE_LOAD, name: value}),
        lambda value: client.get_attributes(["home"], {"request": PAGE_LOAD, name: value}),
        lambda value: client.send_notifications({"request": {"notifications": [CLICK]}, name: value}),
        lambda value: client.queue_notifications({"request": {"notifications": [CLICK]}, name: value}),
    ]
    words = (name, "callback", "queue_notifications needs an outbox", "execute")
    for call in calls:
        refused = sum(names_nothing_else(partial(call, value), *words) for value in values().values())
        assert refused >= 20


def whole(value: Any) -> Any:
    return lambda: value


PLACES: dict[str, Callable[[TargetClient, Any], object]] = {
    "create": lambda _, value: TargetClient.create(value),
    "get_offers": lambda client, value: client.get_offers(value),
    "get_attributes": lambda client, value: client.get_attributes(["a"], value),
    "mbox_names": lambda client, value: client.get_attributes(value),
    "mbox_names item": lambda client, value: client.get_attributes([value]),
    "get_value mbox": lambda client, value: client.get_attributes(["a"]).get_value(value, "a"),
    "get_value key": lambda client, value: client.get_attributes(["a"]).get_value("a", value),
    **{
        f"{getter} {name}": lambda client, value, getter=getter, name=name: getattr(  # type: ignore[misc]
            client.get_attributes(["a"]), getter
        )(**{"mbox": "a", "key": "a", "default": 1, name: value})
        for getter in ("get_value", "get_bool", "get_json")
        for name in ("mbox", "key")
    },
    **{
        f"result {reader}": lambda client, value, reader=reader: getattr(  # type: ignore[misc]
            client.get_offers(request=PAGE_LOAD), reader
        )(value)
        for reader in ("content", "options", "view", "mbox", "displayed", "clicked")
    },
    **{
        f"clicked {name}": lambda client, value, name=name: client.get_offers(request=PAGE_LOAD).clicked(  # type: ignore[misc]
            **{name: value}
        )
        for name in ("page_load", "views", "timestamp", "selector")
    },
    "notify": lambda client, value: client.notify(value),
    "notify options": lambda client, value: client.notify(client.get_offers(request=PAGE_LOAD), value),
    **{
        f"notify {name}": lambda client, value, name=name: client.notify(  # type: ignore[misc]
            client.get_offers(request=PAGE_LOAD), **{name: value}
        )
        for name in ("displayed", "clicked", "page_load", "views", "order", "timestamp", "request", "target_cookie")
    },
    "as_object": lambda client, value: client.get_attributes(["a"]).as_object(value),
    "close": lambda _, value: TargetClient.create(**FINE).close(value),
    "flush": lambda client, value: client.flush(value),
    "wait_until_ready": lambda client, value: client.wait_until_ready(value),
    "result get": lambda client, value: client.get_offers(request=PAGE_LOAD, callback=len).get(value),
    "result wait": lambda client, value: client.get_offers(request=PAGE_LOAD, callback=len).wait(value),
    "analytics_hit": lambda client, value: client.get_offers(request=PAGE_LOAD).analytics_hit(value, value),
    "visitor_cookie_name": lambda client, value: client.visitor_cookie_name(value),
    **{
        f"Outbox {name}": lambda _, value, name=name: Outbox.memory(**{name: value})  # type: ignore[misc]
        for name in ("max_pending", "lease")
    },
    **{
        f"Outbox {name}": lambda _, value, name=name: Outbox.memory(**{name: value})  # type: ignore[misc]
        for name in ("when_full", "max_age")
    },
    "Outbox flush_interval": lambda _, value: Outbox.memory(flush_interval=value),
    "Outbox path": lambda _, value: Outbox.sqlite(value),
    "Visitor": lambda _, value: Visitor(value),
    "Visitor cookie": lambda _, value: Visitor("1@AdobeOrg", value),
    "Visitor.new": lambda _, value: Visitor.new("1@AdobeOrg", whole(value)),
    "Visitor.new mint": lambda _, value: Visitor.new("1@AdobeOrg", value),
    "set_customer_ids": lambda _, value: Visitor("1@AdobeOrg").set_customer_ids(value),
    "set_customer_ids value": lambda _, value: Visitor("1@AdobeOrg").set_customer_ids({"crm": value}),
    "customer id": lambda _, value: Visitor("1@AdobeOrg").set_customer_ids({"crm": {"id": value}}),
    "authState": lambda _, value: Visitor("1@AdobeOrg").set_customer_ids({"crm": {"id": "1", "authState": value}}),
    "supplemental_data_id": lambda _, value: Visitor("1@AdobeOrg").supplemental_data_id(value),
    "from_headers": lambda _, value: Context.from_headers(value),
    "ClientHints.from_headers": lambda _, value: ClientHints.from_headers([value]),
    "from_headers item": lambda _, value: Context.from_headers([("User-Agent", "x"), value]),
    "from_headers url": lambda _, value: Context.from_headers({}, url=value),
    "client_address": lambda _, value: Context.from_headers({}, client_address=value),
    "trusted_proxies": lambda _, value: Context.from_headers({}, trusted_proxies=value),
    "trusted_proxies item": lambda _, value: Context.from_headers({}, trusted_proxies=[value]),
    "path": lambda _, value: TargetCookie("mbox", "x", 1).set_cookie_header(path=value),
    "domain": lambda _, value: TargetCookie("mbox", "x", 1).set_cookie_header(domain=value),
    "same_site": lambda _, value: TargetCookie("mbox", "x", 1).set_cookie_header(same_site=value),
    "secure": lambda _, value: TargetCookie("mbox", "x", 1).set_cookie_header(secure=value),
    "cookie name": lambda _, value: TargetCookie(value, "x", 1).set_cookie_header(),
    "cookie value": lambda _, value: TargetCookie("mbox", value, 1).set_cookie_header(),
    "cookie max_age": lambda _, value: TargetCookie("mbox", "x", value).set_cookie_header(),
    "qa_mode_to_cookie": lambda _, value: qa_mode_to_cookie(value),
}


@pytest.mark.parametrize("place", PLACES)
def test_every_argument_of_what_is_public(place: str, client: TargetClient) -> None:
    refused = sum(
        names_nothing_else(lambda value=value: PLACES[place](client, value), "")  # type: ignore[misc]
        for value in values().values()
    )
    assert refused >= 15


@pytest.mark.parametrize("method", ["aclose", "flush", "wait_until_ready"])
def test_every_duration_of_the_asyncio_client(method: str) -> None:
    async def ask(value: Any) -> None:
        made = await AsyncTargetClient.create(**FINE)
        try:
            await getattr(made, method)(value)
        finally:
            await made.aclose(0)

    refused = sum(
        names_nothing_else(lambda value=value: asyncio.run(ask(value)), "timeout")  # type: ignore[misc]
        for value in values().values()
    )
    assert refused >= 30


@pytest.mark.parametrize("transport", ["urllib3", "threads", "aiohttp"])
def test_the_largest_numbers_that_are_taken_work(transport: str, server: LoopbackServer) -> None:
    host = server.url.removeprefix("http://")
    options: dict[str, Any] = {**FINE, "server_domain": host, "edge_routing": False, "timeout": 2**31 - 1}
    options |= dict.fromkeys(["max_idle", "breaker_reset", "polling_interval", "maximum_wait_ready"], 1e10)
    options |= {"retries": 1000, "pool_size": 10_000, "breaker_failures": 2**63 - 1, "max_response_bytes": 2**63 - 1}
    options |= {"background_concurrency": 1000, "environment_id": 2**63 - 1}
    if transport == "urllib3":
        with TargetClient.create(**options, async_workers=1000) as client:
            assert client.get_offers(request=PAGE_LOAD).response.status == 200
            assert client.get_offers(request=PAGE_LOAD, callback=lambda _: None).get(1e7).response.status == 200
            assert client.wait_until_ready(1e10)
        return

    async def ask() -> Any:
        async with await AsyncTargetClient.create(**options, transport=transport, max_concurrency=10_000) as client:
            assert await client.wait_until_ready(1e10)
            return await client.get_offers(request=PAGE_LOAD)

    assert asyncio.run(ask()).response.status == 200


@pytest.mark.parametrize("read", [qa_mode_from_url, qa_mode_from_cookie])
def test_what_comes_from_a_visitor_is_none_where_it_is_wrong(read: Callable[[Any], object]) -> None:
    assert {read(value) for value in values().values()} == {None}


def test_a_string_is_taken_for_what_it_holds() -> None:
    client = TargetClient.create(**{**FINE, "client": Disguised("acme"), "server_domain": Disguised("127.0.0.1:9")})
    assert f"{client._config.client} {client._config.server_domain}" == "acme 127.0.0.1:9"
    result_header = TargetCookie("mbox", "x", 1).set_cookie_header(path=Disguised("/shop"))
    assert "evil" not in result_header
    client.close()


def test_options_that_lie_are_taken_for_what_they_hold() -> None:
    client = TargetClient.create(Lying(FINE))
    assert client._config.client == "acme"
    client.close()


def test_a_mapping_is_read_at_once_or_refused_without_what_it_raised() -> None:
    with pytest.raises(OptionsError, match=r"^Options cannot be read: it raised RuntimeError$") as caught:
        exact_dict(OddMapping(), "Options")
    assert caught.value.__context__ is None


def test_endless_headers_are_refused() -> None:
    with pytest.raises(OptionsError, match=r"^headers must hold at most 1000000 items$"):
        Context.from_headers(itertools.repeat(("User-Agent", "x")))


def test_items_are_bounded() -> None:
    assert items_of(iter("abc"), 3, "names") == ["a", "b", "c"]
    with pytest.raises(OptionsError, match=r"^names must hold at most 3 items$"):
        items_of(itertools.count(), 3, "names")


def test_a_copy_shares_no_dict_or_list_and_keeps_all_else() -> None:
    lock = threading.Lock()
    given: dict[str, Any] = {"a": [{"b": (1, [2])}], "lock": lock}
    copy = plain_copy(given, "x")
    given["a"][0]["b"][1].append(3)
    assert copy == {"a": [{"b": [1, [2]]}], "lock": lock}


@pytest.mark.parametrize(
    ("value", "text"),
    [("a", "a"), (7, "7"), (True, None), (7.0, None), (10**200, None), (Disguised("a"), "a"), (None, None)],
)
def test_the_text_of_an_id(value: object, text: str | None) -> None:
    assert text_of_id(value) == text


@pytest.mark.parametrize(
    ("value", "words"), [("a\n", r"'a\n'"), ("x" * 99, f"'{'x' * 40}'"), (5, "5"), (10**99, "int"), (None, "None")]
)
def test_what_a_message_shows(value: object, words: str) -> None:
    assert shown(value) == words
