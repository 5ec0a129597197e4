"""Looking up where an address is: over real HTTP, in time, once."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from target._on_device import geo_lookup
from target._on_device.download import Downloads
from target._on_device.geo_lookup import GeoLookup
from target.events import GEO_LOCATION_UPDATED
from tests.kit.calls import timed
from tests.kit.cdn import LOGGER, Owner, configs
from tests.kit.loopback import Answer, LoopbackServer, Received
from tests.kit.raw_servers import hang, raw_server

IP = "203.0.113.7"
JSON = {
    "x-geo-longitude": -122.4,
    "x-geo-latitude": 37.75,
    "x-geo-city": "SAN FRANCISCO",
    "x-geo-region-code": "CA",
    "x-geo-country-code": "US",
}
FOUND = {"longitude": -122.4, "latitude": 37.75, "city": "SAN FRANCISCO", "stateCode": "CA", "countryCode": "US"}


@pytest.fixture
def lookup(server: LoopbackServer, owner: Owner) -> GeoLookup:
    server.answer = lambda _: Answer(JSON)
    return lookup_at(server.url, owner)


def lookup_at(url: str, owner: Owner) -> GeoLookup:
    config, client_config = configs(cdn_base_path=url)
    return GeoLookup(config.geo_url, Downloads(client_config), owner.emit, LOGGER)


def test_the_address_goes_in_a_header_and_the_place_comes_back(
    lookup: GeoLookup, server: LoopbackServer, owner: Owner
) -> None:
    assert lookup.find(IP, 3) == FOUND
    (received,) = server.received
    assert received.target == "/v1/geo"
    assert received.headers["x-forwarded-for"] == IP
    assert owner.told == [(GEO_LOCATION_UPDATED, {"geo_context": {"ipAddress": IP, **FOUND}})]


def test_headers_are_read_where_the_body_says_nothing(lookup: GeoLookup, server: LoopbackServer) -> None:
    headers = {name: str(value) for name, value in JSON.items()}
    server.answer = lambda _: Answer(b"", headers={**headers, "x-geo-city": "Paris"})
    assert lookup.find(IP, 3) == {**FOUND, "latitude": "37.75", "longitude": "-122.4", "city": "Paris"}
    server.answer = lambda _: Answer({"x-geo-city": "Rome"}, headers=headers)
    assert (lookup.find("203.0.113.8", 3) or {})["city"] == "Rome"


def test_an_address_is_looked_up_once_for_a_while(
    lookup: GeoLookup, server: LoopbackServer, owner: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = lookup.find(IP, 3)
    assert first is not None
    first["city"] = "changed by its receiver"
    assert lookup.find(f" {IP} ", 0) == FOUND
    assert len(server.received) == len(owner.told) == 1
    monkeypatch.setattr(geo_lookup, "KEPT_S", 0.01)
    lookup.find("203.0.113.9", 3)
    time.sleep(0.02)
    lookup.find("203.0.113.9", 3)
    assert len(server.received) == 3


def test_the_memory_is_bounded_and_forgets_the_longest_unused(
    lookup: GeoLookup, server: LoopbackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(geo_lookup, "MOST_ADDRESSES", 3)
    for last in (1, 2, 3, 1, 4, 1, 2):  # 4 pushes 2 out
        lookup.find(f"203.0.113.{last}", 3)
    assert [item.headers["x-forwarded-for"][-1] for item in server.received] == ["1", "2", "3", "4", "2"]


@pytest.mark.parametrize(
    "ip",
    ["", "localhost", "1.2.3", "1.2.3.4\r\nX-Evil: 1", "999.1.1.1", "x" * 5000, "1.2.3.4, 5.6.7.8", "\u0661.1.1.1"],
)
def test_what_is_no_address_is_not_sent(
    ip: str, lookup: GeoLookup, server: LoopbackServer, caplog: pytest.LogCaptureFixture
) -> None:
    assert lookup.find(ip, 3) is None
    assert server.received == []
    assert not ip or ip not in caplog.text


def test_ipv6_is_an_address(lookup: GeoLookup, server: LoopbackServer) -> None:
    assert lookup.find("2001:DB8::1%eth0", 3) == FOUND
    assert server.received[0].headers["x-forwarded-for"] == "2001:db8::1"


def drop(sock: object) -> None:
    """Close the connection without an answer."""


@pytest.mark.parametrize(
    "answer",
    [
        lambda _: Answer({"message": "no"}, 500),
        lambda _: Answer({}, 404),
        lambda _: Answer(None, 302, {"Location": "http://127.0.0.1:1/"}),
        lambda _: Answer(b"{", 200),
        lambda _: Answer(b"[" * 100_000, 200),
        lambda _: drop,
    ],
)
def test_a_failure_is_none_and_a_line_without_the_address(
    answer: Callable[[Received], Any],
    lookup: GeoLookup,
    server: LoopbackServer,
    owner: Owner,
    caplog: pytest.LogCaptureFixture,
) -> None:
    server.answer = answer
    assert lookup.find(IP, 3) is None
    assert [record.levelno for record in caplog.records if record.name == LOGGER.name] == [logging.WARNING]
    assert IP not in caplog.text
    assert owner.told == []
    server.answer = lambda _: Answer(JSON)
    assert lookup.find(IP, 3) == FOUND  # a failure is not remembered


@pytest.mark.parametrize("body", [b"[]", b"null", b"7", b"{}", b'{"x-geo-city": {"a": 1}}'])
def test_an_answer_that_says_nothing_is_an_empty_place(body: bytes, lookup: GeoLookup, server: LoopbackServer) -> None:
    server.answer = lambda _: Answer(body)
    assert lookup.find(IP, 3) == {}


def test_it_ends_in_time_and_a_dead_service_is_left_alone(owner: Owner) -> None:
    with raw_server(hang) as server:
        lookup = lookup_at(f"http://{server.domain}", owner)
        for last in range(3):
            assert 0.05 <= timed(lambda last=last: lookup.find(f"203.0.113.{last}", 0.1)) < 3  # type: ignore[misc]
        assert timed(lambda: lookup.find(IP, 3)) < 2.5
        assert len(server.connections) == 3
    assert lookup.find(IP, 0) is None


def test_no_time_left_asks_nobody(lookup: GeoLookup, server: LoopbackServer) -> None:
    assert lookup.find(IP, 0) is None
    assert lookup.find(IP, -1) is None
    assert server.received == []


def test_many_threads_ask_once(lookup: GeoLookup, server: LoopbackServer) -> None:
    go_on = threading.Event()

    def slow(_: Received) -> Answer:
        go_on.wait(5)
        return Answer(JSON)

    server.answer = slow
    results: list[Any] = []
    threads = [threading.Thread(target=lambda: results.append(lookup.find(IP, 5))) for _ in range(20)]
    for thread in threads:
        thread.start()
    time.sleep(0.1)
    assert lookup.find(IP, 0.02) is None  # who has less time waits no longer than that
    go_on.set()
    for thread in threads:
        thread.join(5)
    assert results == [FOUND] * 20
    assert len(server.received) == 1


def test_a_child_process_looks_up_by_itself(lookup: GeoLookup, server: LoopbackServer) -> None:
    assert lookup.find(IP, 3) == FOUND
    with lookup._lock:  # as another thread may hold it
        child = os.fork()
        if child == 0:
            code = 1
            try:
                code = 0 if lookup.find(IP, 3) == FOUND else 2
            finally:
                os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert len(server.received) == 2


def test_a_lookup_asks_past_the_caches(lookup: GeoLookup, server: LoopbackServer) -> None:
    assert lookup.find(IP, 3) == FOUND
    assert server.received[0].headers["Cache-Control"] == "no-cache, no-store"


@pytest.mark.parametrize(
    ("headers", "is_used"),
    [
        ({"Age": "5"}, False),
        ({"Age": "5", "Vary": "Accept-Encoding"}, False),
        ({"Age": "99999999999999999999"}, False),
        ({"Age": "0"}, True),
        ({"Age": "x"}, True),
        ({"Age": "5", "Vary": "Accept-Encoding, X-Forwarded-For"}, True),
        ({"X-Cache": "HIT"}, True),
    ],
)
def test_a_place_that_a_cache_gives_by_itself_is_not_used(
    headers: dict[str, str], is_used: bool, lookup: GeoLookup, server: LoopbackServer, owner: Owner
) -> None:
    server.answer = lambda _: Answer(JSON, headers=headers)
    assert lookup.find(IP, 3) == (FOUND if is_used else None)
    assert bool(owner.told) == is_used


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b'{"x-geo-city":"' + b"x" * 70_000 + b'"}', id="long"),
        pytest.param(b'{"x":[' + b"{}," * 10_000 + b"{}]}", id="many values"),
        pytest.param(b"[" * 60_000, id="deep"),
        pytest.param(b'{"x-geo-latitude":NaN}', id="no number"),
        pytest.param(b'{"x-geo-latitude":1e999}', id="no finite number"),
        pytest.param(b'{"x-geo-latitude":' + b"9" * 5000 + b"}", id="digits"),
        pytest.param(b'{"x-geo-city":"\xff"}', id="no UTF-8"),
    ],
)
def test_a_place_that_is_no_place(content: bytes, lookup: GeoLookup, server: LoopbackServer) -> None:
    server.answer = lambda _: Answer(content)
    assert lookup.find(IP, 3) is None
