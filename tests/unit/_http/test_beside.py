"""Kept connections: how long they are used again, and what becomes of a call on one that is dead, or slow."""

from __future__ import annotations

import asyncio
import socket
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
import urllib3

from target import ClientClosed, Outbox, TargetTimeout
from target._http import exchange, liveness
from target._http.deadline import Deadline
from target._on_device.download import Downloads
from target.config import parse_client_options
from tests.kit import aio
from tests.kit.calls import CALL, client_of, eventually
from tests.kit.loopback import Answer, LoopbackServer, serving
from tests.kit.raw_servers import GOOD_ANSWER, fill_queue, raw_server, read_request, reset, say, tunnel
from tests.kit.silence import answer_after, drop_what_comes, forgetful, say_nothing, visit, ways
from tests.kit.tls import Authority

linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what is not acknowledged")


def nothing() -> None:
    """The connection was idle for no time at all."""


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Silence is borne for 100 ms, so that these tests take less time."""
    monkeypatch.setattr(liveness, "_LONGEST_PATIENCE_S", 0.1)


@pytest.fixture
def suspicious(monkeypatch: pytest.MonkeyPatch) -> None:
    """However short a connection was idle, it may be dead."""
    monkeypatch.setattr(liveness, "SUSPECT_IDLE_S", 0.0)


# How long connections are kept


@ways
@pytest.mark.parametrize(("max_idle", "connections"), [(50, 2), (50_000, 1), (0, 2)])
def test_a_connection_is_not_used_after_it_was_idle_for_too_long(
    way: str, max_idle: float, connections: int, server: LoopbackServer
) -> None:
    visit(way, server.domain, [lambda: time.sleep(0.1)], max_idle=max_idle)
    assert server.connections == connections


def test_what_a_burst_left_is_closed_by_the_calls_that_follow() -> None:
    together = threading.Barrier(4)

    def behave(sock: socket.socket) -> None:
        read_request(sock)
        together.wait(20)
        sock.sendall(GOOD_ANSWER)
        while read_request(sock) != b"\r\n\r\n":
            sock.sendall(GOOD_ANSWER)

    with raw_server(behave) as server, client_of(server.domain, timeout=20_000, max_idle=200) as client:
        for result in [client.get_offers(**CALL, callback=lambda _: None) for _ in range(4)]:
            result.get(20)
        time.sleep(0.3)
        server.behave = say(GOOD_ANSWER, then=read_request)
        client.get_offers(**CALL)
        assert eventually(lambda: [sock.fileno() == -1 for sock in server.connections] == [True] * 4 + [False])


def test_so_it_is_with_a_pool_of_the_callers(server: LoopbackServer) -> None:
    with urllib3.PoolManager() as pool:
        visit("blocking", server.domain, [lambda: time.sleep(0.1)], max_idle=50, pool=pool)
        assert server.connections == 2
        pool.request("POST", server.url, body=b"{}")
        time.sleep(0.1)
        pool.request("POST", server.url, body=b"{}")  # what others do with the pool is theirs
        assert server.connections == 2


@pytest.mark.parametrize("way", ["blocking", "threads", "aiohttp"])
def test_so_it_is_behind_a_proxy(way: str, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    seen: list[bytes] = []
    options = {"secure": True, "ca_certs": authority.ca_certs}
    with serving(tls=authority.server_context()) as origin, raw_server(tunnel(origin.server_port, seen)) as proxy:
        proxied = {"proxy": f"http://{proxy.domain}", **options}
        visit(way, origin.domain, [nothing], **proxied)
        assert len(seen) == 1
        visit(way, origin.domain, [lambda: time.sleep(0.1)], max_idle=50, **proxied)
        assert len(seen) == 3
        assert len(origin.received) == 4


def test_so_it_is_with_downloads(server: LoopbackServer) -> None:
    server.answer = lambda _: Answer({})
    downloads = downloads_of(max_idle=50)
    for _ in range(2):
        downloads.get(f"{server.url}/", {}, Deadline(5))
        time.sleep(0.1)
    downloads.close()
    assert server.connections == 2


@pytest.mark.parametrize("way", ["blocking", "pool", "aiohttp"])
def test_the_system_asks_whether_the_other_end_is_there(
    way: str, server: LoopbackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[dict[str, int]] = []

    def look(sock: Any) -> None:
        real(sock)
        kept.append({name: sock.getsockopt(6, getattr(socket, name)) for name in ("TCP_KEEPIDLE", "TCP_KEEPINTVL")})
        kept[-1]["on"] = sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)

    real = liveness.keep_alive
    monkeypatch.setattr("target._http.connect.keep_alive", look)
    monkeypatch.setattr("target._http.aio.wire.keep_alive", look)
    with urllib3.PoolManager() as pool:
        visit("blocking" if way == "pool" else way, server.domain, [], **({"pool": pool} if way == "pool" else {}))
    assert kept == [{"on": 1, "TCP_KEEPIDLE": 20, "TCP_KEEPINTVL": 10}]


# One that is dead in silence


@ways
@pytest.mark.usefixtures("suspicious")
def test_a_dead_connection_costs_a_share_of_the_deadline(way: str) -> None:
    with forgetful(say_nothing) as server:
        took = visit(way, server.domain, [nothing], timeout=20_000)
        assert server.requests == [1, 1, 2]
        assert 0.05 < took[1] < 10
        assert eventually(lambda: server.connections[0].fileno() == -1)  # it is used no more


@ways
@pytest.mark.usefixtures("suspicious")
def test_the_dead_connection_is_not_used_again(way: str) -> None:
    def later(sock: socket.socket, number: int) -> None:
        if number > 1:
            sock.sendall(GOOD_ANSWER)

    with forgetful(later) as server:
        visit(way, server.domain, [nothing, nothing, nothing], timeout=1000)
        assert server.requests[:3] == [1, 1, 2]
        assert len(server.requests) == 5
        assert 1 not in server.requests[3:]


@pytest.mark.parametrize("way", ["blocking", "threads", "aiohttp"])
@pytest.mark.usefixtures("suspicious")
def test_dead_behind_tls_and_a_tunnel(way: str, tmp_path: Path) -> None:
    """The proxy goes on and the origin says nothing."""
    authority = Authority(tmp_path)
    asked: list[str] = []

    def answer(received: Any) -> Any:
        asked.append(received.session_id)
        return (lambda _: time.sleep(8)) if len(asked) == 2 else Answer({"status": 200})

    seen: list[bytes] = []
    with serving(answer, tls=authority.server_context()) as origin, raw_server(tunnel(origin.server_port, seen)) as hop:
        options = {"secure": True, "ca_certs": authority.ca_certs, "proxy": f"http://{hop.domain}"}
        took = visit(way, origin.domain, [nothing], timeout=6000, **options)
        assert took[1] < 5
        assert (len(asked), len(seen)) == (3, 2)


@pytest.mark.usefixtures("suspicious")
def test_dead_in_a_pool_of_the_callers() -> None:
    with forgetful(say_nothing) as server, urllib3.PoolManager() as pool:
        visit("blocking", server.domain, [nothing], pool=pool)
        assert server.requests == [1, 1, 2]


@pytest.mark.usefixtures("suspicious")
def test_a_pool_of_the_callers_that_has_no_other_connection_waits_for_this_one() -> None:
    with forgetful(answer_after(0.3)) as server, urllib3.PoolManager(maxsize=1, block=True) as pool:
        visit("blocking", server.domain, [nothing], pool=pool)
        assert server.requests == [1, 1]


@pytest.mark.usefixtures("suspicious")
def test_dead_under_a_download() -> None:
    with forgetful(say_nothing) as server:
        downloads = downloads_of()
        for _ in range(2):
            assert downloads.get(f"http://{server.domain}/", {}, Deadline(5)).status == 200
        downloads.close()
        assert server.requests == [1, 1, 2]


def test_broken_under_a_download() -> None:
    """Silence may end with a reset; every kept connection may be as dead."""
    with forgetful(lambda sock, _: reset(sock)) as server:
        downloads = downloads_of()
        for _ in range(2):
            assert downloads.get(f"http://{server.domain}/", {}, Deadline(5)).status == 200
        downloads.close()
        assert server.requests == [1, 1, 2]


@ways
def test_many_connections_that_broke_cost_a_call_one_attempt(way: str) -> None:
    together = threading.Barrier(3)

    def behave(sock: socket.socket) -> None:
        read_request(sock)
        if together.n_waiting >= 0 and not calm.is_set():
            together.wait(10)
        sock.sendall(GOOD_ANSWER)
        if read_request(sock) != b"\r\n\r\n":
            reset(sock)

    calm = threading.Event()
    with raw_server(behave) as server:
        if way in ("threads", "aiohttp"):

            async def go() -> None:
                async with aio.client_of(server.domain, transport=way, timeout=8000) as client:
                    await asyncio.gather(*(client.get_offers(**CALL) for _ in range(3)))
                    calm.set()
                    await client.get_offers(**CALL)

            asyncio.run(go())
        else:
            more: dict[str, Any] = {"callback": lambda _: None}
            with client_of(server.domain, timeout=8000) as client:
                for result in [client.get_offers(**CALL, **more) for _ in range(3)]:
                    result.get(10)
                calm.set()
                client.get_offers(**CALL, **more).get(10) if way == "callback" else client.get_offers(**CALL)
        assert len(server.connections) == 4


@pytest.mark.usefixtures("suspicious")
def test_dead_under_the_outbox() -> None:
    shown = {"type": "click", "timestamp": 1, "mbox": {"name": "home"}}
    with forgetful(say_nothing) as server:
        with client_of(server.domain, outbox=Outbox.memory(flush_interval=1), timeout=8000) as client:
            assert client.outbox is not None
            for name in ("a", "b"):
                client.queue_notifications(request={"notifications": [{"id": name, **shown}]}, session_id="s")
                assert eventually(lambda: server.requests), "it is sent"
                client.outbox.flush(300)
        assert len(server.requests) > 1


@ways
def test_dead_under_a_request_that_no_buffer_holds(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(liveness, "SUSPECT_IDLE_S", 0.0)
    monkeypatch.setattr(exchange, "SUSPECT_IDLE_S", 0.0)

    def behave(sock: socket.socket) -> None:
        if len(server.connections) > 1:
            read_request(sock)
            sock.sendall(GOOD_ANSWER)
        else:
            read_request(sock)
            sock.sendall(GOOD_ANSWER)
            over.wait(30)

    over = threading.Event()
    monkeypatch.setitem(
        CALL, "request", {"execute": {"mboxes": [{"name": "home", "parameters": {"p": "x" * 8_000_000}}]}}
    )
    with raw_server(behave) as server:
        took = visit(way, server.domain, [nothing], timeout=20_000)
        over.set()
        assert took[1] < 10
        assert len(server.connections) == 2


# One that is slow


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
        took = visit(way, f"127.0.0.1:{listener.getsockname()[1]}", full, timeout=20_000)
        assert 0.3 < took[1] < 10
        for filler in fillers:
            filler.close()
        thread.join(20)


@pytest.mark.parametrize("way", ["blocking", "aiohttp"])
@pytest.mark.usefixtures("suspicious")
def test_a_slow_answer_is_heard_through_tls(way: str, tmp_path: Path) -> None:
    """What TLS itself says on the new connection is no answer."""
    authority = Authority(tmp_path)
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


@ways
def test_a_connection_in_use_is_not_suspected(way: str) -> None:
    with forgetful(answer_after(0.3)) as server:
        visit(way, server.domain, [nothing], timeout=2000)
        assert server.requests == [1, 1]


@ways
@linux
def test_unless_the_system_knows_that_nothing_arrives(way: str) -> None:
    with forgetful(say_nothing) as server:
        took = visit(way, server.domain, [lambda: drop_what_comes(server.connections[0])], timeout=20_000)
        assert server.requests == [1, 2]
        assert took[1] < 10


@ways
@pytest.mark.usefixtures("suspicious")
def test_no_retries_means_no_attempt_beside(way: str) -> None:
    with forgetful(say_nothing) as server:
        with pytest.raises(TargetTimeout):
            visit(way, server.domain, [nothing], timeout=500, retries=0)
        assert server.requests == [1, 1]


@ways
@pytest.mark.usefixtures("suspicious")
def test_the_attempt_beside_is_one_of_the_retries(way: str) -> None:
    def behave(sock: socket.socket) -> None:
        requests.append(read_request(sock))
        if len(requests) == 1:
            sock.sendall(GOOD_ANSWER)
            requests.append(read_request(sock))
            read_request(sock)
        else:
            sock.sendall(b"HTTP/1.1 503 Unavailable\r\nContent-Length: 2\r\n\r\n{}")

    requests: list[bytes] = []
    with raw_server(behave) as server:
        with pytest.raises(Exception, match="503"):
            visit(way, server.domain, [nothing], timeout=8000)
        assert len(requests) == 3


@ways
@pytest.mark.usefixtures("suspicious")
def test_the_deadline_holds_where_both_are_silent(way: str) -> None:
    def behave(sock: socket.socket) -> None:
        while read_request(sock) != b"\r\n\r\n":
            if len(server.connections) == 1 and not answered:
                answered.append(True)
                sock.sendall(GOOD_ANSWER)

    answered: list[bool] = []
    with raw_server(behave) as server:
        started = time.monotonic()
        with pytest.raises(TargetTimeout):
            visit(way, server.domain, [nothing], timeout=500)
        assert 0.4 < time.monotonic() - started < 5
        assert len(server.connections) == 2
        assert eventually(lambda: all(sock.fileno() == -1 for sock in server.connections))


@pytest.mark.usefixtures("suspicious")
def test_a_call_is_ended_while_two_attempts_are_made() -> None:
    def behave(sock: socket.socket) -> None:
        while read_request(sock) != b"\r\n\r\n":
            if len(server.connections) == 2:
                beside.set()
            elif not beside.is_set() and not kept:
                kept.append(True)
                sock.sendall(GOOD_ANSWER)

    kept: list[bool] = []
    beside = threading.Event()
    with raw_server(behave) as server:
        client = client_of(server.domain, timeout=60_000)
        client.get_offers(**CALL)
        result = client.get_offers(**CALL, callback=lambda _: None)
        assert beside.wait(20)
        client.close(0)
        with pytest.raises(ClientClosed):
            result.get(10)
        assert eventually(lambda: all(sock.fileno() == -1 for sock in server.connections))


@aio.transports
@pytest.mark.usefixtures("suspicious")
def test_a_task_is_cancelled_while_two_attempts_are_made(transport: str) -> None:
    def behave(sock: socket.socket) -> None:
        while read_request(sock) != b"\r\n\r\n":
            if len(server.connections) == 2:
                beside.set()
            elif not kept:
                kept.append(True)
                sock.sendall(GOOD_ANSWER)

    async def go() -> None:
        async with aio.client_of(server.domain, transport=transport, timeout=60_000) as client:
            await client.get_offers(**CALL)
            task = asyncio.create_task(client.get_offers(**CALL))
            assert await asyncio.to_thread(beside.wait, 20)
            task.cancel()
            await asyncio.wait([task])
            assert task.cancelled()
            assert await aio.eventually(lambda: all(sock.fileno() == -1 for sock in server.connections))
        assert asyncio.all_tasks() == {asyncio.current_task()}

    kept: list[bool] = []
    beside = threading.Event()
    with raw_server(behave) as server:
        asyncio.run(go())


# The parts


@pytest.mark.usefixtures("suspicious")
def test_an_idle_connection_holds_nothing_of_a_call() -> None:
    with forgetful(say_nothing) as server, client_of(server.domain, timeout=8000) as client:
        for _ in range(2):
            client.get_offers(**CALL)
        (host,) = client._transport._pools._hosts.values()  # type: ignore[attr-defined]
        (idle,) = host.pool.pool.queue
        assert (idle.deadline.try_beside, idle.deadline.first, idle.exchange) == (None, None, None)


def test_how_long_silence_is_borne(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    keeping = liveness.Keeping(50.0)
    assert keeping.patience_s(1.0) == 0.25
    assert keeping.patience_s(60.0) == 0.4
    keeping.was_slow(0.4)
    assert keeping.patience_s(60.0) == 0.8
    assert keeping.patience_s(1.0) == 0.5
    keeping.was_dead()
    assert keeping.patience_s(60.0) == 0.4


@linux
def test_what_is_suspect() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_connection(listener.getsockname()) as sock:
        accepted, _ = listener.accept()
        with accepted:
            sock.sendall(b"x")
            accepted.recv(1)
            assert not liveness.is_suspect(0.0, sock)
            assert liveness.is_suspect(1.0, sock)
            drop_what_comes(accepted)
            sock.sendall(b"x")
            assert liveness.is_suspect(0.0, sock)
            assert not liveness.is_suspect(None, sock)
            assert not liveness.is_suspect(0.0, object())


def downloads_of(**options: Any) -> Downloads:
    return Downloads(parse_client_options({"client": "acme", "organization_id": "1234@AdobeOrg", **options}))
