"""What is tried again, what is not, and what every kind of wrong answer becomes."""

from __future__ import annotations

import json
import logging
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from email.utils import formatdate
from typing import Any

import pytest

from target import ApiError, ClientClosed, TargetError, TargetTimeout, TransportError
from target.config import parse_request_options
from tests.kit.calls import CALL, COOKIE, SESSION_ID, MakeClient, assert_discreet, client_of, eventually, expect, timed
from tests.kit.loopback import Answer, LoopbackServer, Received, answering, serving
from tests.kit.raw_servers import (
    GOOD_ANSWER,
    Behaviour,
    RawServer,
    hang,
    raw_server,
    read_request,
    reset,
    say,
    serve_well,
)
from tests.kit.tls import Authority


def test_a_refused_connection_is_tried_again() -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        domain = f"127.0.0.1:{sock.getsockname()[1]}"
        with client_of(domain) as client:
            expect(TransportError, lambda: client.get_offers(**CALL), "refused")
        servers: list[RawServer] = []
        timer = threading.Timer(0.1, lambda: (sock.listen(), servers.append(RawServer(serve_well, sock))))
        timer.start()
        with client_of(domain, retries=8) as client:
            assert client.get_offers(**CALL).response.status == 200
        timer.join()
        assert len(servers[0].connections) == 1
        servers[0].close()


@pytest.mark.parametrize("end", [lambda sock: None, reset], ids=["closed", "reset"])
def test_a_connection_that_dies_before_the_first_byte_is_tried_again(
    end: Behaviour, server: LoopbackServer, make_client: MakeClient
) -> None:
    server.answer = answering(end)
    make_client().get_offers(**CALL)
    assert (len(server.received), server.connections) == (2, 2)
    server.answer = answering(end, end)
    expect(TransportError, lambda: make_client().get_offers(**CALL), "closed the connection without an answer")
    assert len(server.received) == 4


@pytest.mark.parametrize("end", [lambda sock: None, reset], ids=["closed", "reset"])
@pytest.mark.parametrize("secure", [False, True], ids=["http", "tls"])
def test_a_stale_connection_is_replaced(end: Behaviour, secure: bool, authority: Authority) -> None:
    """The server closes an idle connection just as the next request goes out on it."""
    with serving(answering(Answer({"status": 200}), end), authority.server_context() if secure else None) as server:
        options: dict[str, Any] = {"secure": True, "ca_certs": authority.ca_certs} if secure else {}
        with client_of(server.domain, **options) as client:
            client.get_offers(**CALL)
            client.get_offers(**CALL)
        assert (len(server.received), server.connections) == (3, 2)


def test_a_connection_that_broke_while_idle_costs_no_attempt() -> None:
    with raw_server(say(GOOD_ANSWER)) as server, client_of(server.domain, retries=0) as client:
        for _ in range(3):
            client.get_offers(**CALL)
            assert eventually(lambda: server.connections[-1].fileno() == -1)
            time.sleep(0.02)  # Python forgets the descriptor just before the system closes it
        assert len(server.connections) == 3


@pytest.mark.parametrize("end", [lambda sock: None, reset], ids=["closed", "reset"])
@pytest.mark.parametrize(
    "start",
    [b"H", b"HTTP/1.1 2", b"HTTP/1.1 200 OK\r\nContent-Le", GOOD_ANSWER[:-1], b"HTTP/1.1 100 Continue\r\n\r\n"],
    ids=["one byte", "half a status", "half a header", "all but a byte", "100 Continue"],
)
def test_a_connection_that_dies_after_the_first_byte_is_not_tried_again(start: bytes, end: Behaviour) -> None:
    def late(sock: socket.socket) -> None:
        time.sleep(0.02)  # a reset discards what has not been read yet
        end(sock)

    with raw_server(say(start, then=late)) as server, client_of(server.domain, retries=5) as client:
        expect(TransportError, lambda: client.get_offers(**CALL))
        assert len(server.connections) == 1


@pytest.mark.parametrize("end", [lambda sock: None, reset], ids=["closed", "reset"])
def test_a_tls_handshake_that_breaks_is_tried_again(end: Behaviour, authority: Authority) -> None:
    with raw_server(lambda sock: (sock.recv(65536), end(sock))) as server:
        with client_of(server.domain, secure=True, ca_certs=authority.ca_certs, retries=2) as client:
            expect(TransportError, lambda: client.get_offers(**CALL), "cannot be reached")
        assert len(server.connections) == 3


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_these_statuses_are_tried_again(status: int, server: LoopbackServer, make_client: MakeClient) -> None:
    server.answer = answering(Answer(status=status))
    make_client().get_offers(**CALL)
    assert len(server.received) == 2
    server.answer = answering(*[Answer({"message": "busy"}, status)] * 9)
    error = expect_api_error(lambda: make_client(retries=3).get_offers(**CALL))
    assert (error.status, error.message) == (status, "busy")
    assert len(server.received) == 6


@pytest.mark.parametrize("status", [400, 401, 403, 404, 408, 413, 420, 499, 500, 501])
def test_these_statuses_are_not_tried_again(status: int, server: LoopbackServer, make_client: MakeClient) -> None:
    server.answer = answering(Answer({"status": status, "message": "no"}, status, {"Retry-After": "0"}))
    error = expect_api_error(lambda: make_client(retries=5).get_offers(**CALL))
    assert (error.status, error.message) == (status, "no")
    assert len(server.received) == 1


def expect_api_error(call: Callable[[], object]) -> ApiError:
    with pytest.raises(ApiError) as caught:
        call()
    assert_discreet(caught.value)
    return caught.value


def test_no_retries_means_one_attempt(server: LoopbackServer, make_client: MakeClient) -> None:
    client = make_client(retries=0)
    for answer in (lambda sock: None, Answer(status=503)):
        server.answer = answering(answer)
        server.received.clear()
        with pytest.raises(TargetError):
            client.get_offers(**CALL)
        assert len(server.received) == 1


def test_a_repeated_request_is_the_same_to_the_byte(server: LoopbackServer, make_client: MakeClient) -> None:
    server.answer = answering(Answer(status=503), lambda sock: None, reset)
    notification = {"id": "1", "type": "display", "timestamp": 1, "mbox": {"name": "home"}, "tokens": ["t"]}
    request = {"execute": {"mboxes": [{"name": "home"}]}, "notifications": [notification]}
    make_client(retries=3).get_offers(request=request, session_id=SESSION_ID, target_cookie=COOKIE)
    assert len(server.received) == 4
    assert len({received.content for received in server.received}) == 1
    assert len({received.target for received in server.received}) == 1
    assert len({json.dumps(sorted(received.headers.items())) for received in server.received}) == 1
    body = server.received[0].body
    assert len(body["impressionId"]) == 36
    assert len(body["notifications"][0]["impressionId"]) == 36


@pytest.mark.parametrize(
    "value",
    [lambda: "1", pytest.param(lambda: formatdate(time.time() + 2, usegmt=True), marks=pytest.mark.slow)],
    ids=["s", "date"],
)
def test_retry_after_is_honoured(value: Callable[[], str], server: LoopbackServer, make_client: MakeClient) -> None:
    server.answer = answering(Answer(status=429, headers={"Retry-After": value()}))
    took_s = timed(lambda: make_client(timeout=5000).get_offers(**CALL))
    assert 0.9 <= took_s <= 4.5  # a date has whole seconds, so it is 1 to 2 s away
    assert len(server.received) == 2


@pytest.mark.parametrize("value", ["3", "86400", pytest.param(formatdate(time.time() + 3600, usegmt=True), id="date")])
def test_a_retry_after_beyond_the_deadline_ends_the_call_at_once(
    value: str, server: LoopbackServer, make_client: MakeClient
) -> None:
    server.answer = answering(Answer({"message": "busy"}, 503, {"Retry-After": value}))
    client = make_client(timeout=2000, retries=5)
    took_s = timed(lambda: expect_api_error(lambda: client.get_offers(**CALL)))
    assert took_s < 1.8
    assert len(server.received) == 1


@pytest.mark.parametrize("value", ["soon", "-1", "1.5", "", "Mon, 99 Foo 2021", "9" * 5000])
def test_a_retry_after_that_makes_no_sense_is_ignored(
    value: str, server: LoopbackServer, make_client: MakeClient
) -> None:
    server.answer = answering(Answer(status=503, headers={"Retry-After": value}))
    assert timed(lambda: make_client().get_offers(**CALL)) < 2.5
    assert len(server.received) == 2


@pytest.mark.parametrize(("value", "seconds"), [("120", 120.0), ("soon", None), (None, None)])
def test_an_answer_tells_how_long_it_asks_to_be_left_alone(
    value: str | None, seconds: float | None, server: LoopbackServer
) -> None:
    server.answer = answering(Answer(status=503, headers={} if value is None else {"Retry-After": value}))
    with client_of(server.domain, retries=0) as client:
        reply = client._transport.send(client._calls.offers(parse_request_options(CALL)))
    assert (reply.status, reply.retry_after_s) == (503, seconds)


# Errors


def test_every_error_has_a_cause() -> None:
    garbage = raw_server(lambda sock: sock.sendall(b"H" * 100))
    with raw_server(hang) as hanging, raw_server(say(b"H")) as broken, garbage as no_tls:
        cases: list[tuple[str, dict[str, Any], type[TargetError]]] = [
            (hanging.domain, {"timeout": 100}, TargetTimeout),
            (broken.domain, {}, TransportError),
            ("127.0.0.1:1", {"retries": 0}, TransportError),
            (no_tls.domain, {"secure": True}, TransportError),
        ]
        for domain, options, kind in cases:
            with client_of(domain, **options) as client:
                assert expect(kind, lambda client=client: client.get_offers(**CALL)).__cause__ is not None  # type: ignore[misc]


@pytest.mark.parametrize("host", ["does-not-exist.invalid", "a" * 63 + ".invalid"])
def test_a_host_that_does_not_exist(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer of the resolver is replaced, since no test may ask a real one."""
    real = socket.getaddrinfo

    def getaddrinfo(name: str, port: int, *rest: Any) -> Any:
        if name != host or socket.AI_NUMERICHOST in rest:
            return real(name, port, *rest)
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    with client_of(host, retries=2) as client:
        expect(TransportError, lambda: client.get_offers(**CALL), f"{host} cannot be reached .Name or service not kno")


def test_a_host_that_no_resolver_can_look_up() -> None:
    with client_of("acme.example", proxy="http://" + "a" * 70 + ".example:3128") as client:
        expect(TransportError, lambda: client.get_offers(**CALL), "cannot be reached")


def test_a_client_closed_during_a_call_that_fails(server: LoopbackServer, make_client: MakeClient) -> None:
    client = make_client()

    def close_first(_: Received) -> Any:
        client.close()
        return lambda sock: None

    server.answer = close_first
    expect(ClientClosed, lambda: client.get_offers(**CALL), "closed during the call")


def test_a_call_that_outlives_its_client_succeeds_and_leaves_no_connection() -> None:
    arrived, go_on = threading.Event(), threading.Event()

    def behave(sock: socket.socket) -> None:
        read_request(sock)
        arrived.set()
        go_on.wait(5)
        sock.sendall(GOOD_ANSWER)
        hang(sock)

    with raw_server(behave) as server:
        client = client_of(server.domain)
        with ThreadPoolExecutor(1) as other_thread:
            result = other_thread.submit(client.get_offers, CALL)
            arrived.wait(5)
            client.close()
            go_on.set()
            assert result.result(5).response.status == 200  # type: ignore[attr-defined]
        assert eventually(lambda: server.connections[0].fileno() == -1)


def test_debug_logging_shows_the_request_id_and_no_other(
    server: LoopbackServer, make_client: MakeClient, caplog: pytest.LogCaptureFixture
) -> None:
    logger = logging.getLogger("shop")
    caplog.set_level(logging.DEBUG, "shop")
    server.answer = answering(Answer(status=503))
    make_client(logger=logger).get_offers(**CALL)
    lines = [record.getMessage() for record in caplog.records if record.name == "shop" and record.levelno < 20]
    request_id = server.received[0].headers["X-Request-Id"]
    assert [line.split(": ")[0] for line in lines] == [f"POST {server.url} request {request_id}"] * 2
    assert ["503," in lines[0], "200," in lines[1]] == [True, True]
    assert "bytes sent" in lines[0]
    assert lines[0].endswith(" ms")
    assert SESSION_ID not in "".join(lines)
