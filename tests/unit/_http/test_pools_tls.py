"""What a pool's connections go through: TLS, and proxies."""

from __future__ import annotations

import base64
import logging
import socket
import ssl
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from target import OptionsError, TransportError
from tests.kit.calls import CALL, SESSION_ID, assert_discreet, client_of, expect
from tests.kit.loopback import Answer, Received, ok, serving
from tests.kit.raw_servers import raw_server, say, tunnel
from tests.kit.tls import Authority


def test_ca_certs_verifies_the_server(authority: Authority, secure: dict[str, Any], tmp_path: Path) -> None:
    with serving(tls=authority.server_context()) as server:
        with client_of(server.domain, **secure) as client:
            assert client.get_offers(**CALL).response.status == 200
        stranger = Authority(tmp_path)
        for options in ({"ca_certs": stranger.ca_certs}, {}, {"ca_certs": str(tmp_path / "missing.pem")}):
            with client_of(server.domain, secure=True, **options) as client:
                expect(
                    TransportError,
                    lambda client=client: client.get_offers(**CALL),  # type: ignore[misc]
                    "^TLS with .* failed .*ca_certs",
                )
        assert len(server.received) == 1


def test_trusted_certificates_are_read_once(
    authority: Authority, secure: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reading the system's takes 20 ms: more than the handshake, and it would be done for every connection."""
    reads: list[object] = []
    load = ssl.SSLContext.load_verify_locations
    monkeypatch.setattr(
        ssl.SSLContext, "load_verify_locations", lambda context, *files: (reads.append(files), load(context, *files))
    )
    together = threading.Barrier(4)

    def wait_for_all(received: Received) -> Answer:
        together.wait(5)
        return ok(received)

    with serving(wait_for_all, tls=authority.server_context()) as server, client_of(server.domain, **secure) as client:
        with ThreadPoolExecutor(4) as threads:
            results = list(threads.map(lambda _: client.get_offers(**CALL), range(4)))
        assert [result.response.status for result in results] == [200] * 4
        assert server.connections == 4
        client._transport._pools._hosts.clear()  # type: ignore[attr-defined]
        server.answer = ok
        client.get_offers(**CALL)
    assert len(reads) == 1


def test_a_certificate_for_another_host_is_refused(authority: Authority, secure: dict[str, Any]) -> None:
    with serving(tls=authority.server_context("other.example")) as server:
        with client_of(server.domain, **secure) as client:
            expect(TransportError, lambda: client.get_offers(**CALL), "^TLS with ")
        assert server.received == []


def test_http_where_tls_is_expected_and_the_other_way_round(authority: Authority) -> None:
    with raw_server(say(b"HTTP/1.1 400 Bad Request\r\n\r\n")) as server:
        server.behave = lambda sock: sock.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        with client_of(server.domain, secure=True) as client:
            expect(TransportError, lambda: client.get_offers(**CALL), "^TLS with ")
    with serving(tls=authority.server_context()) as server, client_of(server.domain) as client:  # type: ignore[assignment]
        expect(TransportError, lambda: client.get_offers(**CALL))


def test_proxy_credentials_are_sent_and_never_shown(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with serving() as proxy:
        with client_of("acme.example", proxy=f"http://me:p%40ss%3Aw%2F@{proxy.domain}") as client:
            client.get_offers(**CALL)
            proxy.answer = lambda _: Answer(b"", 407)
            with pytest.raises(Exception, match="407") as caught:
                client.get_offers(**CALL)
            assert_discreet(caught.value)
            shown = str(caught.value) + repr(vars(client._config.logger)) + caplog.text
        headers = proxy.received[0].headers
    assert headers["Proxy-Authorization"] == "Basic " + base64.b64encode(b"me:p@ss:w/").decode()
    assert "p@ss" not in shown
    assert "p%40ss" not in shown


def test_a_proxy_url_that_cannot_be_used_is_refused_without_showing_its_password() -> None:
    for proxy in ("proxy.example:3128", "socks5://proxy.example", "http://me:p/ass@proxy.example", "http://:3128"):
        with pytest.raises(OptionsError, match="'proxy' must be a URL") as caught:
            client_of("acme.example", proxy=proxy)
        cause: BaseException | None = caught.value
        while cause is not None:
            assert "p/ass" not in str(cause)
            cause = cause.__cause__


def test_tls_through_a_proxy(authority: Authority, secure: dict[str, Any]) -> None:
    seen: list[bytes] = []
    with (
        serving(tls=authority.server_context("acme.example")) as server,
        raw_server(tunnel(server.server_port, seen)) as proxy,
        client_of("acme.example", proxy=f"http://me:secret@{proxy.domain}", **secure) as client,
    ):
        for _ in range(3):
            client.get_offers(**CALL)
    assert len(seen) == 1
    assert seen[0].startswith(b"CONNECT acme.example:443 ")
    assert b"\r\nproxy-authorization: Basic bWU6c2VjcmV0\r\n" in seen[0]
    assert {received.headers["Proxy-Authorization"] for received in server.received} == {None}
    assert SESSION_ID.encode() not in seen[0]


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", "Tunnel connection failed: 407"),
        (b"HTTP/1.1 502 Bad Gateway\r\n\r\n", "Tunnel connection failed: 502"),
        (b"HTTP/1.1 200 OK\r\n\r\nmore than an answer", "TLS with|cannot be reached"),
        (b"", "cannot be reached"),
        (b"no HTTP\r\n\r\n", "cannot be reached|could not be read"),
    ],
    ids=["407", "502", "talks on", "closes", "no HTTP"],
)
def test_a_proxy_that_does_not_connect(answer: bytes, message: str) -> None:
    options: dict[str, Any] = {"secure": True, "timeout": 2000}
    with (
        raw_server(say(answer)) as proxy,
        client_of("acme.example", proxy=f"http://{proxy.domain}", **options) as client,
    ):
        expect(TransportError, lambda: client.get_offers(**CALL), message)


def test_a_proxy_that_refuses() -> None:
    for secure_calls in (False, True):
        with client_of("acme.example", proxy="http://127.0.0.1:1", secure=secure_calls) as client:
            expect(TransportError, lambda client=client: client.get_offers(**CALL), "cannot be reached .*refused")  # type: ignore[misc]


def test_a_proxy_at_an_ipv6_address() -> None:
    try:
        listening = socket.create_server(("::1", 0), family=socket.AF_INET6)
    except OSError:
        pytest.skip("no IPv6 on this machine")
    options: dict[str, Any] = {"secure": True, "proxy": f"http://[::1]:{listening.getsockname()[1]}"}
    with raw_server(say(b"HTTP/1.1 407 No\r\n\r\n"), listening), client_of("acme.example", **options) as client:
        expect(TransportError, lambda: client.get_offers(**CALL), "Tunnel connection failed: 407")


def test_headers_and_body_leave_together_through_a_proxy() -> None:
    """Nagle's algorithm is on towards a proxy: a second packet would wait for the first to be acknowledged, 40 ms."""
    first: list[bytes] = []

    def behave(sock: Any) -> None:
        first.append(sock.recv(65536))
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")

    with raw_server(behave) as proxy, client_of("acme.example", proxy=f"http://{proxy.domain}") as client:
        client.get_offers(**CALL)
    head, _, body = first[0].partition(b"\r\n\r\n")
    assert f"Content-Length: {len(body)}".encode() in head
    assert body.endswith(b"}")
