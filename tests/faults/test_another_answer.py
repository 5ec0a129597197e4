"""An answer to another request, on a connection that was used before, reaches nobody; stand-ins that give back no
requestId, or always the same, go on working."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import urllib3

from target import ApiError, Outbox, TargetClient, TargetTimeout, TransportError
from tests.kit.calls import CALL, SLACK_S, eventually, options_of, timed
from tests.kit.raw_servers import raw_server, read_request
from tests.kit.ways import WAYS, Way

REQUEST: dict[str, Any] = CALL["request"]
OPTIONS: dict[str, Any] = {"timeout": 5000, "telemetry_enabled": False}


def http(body: bytes, status: str = "200 OK", *headers: str) -> bytes:
    return "\r\n".join([f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]).encode() + body


def answer(request_id: object, whose: str) -> bytes:
    said = {"status": 200, "requestId": request_id, "client": whose}
    return json.dumps({key: value for key, value in said.items() if value is not None}).encode()


MALLORY = answer("request-of-mallory", "mallory")
LATE: dict[str, bytes] = {
    "another's": http(MALLORY),
    "another's, without a requestId": http(answer(None, "mallory")),
    "another's, in chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n"
    % (len(MALLORY), MALLORY),
    "another's error": http(b'{"message": "mallory is wrong"}', "400 Bad Request"),
    "another's error, with its requestId": http(MALLORY, "400 Bad Request"),
    "another's 204": b"HTTP/1.1 204 No Content\r\n\r\n",
    "a gateway's": http(b"<html>mallory</html>", "502 Bad Gateway"),
    "a request to slow down": http(b"", "429 Too Many Requests", "Retry-After: 100"),
    "a redirect": http(b"", "302 Found", "Location: /mallory"),
    "nothing": http(b""),
    "no JSON": http(b"mallory"),
}


class Api:
    """Answers each request on its connection with its requestId; ``answers`` replaces that for one request each."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.received: list[tuple[int, dict[str, Any]]] = []  # connection, body
        self.connections = 0
        self.open = 0
        self.answers: list[Callable[[dict[str, Any]], bytes]] = []
        self.fresh: Callable[[dict[str, Any]], bytes] | None = None  # for the first request of a connection
        self.usual: Callable[[dict[str, Any]], bytes] = lambda body: http(answer(body["requestId"], "acme"))

    def __call__(self, sock: socket.socket) -> None:
        with self.lock:
            self.connections += 1
            self.open += 1
            number = self.connections
        try:
            first = True
            while head := read_request(sock):
                _, _, content = head.partition(b"\r\n\r\n")
                if not content:
                    return
                body = json.loads(content)
                with self.lock:
                    self.received.append((number, body))
                    make = self.answers.pop(0) if self.answers and not first else self.usual
                if first and self.fresh is not None:
                    make = self.fresh
                first = False
                sock.sendall(make(body))
        finally:
            with self.lock:
                self.open -= 1


@contextmanager
def client_of(way: str, api: Api, **options: Any) -> Iterator[Way]:
    with raw_server(api) as server:
        client = WAYS[way](**options_of(server.domain, **{**OPTIONS, **options}))
        try:
            yield client
        finally:
            client.close()


def whose(client: Way, **request: Any) -> str:
    return str(client.call({**REQUEST, **request}).response.client)


def late(content: bytes) -> Callable[[dict[str, Any]], bytes]:
    """Another's answer comes first, this request's after it."""
    return lambda body: content + http(answer(body["requestId"], "acme, too late"))


@pytest.mark.parametrize("way", WAYS)
def test_it_is_never_handed_on_and_asked_for_again_over_a_new_connection(way: str) -> None:
    for name, content in LATE.items():
        api = Api()
        with client_of(way, api, retries=0) as client:
            assert whose(client) == "acme"
            api.answers.append(late(content))
            assert whose(client) == "acme", name
            assert [number for number, _ in api.received] == [1, 1, 2], name
            assert api.received[1][1] == api.received[2][1], "the same request, which counts once"
            assert whose(client) == "acme", name
            assert eventually(lambda api=api: api.open == 1), f"{name}: its connection is closed"  # type: ignore[misc]


@pytest.mark.parametrize("way", WAYS)
def test_notifications_and_requests_with_an_id_of_their_own(way: str) -> None:
    api = Api()
    notify = {"notifications": [{"id": "n", "type": "click", "timestamp": 1, "mbox": {"name": "a"}}], "execute": None}
    with client_of(way, api) as client:
        whose(client)
        for request in ({"requestId": "alices-order"}, {"requestId": "request"}, notify):
            api.answers.append(late(http(MALLORY)))
            assert whose(client, **request) == "acme"


@pytest.mark.parametrize("way", WAYS)
def test_the_deadline_holds_for_asking_again(way: str) -> None:
    api = Api()
    with client_of(way, api, timeout=600) as client:
        whose(client)
        api.answers.append(lambda _: http(MALLORY))
        api.fresh = lambda _: time.sleep(2) or b""

        def call() -> None:
            with pytest.raises(TargetTimeout):
                whose(client)

        assert timed(call) < 0.6 + SLACK_S * 3


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("request_id", [None, "always-the-same", 7])
def test_a_stub_that_never_gives_it_back_is_asked_once(way: str, request_id: object) -> None:
    api = Api()
    api.usual = lambda _: http(answer(request_id, "stub"))
    with client_of(way, api) as client:
        assert [whose(client) for _ in range(4)] == ["stub"] * 4
    assert [number for number, _ in api.received] == [1] * 4


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("request_id", [None, "always-the-same"])
def test_a_host_that_gave_it_back_and_then_is_a_stub(way: str, request_id: object) -> None:
    api = Api()
    with client_of(way, api) as client:
        assert whose(client) == "acme"
        api.usual = lambda _: http(answer(request_id, "stub"))
        assert [whose(client) for _ in range(4)] == ["stub"] * 4
        assert len(api.received) == 1 + 4 + 1, "asked again once"
        api.usual = Api().usual
        assert whose(client) == "acme"
        api.answers.append(late(http(MALLORY)))
        assert whose(client) == "acme", "and is held to it again"


@pytest.mark.parametrize("way", WAYS)
def test_somebody_who_mixes_up_answers_before_the_api_is_an_error(way: str) -> None:
    api = Api()
    numbers = iter(range(1000))
    with client_of(way, api) as client:
        assert whose(client) == "acme"
        api.usual = lambda _: http(answer(f"another-{next(numbers)}", "mallory"))
        for _ in range(3):
            with pytest.raises(TransportError, match="answered another request"):
                whose(client)
        api.usual = Api().usual
        assert whose(client) == "acme"


@pytest.mark.parametrize("way", WAYS)
def test_what_a_gateway_answers_by_itself_is_taken_once_it_is_known_but_for_its_body(way: str) -> None:
    api = Api()
    with client_of(way, api, retries=0) as client:
        whose(client)
        api.usual = lambda _: http(b'{"message": "overloaded"}', "503 Service Unavailable")
        with pytest.raises(ApiError) as first:
            whose(client)
        assert len(api.received) == 3, "asked again, since it could have been another's"
        assert first.value.message == "overloaded"
        with pytest.raises(ApiError) as second:
            whose(client)
        assert len(api.received) == 4, "a host in trouble is not asked twice"
        assert (second.value.status, second.value.body) == (503, "")
        api.usual = Api().usual
        assert whose(client) == "acme"


@pytest.mark.parametrize("way", WAYS)
def test_answers_without_a_body_cost_one_more_request_in_all(way: str) -> None:
    api = Api()
    with client_of(way, api) as client:
        whose(client)
        api.usual = lambda _: b"HTTP/1.1 204 No Content\r\n\r\n"
        for _ in range(5):
            assert client.call({**REQUEST, "context": {"channel": "web", "beacon": True}}).response is None
    assert len(api.received) == 1 + 5 + 1


# Blocking calls alone


POOLS: dict[str, Callable[[], urllib3.PoolManager]] = {
    "plain": lambda: urllib3.PoolManager(maxsize=2),
    "blocking": lambda: urllib3.PoolManager(maxsize=2, block=True),
    "of its own class": type("Own", (urllib3.PoolManager,), {}),
}


@pytest.mark.parametrize("pool", POOLS)
def test_a_pool_of_the_caller(pool: str) -> None:
    api = Api()
    with POOLS[pool]() as manager, client_of("sync", api, pool=manager) as client:
        for _ in range(10):
            whose(client)
            api.answers.append(late(http(MALLORY)))
            assert whose(client) == "acme"
    assert len(api.received) == 30


def test_all_idle_connections_may_hold_such_an_answer() -> None:
    """Threads left several; asking again is not done over another one of them."""
    api = Api()
    with client_of("sync", api) as client:
        barrier = threading.Barrier(5)
        slow = Api().usual

        def meet(body: dict[str, Any]) -> bytes:
            barrier.wait(5)
            return slow(body)

        api.fresh = meet
        threads = [threading.Thread(target=whose, args=(client,)) for _ in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)
        api.fresh = None
        assert api.connections == 5
        api.answers += [late(http(MALLORY))] * 5
        assert [whose(client) for _ in range(10)] == ["acme"] * 10
        assert eventually(lambda: not api.answers or api.open <= 5)


def test_the_outbox() -> None:
    api = Api()

    def acknowledge(body: dict[str, Any]) -> bytes:
        taken = [{"id": item["id"]} for item in body.get("notifications", ())]
        return http(json.dumps({"status": 200, "requestId": body["requestId"], "notifications": taken}).encode())

    api.usual = acknowledge
    stolen = {"status": 200, "requestId": "request-of-mallory", "notifications": [{"id": str(n)} for n in range(9)]}
    with raw_server(api) as server:
        client = TargetClient.create(**options_of(server.domain, **OPTIONS, outbox=Outbox.memory()))
        for number in range(6):
            if number:
                api.answers.append(lambda _: http(json.dumps(stolen).encode()))
            shown: Any = {"id": str(number), "type": "click", "timestamp": 1, "mbox": {"name": "a"}}
            client.queue_notifications(request={"notifications": [shown]})
            assert client.outbox is not None
            assert client.outbox.flush(timeout=5000)
        client.close()
    by_kind = [body["notifications"][0]["id"] for number, body in api.received if number == api.received[-1][0]]
    assert by_kind
    sent = [body["notifications"][0]["id"] for _, body in api.received]
    assert sorted(set(sent)) == [str(number) for number in range(6)]
    assert len(sent) == 11, "each but the first was asked for again, until its own acknowledgement came"


# Every other way in which the bytes of one exchange could become the next one's


def _with(tail: bytes, *headers: str, status: str = "200 OK") -> Callable[[dict[str, Any]], bytes]:
    """This request's answer, and ``tail`` behind it, in one piece."""
    return lambda body: http(answer(body["requestId"], "acme"), status, *headers) + tail


def _chunked(tail: bytes, trailer: bytes = b"") -> Callable[[dict[str, Any]], bytes]:
    def make(body: dict[str, Any]) -> bytes:
        content = answer(body["requestId"], "acme")
        head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        return head + b"%x\r\n%s\r\n0\r\n%s\r\n" % (len(content), content, trailer) + tail

    return make


def _of_length(off: int) -> Callable[[dict[str, Any]], bytes]:
    """The announced length is wrong by so many bytes; what is too much is a whole answer of another."""

    def make(body: dict[str, Any]) -> bytes:
        content = answer(body["requestId"], "acme")
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(content) + off}\r\n\r\n".encode()
        return head + content + http(MALLORY)

    return make


EVIL = http(MALLORY)
TAILS: dict[str, Callable[[dict[str, Any]], bytes]] = {
    "a second answer": _with(EVIL),
    "a second answer, begun": _with(EVIL[: len(EVIL) // 2]),
    "an interim answer and a second one": _with(b"HTTP/1.1 103 Early Hints\r\n\r\n" + EVIL),
    "a line, and a second answer": _with(b"\r\n" + EVIL),
    "a 204 with a body": lambda _: b"HTTP/1.1 204 No Content\r\nContent-Length: %d\r\n\r\n%s" % (len(EVIL), EVIL),
    "a 304 with a body": lambda _: b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n" + EVIL,
    "a 205 with a body": _with(EVIL, status="205 Reset Content"),
    "a length that is two too short": _of_length(-2),
    "a length that is two too long": _of_length(2),
    "chunks and a second answer": _chunked(EVIL),
    "chunks, a trailer and a second answer": _chunked(EVIL, b"X: y\r\n"),
    "a trailer that looks like an answer": _chunked(b"", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"),
    "chunks and a length": lambda body: _chunked(EVIL)(body).replace(b"\r\n\r\n", b"\r\nContent-Length: 5\r\n\r\n", 1),
    "a length and the end of the connection": _with(EVIL, "Connection: close"),
    "a length that is 0": lambda _: b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n" + EVIL,
    "an answer of HTTP/1.0": lambda body: _with(EVIL, "Connection: keep-alive")(body).replace(
        b"HTTP/1.1", b"HTTP/1.0", 1
    ),
}


def what_came_of(client: Way) -> str:
    try:
        return str(client.call(REQUEST).to_dict())
    except (TransportError, ApiError) as error:
        return f"{error} {getattr(error, 'body', '')}"


@pytest.mark.parametrize("way", WAYS)
def test_whatever_stands_behind_an_answer_is_nobodys(way: str) -> None:
    """Also of a host that was never seen to give the requestId back: the first answer of all is what is odd."""
    for name, make in TAILS.items():
        for held in (True, False):
            api = Api()
            with client_of(way, api, retries=0) as client:
                if held:
                    assert whose(client) == "acme"
                    api.answers.append(make)
                else:
                    usual, api.usual = api.usual, make
                assert "mallory" not in what_came_of(client), name
                if not held:
                    api.usual = usual
                assert [whose(client) for _ in range(2)] == ["acme"] * 2, name
