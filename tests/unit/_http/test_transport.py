"""What is tried again, what is not, and what every kind of wrong answer becomes."""

from __future__ import annotations

import json
import logging
import socket
import threading
import time
import tracemalloc
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest
import urllib3

from target import ApiError, ClientClosed, TargetClient, TargetError, TargetTimeout, TransportError
from target.config import parse_request_options
from tests.kit.calls import CALL, COOKIE, SESSION_ID, assert_discreet, client_of, eventually, expect, timed
from tests.kit.loopback import Answer, LoopbackServer, Received, ok, serving
from tests.kit.raw_servers import (
    GOOD_ANSWER,
    GOOD_BODY,
    Behaviour,
    RawServer,
    gzipped,
    hang,
    raw_server,
    read_request,
    reset,
    say,
    serve_well,
)
from tests.kit.tls import Authority

Make = Callable[..., TargetClient]


def answering(*answers: Any) -> Callable[[Received], Any]:
    """These answers in turn, then success."""
    left = list(answers)
    return lambda received: left.pop(0) if left else ok(received)


# Retries


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
    end: Behaviour, server: LoopbackServer, make_client: Make
) -> None:
    server.answer = answering(end)
    make_client().get_offers(**CALL)
    assert (len(server.received), server.connections) == (2, 2)
    server.answer = answering(end, end)
    expect(TransportError, lambda: make_client().get_offers(**CALL), "closed the connection without an answer")
    assert len(server.received) == 4


@pytest.mark.parametrize("end", [lambda sock: None, reset], ids=["closed", "reset"])
@pytest.mark.parametrize("secure", [False, True], ids=["http", "tls"])
def test_a_stale_connection_is_replaced(end: Behaviour, secure: bool, tmp_path: Path) -> None:
    """The server closes an idle connection just as the next request goes out on it."""
    authority = Authority(tmp_path)
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
def test_a_tls_handshake_that_breaks_is_tried_again(end: Behaviour, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    with raw_server(lambda sock: (sock.recv(65536), end(sock))) as server:
        with client_of(server.domain, secure=True, ca_certs=authority.ca_certs, retries=2) as client:
            expect(TransportError, lambda: client.get_offers(**CALL), "cannot be reached")
        assert len(server.connections) == 3


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_these_statuses_are_tried_again(status: int, server: LoopbackServer, make_client: Make) -> None:
    server.answer = answering(Answer(status=status))
    make_client().get_offers(**CALL)
    assert len(server.received) == 2
    server.answer = answering(*[Answer({"message": "busy"}, status)] * 9)
    error = expect_api_error(lambda: make_client(retries=3).get_offers(**CALL))
    assert (error.status, error.message) == (status, "busy")
    assert len(server.received) == 6


@pytest.mark.parametrize("status", [400, 401, 403, 404, 408, 413, 420, 499, 500, 501])
def test_these_statuses_are_not_tried_again(status: int, server: LoopbackServer, make_client: Make) -> None:
    server.answer = answering(Answer({"status": status, "message": "no"}, status, {"Retry-After": "0"}))
    error = expect_api_error(lambda: make_client(retries=5).get_offers(**CALL))
    assert (error.status, error.message) == (status, "no")
    assert len(server.received) == 1


def expect_api_error(call: Callable[[], object]) -> ApiError:
    with pytest.raises(ApiError) as caught:
        call()
    assert_discreet(caught.value)
    return caught.value


def test_no_retries_means_one_attempt(server: LoopbackServer, make_client: Make) -> None:
    client = make_client(retries=0)
    for answer in (lambda sock: None, Answer(status=503)):
        server.answer = answering(answer)
        server.received.clear()
        with pytest.raises(TargetError):
            client.get_offers(**CALL)
        assert len(server.received) == 1


def test_a_repeated_request_is_the_same_to_the_byte(server: LoopbackServer, make_client: Make) -> None:
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
def test_retry_after_is_honoured(value: Callable[[], str], server: LoopbackServer, make_client: Make) -> None:
    server.answer = answering(Answer(status=429, headers={"Retry-After": value()}))
    took_s = timed(lambda: make_client(timeout=5000).get_offers(**CALL))
    assert 0.9 <= took_s <= 4.5  # a date has whole seconds, so it is 1 to 2 s away
    assert len(server.received) == 2


@pytest.mark.parametrize("value", ["3", "86400", pytest.param(formatdate(time.time() + 3600, usegmt=True), id="date")])
def test_a_retry_after_beyond_the_deadline_ends_the_call_at_once(
    value: str, server: LoopbackServer, make_client: Make
) -> None:
    server.answer = answering(Answer({"message": "busy"}, 503, {"Retry-After": value}))
    client = make_client(timeout=2000, retries=5)
    took_s = timed(lambda: expect_api_error(lambda: client.get_offers(**CALL)))
    assert took_s < 1.8
    assert len(server.received) == 1


@pytest.mark.parametrize("value", ["soon", "-1", "1.5", "", "Mon, 99 Foo 2021", "9" * 5000])
def test_a_retry_after_that_makes_no_sense_is_ignored(value: str, server: LoopbackServer, make_client: Make) -> None:
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


# Wrong answers: (what is sent, whether the server then ends its side, the error, a part of its message)

JSON_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


def sized(content: bytes, headers: bytes = b"", status: bytes = b"200 OK", length: int | None = None) -> bytes:
    size = len(content) if length is None else length
    return b"HTTP/1.1 %s\r\nContent-Length: %d\r\n%s\r\n%s" % (status, size, headers, content)


DEEP = b'{"trace":' * 20_000 + b"1" + b"}" * 20_000
BOMB = gzipped(b" " * 50_000_000)

WRONG: dict[str, tuple[bytes, bool, type[TargetError], str]] = {
    "cut short": (sized(GOOD_BODY, length=len(GOOD_BODY) + 1), True, TransportError, "could not be read"),
    "cut short in a chunk": (
        JSON_HEAD + b"Transfer-Encoding: chunked\r\n\r\nff\r\n{", True, TransportError, "could not be read",
    ),
    "without a last chunk": (
        JSON_HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n", True, TransportError, "could not be read",
    ),
    "a chunk size that is no number": (
        JSON_HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n", False, TransportError, "not be read",
    ),
    "a chunk size without end": (
        JSON_HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"0" * 70_000, False, TransportError, "could not be read",
    ),
    "no gzip": (sized(GOOD_BODY, b"Content-Encoding: gzip\r\n"), False, TransportError, "could not be read"),
    "gzip cut short": (
        sized(gzipped(GOOD_BODY)[:-20], b"Content-Encoding: gzip\r\n"), False, TransportError, "could not be read",
    ),
    "gzip ten times over": (
        sized(GOOD_BODY, b"Content-Encoding: " + b", ".join([b"gzip"] * 10) + b"\r\n"), False, TransportError, "read",
    ),
    "a gzip bomb": (sized(BOMB, b"Content-Encoding: gzip\r\n"), False, TransportError, r"max_response_bytes .1048576"),
    "a huge announced length": (
        sized(b"{", length=10**13), False, TransportError, r"max_response_bytes \(1048576\)",
    ),
    "a huge body": (
        JSON_HEAD + b"\r\n" + b" " * 3_000_000, True, TransportError, r"max_response_bytes \(1048576\)",
    ),
    "100 headers too many": (
        b"HTTP/1.1 200 OK\r\n" + b"X-A: 1\r\n" * 200 + b"\r\n", False, TransportError, "could not be read",
    ),
    "a header without a colon": (
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nno colon\r\nX: 1\r\n\r\n{}", False, TransportError, "not be read",
    ),
    "a header without end": (b"HTTP/1.1 200 OK\r\nX: " + b"a" * 70_000, False, TransportError, "could not be read"),
    "a status line without end": (b"HTTP/1.1 200 " + b"a" * 70_000, False, TransportError, "could not be read"),
    "no HTTP": (b"SSH-2.0-OpenSSH_9.0\r\n", False, TransportError, "could not be read"),
    "a status that is no number": (b"HTTP/1.1 abc OK\r\n\r\n", False, TransportError, "could not be read"),
    "two lengths": (
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 7\r\n\r\n{}xxx", False, TransportError, "read|JSON",
    ),
    "101 as the answer": (b"HTTP/1.1 101 Switching Protocols\r\n\r\n", False, TransportError, "101, which is no final"),
    "no length but a word": (
        JSON_HEAD + b"Content-Length: many\r\n\r\n" + GOOD_BODY, True, TransportError, "could not be read",
    ),
    "a length, and chunks": (
        sized(b"2\r\n{}\r\n0\r\n\r\n", b"Transfer-Encoding: chunked\r\n"), False, TransportError, "not be read",
    ),
    "99 as the answer": (b"HTTP/1.1 099 What\r\n\r\n", False, TransportError, "could not be read"),
}  # fmt: skip


@pytest.mark.parametrize("own_pool", [True, False], ids=["own pool", "caller's blocking pool"])
@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_answer_spoils_only_its_own_call(case: str, own_pool: bool, caplog: pytest.LogCaptureFixture) -> None:
    """One error, a connection that is not used again, and a next call that works."""
    content, ends, error, message = WRONG[case]
    after: list[bytes] = []

    def misbehave(sock: socket.socket) -> None:
        read_request(sock)
        server.behave = serve_well
        try:
            sock.sendall(content)
            if ends:
                sock.shutdown(socket.SHUT_WR)
            after.append(sock.recv(1, socket.MSG_PEEK))  # nothing where the client has closed it
        except OSError:  # reset, in one of its forms
            after.append(b"")
            return
        serve_well(sock)

    with raw_server(misbehave) as server, urllib3.PoolManager(maxsize=1, block=True) as pool:
        options: dict[str, Any] = {} if own_pool else {"pool": pool}
        with client_of(server.domain, max_response_bytes=2**20, timeout=3000, **options) as client:
            expect(error, lambda: client.get_offers(**CALL), message)
            for _ in range(2):
                assert client.get_offers(**CALL).response.status == 200
            assert eventually(lambda: after)
            assert after == [b""]
            assert len(server.connections) == 2
    assert SESSION_ID not in caplog.text  # not in urllib3's warnings either


MISREAD: dict[str, tuple[Answer, type[TargetError], str]] = {
    "empty": (Answer(b""), TransportError, r"\(200\) is empty"),
    "null": (Answer(b"null"), TransportError, "not a JSON object"),
    "a list": (Answer([1]), TransportError, "not a JSON object"),
    "a number": (Answer(b"1"), TransportError, "not a JSON object"),
    "half an object": (Answer(GOOD_BODY[:-1]), TransportError, "not complete JSON"),
    "another charset": (Answer('{"client":"\u00e9"}'.encode("latin-1")), TransportError, "not complete JSON"),
    "a mistyped part": (Answer({"execute": {"mboxes": 5}}), TransportError, "not as the Delivery API documents it"),
    "nested without end": (Answer(DEEP), TransportError, "not complete JSON"),
    "HTML": (Answer(b"<html>Oops</html>", 500, {"Content-Type": "text/html"}), ApiError, "500"),
    "nothing but a status": (Answer(b"", 500), ApiError, "500"),
    "an error nested without end": (Answer(DEEP, 400), ApiError, "400"),
    "a redirect": (Answer(b"", 302, {"Location": "http://127.0.0.1:9/"}), ApiError, "302.*Redirects are not followed"),
    "a redirect with the same method": (Answer(b"", 307, {"Location": "/rest/v1/delivery"}), ApiError, "307"),
    "304": (Answer(b"", 304), ApiError, "304"),
}


@pytest.mark.parametrize("case", MISREAD)
def test_a_complete_answer_of_the_wrong_kind(case: str, server: LoopbackServer, make_client: Make) -> None:
    answer, error, message = MISREAD[case]
    server.answer = answering(answer)
    client = make_client()
    with pytest.raises(error, match=message) as caught:
        client.get_offers(**CALL)
    assert type(caught.value) is error
    assert_discreet(caught.value)
    assert client.get_offers(**CALL).response.status == 200
    assert len(server.received) == 2


@pytest.mark.parametrize("more", [b"x", GOOD_ANSWER], ids=["a byte", "a whole answer"])
def test_more_than_the_answer_is_never_taken_for_the_next_one(more: bytes) -> None:
    """Response splitting: what follows an answer belongs to nobody."""
    forged = sized(b'{"status":200,"client":"forged"}') if more is GOOD_ANSWER else more
    with raw_server(say(sized(GOOD_BODY) + forged, then=hang)) as server, client_of(server.domain) as client:
        assert client.get_offers(**CALL).response.client == "acme"
        server.behave = serve_well
        for _ in range(2):
            assert client.get_offers(**CALL).response.client == "acme"
        assert len(server.connections) == 2


def test_bytes_that_come_late_spoil_the_connection_too() -> None:
    def add(sock: socket.socket) -> None:
        time.sleep(0.05)
        sock.sendall(sized(b'{"status":200,"client":"forged"}'))
        hang(sock)

    behave = say(sized(GOOD_BODY), then=add)
    with raw_server(behave) as server, client_of(server.domain) as client:
        client.get_offers(**CALL)
        server.behave = serve_well
        time.sleep(0.15)
        assert client.get_offers(**CALL).response.client == "acme"
        assert len(server.connections) == 2


@pytest.mark.parametrize(
    "content",
    [
        b"HTTP/1.0 200 OK\r\n\r\n" + GOOD_BODY,
        b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + GOOD_BODY,
        JSON_HEAD + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(GOOD_BODY), GOOD_BODY),
        sized(gzipped(GOOD_BODY), b"Content-Encoding: gzip\r\n"),
        b"HTTP/1.1 100 Continue\r\n\r\n" * 3 + GOOD_ANSWER,
        b"HTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\n" + GOOD_ANSWER,
    ],
    ids=["HTTP/1.0", "to the end", "chunked", "gzip", "after 100 Continue", "after 103 Early Hints"],
)
@pytest.mark.parametrize("pause_s", [0, 0.05])
def test_right_answers_of_every_form(content: bytes, pause_s: float) -> None:
    _, _, body = content.rpartition(b"\r\n\r\n" if b"chunked" not in content else b"chunked\r\n\r\n")

    def behave(sock: socket.socket) -> None:
        read_request(sock)
        sock.sendall(content[: len(content) - len(body)])
        time.sleep(pause_s)
        sock.sendall(body)

    with raw_server(behave) as server, client_of(server.domain) as client:
        assert client.get_offers(**CALL).response.client == "acme"


def test_memory_stays_bounded(server: LoopbackServer, make_client: Make) -> None:
    client = make_client(max_response_bytes=2**20)
    client.get_offers(**CALL)  # whatever is loaded on first use is loaded now
    server.answer = answering(Answer(BOMB, headers={"Content-Encoding": "gzip"}))
    tracemalloc.start()
    try:
        expect(TransportError, lambda: client.get_offers(**CALL), "max_response_bytes")
        assert tracemalloc.get_traced_memory()[1] < 5 * 2**20
    finally:
        tracemalloc.stop()


def test_an_answer_of_exactly_the_limit_is_taken(server: LoopbackServer, make_client: Make) -> None:
    server.answer = lambda _: Answer(GOOD_BODY)
    make_client(max_response_bytes=len(GOOD_BODY)).get_offers(**CALL)
    small = make_client(max_response_bytes=len(GOOD_BODY) - 1)
    expect(TransportError, lambda: small.get_offers(**CALL), "max_response_bytes")


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
                assert expect(kind, lambda client=client: client.get_offers(**CALL)).__cause__ is not None


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


def test_a_client_closed_during_a_call_that_fails(server: LoopbackServer, make_client: Make) -> None:
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
            assert result.result(5).response.status == 200
        assert eventually(lambda: server.connections[0].fileno() == -1)


def test_debug_logging_shows_the_request_id_and_no_other(
    server: LoopbackServer, make_client: Make, caplog: pytest.LogCaptureFixture
) -> None:
    logger = logging.getLogger("shop")
    caplog.set_level(logging.DEBUG, "shop")
    server.answer = answering(Answer(status=503))
    make_client(logger=logger).get_offers(**CALL)
    lines = [record.getMessage() for record in caplog.records if record.name == "shop"]
    request_id = server.received[0].headers["X-Request-Id"]
    assert [line.split(": ")[0] for line in lines] == [f"POST {server.url} request {request_id}"] * 2
    assert ["503," in lines[0], "200," in lines[1]] == [True, True]
    assert "bytes sent" in lines[0]
    assert lines[0].endswith(" ms")
    assert SESSION_ID not in "".join(lines)
