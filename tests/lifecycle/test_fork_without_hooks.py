"""A process that C code forked, of which Python was told nothing: everything begins anew there all the same."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.kit.cdn import artifact
from tests.kit.loopback import Answer, Received, serving
from tests.lifecycle.echo import Echo
from tests.lifecycle.forked import run_script

pytestmark = pytest.mark.skipif(not os.path.exists("/proc/self/task"), reason="looks into /proc")


def test_a_child_of_a_child() -> None:
    script = """
        client = client_of(domain)
        ask(client, "first")

        def work():
            wait_for([bare_fork(lambda: ask(client, "grandchild"))])  # which the child itself has not asked before
            ask(client, "child")
            wait_for([bare_fork(lambda: ask(client, "grandchild")), fork(lambda: ask(client, "told"))])

        wait_for([bare_fork(work)])
        ask(client, "again")
    """
    echo = Echo()
    with serving(echo) as server:
        run_script(script, server.domain)
    assert len(echo.connections_by_process()) == 5


def test_forks_in_the_middle_of_calls() -> None:
    script = """
        client = client_of(domain, async_workers=4)
        ask(client, "first")

        def work():
            ask_many(client, 6, 3)
            ask_aside(client, 4)
            client.close()

        def keep_asking():
            asking = [pool.submit(ask, client, f"during{number}") for number in range(4)]
            handles = [client.get_offers(**call_of(session(f"aside{n}")), callback=str) for n in range(4)]
            return asking, handles

        with ThreadPoolExecutor(4) as pool:
            asking, handles = keep_asking()
            wait_for([bare_fork(work) for _ in range(3)])
        assert [answered(handle.get(5)) for handle in handles] == [session(f"aside{n}") for n in range(4)]
        for each in asking:
            each.result()
        client.close()
    """
    echo = Echo(latency_s=0.5)
    with serving(echo) as server:
        run_script(script, server.domain)
    assert set(echo.sessions.values()) == {1}
    assert len(echo.connections_by_process()) == 4


def test_nothing_that_the_parent_learnt_is_the_childs() -> None:
    script = """
        from target import ApiError, TargetUnavailable
        client = client_of(domain, breaker_failures=1, breaker_reset=60_000, retries=0)
        client._calls.routes.learn("38")
        client._services._telemetry.add({"requestId": "the parent's"})
        client._services.breaker._failed("http://" + domain)
        try:
            ask(client, "left-alone")
            raise AssertionError
        except TargetUnavailable:
            pass

        def work():
            client.wait_until_ready(1)  # of all calls the one that does the least
            assert client._calls.routes.cluster is None
            assert len(client._services._telemetry) == 0
            ask(client, "child")  # whose breaker is closed

        wait_for([bare_fork(work)])
    """
    echo, told = Echo(), []

    def answer(received: Received) -> Answer:
        told.append(received.body)
        return echo(received)

    with serving(answer) as server:
        run_script(script, server.domain)
    assert len(echo.sessions) == 1
    assert "telemetry" not in told[0]


def test_rules_are_kept_up_to_date_and_impressions_sent_by_each_process() -> None:
    script = """
        rules = f"http://{domain}/rules.json"
        client = client_of(domain, decisioning_method="on-device", artifact_location=rules, polling_interval=60_000)
        assert client.wait_until_ready(10_000)

        def decide(name):
            result = client.get_offers(
                request={"execute": {"mboxes": [{"name": "home"}]}}, session_id=session(name)
            )
            assert result.response.execute.mboxes[0].options[0].content == {"from": "home"}
            return result

        decide("before")
        background, keeper = client._services.on_device.background, client._services.on_device._keeper
        inherited = keeper._service.threads

        def work():
            decide("child")
            assert keeper._service.threads - inherited
            client.close()
            assert background.counts["sent"] == 1, background.counts

        children = [bare_fork(work) for _ in range(3)]
        wait_for(children)
        client.close()
        print(os.getpid(), *children)
    """
    asked: list[dict[str, Any]] = []

    def answer(received: Received) -> Answer:
        if received.target.startswith("/rules.json"):
            return Answer(artifact())
        asked.append(json.loads(received.content))
        return echo(received)

    echo = Echo()
    with serving(answer) as server:
        processes = run_script(script, server.domain).split()
    impressions = [item["id"] for body in asked for item in body.get("notifications", ())]
    assert len(impressions) == len(set(impressions)) == 4
    assert sorted(echo.connections_by_process()) == sorted(processes)


def test_processes_share_the_file_of_an_outbox(tmp_path: Path) -> None:
    script = """
        client = client_of(domain, outbox=Outbox.sqlite(sys.argv[2], flush_interval=5))
        queue(client, [f"before-{number}" for number in range(5)])
        assert client.outbox.flush(timeout=10_000)

        def work(label):
            queue(client, [f"{label}-{number}" for number in range(20)])
            assert client.outbox.flush(timeout=10_000)
            client.close()

        children = [bare_fork(lambda: work(label)) for label in "abc"]
        queue(client, [f"parent-{number}" for number in range(20)])
        wait_for(children)
        assert client.outbox.flush(timeout=10_000)
        print(client.outbox.pending, len(client.outbox.dead_letters))
        client.close()
    """
    echo = Echo()
    with serving(echo) as server:
        assert run_script(script, server.domain, tmp_path / "outbox.db").split() == ["0", "0"]
    assert len(echo.notified) == 5 + 4 * 20


def test_what_a_child_stores_outlasts_the_parents_use_of_the_file(tmp_path: Path) -> None:
    """Its locks on the file are its own: without them the parent, when it closes, takes away what the child writes."""
    script = """
        import sqlite3
        client = client_of("127.0.0.1:9", timeout=200, outbox=Outbox.sqlite(sys.argv[2], flush_interval=60_000))
        queue(client, ["parent"])
        told_parent, tell_parent = os.pipe()
        told_child, tell_child = os.pipe()

        def work():
            queue(client, ["before-1", "before-2"])
            os.write(tell_parent, b"x")
            os.read(told_child, 1)  # the parent has closed the file
            queue(client, ["after-1", "after-2"])
            assert client.outbox.pending == 5

        child = bare_fork(work)
        os.read(told_parent, 1)
        client.close(0)
        os.write(tell_child, b"x")
        wait_for([child])
        found = sqlite3.connect(sys.argv[2])
        asked = ("SELECT count(*) FROM entry", "PRAGMA integrity_check")
        (count,), (health,) = (found.execute(ask).fetchone() for ask in asked)
        print(count, health)
    """
    with serving(Echo()) as server:
        assert run_script(script, server.domain, tmp_path / "outbox.db").split() == ["5", "ok"]


def test_a_file_that_was_in_use_at_the_fork_is_left_alone(tmp_path: Path) -> None:
    """SQLite's own locks may be held: what the child queues waits in its memory, is sent from there, and that is said
    in the log."""
    script = """
        import logging
        lines = []
        handler = logging.Handler()
        handler.emit = lambda record: lines.append(record.getMessage())
        logging.getLogger("target").addHandler(handler)
        client = client_of(domain, outbox=Outbox.sqlite(sys.argv[2], flush_interval=60_000))
        queue(client, ["parent"])

        def work():
            queue(client, ["child"])
            client.close(3000)
            assert any("cannot be used (this process was forked" in line for line in lines), lines

        with held(client._services.outbox._store._store._at_work):
            child = bare_fork(work)
            wait_for([child])
        assert client.outbox.flush(timeout=10_000)
        client.close()
    """
    echo = Echo()
    with serving(echo) as server:
        run_script(script, server.domain, tmp_path / "outbox.db")
    assert echo.notified == {"parent": 1, "child": 1}


@pytest.mark.parametrize("transport", ["threads", "aiohttp"])
def test_an_event_loop_stays_behind_even_where_the_child_goes_on_with_it(transport: str) -> None:
    script = """
        from target import OptionsError
        loop = asyncio.new_event_loop()
        client = loop.run_until_complete(AsyncTargetClient.create(options_of(domain, transport=sys.argv[2])))
        loop.run_until_complete(ask_async(client, "before"))

        def work():
            try:
                loop.run_until_complete(ask_async(client, "child"))
            except OptionsError as error:
                assert "in each process" in str(error)
            else:
                raise AssertionError("a loop does not go through a fork")

        wait_for([bare_fork(work), fork(work)])
        loop.run_until_complete(ask_async(client, "after"))
        loop.run_until_complete(client.aclose())
        loop.close()
    """
    echo = Echo()
    with serving(echo) as server:
        run_script(script, server.domain, transport)
    assert len(echo.connections_by_process()) == 1
    assert echo.sessions.total() == 2
