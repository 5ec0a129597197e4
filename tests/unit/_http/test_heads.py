"""The quick reading of a plain head says what http.client says, or leaves the head to it."""

from __future__ import annotations

import http.client
import io
import pickle
from copy import copy
from http.client import HTTPMessage
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from urllib3.util.response import assert_header_parsing

from target._http.heads import (
    LONGEST_HEAD,
    PlainMessage,
    ends_in_one_place,
    parse_framing,
    parse_head,
    write_headers,
)


class Arrived:
    """A socket that has received ``data``."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(cast("Any", io.BytesIO(self._data)))


def read_by_http_client(data: bytes) -> dict[str, Any]:
    response = http.client.HTTPResponse(cast("Any", Arrived(data)), method="POST")
    response.begin()
    return {
        "status": response.status,
        "reason": response.reason,
        "headers": response.getheaders(),
        "chunked": bool(response.chunked),
        "length": response.length,
        "will_close": bool(response.will_close),
        "version": response.version,
    }


def read_quickly(data: bytes) -> dict[str, Any] | None:
    parsed = parse_head(data)
    if parsed is None:
        assert parse_framing(data) is None
        return None
    head, size = parsed
    assert parse_framing(data) == (head.chunked, head.length, size)
    assert data[:size].endswith(b"\r\n\r\n")
    return {
        "status": head.status,
        "reason": head.reason,
        "headers": head.headers.items(),
        "chunked": head.chunked,
        "length": head.length,
        "will_close": head.will_close,
        "version": 11,
    }


PLAIN = [
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 12\r\n\r\n{}",
    b"HTTP/1.1 204 No Content\r\n\r\n",
    b"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n",
    b'HTTP/1.1 304 Not Modified\r\nETag: "1"\r\nContent-Length: 7\r\n\r\n',
    b"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 503  Slow  Down \r\nRetry-After: 3\r\nContent-Length:2\r\n\r\n{}",
    b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nX:\t a b \t\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nConnection: Close\r\nContent-Length: 2\r\n\r\n{}",
    b"HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nContent-Length: 2\r\n\r\n{}",
    b"HTTP/1.1 200 OK\r\n\r\nuntil it closes",
]


@pytest.mark.parametrize("data", PLAIN)
def test_plain_heads_are_read_as_http_client_reads_them(data: bytes) -> None:
    assert read_quickly(data) == read_by_http_client(data)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n",  # not whole
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: a\r\n folded\r\nContent-Length: 2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 0x2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: \xc3\xa9\r\nContent-Length: 2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: a\x0bb\r\nContent-Length: 2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: a\rb\r\nContent-Length: 2\r\n\r\n",
        b"HTTP/1.1 200 OK\nContent-Length: 2\n\n",
        b"HTTP/1.1 200 OK\r\nno colon\r\nContent-Length: 2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 91 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * LONGEST_HEAD + b"\r\n\r\n",
        b"<html>not HTTP at all</html>\r\n\r\n",
    ],
)
def test_any_other_head_is_left_to_http_client(data: bytes) -> None:
    assert parse_head(data) is None
    assert parse_framing(data) is None


FIELDS = st.lists(
    st.tuples(st.sampled_from(["Date", "date", "Set-Cookie", "Content-Type"]), st.text("abc/;=, \t", max_size=20)),
    max_size=8,
)


@given(FIELDS, st.text("abc", min_size=1, max_size=3))
def test_headers_are_to_urllib3_and_others_what_http_client_would_have_made(
    fields: list[tuple[str, str]], value: str
) -> None:
    plain, expected = PlainMessage(fields.copy()), HTTPMessage()
    for name, text in fields:
        expected[name] = text

    def told(message: HTTPMessage) -> Any:
        assert_header_parsing(message)
        return [
            message.items(),
            message.keys(),
            message.values(),
            list(message),
            len(message),
            message.get_all("date"),
            message.get("set-cookie", "none"),
            message.getallmatchingheaders("Set-Cookie"),
            "CONTENT-TYPE" in message,
            message.get_content_type(),
            message.as_string(),
            message.is_multipart() and message.get_content_maintype() != "multipart",
            message.get_payload() and "body",
            message.defects,
        ]

    assert told(plain) == told(expected)
    plain.items().clear()  # which is nobody's but the caller's
    for message in (plain, expected):
        message["Date"] = value
        del message["content-type"]
        message.replace_header("DATE", "now")
        message.add_header("X", "y", z="1")
    assert told(plain) == told(expected)
    assert told(copy(plain)) == told(pickle.loads(pickle.dumps(plain))) == told(expected)


_TEXT = st.text("abcXYZ019 \t:;,=-/\"'", max_size=12)
_NAMES = st.sampled_from(
    ["Content-Length", "Transfer-Encoding", "Connection", "content-length", "X-A", "Content-Type", "Set-Cookie", "Date"]
)
_VALUES = st.one_of(_TEXT, st.sampled_from(["0", "5", "chunked", "Chunked", "close", "keep-alive", "identity", ""]))


@given(
    st.integers(200, 599),
    _TEXT,
    st.lists(st.tuples(_NAMES, st.sampled_from([":", ": ", ":\t ", " :"]), _VALUES), max_size=6),
    st.binary(max_size=8),
)
def test_no_head_is_read_in_another_way(
    status: int, reason: str, headers: list[tuple[str, str, str]], rest: bytes
) -> None:
    lines = [f"HTTP/1.1 {status} {reason}", *("".join(header) for header in headers)]
    data = "\r\n".join(lines).encode() + b"\r\n\r\n" + rest
    quick = read_quickly(data)
    assert quick is None or quick == read_by_http_client(data)


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_left(data: bytes) -> None:
    assert parse_head(b"HTTP/1.1 200 OK\r\n" + data) is None or b"\r\n\r\n" in b"\r\n" + data


@pytest.mark.parametrize(
    ("lines", "sure"),
    [
        ([], True),
        ([("Content-Length", "0")], True),
        ([("content-length", "37 \t")], True),
        ([("Transfer-Encoding", "chunked")], True),
        ([("Content-Length", "37"), ("Content-Length", "37")], False),
        ([("Content-Length", "37"), ("transfer-encoding", "chunked")], False),
        *[
            ([("Content-Length", value)], False)
            for value in ("", "-1", "+37", "3_7", "37, 37", "0x25", "many", "\u0663")
        ],
    ],
)
def test_a_body_ends_in_one_place_or_the_answer_is_none(lines: list[tuple[str, str]], sure: bool) -> None:
    headers = http.client.HTTPMessage()
    for name, value in lines:
        headers[name] = value
    assert ends_in_one_place(headers) is sure


SENT = {"User-Agent": "sdk/1", "Accept-Encoding": "gzip", "X-Request-Id": "1"}


def test_plain_headers_are_written_in_one_piece() -> None:
    assert write_headers(SENT) == b"User-Agent: sdk/1\r\nAccept-Encoding: gzip\r\nX-Request-Id: 1"


@pytest.mark.parametrize(
    "headers",
    [
        None,
        {},
        {"Accept-Encoding": "gzip"},  # urllib3 would add its own User-Agent
        {"User-Agent": "sdk/1"},
        {**SENT, "X": "a\r\nHost: evil.example"},
        {**SENT, "X": "a\nb"},
        {**SENT, "X\r\nY": "a"},
        {**SENT, "X": "é"},
        {**SENT, "X": "\x00"},
        {**SENT, "X": b"bytes"},
        {**SENT, "X": 1},
        {**SENT, "content-length": "3"},
        {**SENT, "Host": "other.example"},
        {**SENT, "Transfer-Encoding": "chunked"},
    ],
)
def test_any_other_headers_are_left_to_http_client(headers: dict[str, Any] | None) -> None:
    assert write_headers(headers) is None
