"""Idle connections: one exchange at a time, given back when it is over, with no lock that stays held."""

from __future__ import annotations

import json
import queue
import threading
import time
from typing import Any

import pytest
import urllib3

from target._http import exchange
from target._http.deadline import Deadline, Exchange
from target._http.idle import IdleConnections, Places, use_idle_connections
from tests.kit.calls import CALL, MakeClient, client_of
from tests.kit.loopback import LoopbackServer, serving


class Closable:
    closed = False

    def close(self) -> None:
        self.closed = True


# The queue


def test_the_latest_is_taken_first_and_nobody_waits() -> None:
    idle = IdleConnections(2)
    first, second = Closable(), Closable()
    idle.put(None)
    assert idle.empty(), "no places are needed"
    idle.put(first)
    idle.put(second, block=False)
    assert (idle.qsize(), idle.full(), idle.empty()) == (2, True, False)
    with pytest.raises(queue.Full):
        idle.put(Closable(), block=False)
    assert [idle.get(), idle.get(block=False)] == [second, first]
    with pytest.raises(queue.Empty):
        idle.get()  # a LifoQueue would wait here


def test_it_stands_in_for_the_queue_of_a_pool_and_closes_what_it_has() -> None:
    with serving() as server:
        pool = urllib3.HTTPConnectionPool("127.0.0.1", server.server_port)
        pool.request("POST", "/", body=b'{"execute":{}}')
        use_idle_connections(pool)
        idle: Any = pool.pool
        use_idle_connections(pool)
        assert pool.pool is idle
        assert isinstance(idle, IdleConnections)
        pool.request("POST", "/", body=b'{"execute":{}}')
        (connection,) = idle.queue
        assert server.connections == 1, "what it had is kept"
        pool.close()
    assert connection.sock is None


def test_the_users_of_a_pool_that_blocks_wait_for_each_other_as_long_as_they_want_to() -> None:
    places = Places(1)
    connection = Closable()
    places.put(connection)
    assert places.get(timeout=1) is connection
    started = time.monotonic()
    for wait in ({"block": False}, {"timeout": 0.05}):
        with pytest.raises(queue.Empty):
            places.get(**wait)
    assert time.monotonic() - started < 2
    threading.Timer(0.05, places.put, (connection,)).start()
    assert places.get(timeout=10) is connection
    places.put(None)
    assert places.get(timeout=0) is None
    places.put(None)
    places.put(None)
    assert places.qsize() == 1, "there are no more places than at first"


def test_a_place_whose_taker_was_interrupted_goes_to_the_next_of_its_thread_or_of_another() -> None:
    def take() -> None:
        places.get(timeout=Exchange(Deadline(5)).pool_timeout)

    places = Places(2)
    for _ in range(2):
        places.put(None)
    for _ in range(5):
        take()  # and never give back
    thread = threading.Thread(target=take)
    thread.start()
    thread.join(5)
    assert places.qsize() == 0
    take()
    other = threading.Thread(target=take)
    other.start()
    other.join(10)
    assert not other.is_alive(), "the place of a thread that has ended is free"


def test_a_pool_that_blocks_bounds_the_connections_of_its_users() -> None:
    pool = urllib3.PoolManager(maxsize=2, block=True)
    with serving() as server, pool, client_of(server.domain, pool=pool, timeout=10000) as client:
        client.get_offers(**CALL)
        threads = [threading.Thread(target=client.get_offers, kwargs=CALL) for _ in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)
        idle: Any = pool.connection_from_url(server.url).pool
        assert type(idle) is Places
        assert len(server.received) == 13
        assert server.connections <= 2
        assert idle.qsize() == 2
        idle.begin_anew()
        assert list(idle.queue) == [None, None]


def test_what_waits_at_the_queue_of_a_pool_goes_on_waiting_there() -> None:
    pool = urllib3.HTTPConnectionPool("127.0.0.1", 1, block=True, maxsize=1)
    theirs: Any = pool.pool
    assert theirs.get(block=False) is None
    use_idle_connections(pool)
    assert pool.pool is theirs
    theirs.put(None)
    use_idle_connections(pool)
    assert type(pool.pool) is Places


def test_a_connection_is_kept_only_when_its_exchange_is_over(server: LoopbackServer, make_client: MakeClient) -> None:
    pool = urllib3.PoolManager()
    client = make_client(pool=pool)
    client.get_offers(**CALL)
    (connection,) = pool.connection_from_url(server.url).pool.queue
    assert not connection.is_in_use
    idle = IdleConnections(3)
    connection.is_in_use = True
    idle.put(connection)
    assert idle.empty()
    assert connection.is_closed
    assert json.loads(server.received[0].content)["execute"]


def test_a_connection_may_be_taken_up_while_another_thread_asks_whether_it_is_stale(
    server: LoopbackServer, make_client: MakeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = urllib3.PoolManager()
    make_client(pool=pool).get_offers(**CALL)
    (connection,) = pool.connection_from_url(server.url).pool.queue
    deadline, clock = Deadline(5.0), exchange.monotonic_s  # type: ignore[attr-defined]

    def take_it_up() -> float:
        monkeypatch.setattr(exchange, "monotonic_s", clock)
        deadline.keeping = connection.deadline.keeping
        connection.timeout = deadline.connect_timeout
        return clock()

    monkeypatch.setattr(exchange, "monotonic_s", take_it_up)
    assert not connection.is_stale
    assert connection.idle_s is not None, "it was taken up meanwhile"
