"""A client made and used before a fork, whether Python is told of the fork or not: neither gets what is the other's."""

from __future__ import annotations

import os

import pytest

from tests.kit.loopback import serving
from tests.lifecycle.echo import Echo
from tests.lifecycle.forked import run_script

either_way = pytest.mark.parametrize(
    "way",
    [
        pytest.param("fork", marks=pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")),
        pytest.param(
            "bare_fork", marks=pytest.mark.skipif(not os.path.exists("/proc/self/task"), reason="looks into /proc")
        ),
    ],
)


@pytest.mark.waits
@either_way
def test_parent_and_children_have_connections_and_threads_of_their_own(way: str) -> None:
    script = """
        fork_by = globals()[sys.argv[2]]
        client = client_of(domain, async_workers=3)
        ask_many(client, 20, 4, "before")
        ask_aside(client, 20, "aside-before")

        def work():
            barrier = threading.Barrier(4)  # all threads of a worker find out at the same moment

            def visit(thread):
                barrier.wait()
                for number in range(15):
                    ask(client, f"{thread}-{number}")

            with ThreadPoolExecutor(4) as pool:
                list(pool.map(visit, range(4)))
            ask_aside(client, 30)
            assert fork_by is bare_fork or len(threads_of("target-worker")) <= 3  # Python lists the parent's, else
            client.close()

        children = [fork_by(work) for _ in range(4)]
        ask_many(client, 60, 4)
        ask_aside(client, 30)
        wait_for(children)
        ask_many(client, 10, 2, "after")
        client.close()
        print(os.getpid(), *children)
    """
    echo = Echo(latency_s=0.002)
    with serving(echo) as server:
        processes = run_script(script, server.domain, way).split()
    assert len(processes) == 5
    assert set(echo.sessions.values()) == {1}
    assert echo.sessions.total() == 40 + 5 * 90 + 10
    connections = echo.connections_by_process()
    assert sorted(connections) == sorted(processes)
    assert all(count <= 7 for count in connections.values())  # 4 threads and 3 workers: the pool is used again
    assert connections[processes[0]] <= 7  # and the parent keeps the connections it had


@pytest.mark.waits
@either_way
@pytest.mark.parametrize(
    "lock",
    [
        "client._workers._lock",
        "client._transport._pools._lock",
        "next(iter(client._transport._pools._hosts.values())).pool.pool.mutex",
        "target._http.resolve._lock",
        "client._services.breaker._lock",
        "client._services.outbox._worker._claiming",
        "client._services.outbox._store._lock",
    ],
)
def test_a_lock_that_another_thread_holds_at_the_fork(way: str, lock: str) -> None:
    script = """
        import target._http.resolve
        fork_by = globals()[sys.argv[2]]
        client = client_of("localhost:" + domain.rpartition(":")[2], breaker_failures=3, outbox=Outbox.memory())
        client._services.breaker._failed("http://" + client._config.server_domain)
        ask_many(client, 4, 2, "before")
        ask_aside(client, 4, "before")
        queue(client, ["before"])

        def work():
            ask(client, "child")
            ask_aside(client, 4)
            queue(client, ["child"])
            client.close()
            del globals()["client"]

        with held(eval(sys.argv[3])):
            child = fork_by(work)
        wait_for([child])
        ask(client, "parent")
        client.close()
    """
    echo = Echo()
    with serving(echo) as server:
        run_script(script, server.domain, way, lock)
    assert len(echo.connections_by_process()) == 2
    assert echo.notified == {"before": 1, "child": 1}


@either_way
def test_a_pool_of_the_callers_is_not_shared_either(way: str) -> None:
    script = """
        import urllib3
        fork_by = globals()[sys.argv[2]]
        pool = urllib3.PoolManager(maxsize=2, block=True)
        clients = [client_of(domain, pool=pool), client_of(domain, pool=pool)]
        for client in clients:
            ask_many(client, 4, 2, f"before{clients.index(client)}")

        def work():
            for client in clients:
                ask_many(client, 20, 4, f"{clients.index(client)}-")

        children = [fork_by(work) for _ in range(2)]
        work()
        wait_for(children)
        assert pool.connection_from_url("http://" + domain).pool.qsize() == 2
    """
    echo = Echo(latency_s=0.002)
    with serving(echo) as server:
        run_script(script, server.domain, way)
    assert set(echo.connections_by_process().values()) == {2}


@either_way
def test_the_outbox_in_memory_sends_everything_once(way: str) -> None:
    """What was queued before the fork is the parent's to send; each child sends what it queued itself."""
    script = """
        fork_by = globals()[sys.argv[2]]
        client = client_of(domain, outbox=Outbox.memory(flush_interval=150))
        queue(client, [f"before-{number}" for number in range(30)])

        def work(label):
            assert client.outbox.pending == 0
            queue(client, [f"{label}-{number}" for number in range(20)])
            assert client.outbox.flush(timeout=5000)
            assert client.outbox.counters["acknowledged"] == 20
            client.close()

        children = [fork_by(lambda: work(label)) for label in "abc"]
        queue(client, [f"parent-{number}" for number in range(20)])
        wait_for(children)
        assert client.outbox.flush(timeout=5000)
        assert client.outbox.counters["acknowledged"] == 50
        client.close()
    """
    echo = Echo()
    with serving(echo) as server:
        run_script(script, server.domain, way)
    assert set(echo.notified.values()) == {1}
    assert len(echo.notified) == 30 + 4 * 20


@either_way
def test_a_task_that_is_cancelled_in_the_child_does_not_end_the_call_of_the_parent(way: str) -> None:
    script = """
        fork_by = globals()[sys.argv[2]]

        async def main():
            client = await AsyncTargetClient.create(options_of(domain, transport="threads", timeout=10_000))
            call = asyncio.ensure_future(ask_async(client, "parent"))
            await asyncio.sleep(0.2)

            def work():
                try:
                    call.get_coro().throw(asyncio.CancelledError())  # as a loop does for a task that is cancelled
                except asyncio.CancelledError:
                    pass

            wait_for([fork_by(work)])
            await call
            await client.aclose()

        asyncio.run(main())
    """
    echo = Echo(latency_s=1.0)
    with serving(echo) as server:
        run_script(script, server.domain, way)
    assert echo.sessions.total() == 1
