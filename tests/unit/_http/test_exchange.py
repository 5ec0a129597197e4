"""What a connection writes is what urllib3 would write by itself, byte for byte, however much of it in one piece."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.client import HTTPException
from typing import Any

import pytest
import trustme
from hypothesis import example, given
from hypothesis import strategies as st
from urllib3 import HTTPConnectionPool
from urllib3.connection import HTTPConnection

from target._http.connect import use_deadlines
from target._http.deadline import Deadline

USUAL = {"User-Agent": "sdk/1", "Accept-Encoding": "gzip"}
NAMES = st.sampled_from(
    (
        "X-Request-Id",
        "Accept",
        "user-agent",
        "X-Empty",
        "Host",
        "host",
        "Content-Length",
        "Transfer-Encoding",
        "Bad Name",
    )
)
VALUES = st.sampled_from(("", "1", "7", "gzip", "chunked", "a\r\nHost: evil.example", "é", "\x00", b"bytes", 1))
HEADERS = st.builds(
    lambda usual, added, last: {**(usual if not last else {}), **added, **usual},
    st.sampled_from((USUAL, {}, {"User-Agent": "sdk/1"})),
    st.dictionaries(NAMES, VALUES, max_size=3),
    st.booleans(),
)
URLS = st.sampled_from(("/", "/rest/v1/delivery?a=%40&b=1", "http://elsewhere.example/rest", "/a b", ""))
BODIES = st.sampled_from((b"", b"{}", b"x" * 300, "text", None, [b"a", b"", b"b"]))
HOSTS = st.sampled_from((("acme.example", 80), ("acme.example", 8080), ("::1", 80), ("bücher.example", 81)))
REQUESTS = st.lists(st.tuples(st.sampled_from(("POST", "GET")), URLS, BODIES, HEADERS, st.booleans()), max_size=4)


def with_deadlines(host: str, port: int = 80) -> Any:
    """A connection such as the pools of a client have."""
    pool = HTTPConnectionPool(host)
    use_deadlines(pool)
    return pool.ConnectionCls(host, port)


class _Wire:
    """A socket that keeps what is written, and answers nothing."""

    def __init__(self) -> None:
        self.written = b""

    def sendall(self, data: bytes) -> None:
        self.written += data

    def settimeout(self, seconds: float | None) -> None:
        """Nothing waits."""

    def gettimeout(self) -> float:
        return 1.0

    def close(self) -> None:
        """Nothing is open."""


def written(connection: Any, requests: Any, timeout: Any) -> list[Any]:
    """What each of ``requests`` comes to, over one connection."""
    found: list[Any] = []
    for method, url, body, headers, chunked in requests:
        connection.sock, connection.timeout = wire, _ = _Wire(), timeout
        try:
            connection.request(method, url, body, headers, chunked=chunked)
        except (ValueError, TypeError, HTTPException) as error:
            found.append(type(error))
        else:
            found.append(wire.written)
        connection._HTTPConnection__state = "Idle"
        connection._HTTPConnection__response = None
        connection._buffer.clear()
    return found


USUALLY, CHUNKED = (("POST", "/", b"{}", USUAL, chunked) for chunked in (False, True))


@given(host=HOSTS, requests=REQUESTS)
@example(host=("acme.example", 80), requests=[USUALLY, CHUNKED, USUALLY])
def test_requests_are_written_as_urllib3_writes_them(host: tuple[str, int], requests: Any) -> None:
    as_urllib3 = written(HTTPConnection(*host), requests, None)
    assert written(with_deadlines(*host), requests, Deadline(9.0).read_timeout) == as_urllib3


def test_a_timeout_that_was_just_given_is_not_given_again() -> None:
    connection = with_deadlines("acme.example")
    connection.timeout = Deadline(5.0).read_timeout
    with socket.socket() as sock:
        for given_s, left_s in ((None, 5.0), (0.0, 5.0), (4.9999, 4.9999), (9.0, 5.0), (0.3, 5.0)):
            sock.settimeout(given_s)
            connection.arm(sock)
            assert abs((sock.gettimeout() or 0.0) - left_s) < 1.0, given_s
        connection.arm(sock, 0.4)
        assert sock.gettimeout() == 0.4


def test_a_socket_that_cannot_say_its_timeout_is_given_one() -> None:
    class Silent:
        given_s = 0.0

        def settimeout(self, seconds: float) -> None:
            self.given_s = seconds

    connection, silent = with_deadlines("acme.example"), Silent()
    connection.timeout = Deadline(5.0).read_timeout
    connection.arm(silent)
    assert silent.given_s > 3.0


@contextmanager
def narrow(is_tls: bool) -> Iterator[tuple[Any, Any]]:
    """Both ends of a connection that takes next to nothing before somebody reads it, the sender's first."""
    with ExitStack() as stack:
        ends = [stack.enter_context(end) for end in socket.socketpair()]
        for end in ends:
            end.settimeout(5.0)
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)  # which comes to the least there is
        if not is_tls:
            yield ends[0], ends[1]
            return
        ca, at_server, at_client = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
        ca.issue_cert("acme.example").configure_cert(at_server)
        ca.configure_trust(at_client)
        got: list[Any] = []
        accepting = threading.Thread(target=lambda: got.append(at_server.wrap_socket(ends[1], server_side=True)))
        accepting.start()
        sender = stack.enter_context(at_client.wrap_socket(ends[0], server_hostname="acme.example"))
        accepting.join()
        yield sender, stack.enter_context(got[0])


@pytest.mark.parametrize("is_tls", [False, True])
def test_what_is_not_taken_at_once_is_sent_once_it_is(is_tls: bool) -> None:
    body, received = bytes(range(256)) * 50, b""
    with narrow(is_tls) as (sender, reader):
        connection = with_deadlines("acme.example")
        connection.sock, connection.timeout = sender, Deadline(5.0).read_timeout
        sending = threading.Thread(target=connection.request, args=("POST", "/", body, USUAL))
        sending.start()
        sending.join(0.1)
        assert sending.is_alive(), "all was taken at once"
        while not received.endswith(body) and (piece := reader.recv(65536)):
            received += piece
        sending.join(5.0)
        assert received.partition(b"\r\n\r\n")[2] == body


@pytest.mark.parametrize("is_tls", [False, True])
def test_what_nobody_takes_is_not_waited_for_beyond_the_deadline(is_tls: bool) -> None:
    with narrow(is_tls) as (sender, _):
        connection = with_deadlines("acme.example")
        connection.sock, connection.timeout = sender, Deadline(0.1).read_timeout
        began_s = time.monotonic()
        with pytest.raises(TimeoutError):
            connection.request("POST", "/", b"x" * 12_000, USUAL)
        assert 0.09 < time.monotonic() - began_s < 2.0


@pytest.mark.parametrize("is_tls", [False, True])
def test_what_is_taken_at_once_is_not_waited_for(is_tls: bool) -> None:
    with narrow(is_tls) as (sender, reader):
        connection = with_deadlines("acme.example")
        connection.sock, connection.timeout = sender, Deadline(5.0).read_timeout
        connection.request("POST", "/", b"{}", USUAL)
        assert sender.gettimeout() == 0.0, "the socket was told to wait, which asks the system before it sends"
        assert reader.recv(65536).endswith(b"\r\n\r\n{}")
