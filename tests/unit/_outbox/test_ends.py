"""How an outbox ends: closed, forgotten, forked or killed; and what other processes of its file find."""

from __future__ import annotations

import gc
import threading
import time
import weakref
from collections.abc import Callable
from pathlib import Path

import pytest

from target.errors import ClientClosed
from target.outbox import Outbox
from target.protocols import Moment
from tests.kit.calls import eventually
from tests.kit.loopback import Answer, LoopbackServer, Received, ok
from tests.kit.outboxes import MakeOutbox, Wired, batches_of, ids_of
from tests.kit.processes import run_script
from tests.kit.threads import threads_of


@pytest.mark.waits
@pytest.mark.parametrize("kind", ["memory()", "sqlite(sys.argv[2])"])
def test_a_process_that_forgot_to_close_sends_and_exits(kind: str, tmp_path: Path, server: LoopbackServer) -> None:
    script = f"""
        import sys
        from target.outbox import Outbox
        from tests.kit.outboxes import Wired
        made = Wired(Outbox.{kind}, sys.argv[1])
        made.queue("a")
        print("queued")
    """
    started = time.monotonic()
    assert run_script(script, server.domain, tmp_path / "outbox.db") == "queued\n"
    assert time.monotonic() - started < 25  # most of it is a loaded machine that starts a process
    assert batches_of(server) == [["a"]]


@pytest.mark.slow
def test_a_process_exits_though_the_service_hangs(server: LoopbackServer) -> None:
    release = threading.Event()

    def hang(_: Received) -> Answer:
        release.wait(20)
        return Answer(status=204)

    server.answer = hang
    script = """
        import logging, sys
        from target.outbox import Outbox
        from tests.kit.outboxes import Wired
        logging.basicConfig(stream=sys.stdout, format="%(message)s")
        made = Wired(Outbox.memory(flush_interval=0), sys.argv[1], timeout=20_000)
        made.queue("a")
    """
    started = time.monotonic()
    said = run_script(script, server.domain)
    assert time.monotonic() - started < 6
    release.set()
    assert said == "1 queued notifications were not sent before the client ended, and are lost\n"


@pytest.mark.slow
def test_two_processes_share_one_file(tmp_path: Path, server: LoopbackServer) -> None:
    script = """
        import sys
        from target.outbox import Outbox
        from tests.kit.outboxes import Wired
        made = Wired(Outbox.sqlite(sys.argv[2], flush_interval=20), sys.argv[1])
        for number in range(150):
            made.queue(f"{sys.argv[3]}-{number}", session_id=f"s{number % 7}")
        assert made.handle.flush(20_000)
        made.close()
        print("done")
    """
    said: list[str] = []
    arguments = (server.domain, tmp_path / "outbox.db")
    threads = [
        threading.Thread(target=lambda name=name: said.append(run_script(script, *arguments, name))) for name in "abc"
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(50)
    assert said == ["done\n"] * 3
    sent = ids_of(server)
    assert len(sent) == len(set(sent)) == 450
    for name in "abc":
        for session in range(7):
            mine = [number for number in (int(i[2:]) for i in sent if i[0] == name) if number % 7 == session]
            assert mine == sorted(mine)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["memory(flush_interval=20)", "sqlite(sys.argv[2], flush_interval=20)"])
def test_a_client_made_before_a_fork_sends_everything_once(kind: str, tmp_path: Path, server: LoopbackServer) -> None:
    script = f"""
        import os, sys
        from target.outbox import Outbox
        from tests.kit.outboxes import Wired
        made = Wired(Outbox.{kind}, sys.argv[1])

        def queue(who):
            for number in range(30):
                made.queue(f"{{who}}-{{number}}", session_id=f"{{who}}-{{number % 3}}")

        queue("before")
        children = []
        for child in range(3):
            process = os.fork()
            if process == 0:
                queue(child)
                assert made.handle.flush(10_000)
                assert made.handle.counters["queued"] == 30
                made.close()
                os._exit(0)
            children.append(process)
            queue(f"after-{{child}}")
        for process in children:
            assert os.waitpid(process, 0)[1] == 0
        assert made.handle.flush(10_000)
        assert made.handle.counters["queued"] == 120
        made.close()
    """
    run_script(script, server.domain, tmp_path / "outbox.db")
    sent = ids_of(server)
    assert len(sent) == len(set(sent)) == 7 * 30


@pytest.mark.slow
def test_what_a_dead_process_was_sending_is_taken_over(tmp_path: Path, server: LoopbackServer) -> None:
    release = threading.Event()

    def hang(_: Received) -> Answer:
        release.wait(20)
        return Answer(status=204)

    server.answer = hang
    script = """
        import os, sys, time
        from target.outbox import Outbox
        from tests.kit.outboxes import Wired
        made = Wired(Outbox.sqlite(sys.argv[2], flush_interval=0), sys.argv[1])
        made.queue("a")
        time.sleep(0.5)
        os._exit(0)
    """
    run_script(script, server.domain, tmp_path / "outbox.db")
    release.set()
    assert batches_of(server) == [["a"]]
    server.answer = ok
    late = Wired(Outbox.sqlite(tmp_path / "outbox.db", flush_interval=0), server.domain)
    set_steady_clock(late, lambda: time.monotonic() + 29)
    assert not late.handle.flush(300)
    set_steady_clock(late, lambda: time.monotonic() + 31)
    assert late.handle.flush(5000)
    assert batches_of(server) == [["a"], ["a"]]
    late.close()


def set_steady_clock(made: Wired, steady_s: Callable[[], float]) -> None:
    file = made.handle._store._store  # type: ignore[attr-defined]
    file._settings = file._settings._replace(now=lambda: Moment(time.time(), steady_s()))


def test_close_sends_what_is_left_and_ends_the_threads(make_outbox: MakeOutbox, server: LoopbackServer) -> None:
    made = Wired(make_outbox(flush_interval=60_000), server.domain)
    for number in range(20):
        made.queue(f"n{number}", session_id=f"s{number}")
    made.close(5000)
    assert len(server.received) == 20
    assert threads_of("target-outbox") == []
    assert made.handle.pending == 0
    with pytest.raises(ClientClosed):
        made.queue("late")
    made.close()


def test_close_keeps_to_its_time(
    make_outbox: MakeOutbox, server: LoopbackServer, caplog: pytest.LogCaptureFixture
) -> None:
    release = threading.Event()

    def hang(_: Received) -> Answer:
        release.wait(10)
        return Answer(status=204)

    server.answer = hang
    made = Wired(make_outbox(flush_interval=0), server.domain)
    made.queue("Secret")
    assert eventually(lambda: server.received)
    started = time.monotonic()
    made.close(100)
    assert time.monotonic() - started < 8
    release.set()
    assert eventually(lambda: not threads_of("target-outbox"))
    assert made.handle.pending == 1 or made.handle.counters["acknowledged"] == 1
    assert ("1 queued notifications were not sent" in caplog.text) == (not made.handle._worker._is_shared)
    assert "Secret" not in caplog.text


def test_what_one_client_left_the_next_one_sends(tmp_path: Path, server: LoopbackServer) -> None:
    outbox = Outbox.sqlite(tmp_path / "outbox.db", flush_interval=60_000)
    first = Wired(outbox, server.domain)
    first.queue("a", session_id="kept", property={"token": "prop"})
    first.close(0)
    assert server.received == []
    second = Wired(outbox, server.domain)
    assert second.handle.flush(5000)
    (received,) = server.received
    assert (received.session_id, received.body["property"]) == ("kept", {"token": "prop"})
    second.close()


def test_a_client_nobody_closed_sends_and_goes(
    make_outbox: MakeOutbox, server: LoopbackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("target._outbox.worker.EXIT_S", 20.0)  # a busy machine may need more than the second
    made = Wired(make_outbox(flush_interval=60_000), server.domain)
    made.queue("a")
    gone = weakref.ref(made.handle)
    transport = made.transport
    del made
    gc.collect()
    assert gone() is None
    assert eventually(lambda: batches_of(server) == [["a"]])
    assert eventually(lambda: not threads_of("target-outbox"))
    transport.close()
