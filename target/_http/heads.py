"""Reads and writes heads of messages in one piece, where they are plain: http.client takes several times as long.

"Plain" leaves no room for two readings: HTTP/1.1, a final status, one header to a line, printable ASCII, one length.
Whatever else comes is left to http.client.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from http.client import HTTPMessage
from typing import Any, NamedTuple

LONGEST_HEAD = 16384
_HEAD = re.compile(
    rb"HTTP/1\.1 ([2-5][0-9]{2})(?: ([\t -~]*))?\r\n((?:[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}:[\t -~]*\r\n){0,90})"
)
_FRAMING_LINES = re.compile(rb"\n(con(?:tent-length|nection)|transfer-encoding):[\t ]*([\t -~]*)")
_LINES = re.compile(r"([^:]+):[\t ]*([^\r]*)\r\n")
_MOST_DIGITS = 12
_WITHOUT_BODY = (b"204", b"304")
_ANY_LENGTH = re.compile(r"[0-9]+[ \t]*")
_PLAIN_LINES = re.compile(r"[A-Za-z0-9-]+: [ -~]*(?:\r\n[A-Za-z0-9-]+: [ -~]*)*")
_FRAMING = frozenset({"content-length", "host", "transfer-encoding"})


class PlainMessage(HTTPMessage):
    """The headers of a plain head: without a body that could have parts, and each of them text that no policy mends.
    urllib3 asks for that with each answer."""

    def __init__(self, fields: list[tuple[str, str]]) -> None:
        super().__init__()
        self._headers = fields

    def items(self) -> list[tuple[str, str]]:
        """Names and values, in their order."""
        return self._headers.copy()

    def is_multipart(self) -> bool:
        """Never."""
        return False

    def get_payload(self, *_: Any, **__: Any) -> None:
        """None."""


class Head(NamedTuple):
    """Status and headers, and what they say of the body that follows: ``length`` is None when they do not say it."""

    status: int
    reason: str
    fields: list[tuple[str, str]]
    chunked: bool
    length: int | None
    will_close: bool

    @property
    def headers(self) -> HTTPMessage:
        """``fields`` as http.client has them."""
        return PlainMessage(self.fields)


def parse_head(data: bytes) -> tuple[Head, int] | None:
    """The head that ``data`` begins with, and how many bytes it takes; None when it is not whole, or not plain."""
    found = _plain_head(data)
    framing = None if found is None else _framing(found)
    if found is None or framing is None:
        return None
    fields = _LINES.findall(found[3].decode("ascii"))
    chunked, length, will_close = framing
    head = Head(int(found[1]), (found[2] or b"").decode("ascii").strip(), fields, chunked, length, will_close)
    return head, found.end() + 2


def parse_framing(data: bytes) -> tuple[bool, int | None, int] | None:
    """Of the same head whether its body is chunked, how long that is, and how many bytes the head takes: for who leaves
    the rest of it to somebody else."""
    found = _plain_head(data)
    framing = None if found is None else _framing(found)
    return None if found is None or framing is None else (framing[0], framing[1], found.end() + 2)


def _plain_head(data: bytes) -> re.Match[bytes] | None:
    ends = data.find(b"\r\n\r\n")
    return _HEAD.fullmatch(data, 0, ends + 2) if 0 <= ends < LONGEST_HEAD else None


def _framing(head: re.Match[bytes]) -> tuple[bool, int | None, bool] | None:
    """Whether the body is chunked, how long it is (None: it is not said), whether the connection ends with it; None
    where there are two readings."""
    lines = _FRAMING_LINES.findall(head[0].lower())
    said = dict(lines)
    if len(said) != len(lines):
        return None
    length, encoding = said.get(b"content-length"), said.get(b"transfer-encoding")
    if length is None:
        body_length = None
    elif encoding is None and length.isdigit() and len(length) <= _MOST_DIGITS:
        body_length = int(length)
    else:
        return None
    if encoding not in (None, b"chunked"):
        return None
    if head[1] in _WITHOUT_BODY:
        body_length = 0
    closes = b"close" in said.get(b"connection", b"") or (encoding is None and body_length is None)
    return encoding is not None, body_length, closes


def ends_in_one_place(headers: HTTPMessage) -> bool:
    """Whether headers that are not plain leave no doubt where the body ends; http.client would just pick an answer."""
    lengths = headers.get_all("Content-Length", [])
    return not lengths or (
        len(lengths) == 1 and "Transfer-Encoding" not in headers and _ANY_LENGTH.fullmatch(lengths[0]) is not None
    )


def write_headers(headers: Mapping[str, Any] | None) -> bytes | None:
    """The headers as they go over the wire, in place of those urllib3 adds itself; None where they are not plain."""
    if not headers or "User-Agent" not in headers or "Accept-Encoding" not in headers:
        return None
    lines = []
    for name, value in headers.items():
        if value.__class__ is not str or name.lower() in _FRAMING:
            return None
        lines.append(f"{name}: {value}")
    text = "\r\n".join(lines)
    if text.count("\n") != len(lines) - 1 or not _PLAIN_LINES.fullmatch(text):  # a value could hold a line of its own
        return None
    return text.encode("ascii")
