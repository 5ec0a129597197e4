"""Sending in the background: over real HTTP, without delaying or failing who asked for it."""

from __future__ import annotations

import logging
import threading
import time
from typing import Any

import pytest

from target._background import service as service_module
from target._on_device import background as background_module
from target._on_device.delivery import SleptThrough
from target.delivery.request import Call
from target.delivery.telemetry import TelemetryBuffer
from target.errors import ApiError, BackgroundFull, TargetTimeout, TransportError
from tests.kit.calls import eventually, timed
from tests.kit.loopback import Answer, LoopbackServer, Received, ok, serving
from tests.kit.raw_servers import hang, raw_server
from tests.kit.senders import composing, sender, sent_ids, threads


def test_one_session_is_sent_in_order_while_others_are_sent_beside_it(server: LoopbackServer) -> None:
    in_flight: dict[str, int] = {}
    most: dict[str, int] = {"all": 0}
    lock = threading.Lock()

    def slow(received: Received) -> Answer:
        with lock:
            for key in (received.session_id, "all"):
                in_flight[key] = in_flight.get(key, 0) + 1
                most[key] = max(most.get(key, 0), in_flight[key])
        time.sleep(0.01)
        with lock:
            for key in (received.session_id, "all"):
                in_flight[key] -= 1
        return ok(received)

    server.answer = slow
    with sender(server.domain, most_at_once=4) as made:
        for number in range(63):
            made.background.submit(made.call(number, session_id=f"visitor{number // 9}"))
        made.background.close(5)
        assert made.background.counts == {"sent": 63, "failed": 0, "dropped": 0}
        assert threads() == []
    assert 1 <= most.pop("all") <= 4  # which sessions share a thread is up to their hashes
    assert set(most.values()) == {1}
    for visitor in range(7):
        own = [
            received.body["notifications"][0]["id"]
            for received in server.received
            if received.session_id == f"visitor{visitor}"
        ]
        assert own == [f"n{number}" for number in range(visitor * 9, visitor * 9 + 9)]


def test_what_is_submitted_is_sent_in_order_where_one_may_be_in_flight(
    server: LoopbackServer,
) -> None:
    with sender(server.domain) as made:
        assert threads() == []
        made.submit(*range(20))
        assert eventually(lambda: made.background.counts["sent"] == 20)
        assert sent_ids(server) == [f"n{number}" for number in range(20)]
        assert [received.session_id for received in server.received] == [f"s{number}" for number in range(20)]
        assert len(made.background._service.threads) == 1
        assert server.connections == 1
        assert made.failures == []
    assert eventually(lambda: threads() == [])


def test_submitting_takes_no_time_whatever_the_server_does() -> None:
    with raw_server(hang) as server, sender(server.domain) as made:
        call = made.call()
        assert timed(lambda: [made.background.submit(call) for _ in range(1000)]) < 3
        made.transport.close()


def test_a_failure_is_told_and_the_rest_is_sent(server: LoopbackServer, caplog: pytest.LogCaptureFixture) -> None:
    def answer(received: Received) -> Any:
        return Answer({"message": "bad"}, 400) if received.session_id == "s1" else ok(received)

    server.answer = answer
    with sender(server.domain) as made:
        made.submit(0, 1, 2)
        assert eventually(lambda: made.background.counts == {"sent": 2, "failed": 1, "dropped": 0})
        ((call, error),) = made.failures
        assert call.session_id == "s1"
        assert isinstance(error, ApiError)
    assert "s1" not in caplog.text


def test_a_failure_that_may_be_repeated_is_repeated_before_it_is_told(server: LoopbackServer) -> None:
    answers: list[Any] = [Answer(None, 503), Answer(None, 503), Answer(None, 503)]
    server.answer = lambda received: answers.pop(0) if answers else ok(received)
    with sender(server.domain, retries=1) as made:
        made.submit(0, 1)
        assert eventually(lambda: made.background.counts["sent"] == 1)
        assert sent_ids(server) == ["n0", "n0", "n1", "n1"]
        assert made.failed_ids() == ["n0"]


@pytest.mark.parametrize("raised", [ValueError("mine"), SystemExit(3), KeyboardInterrupt()])
def test_a_handler_that_raises_anything_does_not_end_the_thread(raised: BaseException, server: LoopbackServer) -> None:
    server.answer = lambda received: Answer(None, 400) if received.session_id == "s0" else ok(received)

    def angry(call: Call, error: Exception) -> None:
        raise raised

    with sender(server.domain) as made:
        made.background._failed = angry  # type: ignore[assignment]
        made.submit(0, 1)
        assert eventually(lambda: made.background.counts == {"sent": 1, "failed": 1, "dropped": 0})


def test_without_room_the_oldest_are_dropped_and_counted(
    server: LoopbackServer, caplog: pytest.LogCaptureFixture
) -> None:
    go_on = threading.Event()

    def slow(received: Received) -> Answer:
        go_on.wait(5)
        return ok(received)

    server.answer = slow
    with sender(server.domain, most_pending=3, timeout=10_000) as made:
        made.submit(0)
        assert eventually(lambda: server.received)
        made.submit(*range(1, 11))
        assert eventually(lambda: made.background.pending == 3)
        go_on.set()
        assert eventually(lambda: made.background.counts == {"sent": 4, "failed": 0, "dropped": 7})
        assert sent_ids(server) == ["n0", "n8", "n9", "n10"]
    dropped = [record for record in caplog.records if "is dropped" in record.getMessage()]
    assert len(dropped) == 3  # the 1st, 2nd and 4th


def test_what_is_to_be_sent_soon_is_sent_within_a_second_and_once(server: LoopbackServer) -> None:
    buffer = TelemetryBuffer()
    made, moments = composing(server, buffer)
    started = time.monotonic()
    for number in range(100):
        buffer.add({"requestId": str(number)})
        made.background.send_soon()
    assert eventually(lambda: server.received)
    assert time.monotonic() - started < 1
    time.sleep(0.1)
    (received,) = server.received
    assert len(received.body["telemetry"]["entries"]) == 100
    assert len(moments) == 1
    buffer.add({"requestId": "later"})
    made.background.send_soon()
    made.background.close(5)  # does not wait for the moment it would have been sent at
    assert [item.body["telemetry"]["entries"][0]["requestId"] for item in server.received] == ["0", "later"]
    made.transport.close()


def test_nothing_to_compose_sends_nothing(server: LoopbackServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background_module, "SOON_S", 0.02)
    made, moments = composing(server, TelemetryBuffer())
    made.background.send_soon()
    assert eventually(lambda: moments)
    made.background._compose = lambda: 1 / 0  # type: ignore[assignment]
    made.background.send_soon()
    time.sleep(0.1)
    made.submit(1)  # the thread is still there
    assert eventually(lambda: sent_ids(server) == ["n1"])
    made.background.close(1)
    made.transport.close()


def test_no_thread_to_be_had_fails_nobody(
    server: LoopbackServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def none_left(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with sender(server.domain) as made:
        with monkeypatch.context() as patched:
            patched.setattr(threading.Thread, "start", none_left)
            made.submit(0)
        assert "No thread can be started" in caplog.text
        made.submit(1)
        assert eventually(lambda: sent_ids(server) == ["n0", "n1"])


def test_a_closed_port_is_told(caplog: pytest.LogCaptureFixture) -> None:
    with sender("127.0.0.1:1") as made:
        made.submit(0)
        assert eventually(lambda: made.failures)
        assert isinstance(made.failures[0][1], TransportError)
    lines = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert len(lines) == 1
    assert "made-id" in lines[0].getMessage()  # the trace id, to find it in other logs


# Pauses, hosts, the process that sleeps


def paused(received: Received) -> Answer:
    return Answer({"message": "busy"}, 503, {"Retry-After": "3600"})


def test_a_server_that_asks_for_a_pause_gets_it_and_nothing_is_lost(server: LoopbackServer) -> None:
    server.answer = paused
    with sender(server.domain, most_at_once=32) as made:
        made.submit(*range(300))
        assert eventually(lambda: server.received)
        time.sleep(0.2)
        assert len(server.received) <= 4
        assert made.background.status == {"pending": 300, "sent": 0, "failed": 0, "dropped": 0}
        assert len(threads()) <= 6
        assert timed(lambda: made.background.flush(30)) < 5  # which cannot come to anything
        assert timed(lambda: made.background.close(30)) < 5
        assert sorted(made.failed_ids()) == sorted(f"n{number}" for number in range(300))
    assert len(server.received) <= 4


@pytest.mark.waits
def test_after_the_pause_all_is_sent_in_order(server: LoopbackServer) -> None:
    answers = [Answer(None, 429, {"Retry-After": "1"})]
    server.answer = lambda received: answers.pop() if answers else ok(received)
    with sender(server.domain, most_at_once=4) as made:
        for number in range(20):
            made.background.submit(made.call(number, session_id="one"))
        assert made.background.flush(20) == 0
        assert sent_ids(server) == ["n0", *(f"n{number}" for number in range(20))]
        assert made.failures == []


def test_a_pause_of_one_host_and_one_that_hangs_do_not_hold_the_others(server: LoopbackServer) -> None:
    with serving(paused) as busy, raw_server(hang) as hanging, sender(server.domain, most_at_once=4) as made:
        for number in range(100):
            for domain in (busy.domain, hanging.domain, server.domain):
                made.background.submit(made.call(number, f"{domain}-{number}")._replace(base_url=f"http://{domain}"))
        assert eventually(lambda: len(server.received) == 100, 2)  # before the call that hangs has ended
        assert len(busy.received) <= 1
        made.transport.close()


def test_a_call_that_the_process_slept_through_is_sent_again_but_not_for_ever(server: LoopbackServer) -> None:
    begun: list[str] = []

    def deliver(call: Call) -> float | None:
        begun.append(call.session_id)
        if call.session_id == "s0" and len(begun) > 1:
            return None
        raise SleptThrough from TargetTimeout("No complete answer")

    with sender(server.domain) as made:
        made.background._desk._deliver = deliver
        made.submit(0)
        assert made.background.flush(5) == 0
        made.submit(1)
        assert made.background.flush(5) == 0
        assert begun == ["s0", "s0", "s1", "s1", "s1"]
        assert made.background.counts == {"sent": 1, "failed": 1, "dropped": 0}
        assert [type(error) for _, error in made.failures] == [TargetTimeout]


def test_a_call_that_timed_out_while_the_process_ran_is_not(server: LoopbackServer) -> None:
    with raw_server(hang) as hanging, sender(hanging.domain, timeout=100) as made:
        made.submit(0)
        assert made.background.flush(5) == 0
        assert made.background.counts == {"sent": 0, "failed": 1, "dropped": 0}
        assert len(hanging.connections) == 1


@pytest.mark.parametrize("raised", [SystemExit(3), KeyboardInterrupt(), ValueError("mine"), MemoryError()])
def test_a_transport_that_raises_anything_fails_its_own_call_only(
    raised: BaseException, server: LoopbackServer
) -> None:
    with sender(server.domain) as made:
        deliver = made.background._desk._deliver

        def angry(call: Call) -> float | None:
            if call.session_id == "s1":
                raise raised
            return deliver(call)

        made.background._desk._deliver = angry
        made.submit(0, 1, 2)
        made.background.submit(made.call(3, "s1"))
        assert made.background.flush(5) == 0
        assert made.background.counts == {"sent": 2, "failed": 2, "dropped": 0}


@pytest.mark.parametrize("most_at_once", [1, 4, 32])
def test_senders_grow_to_what_may_be_in_flight_and_end_when_idle(
    most_at_once: int, server: LoopbackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service_module, "IDLE_S", 0.1)
    in_flight, most, lock = 0, 0, threading.Lock()

    def slow(received: Received) -> Answer:
        nonlocal in_flight, most
        with lock:
            in_flight += 1
            most = max(most, in_flight)
        time.sleep(0.05)
        with lock:
            in_flight -= 1
        return ok(received)

    server.answer = slow
    with sender(server.domain, most_at_once=most_at_once) as made:
        made.submit(*range(8 * most_at_once))
        seen = 0
        while made.background.status["pending"]:
            seen = max(seen, len(made.background._service.threads))
            time.sleep(0.005)
        assert seen <= most_at_once
        assert most <= most_at_once
        assert most > most_at_once // 2
        assert eventually(lambda: not made.background._service.threads)
        assert len(server.received) == 8 * most_at_once


# Flushing


def test_what_is_dropped_is_told_while_every_sender_hangs(server: LoopbackServer) -> None:
    with raw_server(hang) as hanging, sender(hanging.domain, most_pending=3, most_at_once=2) as made:
        made.submit(*range(20))
        assert eventually(lambda: len(made.failures) >= 15)
        assert {type(error) for _, error in made.failures} == {BackgroundFull}
        assert made.background.counts["dropped"] == len(made.failures)
        assert made.background.pending <= 3
        made.transport.close()
