"""Idle connections: one exchange at a time, given back when it is over, with no lock that stays held."""

from __future__ import annotations

import json
import queue
from collections.abc import Callable
from typing import Any

import pytest
import urllib3

from target import TargetClient
from target._io.idle import IdleConnections, use_idle_connections
from tests.loopback import LoopbackServer, serving
from tests.unit._io.calls import CALL

Make = Callable[..., TargetClient]


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


def test_a_pool_whose_users_wait_for_each_other_keeps_its_own() -> None:
    pool = urllib3.HTTPConnectionPool("127.0.0.1", 1, block=True)
    use_idle_connections(pool)
    assert type(pool.pool) is queue.LifoQueue


def test_a_connection_is_kept_only_when_its_exchange_is_over(server: LoopbackServer, make_client: Make) -> None:
    pool = urllib3.PoolManager()
    client = make_client(pool=pool)
    client.get_offers(**CALL)
    (connection,) = pool.connection_from_url(server.url).pool.queue  # type: ignore[union-attr]
    assert not connection.is_in_use
    idle = IdleConnections(3)
    connection.is_in_use = True
    idle.put(connection)
    assert idle.empty()
    assert connection.is_closed
    assert json.loads(server.received[0].content)["execute"]
