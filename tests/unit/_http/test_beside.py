"""Kept connections: how long they are used again, and what becomes of a call on one that is dead, or slow."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from typing import Any

import pytest
import urllib3

from target import ClientClosed, Outbox, TargetTimeout
from target._http import exchange, liveness
from target._http.deadline import Deadline
from tests.kit import aio
from tests.kit.calls import CALL, client_of, eventually
from tests.kit.loopback import Answer, serving
from tests.kit.raw_servers import GOOD_ANSWER, raw_server, read_request, reset, tunnel
from tests.kit.silence import (
    answer_after,
    downloads_of,
    drop_what_comes,
    forgetful,
    linux,
    nothing,
    say_nothing,
    visit,
    ways,
)
from tests.kit.tls import Authority

pytestmark = pytest.mark.usefixtures("impatient")


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
def test_dead_behind_tls_and_a_tunnel(way: str, authority: Authority) -> None:
    """The proxy goes on and the origin says nothing."""
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


@pytest.mark.waits
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
