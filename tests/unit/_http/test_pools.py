"""Connections: few, shared between threads, verified, through proxies, from the client's pool or the caller's."""

from __future__ import annotations

import contextlib
import http.client
import logging
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import urllib3
from urllib3.connection import HTTPConnection

from target import ApiError, TransportError
from target._http.connect import use_deadlines
from target._http.exchange import DeadlineConnection
from tests.kit.calls import CALL, MakeClient, client_of, eventually, expect
from tests.kit.loopback import Answer, LoopbackServer, Received, ok, serving
from tests.kit.processes import run_script
from tests.kit.raw_servers import raw_server, serve_well
from tests.kit.tls import Authority


@pytest.mark.waits
@pytest.mark.parametrize("tls", [False, True], ids=["http", "tls"])
def test_a_thousand_calls_take_one_connection(tls: bool, authority: Authority, secure: dict[str, Any]) -> None:
    with serving(tls=authority.server_context() if tls else None) as server:
        with client_of(server.domain, **(secure if tls else {})) as client:
            for _ in range(1000):
                client.get_offers(**CALL)
        assert len(server.received) == 1000
        assert server.connections == 1


def test_threads_take_no_more_connections_than_there_are_threads(
    server: LoopbackServer, make_client: MakeClient
) -> None:
    client = make_client()
    with ThreadPoolExecutor(16) as threads:
        list(threads.map(lambda _: client.get_offers(**CALL), range(400)))
    assert len(server.received) == 400
    assert server.connections <= 16


@pytest.mark.waits
def test_no_answer_reaches_another_visitor(server: LoopbackServer, make_client: MakeClient) -> None:
    """16 threads, 200 calls each, every call another visitor; the server says whom it answered."""

    def echo(received: Received) -> Answer:
        body = received.body
        return Answer({"status": 200, "client": received.session_id, "id": body["id"]})

    server.answer = echo
    client = make_client(pool_size=4)  # fewer than threads, so that connections are handed on and dropped
    logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)
    wrong: list[str] = []

    def visit(thread: int) -> None:
        for number in range(200):
            name = f"visitor-{thread}-{number}"
            result = client.get_offers(
                request={"prefetch": {"pageLoad": {}}}, session_id=name, target_cookie=f"PC#{name}.38_0#9999999999"
            )
            if (result.response.client, result.response.id.tnt_id) != (name, f"{name}.38_0"):
                wrong.append(name)
            if f"session#{name}#" not in result.target_cookie.value:
                wrong.append(name)

    try:
        with ThreadPoolExecutor(16) as threads:
            list(threads.map(visit, range(16)))
    finally:
        logging.getLogger("urllib3.connectionpool").setLevel(logging.NOTSET)
    assert wrong == []
    assert len({received.session_id for received in server.received}) == 3200


def test_pool_size_bounds_idle_connections(server: LoopbackServer, make_client: MakeClient) -> None:
    together = threading.Barrier(6)

    def wait_for_all(received: Received) -> Answer:
        together.wait(5)
        return ok(received)

    server.answer = wait_for_all
    client = make_client(pool_size=2)
    with ThreadPoolExecutor(6) as threads:
        list(threads.map(lambda _: client.get_offers(**CALL), range(6)))
    assert server.connections == 6
    server.answer = ok
    for _ in range(5):
        client.get_offers(**CALL)
    (host,) = client._transport._pools._hosts.values()  # type: ignore[attr-defined]
    idle = [connection for connection in host.pool.pool.queue if connection is not None]
    assert len(idle) == 2
    assert server.connections == 6


def test_visitors_of_many_clusters_do_not_grow_the_pool_without_bound() -> None:
    with serving() as proxy, client_of("acme.example", proxy=proxy.url, edge_routing=True) as client:
        for cluster in range(100):
            client.get_offers(request=CALL["request"], target_location_hint=str(cluster))
        assert len({received.target for received in proxy.received}) == 100
    with client_of("acme.example", edge_routing=False) as client:
        for number in range(200):
            client._transport._pools._add(f"http://host-{number}.example")  # type: ignore[attr-defined]
        assert len(client._transport._pools._hosts) == 64  # type: ignore[attr-defined]


@pytest.mark.waits
@pytest.mark.parametrize("they_answer", [False, True], ids=["no such host", "hosts that answer"])
def test_cookies_that_name_clusters_close_no_connection_of_other_calls(they_answer: bool) -> None:
    def answer(received: Received) -> Answer:
        exists = they_answer or "mboxedge" not in received.target or "mboxedge35." in received.target
        return Answer({"status": 200} if exists else {}, 200 if exists else 404)

    with serving(answer) as proxy, client_of("acme.example", proxy=proxy.url, edge_routing=True) as client:
        ask = {"request": CALL["request"]}
        for number in range(100, 250):
            client.get_offers(**ask)
            client.get_offers(**ask, target_location_hint="35")  # where many visitors belong
            with contextlib.suppress(ApiError):
                client.get_offers(**ask, target_location_hint=str(number))
        assert proxy.connections == 2 + 150
        assert len(client._transport._pools._hosts) <= 64  # type: ignore[attr-defined]


# The caller's pool


def test_a_pool_of_the_callers_own_kind_sees_every_request(server: LoopbackServer, make_client: MakeClient) -> None:
    seen: list[str] = []

    class Watching(urllib3.PoolManager):
        def urlopen(self, method: str, url: str, redirect: bool = True, **options: Any) -> urllib3.BaseHTTPResponse:  # type: ignore[override]
            seen.append(url)
            options["headers"] = {**options["headers"], "X-Gateway": "secret"}
            return super().urlopen(method, url, redirect, **options)

    with Watching() as pool:
        client = make_client(pool=pool)
        client.get_offers(**CALL)
        client.get_offers(**CALL)
    assert [url.startswith(f"{server.url}/rest/v1/delivery?") for url in seen] == [True, True]
    assert {received.headers["X-Gateway"] for received in server.received} == {"secret"}
    assert server.connections == 1


def test_errors_of_a_pool_that_tries_again_by_itself_show_no_url() -> None:
    class Stubborn(urllib3.PoolManager):
        def urlopen(self, method: str, url: str, redirect: bool = True, **options: Any) -> urllib3.BaseHTTPResponse:  # type: ignore[override]
            return super().urlopen(method, url, redirect, **{**options, "retries": urllib3.Retry(1)})

    with Stubborn() as pool, client_of("127.0.0.1:1", pool=pool) as client:
        error = expect(TransportError, lambda: client.get_offers(**CALL), "refused")
    assert isinstance(error.__cause__, urllib3.exceptions.NewConnectionError)


def test_a_proxy_manager_of_the_caller() -> None:
    with serving() as proxy, urllib3.ProxyManager(proxy.url) as pool:
        with client_of("acme.example", pool=pool) as client:
            client.get_offers(**CALL)
        assert proxy.received[0].target.startswith("http://acme.example/rest/v1/delivery?")


def test_the_callers_pool_is_neither_closed_nor_cleared(server: LoopbackServer, make_client: MakeClient) -> None:
    with urllib3.PoolManager() as pool:
        first, second = make_client(pool=pool), make_client(pool=pool)
        first.get_offers(**CALL)
        first.close()
        assert len(pool.pools) == 1
        second.get_offers(**CALL)
        assert pool.request("POST", f"{server.url}/x?sessionId=a", body=b"{}").status == 200
        assert server.connections == 1


def test_a_pool_that_its_owner_clears_makes_new_connections(server: LoopbackServer, make_client: MakeClient) -> None:
    with urllib3.PoolManager() as pool:
        client = make_client(pool=pool)
        for _ in range(2):
            client.get_offers(**CALL)
            pool.clear()
        assert server.connections == 2


def test_a_connection_class_that_the_owner_set_on_a_pool_is_kept(
    server: LoopbackServer, make_client: MakeClient
) -> None:
    class Own(HTTPConnection):
        pass

    with urllib3.PoolManager() as manager:
        pool = manager.connection_from_url(server.url)
        pool.ConnectionCls = Own
        make_client(pool=manager).get_offers(**CALL)
        assert pool.ConnectionCls is Own
        other = manager.connection_from_url("http://acme.example")
        for _ in range(2):
            use_deadlines(other)
            assert issubclass(other.ConnectionCls, DeadlineConnection)


def test_a_connection_class_that_a_subclass_of_the_pool_has_gets_deadlines() -> None:
    class Own(HTTPConnection):
        pass

    class OwnPool(urllib3.HTTPConnectionPool):
        ConnectionCls = Own

    pool = OwnPool("acme.example")
    use_deadlines(pool)
    assert issubclass(pool.ConnectionCls, DeadlineConnection)
    assert issubclass(pool.ConnectionCls, Own)
    assert OwnPool.ConnectionCls is Own
    pool.close()


def test_the_cluster_in_a_cookie_names_the_host() -> None:
    cookie = "PC#device.21_0#9999999999"
    with serving() as proxy:
        for routing, host in ((True, "mboxedge21.tt.omtrdc.net"), (False, "target.acme.example")):
            with client_of("target.acme.example", proxy=proxy.url, edge_routing=routing) as client:
                client.get_offers(request=CALL["request"], target_cookie=cookie)
            assert proxy.received[-1].headers["Host"] == host
            assert proxy.received[-1].target.startswith(f"http://{host}/rest/v1/delivery?")


# Clients beside each other, and processes


def test_two_clients_are_independent(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with serving() as one, serving() as two, serving() as proxy:
        first = client_of(one.domain, logger=logging.getLogger("one"), timeout=1000)
        second = client_of(two.domain, logger=logging.getLogger("two"), timeout=9000, client="other")
        with first, second:
            first.get_offers(**CALL)
            second.get_offers(**CALL)
            first.get_offers(**CALL)
            assert (len(one.received), len(two.received)) == (2, 1)
            assert (first._config.timeout_s, second._config.timeout_s) == (1.0, 9.0)
        by_logger = {
            name: [r for r in caplog.records if r.name == name and r.levelno == logging.DEBUG]
            for name in ("one", "two")
        }
        assert {one.domain in record.getMessage() for record in by_logger["one"]} == {True}
        assert {two.domain in record.getMessage() for record in by_logger["two"]} == {True}
        learning = client_of("acme.example", proxy=proxy.url, edge_routing=True)
        fresh = client_of("acme.example", proxy=proxy.url, edge_routing=True)
        with learning, fresh:
            for client in (learning, learning, fresh):
                client.get_offers(request=CALL["request"])
        hosts = [received.headers["Host"] for received in proxy.received]
        assert hosts == ["acme.example", "mboxedge38.tt.omtrdc.net", "acme.example"]


def test_close_closes_idle_connections_whatever_the_pool(server: LoopbackServer) -> None:
    for through in ({}, {"proxy": server.url}):
        with raw_server(serve_well) as origin:
            options = {"proxy": f"http://{origin.domain}"} if through else {}
            client = client_of(origin.domain, **options)
            client.get_offers(**CALL)
            client.close()
            assert eventually(lambda origin=origin: origin.connections[0].fileno() == -1)  # type: ignore[misc]


def test_http_client_debugging_can_be_on(
    server: LoopbackServer, make_client: MakeClient, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(http.client.HTTPConnection, "debuglevel", 1)
    make_client().get_offers(**CALL)
    assert "reply: 'HTTP/1.1 200 OK" in capsys.readouterr().out


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_makes_connections_and_threads_of_its_own() -> None:
    """Two processes that read from one connection would read each other's answers."""
    script = """
        import os, sys, warnings
        from tests.kit.calls import CALL, client_of
        warnings.simplefilter("ignore")  # Python warns of fork() beside threads, which is what this is about
        client = client_of(sys.argv[1], async_workers=2)
        client.get_offers(**CALL)
        client.get_offers(**CALL, callback=lambda result: None).get(5)
        child = os.fork()
        client.get_offers(**CALL)
        client.get_offers(**CALL, callback=lambda result: None).get(5)
        if child == 0:
            client.close()
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        client.get_offers(**CALL)
        client.close()
    """
    with serving() as server:
        run_script(script, server.domain)
        assert len(server.received) == 7
        assert server.connections == 2
