"""A host that is slow, and not dead: its answer is heard though another attempt was made beside it."""

from __future__ import annotations

import socket
import threading
import time
from typing import Any

import pytest

from tests.kit.loopback import Answer, serving
from tests.kit.raw_servers import GOOD_ANSWER, fill_queue, raw_server, read_request
from tests.kit.silence import forgetful, nothing, visit, ways
from tests.kit.tls import Authority

pytestmark = pytest.mark.usefixtures("impatient")


@ways
@pytest.mark.usefixtures("suspicious")
def test_a_slow_answer_is_heard_though_another_attempt_was_made(way: str) -> None:
    """Even where the new connection gets none."""

    def behave(sock: socket.socket) -> None:
        asked.append(read_request(sock))
        if len(asked) > 1:
            time.sleep(8)
        sock.sendall(GOOD_ANSWER)
        asked.append(read_request(sock))
        time.sleep(0.4)
        sock.sendall(GOOD_ANSWER)
        read_request(sock)

    asked: list[bytes] = []
    with raw_server(behave) as server:
        took = visit(way, server.domain, [nothing], timeout=6000)
        assert 0.3 < took[1] < 5
        assert len(server.connections) == 2
        assert asked[2].split(b"\r\n\r\n")[1] == asked[1].split(b"\r\n\r\n")[1]  # the same bytes count once


@ways
@pytest.mark.usefixtures("suspicious")
def test_a_slow_answer_is_heard_where_no_connection_can_be_made_any_more(way: str) -> None:
    def later(sock: socket.socket, _: int) -> None:
        time.sleep(0.4)
        sock.sendall(GOOD_ANSWER)

    with forgetful(later) as server:
        visit(way, server.domain, [lambda: server._sock.shutdown(socket.SHUT_RDWR)], timeout=6000)
        assert server.requests == [1, 1]


@ways
@pytest.mark.usefixtures("suspicious")
def test_a_slow_answer_is_heard_while_a_connection_is_being_made(way: str) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(1)
        fillers: list[socket.socket] = []

        def serve() -> None:
            sock, _ = listener.accept()
            with sock:
                read_request(sock)
                sock.sendall(GOOD_ANSWER)
                read_request(sock)
                time.sleep(0.4)
                sock.sendall(GOOD_ANSWER)
                read_request(sock)

        thread = threading.Thread(target=serve)
        thread.start()
        full = [lambda: fillers.extend(fill_queue(listener))]  # from here on nobody gets a connection
        took = visit(way, f"127.0.0.1:{listener.getsockname()[1]}", full, timeout=20_000)  # type: ignore[arg-type]
        assert 0.3 < took[1] < 10
        for filler in fillers:
            filler.close()
        thread.join(20)


@pytest.mark.parametrize("way", ["blocking", "aiohttp"])
@pytest.mark.usefixtures("suspicious")
def test_a_slow_answer_is_heard_through_tls(way: str, authority: Authority) -> None:
    """What TLS itself says on the new connection is no answer."""
    pauses = iter([0.0, 0.4, 8.0])

    def answer(_: Any) -> Answer:
        time.sleep(next(pauses))
        return Answer({"status": 200})

    with serving(answer, tls=authority.server_context()) as server:
        took = visit(way, server.domain, [nothing], timeout=20_000, secure=True, ca_certs=authority.ca_certs)
        assert 0.3 < took[1] < 7
        assert (server.connections, len(server.received)) == (2, 3)


@ways
@pytest.mark.usefixtures("suspicious")
def test_a_host_that_is_slow_is_not_asked_twice_each_time(way: str) -> None:
    def behave(sock: socket.socket) -> None:
        number = len(server.connections)
        while read_request(sock) != b"\r\n\r\n":
            requests.append(number)
            time.sleep(0 if len(requests) == 1 else 0.4)
            sock.sendall(GOOD_ANSWER)

    requests: list[int] = []
    with raw_server(behave) as server:
        visit(way, server.domain, [nothing, nothing], timeout=6000)
        assert requests == [1, 1, 2, 1]  # the second call was made twice, the third once
