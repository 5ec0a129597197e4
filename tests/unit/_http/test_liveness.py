"""How long a kept connection is used again, and when its silence is suspect."""

from __future__ import annotations

import select
import socket
import threading
import time
from typing import Any

import pytest
import urllib3

from target._http import liveness
from target._http.deadline import Deadline, Keeping
from tests.kit.calls import CALL, client_of, eventually
from tests.kit.loopback import Answer, LoopbackServer, serving
from tests.kit.raw_servers import GOOD_ANSWER, raw_server, read_request, say, tunnel
from tests.kit.silence import downloads_of, drop_what_comes, linux, nothing, visit, ways
from tests.kit.tls import Authority


@pytest.mark.parametrize("kept", [True, False])
def test_what_has_come_is_known_before_it_is_read(kept: bool) -> None:
    near, far = socket.socketpair()
    with near, far:
        poll = liveness.poll_of(near) if kept else None
        assert not liveness.has_come(near, poll)
        far.sendall(b"x")
        assert liveness.has_come(near, poll)
        near.recv(1)
        assert not liveness.has_come(near, poll)
        far.close()
        assert liveness.has_come(near, poll)


def test_a_system_without_poll_is_asked_by_urllib3s_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(select, "poll", raising=False)
    near, far = socket.socketpair()
    with near, far:
        assert liveness.poll_of(near) is None


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
def test_so_it_is_behind_a_proxy(way: str, authority: Authority) -> None:
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
    monkeypatch.setattr("target._http.aio.connection.keep_alive", look)
    with urllib3.PoolManager() as pool:
        visit("blocking" if way == "pool" else way, server.domain, [], **({"pool": pool} if way == "pool" else {}))
    assert kept == [{"on": 1, "TCP_KEEPIDLE": 20, "TCP_KEEPINTVL": 10}]


def test_how_long_silence_is_borne(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    keeping = Keeping(50.0)
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
