"""Whatever a server does, both transports of AsyncTargetClient tell it as TargetClient does, and go on well."""

from __future__ import annotations

import asyncio
import gzip
import logging
import socket
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from target import TargetDeliveryResponse, TargetError, TargetTimeout, TransportError
from tests.kit import calls
from tests.kit.aio import client_of, transports
from tests.kit.calls import CALL, COOKIE, assert_discreet
from tests.kit.loopback import Answer, LoopbackServer, Received, ok, serving
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
    tunnel,
    unaccepting_server,
)
from tests.kit.tls import Authority

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


def sync_error(domain: str, **options: Any) -> TargetError:
    with calls.client_of(domain, **options) as client, pytest.raises(TargetError) as caught:
        client.get_offers(**CALL)
    return caught.value


async def async_error(domain: str, **options: Any) -> TargetError:
    async with client_of(domain, **options) as client:
        started = time.monotonic()
        with pytest.raises(TargetError) as caught:
            await client.get_offers(**CALL)
        assert time.monotonic() - started < options["timeout"] / 1000 + 0.5  # the first call imports the models
    assert_discreet(caught.value)
    return caught.value


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_is_told_in_the_same_words(fault: str) -> None:
    counts: list[int] = []
    options: dict[str, Any] = {"timeout": time_for(fault), "max_response_bytes": 1_000_000}
    with raw_server(FAULTS[fault]) as server:
        expected = sync_error(server.domain, **options)
        counts.append(len(server.connections))
        for transport in ("threads", "aiohttp"):
            error = asyncio.run(async_error(server.domain, transport=transport, **options))
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
        nonlocal faulty_connections
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
    "head and body apart": in_two(*(part for part in (GOOD_ANSWER[: -len(GOOD_BODY)], GOOD_BODY))),
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
        assert asyncio.run(main(server.domain)).response.client == "acme"  # type: ignore[union-attr]


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
        sock.sendall(fill(split))
        if late:
            time.sleep(0.01)
            sock.sendall(content[len(split) :])
        hang(sock)

    async def main(domain: str) -> list[str]:
        seen = []
        async with client_of(domain, transport=transport, retries=0) as client:
            for _ in range(3):
                seen.append((await client.get_offers(**CALL)).response.client)  # type: ignore[union-attr]
                await asyncio.sleep(0.05 if late else 0)
        return seen

    with raw_server(hang) as server:
        server.behave = behave
        assert asyncio.run(main(server.domain)) == ["firs", "seco", "thir"]
        assert len(server.connections) == 3


@transports
def test_a_connection_is_kept_and_one_that_died_meanwhile_is_replaced(transport: str, server: LoopbackServer) -> None:
    async def main() -> None:
        async with client_of(server.domain, transport=transport) as client:
            for _ in range(5):
                await client.get_offers(**CALL)
            assert server.connections == 1
            server.answer = lambda received: lambda sock: sock.sendall(in_bytes(ok(received)))  # and closes
            await client.get_offers(**CALL)
            server.answer = ok
            await asyncio.sleep(0.05)
            await client.get_offers(**CALL)
            assert server.connections == 2

    asyncio.run(main())


def in_bytes(answer: Answer) -> bytes:
    content = answer.content()
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(content), content)


# What is not an answer's fault


@transports
def test_nobody_accepts_and_no_such_name(transport: str) -> None:
    with unaccepting_server() as port:
        error = asyncio.run(async_error(f"127.0.0.1:{port}", transport=transport, timeout=TIMEOUT_MS))
    assert type(error) is TargetTimeout
    for domain in ("127.0.0.1:1", "nobody.invalid"):
        error = asyncio.run(async_error(domain, transport=transport, timeout=2000))
        assert type(error) is TransportError
        assert str(error).partition("(")[0] == f"http://{domain} cannot be reached "
        assert str(error) == str(sync_error(domain)) or domain == "127.0.0.1:1"


@transports
def test_a_resolver_that_hangs(transport: str, monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()
    real = socket.getaddrinfo

    def look_up(host: str, *arguments: Any) -> Any:
        if host != "slow.example" or arguments[-1] & socket.AI_NUMERICHOST:
            return real(host, *arguments)
        release.wait(5)
        raise socket.gaierror(socket.EAI_NONAME, "no such name")

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    try:
        error = asyncio.run(async_error("slow.example", transport=transport, timeout=200))
    finally:
        release.set()
    assert type(error) is TargetTimeout
    for thread in threading.enumerate():
        if thread.name == "target-dns":
            thread.join(5)


@transports
@pytest.mark.parametrize(("retries", "status", "attempts"), [(1, 503, 2), (2, 429, 3), (0, 503, 1), (2, 500, 1)])
def test_the_same_is_retried(retries: int, status: int, attempts: int, transport: str, server: LoopbackServer) -> None:
    server.answer = lambda _: Answer({"message": "later"}, status)
    error = asyncio.run(async_error(server.domain, transport=transport, timeout=3000, retries=retries))
    assert str(error) == str(sync_error(server.domain, retries=retries))
    assert len(server.received) == 2 * attempts
    # A Retry-After beyond the deadline is no reason to wait.
    server.received.clear()
    server.answer = lambda _: Answer({"message": "later"}, status, {"Retry-After": "60"})
    asyncio.run(async_error(server.domain, transport=transport, timeout=3000, retries=retries))
    assert len(server.received) == 1


@transports
def test_a_large_request_and_a_large_answer(transport: str, server: LoopbackServer) -> None:
    def echo(received: Received) -> Answer:
        return Answer({"status": 200, "client": received.body["context"]["userAgent"]})

    server.answer = echo
    text = "x" * 3_000_000

    async def main() -> TargetDeliveryResponse:
        async with client_of(server.domain, transport=transport) as client:
            return await client.get_offers(request={"context": {"userAgent": text}, "execute": {"pageLoad": {}}})

    assert asyncio.run(main()).response.client == text  # type: ignore[union-attr]
    assert "Transfer-Encoding" not in server.received[0].headers


@transports
def test_no_cookie_is_kept_and_no_redirect_followed(transport: str, server: LoopbackServer) -> None:
    server.answer = lambda received: Answer(ok(received).body, headers={"Set-Cookie": "a=b; Path=/"})

    async def main() -> None:
        async with client_of(server.domain, transport=transport) as client:
            await client.get_offers(**CALL)
            await client.get_offers(**CALL)
            server.answer = lambda received: Answer(ok(received).body, 307, {"Location": "/elsewhere"})
            with pytest.raises(TargetError, match="Redirects are not followed"):
                await client.get_offers(**CALL)

    asyncio.run(main())
    assert [received.headers["Cookie"] for received in server.received] == [None] * 3


@transports
def test_each_attempt_is_a_line_in_the_log_without_ids(
    transport: str, server: LoopbackServer, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        async with client_of(server.domain, transport=transport, timeout=200) as client:
            await client.get_offers(**CALL)
            server.answer = lambda _: lambda sock: None
            with pytest.raises(TransportError):
                await client.get_offers(**CALL)
            server.answer = lambda _: hang
            with pytest.raises(TargetTimeout):
                await client.get_offers(**CALL)

    with caplog.at_level(logging.DEBUG, "target"):
        asyncio.run(main())
        assert calls.eventually(lambda: len(caplog.records) == 4)
    lines = [record.getMessage() for record in caplog.records]
    assert [line.split(": ", 1)[1].split(" after")[0].split(",")[0] for line in lines] == [
        "200",
        "TransportError",
        "TransportError",
        lines[-1].split(": ", 1)[1].split(" after")[0],
    ]
    # A thread may be ended by its task a moment before it finds out by itself.
    assert "TargetTimeout after" in lines[-1] or (transport == "threads" and "ClientClosed after" in lines[-1])
    assert not any(secret in line for line in lines for secret in (calls.SESSION_ID, calls.DEVICE_ID, COOKIE))


# TLS and proxies


@transports
def test_tls_and_whom_it_trusts(transport: str, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    (tmp_path / "other").mkdir()
    stranger = Authority(tmp_path / "other")

    async def main(server: LoopbackServer) -> None:
        async with client_of(server.domain, transport=transport, secure=True, ca_certs=authority.ca_certs) as client:
            for _ in range(2):
                assert (await client.get_offers(**CALL)).response is not None
        assert server.connections == 1

    with serving(tls=authority.server_context()) as server:
        asyncio.run(main(server))
        for options in ({"ca_certs": stranger.ca_certs}, {}, {"ca_certs": str(tmp_path / "missing.pem")}):
            given = {"secure": True, "timeout": 3000, **options}
            error = asyncio.run(async_error(server.domain, transport=transport, **given))
            assert type(error) is TransportError
            assert str(error).startswith(f"TLS with https://{server.domain} failed (")
            assert str(error) == str(sync_error(server.domain, **given))
    with serving(tls=authority.server_context("elsewhere.example")) as server:
        given = {"secure": True, "timeout": 3000, "ca_certs": authority.ca_certs}
        error = asyncio.run(async_error(server.domain, transport=transport, **given))
        assert str(error) == str(sync_error(server.domain, **given))


@transports
@pytest.mark.parametrize("behave", [hang, reset, lambda _: None, say(b"HTTP/1.1 400 no TLS here\r\n\r\n")])
def test_a_tls_handshake_that_does_not_come_about(behave: Behaviour, transport: str) -> None:
    given: dict[str, Any] = {"secure": True, "timeout": TIMEOUT_MS if behave is hang else LONG_MS}
    with raw_server(behave) as server:
        error = asyncio.run(async_error(server.domain, transport=transport, **given))
        attempts = len(server.connections)
        expected = sync_error(server.domain, **given)
        assert type(error) is type(expected)
        assert str(error).partition("(")[0].replace("within", "") == str(expected).partition("(")[0].replace(
            "within", ""
        )
        assert len(server.connections) == 2 * attempts


@transports
def test_a_proxy_and_its_credentials(transport: str, tmp_path: Path) -> None:
    authority = Authority(tmp_path)

    async def main(**options: Any) -> None:
        async with client_of("acme.example", transport=transport, **options) as client:
            for _ in range(2):
                assert (await client.get_offers(**CALL)).response is not None

    with serving() as proxy:
        asyncio.run(main(proxy=f"http://me:p%40ss@{proxy.domain}"))
        assert [received.target.partition("?")[0] for received in proxy.received] == [
            "http://acme.example/rest/v1/delivery"
        ] * 2
        assert {received.headers["Proxy-Authorization"] for received in proxy.received} == {"Basic bWU6cEBzcw=="}
        assert {received.headers["Host"] for received in proxy.received} == {"acme.example"}
        assert proxy.connections == 1
    seen: list[bytes] = []
    with (
        serving(tls=authority.server_context("acme.example")) as server,
        raw_server(tunnel(server.server_port, seen)) as gateway,
    ):
        given = {"secure": True, "ca_certs": authority.ca_certs}
        asyncio.run(main(proxy=f"http://me:p%40ss@{gateway.domain}", **given))
        assert len(seen) == 1
        assert seen[0].startswith(b"CONNECT acme.example:443 HTTP/1.")
        assert b"\r\nproxy-authorization: Basic bWU6cEBzcw==\r\n" in seen[0].replace(b"Proxy-A", b"proxy-a")
        assert [received.headers["Proxy-Authorization"] for received in server.received] == [None] * 2


@transports
@pytest.mark.parametrize(
    ("behave", "secure"),
    [
        (say(b"HTTP/1.1 407 Who are you\r\nContent-Length: 0\r\n\r\n"), True),
        (say(b"HTTP/1.1 407 Who are you\r\nContent-Length: 0\r\n\r\n"), False),
        (say(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n"), True),
        (reset, True),
        (hang, True),
        (hang, False),
    ],
)
def test_a_proxy_that_does_not_work(behave: Behaviour, secure: bool, transport: str) -> None:
    with raw_server(behave) as proxy:
        given: dict[str, Any] = {"secure": secure, "proxy": f"http://me:secret@{proxy.domain}"}
        given["timeout"] = TIMEOUT_MS if behave is hang else LONG_MS
        error = asyncio.run(async_error("acme.example", transport=transport, **given))
        assert "secret" not in str(error)
        expected = sync_error("acme.example", **given)
        assert type(error) is type(expected)
        if behave is not reset:  # urllib3 calls that unreachable, aiohttp unanswered
            assert str(error).partition("(")[0] == str(expected).partition("(")[0]
