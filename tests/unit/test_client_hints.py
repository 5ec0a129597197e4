"""Mistakes that clients tell of: once for each client and cause, at WARNING or above, and without a value."""

from __future__ import annotations

import gc
import logging
import time
from collections.abc import Callable
from typing import Any

import pytest

from target import TargetClient, TransportError, Visitor
from target._background.census import MOST_ALIVE
from tests.kit.calls import REQUEST, options_of
from tests.kit.either import Make
from tests.kit.loopback import LoopbackServer
from tests.kit.shop import HOME, Shop

COOKIE = "PC#Device-a9f3.38_0#9999999999|session#Session-77c1#9999999999"
NOTIFICATION: dict[str, Any] = {"id": "n", "type": "click", "mbox": {"name": "home"}}


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


def ask(client: Any, **options: Any) -> Any:
    return client.get_offers(**{"request": REQUEST, **options})


def send(client: Any, timestamp: int) -> Any:
    return client.send_notifications(request={"notifications": [{**NOTIFICATION, "timestamp": timestamp}]})


@pytest.mark.parametrize(
    ("mistake", "told"),
    [
        (lambda client: ask(client, request={"execute": {"mboxes": [{"name": "home", "paramters": {}}]}}), "paramters"),
        (lambda client: send(client, int(time.time())), "timestamp"),
        (lambda client: send(client, 10**8), "timestamp"),
        (lambda client: ask(client, target_cookie=f"mbox={COOKIE}"), "target_cookie"),
        (lambda client: ask(client, visitor_cookie="Session-77c1"), "AMCV"),
        (lambda client: ask(client, visitor_cookie="a|b|c|d"), "AMCV"),
        (lambda client: ask(client, visitor=Visitor("1@AdobeOrg", "{}")), "AMCV"),
    ],
)
def test_a_mistake_in_a_call_is_told_once(
    mistake: Callable[[Any], Any], told: str, server: LoopbackServer, make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    client = make(options_of(server.domain))
    for _ in range(3):
        mistake(client)
    (line,) = lines(caplog)
    assert told in line
    assert "Session-77c1" not in line
    mistake(make(options_of(server.domain)))
    assert lines(caplog) == [line, line]


@pytest.mark.parametrize(
    "right",
    [
        lambda client: send(client, int(time.time() * 1000)),
        lambda client: send(client, 1),
        lambda client: ask(client, target_cookie=COOKIE),
        lambda client: ask(client, target_cookie="PC#a=b;mbox=c#9999999999"),
        lambda client: ask(client, target_cookie=""),
        lambda client: ask(client, visitor_cookie=""),
        lambda client: ask(client, visitor_cookie="1"),
        lambda client: ask(client, visitor_cookie="-1124106680%7CMCIDTS%7C18000"),
        lambda client: ask(client, visitor_cookie="1|MCAID-100|expired"),
    ],
)
def test_of_what_is_right_nothing_is_told(
    right: Callable[[Any], Any], server: LoopbackServer, make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    right(make(options_of(server.domain)))
    assert lines(caplog) == []


@pytest.mark.parametrize(
    ("options", "told"),
    [({"timeout": 3}, "'timeout'"), ({"timeout": 19.9}, "'timeout'"), ({"organization_id": "12AB"}, "@AdobeOrg")],
)
def test_a_mistake_in_the_options_is_told_by_create(
    options: Any, told: str, server: LoopbackServer, make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    make(options_of(server.domain, **options, logger=logging.getLogger("shop")))
    (record,) = caplog.records
    assert (record.name, record.levelname) == ("shop", "WARNING")
    assert told in record.getMessage()
    assert "12AB" not in record.getMessage()


def test_a_deadline_may_be_short(server: LoopbackServer, make: Make, caplog: pytest.LogCaptureFixture) -> None:
    make(options_of(server.domain, timeout=20))
    assert lines(caplog) == []


@pytest.mark.parametrize(
    "header",
    [
        "mbox={0}",
        "mbox={0}; mboxEdgeCluster=38",
        "mboxEdgeCluster=38; mbox={0}",
        '"mbox={0}; mboxEdgeCluster=38"',
        'mbox="{0}"; mboxEdgeCluster=38',
        "a=#1; b; mboxSession=session#evil#9999999999; mbox={0}",
        "Cookie: mbox={0}; a=b",
        "Set-Cookie: mbox={0}; Max-Age=1860; Path=/; Secure",
        "mbox={1}",
        "mbox%3D{1}%3B%20mboxEdgeCluster%3D38",
    ],
)
def test_a_whole_header_is_read_as_its_cookie(
    header: str, server: LoopbackServer, make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    quoted = COOKIE.replace("#", "%23").replace("|", "%7C")
    ask(make(options_of(server.domain)), target_cookie=header.format(COOKIE, quoted))
    (received,) = server.received
    assert received.session_id == "Session-77c1"
    assert received.body["id"]["tntId"] == "Device-a9f3.38_0"
    assert len(lines(caplog)) == 1


@pytest.mark.parametrize("header", ["a=b", "=;=;=", "mbox", "mbox=", "xmbox=session#evil#9999999999", ";mbox=" * 99])
def test_a_header_without_the_cookie_is_no_visitor(header: str, server: LoopbackServer, make: Make) -> None:
    ask(make(options_of(server.domain)), target_cookie=header, session_id="own")
    assert server.received[0].session_id == "own"


def test_more_clients_than_anyone_needs_are_told_of_once(
    server: LoopbackServer, caplog: pytest.LogCaptureFixture
) -> None:
    def made(code: str) -> TargetClient:
        return TargetClient.create({**options_of(server.domain), "client": code})

    for _ in range(MOST_ALIVE + 5):  # one after another
        with made("one-at-a-time"):
            pass
        made("forgotten")
        gc.collect(0)
    kept = [made("many") for _ in range(MOST_ALIVE)] + [made("others") for _ in range(MOST_ALIVE)]
    gc.collect()
    assert lines(caplog) == []
    kept += [made("many") for _ in range(5)]
    (line,) = lines(caplog)
    assert f"More than {MOST_ALIVE} clients of one client code" in line
    for client in kept:
        client.close()


@pytest.mark.parametrize("key", ["qaMode", "preview"])
@pytest.mark.parametrize("method", ["on-device", "hybrid"])
def test_preview_is_told_of_on_the_device_and_asked_of_the_server_by_hybrid(
    key: str, method: str, shop: Shop, make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    client = make(options_of(shop.server.domain, **shop.options))
    shown = {"qaMode": {"token": "t"}, "preview": {"token": "t"}}[key]
    for _ in range(2):
        result = ask(client, request={**HOME, key: shown}, decisioning_method=method)
        assert result.meta.decisioning_method == ("on-device" if method == "on-device" else "server-side")
    assert [body.body[key] for body in shop.delivered if "execute" in body.body] == [shown] * (2 * (method == "hybrid"))
    assert len(lines(caplog)) == (method == "on-device")


@pytest.mark.parametrize(
    ("domain", "is_told"),
    [("127.0.0.1:9", True), ("localhost:9", True), ("emulator:9", True), ("[::1]:9", True), ("t.example.com:9", False)],
)
def test_a_call_that_left_a_local_server_says_how_it_stays(domain: str, is_told: bool, make: Make) -> None:
    # The proxy, which nobody answers for, is what makes sure that no call leaves this machine.
    client = make(options_of(domain, edge_routing=True, proxy="http://127.0.0.1:9", retries=0))
    with pytest.raises(TransportError, match="mboxedge38") as caught:
        ask(client, target_cookie=COOKIE)
    assert ("edge_routing=False" in str(caught.value)) == is_told
    with pytest.raises(TransportError) as caught:
        ask(client)
    assert "edge_routing" not in str(caught.value)
