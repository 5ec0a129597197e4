"""A client made and used before a fork works in parent and children, and neither gets what is the other's."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.kit.loopback import Answer, Received, serving
from tests.lifecycle.echo import Echo
from tests.lifecycle.forked import run_script

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


def test_forks_in_the_middle_of_calls() -> None:
    """Other threads hold locks, and connections, at the moment of the fork."""
    script = """
        client = client_of(domain, async_workers=4)
        ask(client, "first")
        done = threading.Event()

        def keep_asking(thread):
            number = 0
            while not done.is_set():
                number += 1
                ask(client, f"{thread}x{number}")
                if number % 4 == 0:
                    ask_aside(client, 2, f"{thread}y{number}z")

        def work():
            ask_many(client, 6, 2)
            ask_aside(client, 4)
            client.close()

        with ThreadPoolExecutor(6) as pool:
            asking = [pool.submit(keep_asking, thread) for thread in range(6)]
            for _ in range(6):
                children = [fork(work) for _ in range(3)]
                wait_for(children)
            done.set()
        for each in asking:
            each.result()
        client.close()
    """
    echo = Echo(latency_s=0.001)
    with serving(echo) as server:
        run_script(script, server.domain)
    assert set(echo.sessions.values()) == {1}
    assert len(echo.connections_by_process()) == 19


def test_calls_that_waited_at_the_fork_are_the_parents() -> None:
    """A child that closes its client tells nobody that the parent's calls were given up."""
    script = """
        client = client_of(domain, async_workers=1)
        told = []
        handles = [
            client.get_offers(**call_of(session(number)), callback=told.append, err_callback=told.append)
            for number in range(5)
        ]

        def work():
            client.close()
            assert told == []

        wait_for([fork(work)])
        assert [answered(handle.get(5)) for handle in handles] == [session(number) for number in range(5)]
        assert len(told) == 5
        client.close()
    """
    echo = Echo(latency_s=0.05)
    with serving(echo) as server:
        run_script(script, server.domain)
    assert set(echo.sessions.values()) == {1}


def test_processes_share_the_file_of_an_outbox(tmp_path: Path) -> None:
    """Also while threads of the parent queue and send."""
    script = """
        from target import Outbox
        client = client_of(domain, timeout=500, outbox=Outbox.sqlite(sys.argv[2], flush_interval=5, lease=800))
        queue(client, [f"before-{number}" for number in range(30)])
        done = threading.Event()

        def keep_queuing(thread):
            number = 0
            while not done.wait(0.005) or number < 10:
                queue(client, [f"thread{thread}-{number}"])
                number += 1
            return number

        def work(label):
            queue(client, [f"{label}-{number}" for number in range(20)])
            client.close(0)  # the file keeps the rest; what is being sent is taken over when its lease ends

        with ThreadPoolExecutor(2) as pool:
            counts = [pool.submit(keep_queuing, thread) for thread in range(2)]
            children = []
            for label in "abcdef":
                children.append(fork(lambda: work(label)))
                time.sleep(0.03)
            wait_for(children)
            done.set()
        assert client.outbox.flush(timeout=10_000)
        print(client.outbox.pending, len(client.outbox.dead_letters), sum(count.result() for count in counts))
        client.close()
    """
    echo = Echo()
    with serving(echo) as server:
        pending, dead, queued = map(int, run_script(script, server.domain, tmp_path / "outbox.db").split())
    assert (pending, dead) == (0, 0)
    assert len(echo.notified) == 30 + 6 * 20 + queued
    assert queued >= 20


def test_a_child_that_exits_without_close_sends_what_it_queued() -> None:
    script = """
        from target import Outbox
        client = client_of(domain, outbox=Outbox.memory(flush_interval=60_000))
        queue(client, ["before"])
        child = os.fork()
        if child == 0:
            queue(client, ["child"])
            sys.exit(0)
        wait_for([child])
        client.close()
    """
    echo = Echo()
    with serving(echo) as server:
        run_script(script, server.domain)
    assert echo.notified == {"before": 1, "child": 1}


def test_each_process_has_a_breaker_of_its_own_which_begins_closed() -> None:
    script = """
        from target import ApiError, TargetUnavailable
        client = client_of(domain, breaker_failures=2, breaker_reset=20_000, retries=0)

        def outcomes(count):
            seen = []
            for number in range(count):
                try:
                    ask(client, number)
                    seen.append("good")
                except (ApiError, TargetUnavailable) as error:
                    seen.append(type(error).__name__)
            return seen

        assert outcomes(3) == ["ApiError", "ApiError", "TargetUnavailable"]

        def work():
            assert outcomes(3) == ["good"] * 3
            client.close()

        children = [fork(work) for _ in range(3)]
        assert outcomes(1) == ["TargetUnavailable"]
        wait_for(children)
        assert outcomes(1) == ["TargetUnavailable"]
        client.close()
    """
    echo = Echo()
    failing: list[str] = []

    def answer(received: Received) -> Answer:
        if len(failing) < 2:
            failing.append(received.session_id)
            return Answer({"message": "busy"}, 500)
        return echo(received)

    with serving(answer) as server:
        run_script(script, server.domain)
    assert list(echo.connections_by_process().values()) == [1, 1, 1]


def test_a_host_that_the_parent_tries_at_the_fork_may_be_tried_by_the_child() -> None:
    """The thread that tried does not go through the fork, and would never say how it ended."""
    script = """
        from target import ApiError
        client = client_of(domain, breaker_failures=1, breaker_reset=50, retries=0)
        try:
            ask(client, "bad")
        except ApiError:
            time.sleep(0.1)
        trying = threading.Thread(target=ask, args=(client, "trying"))
        trying.start()
        time.sleep(0.1)
        child = fork(lambda: ask(client, "child"))
        trying.join()
        wait_for([child])
        client.close()
    """
    echo = Echo(latency_s=0.3)

    def answer(received: Received) -> Answer:
        return Answer({"message": "busy"}, 500) if received.session_id.endswith("bad") else echo(received)

    with serving(answer) as server:
        run_script(script, server.domain)
    assert len(echo.connections_by_process()) == 2


@pytest.mark.waits
def test_a_child_that_closes_does_not_end_the_calls_of_its_parent() -> None:
    script = """
        from target import ClientClosed
        client = client_of(domain, async_workers=2, retries=0)
        handle = client.get_offers(**call_of(session("parent")), callback=lambda _: None)
        time.sleep(0.2)

        def work():
            own = client.get_offers(**call_of(session("child")), callback=lambda _: None)
            time.sleep(0.1)
            client.close(50)
            try:
                own.get(1)
            except ClientClosed:
                return
            raise AssertionError("its own call is ended")

        children = [fork(work) for _ in range(2)]
        assert answered(handle.get(5)) == session("parent")
        wait_for(children)
        client.close()
    """
    echo = Echo(latency_s=0.8)
    with serving(echo) as server:
        run_script(script, server.domain)
    assert set(echo.sessions.values()) == {1}
    assert len(echo.connections_by_process()) == 3


def test_multiprocessing_with_the_fork_method() -> None:
    script = """
        import multiprocessing
        client = client_of(domain)
        ask(client, "before")
        ask_aside(client, 2, "before")

        def work(number):
            ask(client, f"{number}")
            ask_aside(client, 2, f"aside{number}-")
            return os.getpid()

        with multiprocessing.get_context("fork").Pool(3) as pool:
            assert os.getpid() not in pool.map(work, range(60), chunksize=1)
        client.close()
    """
    echo = Echo(latency_s=0.002)
    with serving(echo) as server:
        run_script(script, server.domain)
    assert echo.sessions.total() == 3 + 60 * 3
    assert set(echo.sessions.values()) == {1}
    assert len(echo.connections_by_process()) == 4


@pytest.mark.waits
@pytest.mark.parametrize("transport", ["threads", "aiohttp"])
def test_an_event_loop_stays_behind_and_a_client_on_a_new_one_works(transport: str) -> None:
    """The parent's client refuses to work on another loop; nothing of it reaches the child's."""
    script = """
        from target import OptionsError

        async def main():
            client = await AsyncTargetClient.create(options_of(domain, transport=sys.argv[2]))
            await asyncio.gather(*(ask_async(client, f"before{number}") for number in range(5)))
            asking = [asyncio.ensure_future(ask_async(client, f"during{number}")) for number in range(5)]
            await asyncio.sleep(0.01)
            children = [fork(lambda: asyncio.run(child(client))) for _ in range(3)]
            await asyncio.gather(*asking)
            wait_for(children)
            await asyncio.gather(*(ask_async(client, f"after{number}") for number in range(5)))
            await client.aclose()

        async def child(inherited):
            try:
                await ask_async(inherited, "inherited")
            except OptionsError as error:
                assert "another event loop" in str(error)
            else:
                raise AssertionError("a loop does not go through a fork")
            async with await AsyncTargetClient.create(options_of(domain, transport=sys.argv[2])) as client:
                await asyncio.gather(*(ask_async(client, number) for number in range(20)))

        asyncio.run(main())
    """
    echo = Echo(latency_s=0.05)
    with serving(echo) as server:
        run_script(script, server.domain, transport)
    assert set(echo.sessions.values()) == {1}
    assert echo.sessions.total() == 15 + 3 * 20
    assert len(echo.connections_by_process()) == 4
