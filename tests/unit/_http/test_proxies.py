"""Proxies that the environment names: which hosts they lead to, on every path, and what a bad one is answered with."""

from __future__ import annotations

import asyncio
import base64
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import urllib3
from hypothesis import given
from hypothesis import strategies as st

from target import AsyncTargetClient, OptionsError, Outbox, TargetClient
from target._http.proxies import Exceptions, Proxies
from target.config import parse_client_options
from tests.kit import aio
from tests.kit.calls import ACCOUNT, CALL, client_of, eventually
from tests.kit.loopback import Answer, LoopbackServer, Received, ok, serving
from tests.kit.raw_servers import raw_server, tunnel
from tests.kit.tls import Authority

RULES = {"version": "1.0.0", "rules": {"mboxes": {}, "views": {}}}
Set = Callable[..., None]


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> Set:
    """Sets variables, named in any case."""
    return lambda **variables: [monkeypatch.setenv(name, value) for name, value in variables.items()] and None  # type: ignore[return-value]


def proxies(**options: Any) -> Proxies:
    return Proxies(parse_client_options({**ACCOUNT, **options}))


def url_of(found: Proxies, base_url: str) -> str | None:
    proxy = found.of(base_url)
    return None if proxy is None else proxy.url


# What NO_PROXY means


@pytest.mark.parametrize(
    ("listed", "host", "port", "held"),
    [
        ("internal.example", "internal.example", 443, True),
        ("internal.example", "INTERNAL.example.", 443, True),
        ("Internal.Example", "internal.example", 443, True),
        ("internal.example", "a.b.internal.example", 443, True),
        ("internal.example", "notinternal.example", 443, False),
        ("internal.example", "internal.example.org", 443, False),
        (".internal.example", "a.internal.example", 443, True),
        (".internal.example", "internal.example", 443, True),
        ("*.internal.example", "a.internal.example", 443, True),
        ("internal.example:8443", "internal.example", 8443, True),
        ("internal.example:8443", "a.internal.example", 8443, True),
        ("internal.example:8443", "internal.example", 443, False),
        ("*", "anything.example", 443, True),
        ("a.example,*", "anything.example", 443, True),
        ("a.example , b.example", "b.example", 80, True),
        ("a.example b.example", "b.example", 80, True),
        ("10.0.0.0/8", "10.20.30.40", 443, True),
        ("10.0.0.0/8", "11.20.30.40", 443, False),
        ("10.20.30.40/8", "10.1.1.1", 443, True),
        ("10.0.0.0/8:8080", "10.1.1.1", 8080, True),
        ("10.0.0.0/8:8080", "10.1.1.1", 80, False),
        ("127.0.0.1", "127.0.0.1", 8080, True),
        ("127.0.0.1:8080", "127.0.0.1", 8080, True),
        ("127.0.0.1:8080", "127.0.0.1", 8081, False),
        ("127.0.0.1", "127.0.0.2", 8080, False),
        ("0.0.1", "127.0.0.1", 8080, False),
        ("::1", "::1", 443, True),
        ("[::1]", "::1", 443, True),
        ("[::1]:8080", "::1", 8080, True),
        ("[::1]:8080", "::1", 8081, False),
        ("fd00::/8", "fd12::1", 443, True),
        ("fd00::/8", "fe80::1%eth0", 443, False),
        ("fe80::/10", "fe80::1%eth0", 443, True),
        ("10.0.0.0/8", "::ffff:10.1.1.1", 443, True),
        ("10.0.0.0/8", "fd12::1", 443, False),
        ("10.0.0.0/99", "10.1.1.1", 443, False),
        ("", "internal.example", 443, False),
        (",, ,", "internal.example", 443, False),
        (".", "internal.example", 443, False),
    ],
)
def test_no_proxy(listed: str, host: str, port: int, held: bool) -> None:
    assert Exceptions(listed).hold(host, port) is held


@given(listed=st.text(max_size=40), host=st.text(max_size=20))
def test_no_text_in_no_proxy_is_an_error(listed: str, host: str) -> None:
    assert Exceptions(listed).hold(host, 443) in (True, False)
    assert Exceptions(f"{listed},10.0.0.0/8").hold("10.1.1.1", 443)


# Which variable counts


def test_each_scheme_has_its_variable_and_all_proxy_is_for_the_others(environment: Set) -> None:
    environment(HTTPS_PROXY="http://secure.example:3128", ALL_PROXY="http://any.example:3128")
    found = proxies()
    assert url_of(found, "https://acme.example") == "http://secure.example:3128"
    assert url_of(found, "http://acme.example:8080") == "http://any.example:3128"


def test_lower_case_wins_and_empty_means_none(environment: Set) -> None:
    environment(HTTPS_PROXY="http://upper.example", https_proxy="http://lower.example")
    assert url_of(proxies(), "https://acme.example") == "http://lower.example"
    environment(https_proxy="")
    assert url_of(proxies(), "https://acme.example") is None


def test_a_variable_may_leave_the_scheme_out(environment: Set) -> None:
    environment(HTTPS_PROXY="proxy.example:3128")
    assert url_of(proxies(), "https://acme.example") == "http://proxy.example:3128"


def test_http_proxy_is_not_believed_where_a_request_may_have_set_it(environment: Set) -> None:
    environment(HTTP_PROXY="http://evil.example", REQUEST_METHOD="GET")
    assert url_of(proxies(), "http://acme.example") is None
    environment(http_proxy="http://own.example")
    assert url_of(proxies(), "http://acme.example") == "http://own.example"


@pytest.mark.parametrize("name", ["NO_PROXY", "no_proxy"])
def test_no_proxy_in_both_cases(name: str, environment: Set) -> None:
    environment(HTTPS_PROXY="http://proxy.example", **{name: "internal.example,10.0.0.0/8"})
    found = proxies()
    assert url_of(found, "https://target.internal.example") is None
    assert url_of(found, "https://10.0.0.7:8443") is None
    assert url_of(found, "https://acme.tt.omtrdc.net") == "http://proxy.example"


def test_an_option_wins_and_so_does_a_pool(environment: Set) -> None:
    environment(HTTPS_PROXY="http://proxy.example", NO_PROXY="*")
    assert url_of(proxies(proxy="http://own.example"), "https://acme.example") == "http://own.example"
    environment(NO_PROXY="", HTTPS_PROXY="not a proxy")
    assert url_of(proxies(trust_env=False), "https://acme.example") is None
    with urllib3.PoolManager() as pool:
        assert url_of(proxies(pool=pool), "https://acme.example") is None


@pytest.mark.parametrize(
    "bad",
    [
        "http://me:s3cret@proxy.example:port",
        "http://me:s3cret@:3128",
        "http://me:s3/cret@proxy.example",
        "http://me:s3cret@[proxy.example",
        "http://me:s3cret@proxy.example:99999",
        "http://me:s3cret@pro xy.example",
        "http://me:s3cret\u2100@proxy.example",
        "socks5://me:s3cret@proxy.example:1080",
        "://me:s3cret@proxy.example",
        "s3cret@",
    ],
)
@pytest.mark.parametrize("name", ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "ALL_PROXY"])
def test_a_bad_url_is_refused_by_the_name_of_its_variable(name: str, bad: str, environment: Set) -> None:
    environment(**{name: bad})
    with pytest.raises(OptionsError, match=f"^{name} in the environment") as caught:
        client_of("acme.example")
    shown = "".join(traceback.format_exception(caught.value)) + repr(caught.value.__context__)
    assert "s3" not in shown

    async def create() -> None:
        await AsyncTargetClient.create(**ACCOUNT, transport="aiohttp")

    with pytest.raises(OptionsError, match=f"^{name} in the environment"):
        asyncio.run(create())


# Every path


@pytest.fixture
def proxy(environment: Set) -> Iterator[LoopbackServer]:
    """A proxy that answers in place of the hosts, named by the environment."""

    def answer(received: Received) -> Answer:
        return ok(received) if received.content else Answer(RULES)

    with serving(answer) as server:
        environment(HTTP_PROXY=f"http://me:p%40ss@{server.domain}")
        yield server


def hosts(proxy: LoopbackServer) -> list[str]:
    found = [received.target.split("/")[2] for received in proxy.received]
    expected = "Basic " + base64.b64encode(b"me:p@ss").decode()
    assert {received.headers["Proxy-Authorization"] for received in proxy.received} == {expected}
    proxy.received.clear()
    return found


def test_blocking_calls_and_calls_with_a_callback(proxy: LoopbackServer) -> None:
    with client_of("acme.example") as client:
        client.get_offers(**CALL)
        client.get_offers(**CALL, callback=print).get(10)
    assert hosts(proxy) == ["acme.example"] * 2


@aio.transports
def test_asyncio(proxy: LoopbackServer, transport: str) -> None:
    async def go() -> None:
        async with aio.client_of("acme.example", transport=transport) as client:
            await client.get_offers(**CALL)

    asyncio.run(go())
    assert hosts(proxy) == ["acme.example"]


def test_outbox(proxy: LoopbackServer) -> None:
    shown = {"id": "1", "type": "click", "timestamp": 1, "mbox": {"name": "home"}}
    with client_of("acme.example", outbox=Outbox.memory(flush_interval=1)) as client:
        client.queue_notifications(request={"notifications": [shown]})
        assert client.outbox is not None
        assert client.outbox.flush(10_000)
    assert hosts(proxy) == ["acme.example"]


def test_artifact_geo_and_what_is_sent_in_the_background(proxy: LoopbackServer) -> None:
    rule = {
        "ruleKey": "r",
        "activityId": "1",
        "meta": {},
        "condition": {"==": ["US", {"var": "geo.country"}]},
        "consequence": {"options": [{"type": "html", "content": "x", "eventToken": "t"}]},
    }
    rules = {"version": "1.0.0", "geoTargetingEnabled": True, "rules": {"mboxes": {"home": [rule]}, "views": {}}}

    def answer(received: Received) -> Answer:
        if received.content:
            return ok(received)
        return Answer({"country": "US"}) if "/v1/geo" in received.target else Answer(rules)

    proxy.answer = answer
    with client_of("acme.example", decisioning_method="on-device", cdn_base_path="http://cdn.example") as client:
        client.get_offers(request={**CALL["request"], "context": {"geo": {"ipAddress": "203.0.113.7"}}})
        assert eventually(lambda: any(received.content for received in proxy.received))
    assert set(hosts(proxy)) == {"cdn.example", "acme.example"}


def test_hosts_of_no_proxy_are_reached_directly(
    proxy: LoopbackServer, environment: Set, server: LoopbackServer
) -> None:
    environment(NO_PROXY="127.0.0.0/8")

    async def go() -> None:
        for transport in ("threads", "aiohttp"):
            async with aio.client_of(server.domain, transport=transport) as client:
                await client.get_offers(**CALL)

    with client_of(server.domain) as client:
        client.get_offers(**CALL)
    asyncio.run(go())
    assert len(server.received) == 3
    assert proxy.received == []


@pytest.mark.parametrize("way", ["blocking", "threads", "aiohttp"])
def test_https_goes_through_a_tunnel(way: str, environment: Set, authority: Authority) -> None:
    seen: list[bytes] = []
    options = {"secure": True, "ca_certs": authority.ca_certs}
    with serving(tls=authority.server_context()) as origin, raw_server(tunnel(origin.server_port, seen)) as tunnelling:
        environment(HTTPS_PROXY=f"http://me:p%40ss@{tunnelling.domain}", HTTP_PROXY="http://127.0.0.1:1")

        async def go() -> None:
            async with aio.client_of(origin.domain, transport=way, **options) as client:
                await client.get_offers(**CALL)

        if way == "blocking":
            with client_of(origin.domain, **options) as client:
                client.get_offers(**CALL)
        else:
            asyncio.run(go())
        assert len(origin.received) == 1
        assert b"Proxy-Authorization" not in bytes(str(origin.received[0].headers), "ascii")
    assert seen[0].startswith(b"CONNECT 127.0.0.1:")
    assert base64.b64encode(b"me:p@ss") in seen[0]


def test_the_environment_is_read_when_the_client_is_made(server: LoopbackServer, environment: Set) -> None:
    with client_of(server.domain) as client:
        environment(HTTP_PROXY="http://127.0.0.1:1")
        client.get_offers(**CALL)
    assert isinstance(client, TargetClient)
    assert len(server.received) == 1
