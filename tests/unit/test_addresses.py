"""The visitor's address: by count and by network, and that nobody can forge one."""

from __future__ import annotations

import ipaddress
import re
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from target import OptionsError
from target.addresses import visitor_address
from tests.generation.spec import SCHEMAS

GEO = SCHEMAS["Geo"]
PATTERN = re.compile(GEO["properties"]["ipAddress"]["pattern"])

PRIVATE = ["10.0.0.0/8", "fd00::/8"]
PEER, VISITOR, FORGED = "10.0.0.1", "203.0.113.7", "6.6.6.6"


@pytest.mark.parametrize(
    ("peer", "forwarded_for", "count", "address"),
    [
        pytest.param(VISITOR, None, 0, VISITOR, id="no-proxy"),
        pytest.param(VISITOR, FORGED, 0, VISITOR, id="no-proxy-forged"),
        pytest.param(VISITOR, "", 0, VISITOR, id="no-proxy-empty-header"),
        pytest.param(None, FORGED, 0, None, id="no-proxy-unknown-peer"),
        pytest.param(PEER, VISITOR, 1, VISITOR, id="one-proxy"),
        pytest.param(PEER, f"{FORGED}, {VISITOR}", 1, VISITOR, id="one-proxy-forged"),
        pytest.param(PEER, f"{FORGED},{FORGED},{VISITOR}", 1, VISITOR, id="one-proxy-forged-without-spaces"),
        pytest.param(PEER, f"garbage, {VISITOR}", 1, VISITOR, id="one-proxy-forged-garbage"),
        pytest.param(PEER, f"{FORGED}, {VISITOR}, 10.0.0.2", 2, VISITOR, id="two-proxies"),
        pytest.param(PEER, f"{VISITOR}, 10.0.0.3, 10.0.0.2", 3, VISITOR, id="three-proxies"),
        pytest.param(PEER, None, 1, PEER, id="past-the-proxy"),
        pytest.param(VISITOR, FORGED, 2, VISITOR, id="past-a-proxy-forged"),
        pytest.param(PEER, VISITOR, 10**9, PEER, id="absurd-count"),
        pytest.param(PEER, ",".join([FORGED] * 200), 100, PEER, id="more-proxies-than-are-read"),
        pytest.param("", f"{FORGED}, {VISITOR}", 1, VISITOR, id="peer-on-a-unix-socket"),
        pytest.param(None, f"{FORGED}, {VISITOR}", 1, VISITOR, id="peer-not-known"),
        pytest.param(None, None, 1, None, id="nothing-known"),
        pytest.param(PEER, "unknown", 1, None, id="the-proxy-does-not-know"),
        pytest.param(PEER, f"{FORGED},", 1, None, id="the-proxy-says-nothing"),
        pytest.param(PEER, f"{VISITOR}, garbage", 2, VISITOR, id="a-proxy-without-an-address"),
        pytest.param("::1", "2001:db8::7", 1, "2001:db8::7", id="ipv6"),
    ],
)
def test_a_count_of_proxies(peer: str | None, forwarded_for: str | None, count: int, address: str | None) -> None:
    assert visitor_address(peer, forwarded_for, count) == address


@pytest.mark.parametrize(
    ("peer", "forwarded_for", "address"),
    [
        pytest.param(VISITOR, None, VISITOR, id="no-proxy"),
        pytest.param(VISITOR, FORGED, VISITOR, id="past-the-proxies-forged"),
        pytest.param(VISITOR, "10.0.0.1", VISITOR, id="past-the-proxies-claims-to-be-one"),
        pytest.param(PEER, VISITOR, VISITOR, id="one-proxy"),
        pytest.param(PEER, f"{FORGED}, {VISITOR}", VISITOR, id="forged"),
        pytest.param(PEER, f"{FORGED}, 10.9.9.9, {VISITOR}", VISITOR, id="forged-with-a-proxy"),
        pytest.param(PEER, f"{FORGED}, {VISITOR}, 10.0.0.2", VISITOR, id="two-proxies"),
        pytest.param(PEER, f"{VISITOR}, fd00::2, 10.0.0.2", VISITOR, id="proxies-of-both-families"),
        pytest.param("fd00::1", "2001:db8::7", "2001:db8::7", id="ipv6"),
        pytest.param("::ffff:10.0.0.1", f"{FORGED}, ::ffff:{VISITOR}", VISITOR, id="ipv4-mapped"),
        pytest.param("[fd00::1]:443", f"{VISITOR}:5555, 10.0.0.2:80", VISITOR, id="with-ports"),
        pytest.param(PEER, f"garbage, {VISITOR}", VISITOR, id="garbage-further-away"),
        pytest.param(PEER, f"{VISITOR}, garbage", None, id="a-proxy-wrote-garbage"),
        pytest.param(PEER, f"{VISITOR}, , 10.0.0.2", None, id="a-proxy-wrote-nothing"),
        pytest.param(PEER, None, PEER, id="a-proxy-itself"),
        pytest.param(PEER, "10.0.0.3, 10.0.0.2", "10.0.0.3", id="only-proxies"),
        pytest.param(None, VISITOR, None, id="peer-not-known"),
        pytest.param("", VISITOR, None, id="peer-empty"),
        pytest.param("garbage", VISITOR, None, id="peer-is-garbage"),
    ],
)
def test_networks_of_proxies(peer: str | None, forwarded_for: str | None, address: str | None) -> None:
    assert visitor_address(peer, forwarded_for, PRIVATE) == address


@pytest.mark.parametrize(
    "networks",
    [
        ["10.0.0.1", "fd00::1"],
        ("10.0.0.0/8",),
        ["10.1.2.3/8"],
        ["10.0.0.0/255.0.0.0"],
        [ipaddress.ip_network("10.0.0.0/8")],
        ["0.0.0.0/1"],
    ],
)
def test_how_networks_are_written(networks: Any) -> None:
    assert visitor_address(PEER, f"{FORGED}, {VISITOR}", networks) == VISITOR


def test_no_network_trusts_nobody() -> None:
    assert visitor_address(PEER, VISITOR, []) == PEER


@pytest.mark.parametrize(
    "bad", [-1, True, False, None, 1.0, "10.0.0.0/8", b"10.0.0.0/8", ["10.0.0.0/33"], ["proxy"], [None], [5], {"a": 1}]
)
def test_what_names_no_proxies_is_refused(bad: Any) -> None:
    for forwarded_for in (None, VISITOR):
        with pytest.raises(OptionsError, match="trusted_proxies must"):
            visitor_address(PEER, forwarded_for, bad)


@pytest.mark.parametrize(
    ("written", "address"),
    [
        pytest.param("203.0.113.7", "203.0.113.7", id="ipv4"),
        pytest.param(" \t203.0.113.7 ", "203.0.113.7", id="spaces"),
        pytest.param("203.0.113.7:8080", "203.0.113.7", id="ipv4-port"),
        pytest.param("203.0.113.7:", "203.0.113.7", id="ipv4-empty-port"),
        pytest.param("[203.0.113.7]:80", "203.0.113.7", id="ipv4-brackets"),
        pytest.param("2001:DB8:0:0::7", "2001:db8::7", id="ipv6-long"),
        pytest.param("[2001:db8::7]", "2001:db8::7", id="ipv6-brackets"),
        pytest.param("[2001:db8::7]:8080", "2001:db8::7", id="ipv6-port"),
        pytest.param("fe80::1%eth0", "fe80::1", id="zone"),
        pytest.param("[fe80::1%25eth0]:80", "fe80::1", id="zone-in-brackets"),
        pytest.param("fe80::1%<script>", "fe80::1", id="hostile-zone"),
        pytest.param("::ffff:203.0.113.7", "203.0.113.7", id="mapped"),
        pytest.param("::ffff:cb00:7107", "203.0.113.7", id="mapped-hexadecimal"),
        pytest.param("[::FFFF:203.0.113.7]:1", "203.0.113.7", id="mapped-port"),
        pytest.param("::1", "::1", id="loopback"),
        *(
            pytest.param(text, None, id=f"bad-{name}")
            for name, text in {
                "empty": "",
                "word": "unknown",
                "obfuscated": "_hidden",
                "octet": "203.0.113.256",
                "three": "203.0.113",
                "leading-zero": "203.0.113.07",
                "integer": "3405803783",
                "digits-not-ascii": "٢٠٣.0.113.7",
                "host": "example.com",
                "host-port": "example.com:80",
                "line-break": "203.0.113.7\nX: 1",
                "null": "203.0.113.7\x00",
                "unclosed": "[2001:db8::7",
                "nine-groups": "1:2:3:4:5:6:7:8:9",
                "network": "203.0.113.7/32",
                "quoted": '"203.0.113.7"',
                "endless": "1" * 1_000_000,
                "endless-colons": ":" * 1_000_000,
                "endless-brackets": "[" * 1_000_000,
            }.items()
        ),
    ],
)
def test_how_a_hop_is_read(written: str, address: str | None) -> None:
    assert visitor_address(written, None, 0) == address
    assert visitor_address(PEER, f"{FORGED},{written}", 1) == address


ADDRESSES = st.ip_addresses().map(str)
OUTSIDE = ADDRESSES.filter(lambda text: visitor_address(PEER, f"{text},10.0.0.2", PRIVATE) not in (None, PEER)).filter(
    lambda text: not text.startswith(("10.", "fd")) and "ffff:" not in text
)
PROXIES = st.ip_addresses(network="10.0.0.0/8").map(str) | st.ip_addresses(network="fd00::/8").map(str)
CLAIMS = st.lists(ADDRESSES | PROXIES | st.text(st.characters(exclude_categories=["Cs"]), max_size=20), max_size=5)


@given(CLAIMS, OUTSIDE, st.lists(PROXIES, min_size=1, max_size=4))
def test_by_networks_nothing_that_a_visitor_claims_wins(claims: list[str], visitor: str, proxies: list[str]) -> None:
    *between, peer = proxies
    honest = visitor_address(peer, ", ".join([visitor, *between]), PRIVATE)
    assert honest == str(ipaddress.ip_address(visitor))
    assert visitor_address(peer, ", ".join([*claims, visitor, *between]), PRIVATE) == honest
    # Past the proxies, the visitor is the peer and all of the header is a claim.
    assert visitor_address(visitor, ", ".join(claims), PRIVATE) == honest


@given(CLAIMS, OUTSIDE, st.lists(PROXIES, min_size=1, max_size=4))
def test_by_count_nothing_that_a_visitor_claims_wins(claims: list[str], visitor: str, proxies: list[str]) -> None:
    *between, peer = proxies
    forwarded_for = ", ".join([*claims, visitor, *between])
    assert visitor_address(peer, forwarded_for, len(proxies)) == str(ipaddress.ip_address(visitor))


@given(st.ip_addresses(), st.text(max_size=10))
def test_every_address_is_one_that_the_api_takes(address: Any, zone: str) -> None:
    for text in (str(address), address.exploded, f"{address}%{zone}", f"[{address}]:443"):
        found = visitor_address(text, None, 0)
        assert found is None or PATTERN.fullmatch(found)
    assert visitor_address(str(address), None, 0) is not None


@given(st.text(), st.text() | st.none(), st.integers(0, 5) | st.just(PRIVATE))
def test_any_text_is_an_address_or_none(peer: str, forwarded_for: str | None, trusted: Any) -> None:
    found = visitor_address(peer, forwarded_for, trusted)
    assert found is None or ipaddress.ip_address(found)


@pytest.mark.parametrize("trusted", [1, 10_000, ["0.0.0.0/0"]])
@pytest.mark.parametrize("hop", ["10.0.0.2,", ",", "a,", " "])
def test_ten_thousand_hops_and_a_megabyte_take_no_time(trusted: Any, hop: str) -> None:
    for header in (hop * 10_000, hop * (1_000_000 // len(hop))):
        start = time.perf_counter()
        found = visitor_address(PEER, header, trusted)
        assert time.perf_counter() - start < 0.5
        assert found in (None, "10.0.0.2", PEER)
