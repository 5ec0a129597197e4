"""What every kind of wrong answer becomes, and that it spoils only its own call."""

from __future__ import annotations

import socket
import time
import tracemalloc
from typing import Any

import pytest
import urllib3

from target import ApiError, TargetError, TransportError
from tests.kit.calls import CALL, SESSION_ID, MakeClient, assert_discreet, client_of, eventually, expect
from tests.kit.loopback import Answer, LoopbackServer, answering
from tests.kit.raw_servers import (
    GOOD_ANSWER,
    GOOD_BODY,
    gzipped,
    hang,
    raw_server,
    read_request,
    say,
    serve_well,
)

JSON_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


def sized(content: bytes, headers: bytes = b"", status: bytes = b"200 OK", length: int | None = None) -> bytes:
    size = len(content) if length is None else length
    return b"HTTP/1.1 %s\r\nContent-Length: %d\r\n%s\r\n%s" % (status, size, headers, content)


DEEP = b'{"trace":' * 20_000 + b"1" + b"}" * 20_000
BOMB = gzipped(b" " * 50_000_000)
# What is sent, whether the server then ends its side, the error, a part of its message.
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
def test_a_complete_answer_of_the_wrong_kind(case: str, server: LoopbackServer, make_client: MakeClient) -> None:
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


def test_memory_stays_bounded(server: LoopbackServer, make_client: MakeClient) -> None:
    client = make_client(max_response_bytes=2**20)
    client.get_offers(**CALL)  # whatever is loaded on first use is loaded now
    server.answer = answering(Answer(BOMB, headers={"Content-Encoding": "gzip"}))
    tracemalloc.start()
    try:
        expect(TransportError, lambda: client.get_offers(**CALL), "max_response_bytes")
        assert tracemalloc.get_traced_memory()[1] < 5 * 2**20
    finally:
        tracemalloc.stop()


def test_an_answer_of_exactly_the_limit_is_taken(server: LoopbackServer, make_client: MakeClient) -> None:
    server.answer = lambda _: Answer(GOOD_BODY)
    make_client(max_response_bytes=len(GOOD_BODY)).get_offers(**CALL)
    small = make_client(max_response_bytes=len(GOOD_BODY) - 1)
    expect(TransportError, lambda: small.get_offers(**CALL), "max_response_bytes")
