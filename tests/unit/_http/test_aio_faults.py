"""Whatever a server does, both transports of AsyncTargetClient tell it as TargetClient does, and go on well."""

from __future__ import annotations

import asyncio
import gzip
import socket
import threading
import time
from typing import Any

import pytest

from target import TargetDeliveryResponse, TargetError
from tests.kit import aio, calls
from tests.kit.aio import client_of, transports
from tests.kit.calls import CALL
from tests.kit.raw_servers import (
    GOOD_ANSWER,
    GOOD_BODY,
    Behaviour,
    drip,
    flood,
    gzipped,
    hang,
    raw_server,
    read_request,
    reset,
    say,
    serve_well,
)

# tests/faults always runs much the same table, by way of calling instead of fault by fault.
pytestmark = pytest.mark.slow

TIMEOUT_MS = 150  # for what never ends
LONG_MS = 3000  # for what does
ENDLESS = ("hangs", "drips", "only interim", "an unending")
OK_HEAD = b"HTTP/1.1 200 OK\r\n"


def with_length(body: bytes, *headers: bytes, length: int | None = None) -> bytes:
    lines = [b"Content-Length: %d" % (len(body) if length is None else length), *headers]
    return OK_HEAD + b"".join(line + b"\r\n" for line in lines) + b"\r\n" + body


def chunked(*chunks: bytes, end: bytes = b"0\r\n\r\n") -> bytes:
    body = b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks)
    return OK_HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + body + end


def in_two(first: bytes, second: bytes, then: Behaviour = hang) -> Behaviour:
    def behave(sock: socket.socket) -> None:
        read_request(sock)
        sock.sendall(first)
        time.sleep(0.03)
        sock.sendall(second)
        then(sock)

    return behave


BOMB = gzipped(b" " * 5_000_000)
FAULTS: dict[str, Behaviour] = {
    "closed at once": lambda _: None,
    "reset at once": reset,
    "closed without an answer": read_request,
    "reset without an answer": lambda sock: (read_request(sock), reset(sock)),
    "closed in the status line": say(b"HTTP/1.1 2"),
    "closed in the head": say(OK_HEAD + b"Content-Le"),
    "reset in the head": say(OK_HEAD + b"Content-Le", lambda sock: (time.sleep(0.05), reset(sock))),
    "closed after the head": say(OK_HEAD + b"Content-Length: 20\r\n\r\n"),
    "closed in the body": say(with_length(b"{}", length=20)),
    "reset in the body": say(with_length(b"{}", length=20), lambda sock: (time.sleep(0.05), reset(sock))),
    "closed in a chunk": say(chunked(b"{}", end=b"5\r\nab")),
    "closed between chunks": say(chunked(b"{}", end=b"")),
    "hangs": hang,
    "hangs in the head": say(OK_HEAD, hang),
    "hangs in the body": say(with_length(b"{}", length=20), hang),
    "drips the head": drip(b"HTTP/1.1 200 OK\r\nX-A: " + b"b" * 100),
    "drips the body": drip(b"{}", with_length(b"", length=1000)),
    "only interim answers": flood(b"HTTP/1.1 100 Continue\r\n\r\n"),
    "an interim answer, then closed": say(b"HTTP/1.1 103 Early Hints\r\n\r\n"),
    "switches protocols": say(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n"),
    "not HTTP": say(b"SSH-2.0-OpenSSH_9.6\r\n"),
    "an unending head": flood(b"X-Header: " + b"y" * 100 + b"\r\n"),
    "a header line too long": say(OK_HEAD + b"X: " + b"y" * 70_000 + b"\r\nContent-Length: 2\r\n\r\n{}"),
    "a chunk size that is no number": say(OK_HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n"),
    "not JSON": say(with_length(b"<html>")),
    "not a JSON object": say(with_length(b"[]")),
    "empty": say(with_length(b"")),
    "a length that is too short": say(with_length(GOOD_BODY, length=10)),
    "a length above the limit": say(with_length(b"{}", length=10_000_000), hang),
    "more bytes than the limit": say(chunked(b" " * 1_100_000)),
    "a gzip bomb": say(with_length(BOMB, b"Content-Encoding: gzip")),
    "a gzip bomb in chunks": say(OK_HEAD + b"Content-Encoding: gzip\r\nConnection: close\r\n\r\n" + BOMB),
    "gzip that is none": say(with_length(b"{}", b"Content-Encoding: gzip")),
    "half of a gzip": say(with_length(gzipped(GOOD_BODY)[:20], b"Content-Encoding: gzip")),
    "a redirect": say(b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"),
    "an HTML error": say(b"HTTP/1.1 500 Oops\r\nContent-Type: text/html\r\nContent-Length: 6\r\n\r\n<html>"),
}


# Whether a reset finds the connection made or not; whether 103 counts as an answer, as http.client has it.
TOLD_BY_CHANCE = ("reset at once", "an interim answer, then closed")
WHOLE = ("a gzip bomb", "gzip that is none", "half of a gzip")  # as HTTP has it
KEPT = (
    "not JSON",
    "half of a gzip",
    "not a JSON object",
    "empty",
    "a redirect",
    "an HTML error",
)  # the answers were whole


def time_for(fault: str) -> int:
    return TIMEOUT_MS if fault.startswith(ENDLESS) else LONG_MS


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_is_told_in_the_same_words(fault: str) -> None:
    counts: list[int] = []
    options: dict[str, Any] = {"timeout": time_for(fault), "max_response_bytes": 1_000_000}
    with raw_server(FAULTS[fault]) as server:
        expected = calls.error_of(server.domain, **options)
        counts.append(len(server.connections))
        for transport in ("threads", "aiohttp"):
            error = asyncio.run(aio.error_of(server.domain, transport=transport, **options))
            counts.append(len(server.connections))
            assert type(error) is type(expected)
            assert fault in TOLD_BY_CHANCE or plain(error) == plain(expected)
    # As many attempts: each fault costs a connection, and an attempt that may be made again is.
    assert counts[1] == 2 * counts[0]
    assert counts[2] == 3 * counts[0]


def plain(error: TargetError) -> str:
    """The message, but for the name of what urllib3 or aiohttp raised."""
    return str(error).partition(" could not be read")[0]


@transports
@pytest.mark.parametrize("fault", FAULTS)
def test_the_next_call_does_well_on_another_connection(fault: str, transport: str) -> None:
    faulty = threading.Event()

    async def main(domain: str) -> None:
        options: dict[str, Any] = {"timeout": time_for(fault), "max_response_bytes": 1_000_000}
        async with client_of(domain, transport=transport, **options) as client:
            faulty.set()
            with pytest.raises(TargetError):
                await client.get_offers(**CALL)
            faulty.clear()
            for _ in range(3):
                assert (await client.get_offers(**CALL)).response.status == 200

    def then(sock: socket.socket) -> None:
        nonlocal faulty_connections  # type: ignore[misc]
        if not faulty.is_set():
            serve_well(sock)
            return
        faulty_connections += 1
        FAULTS[fault](sock)
        if fault in WHOLE:  # the server would go on
            serve_well(sock)

    faulty_connections = 0
    with raw_server(then) as server:
        asyncio.run(main(server.domain))
        # urllib3 has a connection back, and offers it again, before it unpacks what came on it.
        if fault not in KEPT and not (transport == "threads" and fault in WHOLE):
            assert len(server.connections) == faulty_connections + 1


GOOD: dict[str, Behaviour] = {
    "in two packets": in_two(GOOD_ANSWER[:30], GOOD_ANSWER[30:]),
    "head and body apart": in_two(GOOD_ANSWER[: -len(GOOD_BODY)], GOOD_BODY),
    "in chunks": say(chunked(GOOD_BODY[:5], GOOD_BODY[5:]), hang),
    "until closed": say(OK_HEAD + b"\r\n" + GOOD_BODY),
    "gzip": say(with_length(gzip.compress(GOOD_BODY), b"Content-Encoding: gzip"), hang),
    "deflate in chunks": say(OK_HEAD + b"Content-Encoding: gzip\r\n\r\n" + gzip.compress(GOOD_BODY)),
    "after an interim answer in a packet of its own": in_two(b"HTTP/1.1 100 Continue\r\n\r\n", GOOD_ANSWER),
    "after an interim answer": say(b"HTTP/1.1 100 Continue\r\n\r\n" + GOOD_ANSWER, hang),
    "with a byte too many": say(GOOD_ANSWER + b"x", hang),
    "with another answer behind it": say(GOOD_ANSWER + GOOD_ANSWER.replace(b"acme", b"evil"), hang),
    "with half an answer behind it": say(GOOD_ANSWER + b"HTTP/1.1 200 OK\r\nContent-", hang),
    "in chunks, with another answer behind it": say(chunked(GOOD_BODY) + GOOD_ANSWER.replace(b"acme", b"evil"), hang),
    "in chunks, with a byte behind them": in_two(chunked(GOOD_BODY), b"x"),
    "with trailers": say(chunked(GOOD_BODY, end=b"0\r\nX-Trailer: 1\r\n\r\n"), hang),
}


@transports
@pytest.mark.parametrize("way", GOOD)
def test_good_answers_in_every_form(way: str, transport: str) -> None:
    async def main(domain: str) -> TargetDeliveryResponse:
        async with client_of(domain, transport=transport, retries=0) as client:
            return await client.get_offers(**CALL)

    with raw_server(GOOD[way]) as server:
        assert asyncio.run(main(server.domain)).response.client == "acme"


LEFT_OVERS = {
    "a byte": GOOD_ANSWER + b"x",
    "another answer": GOOD_ANSWER * 2,
    "half an answer": GOOD_ANSWER + GOOD_ANSWER[:40],
    "another answer after chunks": chunked(GOOD_BODY) + GOOD_ANSWER,
    "half an answer after chunks": chunked(GOOD_BODY) + GOOD_ANSWER[:40],
}


@transports
@pytest.mark.parametrize("late", [False, True], ids=["at once", "while idle"])
@pytest.mark.parametrize("left_over", LEFT_OVERS)
def test_no_answer_begins_with_what_another_left(left_over: str, late: bool, transport: str) -> None:
    """The next visitor's answer would be the one that stands behind this visitor's."""
    content = LEFT_OVERS[left_over]
    split = (GOOD_ANSWER if content.startswith(GOOD_ANSWER) else chunked(GOOD_BODY)) if late else content
    wanted = [b"first", b"second", b"third"]

    def behave(sock: socket.socket) -> None:
        name = wanted[len(server.connections) - 1]
        read_request(sock)
        fill = lambda data: data.replace(b"acme", name.ljust(6)[:4])  # noqa: E731
        sock.sendall(fill(split))  # type: ignore[no-untyped-call]
        if late:
            time.sleep(0.01)
            sock.sendall(content[len(split) :])
        hang(sock)

    async def main(domain: str) -> list[str]:
        seen = []
        async with client_of(domain, transport=transport, retries=0) as client:
            for _ in range(3):
                seen.append((await client.get_offers(**CALL)).response.client)
                await asyncio.sleep(0.05 if late else 0)
        return seen  # type: ignore[return-value]

    with raw_server(hang) as server:
        server.behave = behave
        assert asyncio.run(main(server.domain)) == ["firs", "seco", "thir"]
        assert len(server.connections) == 3
