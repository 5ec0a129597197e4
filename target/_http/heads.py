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
_LENGTH = re.compile(r"[0-9]{1,12}")
_ANY_LENGTH = re.compile(r"[0-9]+[ \t]*")
_PLAIN_LINES = re.compile(r"[A-Za-z0-9-]+: [ -~]*(?:\r\n[A-Za-z0-9-]+: [ -~]*)*")
_FRAMING = frozenset({"content-length", "host", "transfer-encoding"})
_SINGLE = ("content-length", "transfer-encoding", "connection")


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
        """``fields`` as http.client has them, made when asked for."""
        message = HTTPMessage()
        for name, value in self.fields:
            message[name] = value
        return message


def parse_head(data: bytes) -> tuple[Head, int] | None:
    """The head that ``data`` begins with, and how many bytes it takes; None when it is not whole, or not plain."""
    ends = data.find(b"\r\n\r\n")
    found = _HEAD.fullmatch(data, 0, ends + 2) if 0 <= ends < LONGEST_HEAD else None
    if found is None:
        return None
    fields: list[tuple[str, str]] = []
    framing: dict[str, str] = {}
    for line in found[3].decode("ascii").split("\r\n")[:-1]:
        name, _, value = line.partition(":")
        value = value.lstrip(" \t")
        fields.append((name, value))
        lower = name.lower()
        if lower in _SINGLE:
            if lower in framing:
                return None
            framing[lower] = value.lower()
    status, length, encoding = int(found[1]), framing.get("content-length"), framing.get("transfer-encoding")
    if length is not None and (encoding is not None or not _LENGTH.fullmatch(length)):
        return None
    if encoding not in (None, "chunked"):
        return None
    body_length = 0 if status in (204, 304) else None if length is None else int(length)
    closes = "close" in framing.get("connection", "") or (encoding is None and body_length is None)
    head = Head(status, (found[2] or b"").decode("ascii").strip(), fields, encoding is not None, body_length, closes)
    return head, ends + 4


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
