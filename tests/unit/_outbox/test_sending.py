"""The outbox at work over real HTTP: batches, answers of every kind, faults, threads, and how it ends."""

from __future__ import annotations

import json
import logging
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from target.delivery.outgoing import MOST_PER_BATCH  # type: ignore[attr-defined]
from target.errors import OptionsError, OutboxFull
from target.outbox import Outbox
from tests.kit.calls import eventually
from tests.kit.flaky import Flaky
from tests.kit.loopback import Answer, LoopbackServer, Received, ok, serving
from tests.kit.outboxes import ACKNOWLEDGED, DEAD, MakeOutbox, Wired, batches_of, counted, ids_of, wired
from tests.kit.raw_servers import refusing_server


def test_ids_come_at_once_and_notifications_arrive_later(make_outbox: MakeOutbox, server: LoopbackServer) -> None:
    with wired(make_outbox(flush_interval=50), server.domain) as made:
        assert made.queue("a", "b") == ["a", "b"]
        assert server.received == []
        assert eventually(lambda: made.told(ACKNOWLEDGED) == ["a", "b"])
        assert made.handle.pending == 0
        (received,) = server.received
        assert received.session_id == "session-1"
        assert received.query["imsOrgId"] == "1234@AdobeOrg"
        assert [item["type"] for item in received.body["notifications"]] == ["display", "display"]
        assert all(item["impressionId"] for item in received.body["notifications"])
        assert received.body["context"]["channel"] == "web"
        counters = made.handle.counters
        assert counters == {"queued": 2, "batches": 1, "acknowledged": 2, "retried": 0, "dead": 0, "dropped": 0}


def test_a_session_travels_together_and_in_order(make_outbox: MakeOutbox, server: LoopbackServer) -> None:
    ids = list(counted("n", 2 * MOST_PER_BATCH + 20))
    with wired(make_outbox(flush_interval=60_000), server.domain) as made:
        for name in ids:
            made.queue(name)
        made.queue("other", session_id="session-2")
        assert made.handle.flush(5000)
    batches = batches_of(server)
    mine = [batch for batch in batches if batch != ["other"]]
    assert [len(batch) for batch in mine] == [50, 50, 20]
    assert [name for batch in mine for name in batch] == ids
    assert len(batches) == 4


def test_another_page_is_another_batch_in_its_turn(make_outbox: MakeOutbox, server: LoopbackServer) -> None:
    pages = [{"context": {"channel": "web", "address": {"url": f"https://example.com/{page}"}}} for page in "xy"]
    with wired(make_outbox(flush_interval=60_000), server.domain) as made:
        for name, page in (("a", 0), ("b", 0), ("c", 1), ("d", 0)):
            made.queue(name, **pages[page])  # type: ignore[arg-type]
        assert made.handle.flush(5000)
    assert batches_of(server) == [["a", "b"], ["c"], ["d"]]
    assert [item.body["context"]["address"]["url"][-1] for item in server.received] == ["x", "y", "x"]


def test_204_acknowledges(make_outbox: MakeOutbox, server: LoopbackServer) -> None:
    server.answer = lambda _: Answer(status=204)
    with wired(make_outbox(), server.domain) as made:
        made.queue("a", "b")
        assert eventually(lambda: made.told(ACKNOWLEDGED) == ["a", "b"])


def test_one_bad_notification_voids_no_other(make_outbox: MakeOutbox, server: LoopbackServer) -> None:
    def answer(received: Received) -> Answer:
        ids = [item["id"] for item in received.body["notifications"]]
        return Answer({"status": 400, "message": "no"}, 400) if "n-33" in ids else ok(received)

    server.answer = answer
    with wired(make_outbox(flush_interval=60_000), server.domain) as made:
        made.queue(*counted("n", 50))
        assert made.handle.flush(5000)
        assert sorted(made.told(ACKNOWLEDGED)) == sorted(set(counted("n", 50)) - {"n-33"})
        ((name, payload),) = [event for event in made.events if event[0] == DEAD]
        assert (name, payload["id"], payload["reason"], payload["status"]) == (DEAD, "n-33", "refused", 400)
        assert payload["notification"]["id"] == "n-33"
        (letter,) = made.handle.dead_letters
        assert letter.notification == payload["notification"]
        assert abs(letter.queued_at - time.time() * 1000) < 60_000
    assert len(server.received) <= 16


def test_what_no_answer_lists_is_sent_four_times(
    make_outbox: MakeOutbox, server: LoopbackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answer(received: Received) -> Answer:
        body = json.loads(ok(received).content())
        body["notifications"] = [item for item in body["notifications"] if item["id"] != "lost"]
        return Answer(body)

    monkeypatch.setattr("target._outbox.sender.chance", lambda: 0.0)  # no need to wait in a test
    server.answer = answer
    with wired(make_outbox(), server.domain) as made:
        made.queue("a", "lost", "b")
        assert eventually(lambda: made.told(DEAD) == ["lost"])
        assert sorted(made.told(ACKNOWLEDGED)) == ["a", "b"]
        assert [letter.reason for letter in made.handle.dead_letters] == ["unacknowledged"]
        assert batches_of(server) == [["a", "lost", "b"], ["lost"], ["lost"], ["lost"]]
        server.answer = ok
        assert made.handle.retry_dead_letters() == 1
        assert eventually(lambda: "lost" in made.told(ACKNOWLEDGED))
        assert made.handle.dead_letters == []


@pytest.mark.parametrize("status", [401, 403, 404, 420, 429, 500, 503])
def test_a_failure_that_may_pass_is_waited_out(make_outbox: MakeOutbox, server: LoopbackServer, status: int) -> None:
    answers = [Answer({"message": "no"}, status)] * 2
    server.answer = lambda received: answers.pop() if answers else ok(received)
    with wired(make_outbox(), server.domain, retries=0) as made:
        made.queue("a")
        assert eventually(lambda: made.told(ACKNOWLEDGED) == ["a"])
        impressions = {item.body["notifications"][0]["impressionId"] for item in server.received}
        assert (len(server.received), len(impressions)) == (3, 1)
        assert len({item.body["requestId"] for item in server.received}) == 3
        assert made.handle.counters["retried"] == 2


def test_what_is_too_old_is_given_up(make_outbox: MakeOutbox, server: LoopbackServer) -> None:
    server.answer = lambda _: Answer({"message": "no"}, 503)
    with wired(make_outbox(max_age=100), server.domain, retries=0) as made:
        made.queue("a")
        assert eventually(lambda: made.told(DEAD) == ["a"])
        (letter,) = made.handle.dead_letters
        assert (letter.reason, letter.status) == ("expired", 503)


def test_a_server_that_comes_back_gets_all(make_outbox: MakeOutbox, server: LoopbackServer) -> None:
    with refusing_server() as gone, wired(make_outbox(), server.domain, retries=0) as made:
        where = [f"http://{gone}"]
        made.handle._sender._base_url_of = lambda _: where[0]
        made.queue("a", session_id="s1")
        made.queue("b", session_id="s2")
        assert eventually(lambda: made.handle.counters["retried"] >= 3)
        assert made.handle.pending == 2
        where[0] = server.url
        assert made.handle.flush(5000)
        assert sorted(ids_of(server)) == ["a", "b"]


def test_a_bad_host_does_not_hold_up_a_good_one(make_outbox: MakeOutbox, server: LoopbackServer) -> None:
    with (
        refusing_server() as dead,
        wired(make_outbox(flush_interval=0), server.domain, retries=0, timeout=1000) as made,
    ):
        hosts = {"38": f"http://{dead}", None: server.url}
        made.handle._sender._base_url_of = hosts.__getitem__
        for number in range(30):
            call = made.call(f"bad-{number}", session_id=f"bad-{number}")
            made.handle.queue(call._replace(cluster="38"))
        for number in range(30):
            made.queue(f"good-{number}", session_id=f"good-{number}")
        good = {f"good-{number}" for number in range(30)}
        assert eventually(lambda: good <= set(made.told(ACKNOWLEDGED)))
        assert made.handle.counters["retried"] < 25  # the dead one is tried now and then, not by all


def test_what_a_second_thread_failed_to_send_is_sent_in_time(make_outbox: MakeOutbox, server: LoopbackServer) -> None:
    failed = threading.Event()

    def answer(received: Received) -> Answer:
        if received.session_id == "s1" or failed.is_set():
            return ok(received)
        time.sleep(0.3)  # the first thread has nothing left to do, and sleeps
        failed.set()
        return Answer({"message": "no"}, 503)

    server.answer = answer
    with wired(make_outbox(flush_interval=60_000), server.domain, retries=0) as made:
        made.queue("a", session_id="s1")
        made.queue("b", session_id="s2")
        assert made.handle.flush(5000)
        assert sorted(made.told(ACKNOWLEDGED)) == ["a", "b"]


def test_a_handler_may_use_the_outbox(make_outbox: MakeOutbox, server: LoopbackServer) -> None:
    with wired(make_outbox(flush_interval=0), server.domain) as made:
        seen: list[Any] = []

        def emit(name: str, /, **payload: Any) -> None:
            if payload["id"] == "a":
                made.queue("b")
                seen.append((made.handle.flush(0), made.handle.pending, made.handle.dead_letters))
            else:
                seen.append(payload["id"])

        made.handle._sender._emit = emit
        made.queue("a")
        assert eventually(lambda: len(seen) == 2)
        seen.remove("b")  # which another thread may have sent first
        ((is_flushed, pending, dead),) = seen
        assert (is_flushed, pending, dead) in [(False, 1, []), (False, 0, []), (True, 0, [])]


def test_a_wrong_configuration_is_told_once(
    make_outbox: MakeOutbox, server: LoopbackServer, caplog: pytest.LogCaptureFixture
) -> None:
    server.answer = lambda _: Answer({"message": "no"}, 403)
    with wired(make_outbox(), server.domain, retries=0) as made:
        for number in range(8):
            made.queue(f"n{number}", session_id=f"s{number}")
        assert eventually(lambda: made.handle.counters["batches"] >= 5)
        assert made.handle.pending == 8
        assert made.handle.dead_letters == []
    told = [record.getMessage() for record in caplog.records if "takes no queued notifications" in record.getMessage()]
    (message,) = told
    assert message.startswith(f"{server.url} takes no queued notifications (it answers 403)")


def test_a_lease_outlasts_every_call(tmp_path: Path, server: LoopbackServer) -> None:
    with pytest.raises(OptionsError, match="'lease'"):
        Wired(Outbox.sqlite(tmp_path / "outbox.db", lease=3000), server.domain, timeout=3000)
    with wired(Outbox.memory(lease=1, flush_interval=0), server.domain) as made:
        made.queue("a")
        assert made.handle.flush(5000)


def test_flush_says_whether_all_went(make_outbox: MakeOutbox, server: LoopbackServer) -> None:
    server.answer = lambda _: Answer({"message": "no"}, 503)
    with wired(make_outbox(), server.domain, retries=0) as made:
        assert eventually(lambda: made.handle.flush(0))  # a loaded machine may not look into the file at once
        made.queue("a")
        started = time.monotonic()
        assert not made.handle.flush(200)
        assert 0.15 < time.monotonic() - started < 6
        server.answer = ok
        assert made.handle.flush()
        for wrong in ("1", -1, True, float("nan")):
            with pytest.raises(OptionsError, match="timeout"):
                made.handle.flush(wrong)  # type: ignore[arg-type]


def test_a_full_outbox(make_outbox: MakeOutbox, server: LoopbackServer) -> None:
    with wired(make_outbox(max_pending=2, flush_interval=60_000), server.domain) as made:
        made.queue("a", "b")
        with pytest.raises(OutboxFull):
            made.queue("c")
        assert made.handle.pending == 2
        assert made.handle.counters["queued"] == 2
    with wired(Outbox.memory(max_pending=2, when_full="drop_oldest", flush_interval=60_000), server.domain) as made:
        for name in ("a", "b", "c", "d"):
            made.queue(name)
        assert made.handle.flush(5000)
        assert made.told(ACKNOWLEDGED) == ["c", "d"]
        assert made.handle.counters["dropped"] == 2


def test_a_handler_that_raises_breaks_nothing(
    make_outbox: MakeOutbox, server: LoopbackServer, caplog: pytest.LogCaptureFixture
) -> None:
    with wired(make_outbox(), server.domain) as made:

        def emit(name: str, /, **payload: Any) -> None:
            raise SystemExit(payload["id"]) if payload["id"].endswith("2") else KeyError(payload["id"])

        made.handle._sender._emit = emit
        made.queue("secret-id")
        assert eventually(lambda: made.handle.counters["acknowledged"] == 1)
        made.queue("secret-id-2")
        assert eventually(lambda: made.handle.counters["acknowledged"] == 2)
        made.queue("secret-id-3")
        assert eventually(lambda: made.handle.counters["acknowledged"] == 3)
    assert "notification_acknowledged raised KeyError" in caplog.text
    assert "secret" not in caplog.text


def test_a_transport_that_raises_anything_breaks_nothing(make_outbox: MakeOutbox, server: LoopbackServer) -> None:
    with wired(make_outbox(), server.domain) as made:
        send, calls = made.handle._sender._send, []

        def broken(call: Any) -> Any:
            calls.append(call)
            if len(calls) < 3:
                raise RuntimeError("a proxy of your own")
            return send(call)

        made.handle._sender._send = broken
        made.queue("a")
        assert eventually(lambda: made.told(ACKNOWLEDGED) == ["a"])


def test_no_log_line_holds_an_id(
    make_outbox: MakeOutbox, server: LoopbackServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "target")
    kinds = {"bad": 400, "busy": 503}

    def answer(received: Received) -> Answer:
        name = received.body["notifications"][0]["id"].split("-")[0]
        status = kinds.get(name, 200)
        return ok(received) if status == 200 else Answer({"message": f"{name}-Secret is wrong"}, status)

    server.answer = answer
    with wired(make_outbox(max_age=200), server.domain, retries=0) as made:
        for name in ("bad", "busy", "good"):
            made.queue(f"{name}-Secret", session_id=f"Session-{name}", id={"tntId": f"Device-{name}"})
        assert eventually(lambda: len(made.events) == 3)
    assert len(caplog.records) > 4
    for secret in ("Secret", "Session-", "Device-", "sessionId"):
        assert secret not in caplog.text
    assert "Secret" not in repr(made.handle.dead_letters)


# --- the end


# --- many faults at once


@pytest.mark.waits
def test_nothing_is_lost_while_the_service_fails_at_random(make_outbox: MakeOutbox) -> None:
    flaky = Flaky(7, 0.25, refusal=0.08, reset=0.06, hang=0.04, half=0.06, omission=0.02)
    total, threads = 500, 8
    outbox = make_outbox(max_pending=total)
    with serving(flaky) as server, wired(outbox, server.domain, timeout=150) as made:

        def queue(thread: int) -> None:
            for number in range(thread, total, threads):
                made.queue(f"n-{number}", session_id=f"s-{thread}-{number % 5}")
                time.sleep(0.002)

        runners = [threading.Thread(target=queue, args=(number,)) for number in range(threads)]
        for runner in runners:
            runner.start()
        for runner in runners:
            runner.join()
        assert made.handle.flush(20_000)
        assert made.handle.dead_letters == []
        counters = made.handle.counters
        assert sorted(made.told(ACKNOWLEDGED)) == sorted(counted("n", total))
    sys.stdout.write(f"{dict(flaky.faults)} {counters} repeats: {flaky.taken.total() - total}\n")
    assert set(flaky.taken) == set(counted("n", total))
    assert {len(ids) for ids in flaky.impressions.values()} == {1}
    assert counters["acknowledged"] == counters["queued"] == total
    assert flaky.faults.total() - flaky.faults["none"] > 5  # threads decide how many requests there are, hence of what
