"""The cookies mbox and mboxEdgeCluster: read from anything, written exactly."""

from __future__ import annotations

import logging
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from target.config import parse_request_options
from target.delivery import identity as cookies
from target.delivery.identity import (
    build_location_hint_cookie,
    build_target_cookie,
    find_in_header,
    parse_identity,
    parse_target_cookie,
)
from target.loggers import Log
from target.notices import Notices
from tests.kit.built_calls import NOW_S

FAR = 9596233214
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)


@pytest.mark.parametrize(
    ("value", "entries"),
    [
        pytest.param(None, {}, id="none"),
        pytest.param("", {}, id="empty"),
        pytest.param("a#1", {}, id="two-parts"),
        pytest.param("a#1#b", {}, id="expiry-is-no-number"),
        pytest.param(f"a#1#{FAR}|b#2#{FAR}", {"a": "1", "b": "2"}, id="two-entries"),
        pytest.param(f"a#1#{FAR}|b#2#1296233214", {"a": "1"}, id="one-expired"),
        pytest.param(f"a%20b#x%2Fy#{FAR}", {"a b": "x/y"}, id="percent-encoded"),
        pytest.param(f"a#1#{FAR}#rest", {"a": "1"}, id="fourth-part"),
        pytest.param(f"a#1#{FAR}#of#the#rest", {"a": "1"}, id="more-parts"),
        pytest.param(f"XaX#1#{FAR}", {"XaX": "1"}, id="capitals-at-its-end"),
        pytest.param(f"a#1#{FAR}|", {"a": "1"}, id="trailing-bar"),
        pytest.param(f"|a#1#{FAR}||b#2#{FAR}", {"a": "1", "b": "2"}, id="empty-entries"),
        pytest.param(f"check#true#{FAR}|disable#x#{FAR}", {"check": "true", "disable": "x"}, id="names-of-at.js"),
        pytest.param(f'"a#1#{FAR}"', {"a": "1"}, id="quoted-by-a-framework"),
        pytest.param(f"a%231%23{FAR}%7Cb%232%23{FAR}", {"a": "1", "b": "2"}, id="encoded-once-more"),
        pytest.param(f"a#1%7C2%23#{FAR}", {"a": "1|2#"}, id="separators-in-a-value"),
        pytest.param("a#1#-5", {}, id="negative-expiry"),
        pytest.param("a#1#+9596233214", {}, id="signed-expiry"),
        pytest.param("a#1#9_596_233_214", {}, id="underscores-in-expiry"),
        pytest.param("a#1#95962332140000000", {}, id="expiry-too-long"),
        pytest.param("a#1#٩٥٩٦٢٣٣٢١٤", {}, id="digits-that-are-not-ascii"),
        pytest.param(f"a#%FF%ZZ#{FAR}", {"a": "\ufffd%ZZ"}, id="broken-percent-encoding"),
        pytest.param(f"#x#{FAR}", {"": "x"}, id="no-name"),
    ],
)
def test_parse(value: str | None, entries: dict[str, str]) -> None:
    assert parse_target_cookie(value, NOW_S) == entries


@pytest.mark.parametrize(
    ("now_s", "is_valid"),
    [(1000.0, True), (999.2, True), (1000.0001, False), (1001.0, False)],
    ids=["at-expiry", "just-before", "just-after", "after"],
)
def test_an_entry_is_valid_while_the_rounded_up_clock_is_not_past_its_expiry(now_s: float, is_valid: bool) -> None:
    assert parse_target_cookie("a#1#1000", now_s) == ({"a": "1"} if is_valid else {})


@pytest.mark.parametrize(
    ("text", "value"),
    [
        pytest.param("mbox=a#1#2", "a#1#2", id="alone"),
        pytest.param("other=1; mbox=a#1#2; last=x", "a#1#2", id="cookie"),
        pytest.param(" mbox =a#1#2", "a#1#2", id="spaces"),
        pytest.param("Set-Cookie: mbox=a#1#2; Path=/", "a#1#2", id="set-cookie"),
        pytest.param("a: b: mbox=a#1#2", "a#1#2", id="two-colons"),
        pytest.param("mbox=a=b#1#2", "a=b#1#2", id="equals-in-the-value"),
        pytest.param("mbox%3Da%231%232", "a#1#2", id="encoded-once-more"),
        pytest.param('"mbox=a#1#2"', "a#1#2", id="quoted"),
        pytest.param("mbox=", "", id="empty"),
        pytest.param("mbox=; mbox=b", "", id="the-first-counts"),
        pytest.param("mbox; other=1", None, id="no-pair"),
        pytest.param("other=mbox", None, id="as-a-value"),
        pytest.param("mboxEdgeCluster=38", None, id="another-cookie"),
        pytest.param("session#a=b#2", None, id="equals-behind-the-first-mark"),
        pytest.param("session#mbox=b#2;mbox=a", None, id="a-value-that-looks-like-it"),
        pytest.param("session#1#2", None, id="a-value"),
    ],
)
def test_the_value_in_a_header(text: str, value: str | None) -> None:
    assert find_in_header(text) == value


@pytest.mark.parametrize(
    "header", [f"mbox=session#s1#{FAR}", f"a=b; mbox=session#s1#{FAR}", f"mbox%3Dsession%23s1%23{FAR}"]
)
def test_a_header_is_read_and_told_of_once(header: str, caplog: pytest.LogCaptureFixture) -> None:
    notices = Notices(Log(logging.getLogger("shop")))
    options = parse_request_options({"request": {}, "target_cookie": header})
    for _ in range(2):
        identity = parse_identity(options, NOW_S, Log(logging.getLogger("shop")), notices)
        assert identity.session_id == "s1"
    assert caplog.messages == [
        "The target_cookie of a call is a header: its cookie mbox is read, but pass the value of that alone"
    ]
    assert notices.has_told(("header",))


@pytest.mark.parametrize(
    "value", [f"session#s1#{FAR}", f"session#s1#{FAR}|a#x=y#{FAR}", f"session#s1#{FAR}|a#%3D#{FAR}"]
)
def test_a_value_is_no_header(value: str, caplog: pytest.LogCaptureFixture) -> None:
    logger = logging.getLogger("shop")
    options = parse_request_options({"request": {}, "target_cookie": value})
    assert parse_identity(options, NOW_S, Log(logger), Notices(Log(logger))).session_id == "s1"
    assert caplog.messages == []


def test_build_without_device_id() -> None:
    cookie = build_target_cookie("sessionId", None, NOW_S)
    assert dict(cookie) == {"name": "mbox", "value": "session#sessionId#1570321860", "max_age": 1860}


def test_build_with_device_id() -> None:
    cookie = build_target_cookie("sessionId", "tntId", NOW_S)
    value = "session#sessionId#1570321860|PC#tntId#1633564800"
    assert dict(cookie) == {"name": "mbox", "value": value, "max_age": 63244800}


def test_an_empty_device_id_is_none() -> None:
    assert build_target_cookie("s", "", NOW_S) == build_target_cookie("s", None, NOW_S)


def test_expiries_are_rounded_up() -> None:
    assert build_target_cookie("s", None, NOW_S + 0.03).value == "session#s#1570321861"


@pytest.mark.parametrize(
    ("text", "encoded"),
    [("1/2|#", "1%2F2%7C%23"), ("a b;c,d", "a%20b%3Bc%2Cd"), ("ü", "%C3%BC"), ("d.38_0-x~", "d.38_0-x~"), ("%", "%25")],
    ids=["separators", "what-ends-a-cookie", "not-ascii", "plain", "percent"],
)
def test_parts_are_percent_encoded(text: str, encoded: str) -> None:
    assert build_target_cookie(text, None, NOW_S).value == f"session#{encoded}#1570321860"


@pytest.mark.parametrize(("cluster", "value"), [("28", "28"), (None, None), ("", None)])
def test_location_hint_cookie(cluster: str | None, value: str | None) -> None:
    cookie = build_location_hint_cookie(cluster)
    expected = None if value is None else {"name": "mboxEdgeCluster", "value": value, "max_age": 1860}
    assert (None if cookie is None else dict(cookie)) == expected


def test_documented_names_and_ages() -> None:
    assert (cookies.TARGET_COOKIE_NAME, cookies.LOCATION_HINT_COOKIE_NAME) == ("mbox", "mboxEdgeCluster")
    assert (cookies.SESSION, cookies.DEVICE_ID) == ("session", "PC")
    assert (cookies.SESSION_MAX_AGE_S, cookies.DEVICE_ID_MAX_AGE_S, cookies.LOCATION_HINT_MAX_AGE_S) == (
        1860,
        63244800,
        1860,
    )


@given(st.text(), st.floats(0, 2e10))
def test_any_text_is_read_without_an_error(value: str, now_s: float) -> None:
    entries = parse_target_cookie(value, now_s)
    assert all(isinstance(name, str) and isinstance(text, str) for name, text in entries.items())


@given(st.lists(st.sampled_from(["a", "session", "PC", "#", "|", "%", "%23", "%7C", str(FAR), '"', " ", "٣"])))
def test_any_text_made_of_cookie_pieces_is_read_without_an_error(pieces: list[str]) -> None:
    value = "".join(pieces)
    assert len(parse_target_cookie(value, NOW_S)) <= value.replace("%7C", "|").count("|") + 1


@given(TEXT, TEXT, st.floats(0, 2e10))
def test_what_is_built_is_read_back(session_id: str, device_id: str, now_s: float) -> None:
    cookie = build_target_cookie(session_id, device_id, now_s)
    expected = {"session": session_id} | ({"PC": device_id} if device_id else {})
    assert parse_target_cookie(cookie.value, now_s) == expected
    assert cookie.value.isascii()
    assert not set(cookie.value) & set(' ";,\\\r\n\t')


@given(st.text(st.characters(categories=["Cs"]), min_size=1, max_size=5))
def test_half_a_surrogate_pair_is_written_without_an_error(text: str) -> None:
    assert build_target_cookie(text, text, NOW_S).value.isascii()


@pytest.mark.parametrize("piece", ["|", "#", "%", "a#1#9596233214|", "%25", "session#" * 3, "%23"], ids=repr)
def test_a_megabyte_is_read_in_linear_time(piece: str) -> None:
    def seconds(size: int) -> float:
        value = (piece * (size // len(piece) + 1))[:size]
        began = time.thread_time()
        parse_target_cookie(value, NOW_S)
        return time.thread_time() - began

    small, large = min(seconds(62_500) for _ in range(3)), seconds(1_000_000)
    assert large < max(16 * small * 5, 1.0)
