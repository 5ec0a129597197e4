"""The outbox's senders: as many as there is work for, in order, by host, and as the server wants."""

from __future__ import annotations

import email.utils
import sys
import threading
import time
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pytest

from target._background import service
from target.outbox import Outbox
from tests.kit.calls import eventually
from tests.kit.loopback import Answer, LoopbackServer, Received, ok, serving
from tests.kit.outboxes import ACKNOWLEDGED, DEAD, MakeOutbox, Wired, batches_of, counted, ids_of, wired
from tests.kit.processes import run_script
from tests.kit.raw_servers import refusing_server


class InFlight:
    """A responder that takes a while, and counts the calls that it has at once, in all and by session."""

    def __init__(self, delay_s: float) -> None:
        self._delay_s = delay_s
        self._lock = threading.Lock()
        self._now: Counter[str] = Counter()
        self.most = self.most_of_a_session = 0

    def __call__(self, received: Received) -> Answer:
        with self._lock:
            self._now[received.session_id] += 1
            self.most = max(self.most, self._now.total())
            self.most_of_a_session = max(self.most_of_a_session, self._now[received.session_id])
        time.sleep(self._delay_s)
        with self._lock:
            self._now[received.session_id] -= 1
        return ok(received)


# --- how many


@pytest.mark.parametrize("most", [1, 2, 12])
def test_senders_grow_up_to_background_concurrency(make_outbox: MakeOutbox, server: LoopbackServer, most: int) -> None:
    server.answer = busy = InFlight(0.05)
    with wired(make_outbox(flush_interval=60_000), server.domain, background_concurrency=most, timeout=10_000) as made:
        for number in range(6 * most):
            made.queue(f"n-{number}", session_id=f"s-{number}")
        assert made.handle.flush(20_000)
        assert sorted(ids_of(server)) == sorted(counted("n", 6 * most))
    assert busy.most == most


def test_one_session_after_the_other_needs_no_more_than_a_sender_and_a_spare(
    make_outbox: MakeOutbox, server: LoopbackServer
) -> None:
    with wired(make_outbox(flush_interval=0), server.domain) as made:
        service = made.handle._worker._service
        for number in range(20):
            made.queue(f"n-{number}", session_id=f"s-{number}")
            assert eventually(lambda number=number: len(made.told(ACKNOWLEDGED)) == number + 1)  # type: ignore[misc]
            assert eventually(lambda: len(service._gates) == len(service.threads))  # all wait for the next one
        assert len(service.threads) <= 3


def test_a_session_is_sent_in_order_by_one_sender_at_a_time(make_outbox: MakeOutbox, server: LoopbackServer) -> None:
    server.answer = busy = InFlight(0.002)
    with wired(make_outbox(flush_interval=0), server.domain, timeout=10_000) as made:

        def queue(session: int) -> None:
            for number in range(40):
                made.queue(f"{session}-{number}", session_id=f"s-{session}")

        threads = [threading.Thread(target=queue, args=(session,)) for session in range(10)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert made.handle.flush(20_000)
    by_session = defaultdict(list)
    for name in ids_of(server):
        session, number = name.split("-")
        by_session[session].append(int(number))
    assert list(by_session.values()) == [list(range(40))] * 10
    assert busy.most_of_a_session == 1


@pytest.mark.waits
def test_threads_end_when_idle_and_begin_again(
    make_outbox: MakeOutbox, server: LoopbackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "IDLE_S", 0.1)
    server.answer = InFlight(0.05)
    with wired(make_outbox(flush_interval=60_000), server.domain, timeout=10_000) as made:
        kept = 1 if made.handle._worker._is_shared else 0  # which looks for what other processes leave
        for turn in range(2):
            for number in range(20):
                made.queue(f"{turn}-{number}", session_id=f"s-{number}")
            assert made.handle.flush(10_000)
            assert eventually(lambda: len(made.handle._worker._service.threads) <= kept, 15)
        assert len(ids_of(server)) == 40


@pytest.mark.slow
def test_several_processes_send_from_one_file_at_once(tmp_path: Path, server: LoopbackServer) -> None:
    server.answer = busy = InFlight(0.02)
    filler = Wired(Outbox.sqlite(tmp_path / "outbox.db", flush_interval=60_000), server.domain)
    for number in range(200):
        filler.queue(f"n-{number // 2}-{number % 2}", session_id=f"s-{number // 2}")
    filler.close(0)
    script = """
        import sys
        from target.outbox import Outbox
        from tests.kit.outboxes import Wired
        made = Wired(Outbox.sqlite(sys.argv[2]), sys.argv[1], timeout=10_000)
        assert made.handle.flush(30_000)
        made.close()
        print(made.handle.counters["acknowledged"])
    """
    said: list[str] = []
    arguments = (server.domain, tmp_path / "outbox.db")
    threads = [threading.Thread(target=lambda: said.append(run_script(script, *arguments))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sum(map(int, said)) == 200
    assert sorted(ids_of(server)) == sorted(f"n-{number}-{turn}" for number in range(100) for turn in range(2))
    assert busy.most_of_a_session == 1


# --- hosts


def test_a_hanging_host_takes_not_all_senders(make_outbox: MakeOutbox, server: LoopbackServer) -> None:
    release = threading.Event()

    def hang(_: Received) -> Answer:
        release.wait(30)
        return Answer(status=204)

    with serving(hang) as hanging, wired(make_outbox(), server.domain, timeout=20_000, retries=0) as made:
        hosts = {"38": hanging.url, None: server.url}
        made.handle._sender._base_url_of = hosts.__getitem__
        for number in range(100):
            call = made.call(f"hangs-{number}", session_id=f"hangs-{number}")
            made.handle.queue(call._replace(cluster="38"))
        assert eventually(lambda: hanging.received)
        for number in range(30):
            made.queue(f"good-{number}", session_id=f"good-{number}")
        assert eventually(lambda: len(made.told(ACKNOWLEDGED)) == 30, 15)
        assert len(hanging.received) <= 4
        release.set()


def test_a_host_that_begins_to_hang_while_all_are_busy_with_it_leaves_senders_for_the_others(
    make_outbox: MakeOutbox, server: LoopbackServer
) -> None:
    release, hangs = threading.Event(), threading.Event()

    def answer(received: Received) -> Answer:
        time.sleep(0.01)
        if hangs.is_set():
            release.wait(30)
        return ok(received)

    options = {"timeout": 20_000, "retries": 0, "background_concurrency": 8}
    with serving(answer) as hanging, wired(make_outbox(flush_interval=60_000), server.domain, **options) as made:
        hosts = {"38": hanging.url, None: server.url}
        made.handle._sender._base_url_of = hosts.__getitem__
        for turn in range(2):
            for number in range(60):
                call = made.call(f"{turn}-{number}", session_id=f"{turn}-{number}")
                made.handle.queue(call._replace(cluster="38"))
            if turn == 0:
                assert made.handle.flush(20_000)
                hangs.set()
        made.handle.flush(0)
        assert eventually(lambda: len(hanging.received) == 60 + 8, 10)
        for number in range(10):
            made.queue(f"good-{number}", session_id=f"good-{number}")
        made.handle.flush(0)
        assert eventually(lambda: len(ids_of(server)) == 10, 15)
        assert len(hanging.received) == 60 + 8
        release.set()


# --- Retry-After


def in_seconds(seconds: float) -> str:
    return str(int(seconds))


def as_date(seconds: float) -> str:
    return email.utils.formatdate(time.time() + seconds + 1, usegmt=True)  # whose second may have begun long ago


@pytest.mark.waits
@pytest.mark.parametrize("write", [in_seconds, as_date])
@pytest.mark.parametrize("status", [429, 503])
def test_what_retry_after_asks_is_waited_for_though_somebody_flushes(
    make_outbox: MakeOutbox, server: LoopbackServer, status: int, write: Any
) -> None:
    arrived: list[float] = []

    def answer(received: Received) -> Answer:
        arrived.append(time.monotonic())
        if len(arrived) > 1:
            return ok(received)
        return Answer({"status": status, "message": "slow down"}, status, {"Retry-After": write(1)})

    server.answer = answer
    with wired(make_outbox(flush_interval=0), server.domain, retries=0) as made:
        made.queue("a", session_id="s1")
        assert eventually(lambda: made.handle.counters["retried"] == 1)
        made.queue("b", session_id="s2")  # the pause is the host's, not the session's
        made.handle.flush(100)
        assert made.handle.flush(15_000)
        assert sorted(made.told(ACKNOWLEDGED)) == ["a", "b"]
    assert arrived[1] - arrived[0] > 0.9
    assert len(arrived) == 3


@pytest.mark.parametrize("value", ["0", "-5", "soon", "", "Thu, 01 Jan 1970 00:00:00 GMT", "1e400"])
def test_a_retry_after_that_makes_no_sense_stops_nothing(
    make_outbox: MakeOutbox, server: LoopbackServer, value: str
) -> None:
    answers = [Answer({"message": "no"}, 503, {"Retry-After": value})]
    server.answer = lambda received: answers.pop() if answers else ok(received)
    with wired(make_outbox(flush_interval=0), server.domain, retries=0) as made:
        made.queue("a")
        assert eventually(lambda: made.told(ACKNOWLEDGED) == ["a"], 15)


@pytest.mark.parametrize("value", ["999999999", "9" * 400, "Fri, 31 Dec 9999 23:59:59 GMT"])
def test_an_absurd_retry_after_is_bounded(make_outbox: MakeOutbox, server: LoopbackServer, value: str) -> None:
    server.answer = lambda _: Answer({"message": "no"}, 503, {"Retry-After": value})
    with wired(make_outbox(flush_interval=0), server.domain, retries=0) as made:
        made.queue("a")
        assert eventually(lambda: made.handle.counters["retried"] == 1)
        rest_s = made.handle._sender.hosts.rests_until_s(server.url) - time.monotonic()
        assert 3000 < rest_s <= 3600
        assert made.handle.pending == 1


def test_after_420_only_its_session_waits(make_outbox: MakeOutbox, server: LoopbackServer) -> None:
    def answer(received: Received) -> Answer:
        if received.session_id == "busy":
            return Answer({"message": "Too many requests with same session ID"}, 420, {"Retry-After": "600"})
        return ok(received)

    server.answer = answer
    with wired(make_outbox(flush_interval=0), server.domain, retries=0) as made:
        made.queue("a", session_id="busy")
        assert eventually(lambda: made.handle.counters["retried"] == 1)
        made.queue("b", session_id="other")
        assert eventually(lambda: made.told(ACKNOWLEDGED) == ["b"])
        assert made.handle.pending == 1


# --- what was said


def test_a_dead_letter_and_its_event_carry_what_the_api_said_without_ids(
    make_outbox: MakeOutbox, server: LoopbackServer, caplog: pytest.LogCaptureFixture
) -> None:
    server.answer = lambda received: Answer(
        {"status": 400, "message": f"tokens of bad-Secret in {received.session_id} are not known"}, 400
    )
    with wired(make_outbox(flush_interval=0), server.domain, retries=0) as made:
        made.queue("bad-Secret", session_id="Session-Secret")
        assert eventually(lambda: made.told(DEAD) == ["bad-Secret"])
        (letter,) = made.handle.dead_letters
        assert letter.message == "tokens of <hidden> in <hidden> are not known"
        ((_, payload),) = made.events
        assert (payload["message"], payload["reason"], payload["status"]) == (letter.message, "refused", 400)
        assert "Secret" not in repr(letter)
    assert letter.message in caplog.text
    assert "Secret" not in caplog.text


def test_what_expired_says_what_was_answered_last(make_outbox: MakeOutbox, server: LoopbackServer) -> None:
    server.answer = lambda _: Answer({"status": 503, "message": "the edge is being deployed"}, 503)
    with wired(make_outbox(flush_interval=0, max_age=50), server.domain, retries=0) as made:
        made.queue("a")
        assert eventually(lambda: made.told(DEAD) == ["a"])
        (letter,) = made.handle.dead_letters
        assert (letter.reason, letter.status, letter.message) == ("expired", 503, "the edge is being deployed")


def test_what_expired_without_an_answer_says_what_went_wrong(make_outbox: MakeOutbox) -> None:
    with (
        refusing_server() as domain,
        wired(make_outbox(flush_interval=0, max_age=50), domain, retries=0) as made,
    ):
        made.queue("a", session_id="Secret")
        assert eventually(lambda: made.told(DEAD) == ["a"], 15)
        (letter,) = made.handle.dead_letters
        assert (letter.reason, letter.status) == ("expired", None)
        assert letter.message
        assert domain in letter.message
        assert "Secret" not in letter.message


# --- close


@pytest.mark.waits
def test_close_never_raises_whatever_is_going_on(make_outbox: MakeOutbox, server: LoopbackServer) -> None:
    interval, all_made = sys.getswitchinterval(), []
    sys.setswitchinterval(1e-5)
    try:
        for turn in range(30):
            made = Wired(make_outbox(flush_interval=turn % 2 * 5), server.domain)
            all_made.append(made)
            for number in range(6):
                made.queue(f"n{number}", session_id=f"s{number}")
            closers = [threading.Thread(target=made.close, args=(turn % 3 * 100,)) for _ in range(2)]
            for closer in closers:
                closer.start()
            made.close(turn % 3 * 100)
            for closer in closers:
                closer.join()
    finally:
        sys.setswitchinterval(interval)
    assert eventually(lambda: not any(made.handle._worker._service.threads for made in all_made))


@pytest.mark.waits
def test_an_old_lane_of_a_host_that_takes_nothing_for_max_age_is_given_up_untried(
    make_outbox: MakeOutbox, server: LoopbackServer
) -> None:
    server.answer = lambda _: Answer({"message": "no"}, 503)
    with wired(make_outbox(flush_interval=0, max_age=300), server.domain, retries=0) as made:
        for number in range(40):
            made.queue(f"n-{number}", session_id=f"s-{number}")
        assert eventually(lambda: len(made.told(DEAD)) == 40, 20)
        assert {letter.reason for letter in made.handle.dead_letters} == {"expired"}
        assert len(batches_of(server)) < 40 + 30
