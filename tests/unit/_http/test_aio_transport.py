"""Both transports of AsyncTargetClient: connections, retries, TLS, proxies, what they log."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import socket
import threading
from pathlib import Path
from typing import Any

import pytest

from target import ApiError, TargetDeliveryResponse, TargetError, TargetTimeout, TransportError
from target._http.transport import Request
from target.delivery.attempts import Send
from target.delivery.reply import Reply
from target.delivery.request import Call
from tests.kit import aio, calls
from tests.kit.aio import client_of, eventually, transports
from tests.kit.calls import CALL, COOKIE
from tests.kit.loopback import Answer, LoopbackServer, Received, ok, serving
from tests.kit.raw_servers import (
    Behaviour,
    hang,
    raw_server,
    reset,
    say,
    tunnel,
    unaccepting_server,
)
from tests.kit.tls import Authority

TIMEOUT_MS, LONG_MS = 150, 3000  # for what never ends, and for what does


def parts_of_calls() -> list[object]:
    """What there is of calls that somebody holds."""
    gc.collect()
    return [each for each in gc.get_objects() if type(each) in (Call, Send, Request, Reply)]


@transports
@pytest.mark.parametrize("status", [200, 503])
def test_an_idle_connection_keeps_nothing_of_a_call(status: int, transport: str, server: LoopbackServer) -> None:
    """It keeps the context that it was made in, by which a loop calls it."""

    async def main() -> None:
        async with client_of(server.domain, transport=transport, retries=2) as client:
            before = parts_of_calls()
            server.answer = lambda _: Answer({}, status)
            with contextlib.suppress(ApiError):
                await client.get_offers(**CALL)
            known = set(map(id, before))
            assert await eventually(lambda: not [each for each in parts_of_calls() if id(each) not in known])

    asyncio.run(main())


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


@transports
def test_nobody_accepts_and_no_such_name(transport: str) -> None:
    with unaccepting_server() as port:
        error = asyncio.run(aio.error_of(f"127.0.0.1:{port}", transport=transport, timeout=TIMEOUT_MS))
    assert type(error) is TargetTimeout
    for domain in ("127.0.0.1:1", "nobody.invalid"):
        error = asyncio.run(aio.error_of(domain, transport=transport, timeout=2000))
        assert type(error) is TransportError
        assert str(error).partition("(")[0] == f"http://{domain} cannot be reached "
        assert str(error) == str(calls.error_of(domain)) or domain == "127.0.0.1:1"


@pytest.mark.waits
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
        error = asyncio.run(aio.error_of("slow.example", transport=transport, timeout=200))
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
    error = asyncio.run(aio.error_of(server.domain, transport=transport, timeout=3000, retries=retries))
    assert str(error) == str(calls.error_of(server.domain, retries=retries))
    assert len(server.received) == 2 * attempts
    # A Retry-After beyond the deadline is no reason to wait.
    server.received.clear()
    server.answer = lambda _: Answer({"message": "later"}, status, {"Retry-After": "60"})
    asyncio.run(aio.error_of(server.domain, transport=transport, timeout=3000, retries=retries))
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

    assert asyncio.run(main()).response.client == text
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

    def attempts() -> list[str]:
        return [record.getMessage() for record in caplog.records if record.levelno == logging.DEBUG]

    with caplog.at_level(logging.DEBUG, "target"):
        asyncio.run(main())
        assert calls.eventually(lambda: len(attempts()) == 4)
    lines = attempts()
    assert [line.split(": ", 1)[1].split(" after")[0].split(",")[0] for line in lines] == [
        "200",
        "TransportError",
        "TransportError",
        lines[-1].split(": ", 1)[1].split(" after")[0],
    ]
    # A thread may be ended by its task a moment before it finds out by itself.
    assert "TargetTimeout after" in lines[-1] or (transport == "threads" and "ClientClosed after" in lines[-1])
    assert not any(secret in line for line in lines for secret in (calls.SESSION_ID, calls.DEVICE_ID, COOKIE))


@transports
def test_tls_and_whom_it_trusts(transport: str, authority: Authority, tmp_path: Path) -> None:
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
            error = asyncio.run(aio.error_of(server.domain, transport=transport, **given))
            assert type(error) is TransportError
            assert str(error).startswith(f"TLS with https://{server.domain} failed (")
            assert str(error) == str(calls.error_of(server.domain, **given))
    with serving(tls=authority.server_context("elsewhere.example")) as server:
        given = {"secure": True, "timeout": 3000, "ca_certs": authority.ca_certs}
        error = asyncio.run(aio.error_of(server.domain, transport=transport, **given))
        assert str(error) == str(calls.error_of(server.domain, **given))


@pytest.mark.waits
@transports
@pytest.mark.parametrize("behave", [hang, reset, lambda _: None, say(b"HTTP/1.1 400 no TLS here\r\n\r\n")])
def test_a_tls_handshake_that_does_not_come_about(behave: Behaviour, transport: str) -> None:
    given: dict[str, Any] = {"secure": True, "timeout": TIMEOUT_MS if behave is hang else LONG_MS}
    with raw_server(behave) as server:
        error = asyncio.run(aio.error_of(server.domain, transport=transport, **given))
        attempts = len(server.connections)
        expected = calls.error_of(server.domain, **given)
        assert type(error) is type(expected)
        assert str(error).partition("(")[0].replace("within", "") == str(expected).partition("(")[0].replace(
            "within", ""
        )
        assert len(server.connections) == 2 * attempts


@transports
def test_a_proxy_and_its_credentials(transport: str, authority: Authority) -> None:

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
        error = asyncio.run(aio.error_of("acme.example", transport=transport, **given))
        assert "secret" not in str(error)
        expected = calls.error_of("acme.example", **given)
        assert type(error) is type(expected)
        if behave is not reset:  # urllib3 calls that unreachable, aiohttp unanswered
            assert str(error).partition("(")[0] == str(expected).partition("(")[0]
