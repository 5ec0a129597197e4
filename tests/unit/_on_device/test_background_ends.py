"""How sending in the background ends: closed, flushed, forgotten, forked, with its process."""

from __future__ import annotations

import gc
import os
import threading
import time
import weakref

import pytest

from target._on_device.background import SOON_S
from target.delivery.request import Call
from target.delivery.telemetry import TelemetryBuffer
from target.errors import ClientClosed
from tests.kit.calls import eventually, timed
from tests.kit.loopback import Answer, LoopbackServer, Received, ok
from tests.kit.processes import run_script
from tests.kit.raw_servers import hang, raw_server
from tests.kit.senders import Sender, composing, sender, sent_ids, threads


def test_close_sends_what_is_pending(server: LoopbackServer) -> None:
    with sender(server.domain) as made:
        made.submit(*range(50))
        made.background.close(5)
        assert sent_ids(server) == [f"n{number}" for number in range(50)]
        assert threads() == []
        made.submit(51)
        made.background.send_soon()
        assert made.background.counts == {"sent": 50, "failed": 0, "dropped": 1}
        assert eventually(lambda: threads() == [])  # one has told what was dropped
        made.background.close(5)


def test_close_keeps_to_its_bound_and_tells_what_was_not_sent() -> None:
    with raw_server(hang) as server, sender(server.domain) as made:
        made.submit(0, 1, 2)
        assert eventually(lambda: server.connections)
        assert 0.15 <= timed(lambda: made.background.close(0.2)) < 5
        assert made.failed_ids() == ["n1", "n2"]
        assert all(type(error) is ClientClosed for _, error in made.failures)
        made.transport.close()


def test_close_of_what_was_never_used_is_immediate(server: LoopbackServer) -> None:
    with sender(server.domain) as made:
        assert timed(lambda: made.background.close(5)) < 2


def test_a_handler_may_close(server: LoopbackServer) -> None:
    server.answer = lambda _: Answer(None, 400)
    with sender(server.domain) as made:
        closed = threading.Event()

        def close(call: Call, error: Exception) -> None:
            made.background.close(5)
            closed.set()

        made.background._failed = close  # type: ignore[assignment]
        made.submit(0)
        assert closed.wait(2)
        assert eventually(lambda: threads() == [])


def test_close_sends_at_once_what_a_thread_that_waits_was_to_compose(server: LoopbackServer) -> None:
    """The thread had looked whether it is closed before it got the word to wake up, and ended."""
    buffer = TelemetryBuffer()
    made, _ = composing(server, buffer)
    buffer.add({"requestId": "one"})
    made.background.send_soon()
    time.sleep(0.05)
    assert timed(lambda: made.background.close(5)) < 3
    assert [item.body["telemetry"]["entries"][0]["requestId"] for item in server.received] == ["one"]
    made.transport.close()


def test_the_owner_is_not_kept_alive_and_what_waits_is_sent(server: LoopbackServer) -> None:
    made = Sender(server.domain)
    made.submit(*range(20))
    gone = weakref.ref(made)
    del made
    gc.collect()
    assert gone() is None
    assert eventually(lambda: len(server.received) == 20)
    assert eventually(lambda: threads() == [])


def test_a_child_process_sends_its_own_and_not_its_parents(server: LoopbackServer) -> None:
    go_on = threading.Event()

    def slow(received: Received) -> Answer:
        go_on.wait(5)
        return ok(received)

    server.answer = slow
    with sender(server.domain, timeout=10_000) as made:
        made.submit(0, 1)
        assert eventually(lambda: server.received)
        desk = made.background._desk
        with desk._lock, desk.backlog._lock:  # as other threads may hold them
            child = os.fork()
            if child == 0:
                code = 1
                try:
                    made.submit(7)
                    made.background.close(5)
                    code = 0 if made.background.counts == {"sent": 1, "failed": 0, "dropped": 0} else 2
                finally:
                    os._exit(code)
        go_on.set()
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert eventually(lambda: made.background.counts["sent"] == 2)
        assert sorted(sent_ids(server)) == ["n0", "n1", "n7"]


SCRIPT = """
    import sys
    sys.path.insert(0, ".")
    from tests.kit.senders import Sender
    made = Sender(sys.argv[1])
    made.submit(*range(int(sys.argv[2])))
    print("end")
"""


def test_the_end_of_the_process_waits_a_moment_for_what_is_pending(server: LoopbackServer) -> None:
    assert run_script(SCRIPT, server.domain, "5") == "end\n"
    assert sent_ids(server) == [f"n{number}" for number in range(5)]


@pytest.mark.slow
def test_a_hanging_server_does_not_keep_the_process_alive() -> None:
    with raw_server(hang) as server:
        idle_s = timed(lambda: run_script(SCRIPT, server.domain, "0"))
        assert timed(lambda: run_script(SCRIPT, server.domain, "5")) - idle_s < 2.5  # one call alone would take 3


def test_flush_sends_all_that_waits_and_what_is_to_be_sent_soon(server: LoopbackServer) -> None:
    buffer = TelemetryBuffer()
    made, _ = composing(server, buffer)
    buffer.add({"requestId": "one"})
    made.background.send_soon()
    made.submit(*range(10))
    assert timed(lambda: made.background.flush(5)) < SOON_S
    assert len(server.received) == 11
    assert made.background.flush(5) == 0
    made.background.close(1)
    made.transport.close()


def test_flush_tells_how_much_is_left() -> None:
    with raw_server(hang) as server, sender(server.domain) as made:
        made.submit(0, 1, 2)
        left: list[int] = []
        assert 0.1 <= timed(lambda: left.append(made.background.flush(0.1))) < 3
        assert left == [3]
        made.transport.close()


def test_flush_of_what_was_never_used_starts_no_thread(server: LoopbackServer) -> None:
    with sender(server.domain) as made:
        assert made.background.flush(5) == 0
        assert made.background._service.threads == frozenset()


def test_a_handler_may_flush(server: LoopbackServer) -> None:
    server.answer = lambda _: Answer(None, 400)
    left: list[int] = []
    with sender(server.domain) as made:
        made.background._failed = lambda *_: left.append(made.background.flush(5))
        made.submit(0)
        assert eventually(lambda: left == [1])  # what it is told of is not done with
        assert made.background.flush(5) == 0
