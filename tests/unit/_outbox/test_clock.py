"""The machine's clock is set while notifications wait, or the machine starts again: nothing is stopped or given up."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import time_machine

from target._outbox import store as store_module
from target.outbox import Outbox
from tests.kit.calls import eventually
from tests.kit.loopback import Answer, LoopbackServer, ok
from tests.kit.outboxes import ACKNOWLEDGED, Clock, MakeOutbox, Wired, always, entry, ids_of, make_store, put, wired

DAY_S = 86_400.0
# From when, and to when, the clock is set: seconds to now.
JUMPS = {
    "two days ahead": (0.0, 2 * DAY_S),
    "two days back": (0.0, -2 * DAY_S),
    "an hour ahead": (0.0, 3600.0),
    "an hour back": (0.0, -3600.0),
    "from 1970 to now": (100.0 - 1.8e9, 0.0),
    "from now to 1970": (0.0, 100.0 - 1.8e9),
    "to 2100": (0.0, 2.3e9),
}


@pytest.fixture(params=JUMPS)
def jump(request: pytest.FixtureRequest) -> tuple[float, float]:
    now_s = time.time()
    before_s, after_s = JUMPS[request.param]
    return max(100.0, now_s + before_s), max(100.0, now_s + after_s)


def test_a_clock_that_jumps_stops_nothing(
    make_outbox: MakeOutbox, server: LoopbackServer, jump: tuple[float, float]
) -> None:
    with time_machine.travel(jump[0]), wired(make_outbox(flush_interval=300), server.domain) as made:
        made.queue("a", "b")
        with time_machine.travel(jump[1]):
            assert eventually(lambda: made.told(ACKNOWLEDGED) == ["a", "b"], 15)
            assert made.handle.dead_letters == []
            assert made.handle.pending == 0


def test_a_clock_that_jumps_gives_up_nothing_while_the_service_is_away(
    make_outbox: MakeOutbox, server: LoopbackServer, jump: tuple[float, float]
) -> None:
    server.answer = lambda _: Answer({"message": "no"}, 503)
    with time_machine.travel(jump[0]), wired(make_outbox(), server.domain, retries=0) as made:
        made.queue("a", session_id="tried")
        assert eventually(lambda: server.received)
        with time_machine.travel(jump[1]):
            made.queue("b", session_id="after")
            tries = len(server.received)
            assert eventually(lambda: len(server.received) >= tries + 2, 15)
            assert made.handle.dead_letters == []
            server.answer = ok
            assert made.handle.flush(15_000)
            assert sorted(made.told(ACKNOWLEDGED)) == ["a", "b"]


def test_what_a_file_holds_is_tried_by_the_next_process_whatever_the_clock_says_then(
    tmp_path: Path, server: LoopbackServer, jump: tuple[float, float]
) -> None:
    outbox = Outbox.sqlite(tmp_path / "outbox.db", flush_interval=60_000)
    with time_machine.travel(jump[0]), wired(outbox, server.domain) as first:
        first.queue("a")
    with time_machine.travel(jump[1]), wired(outbox, server.domain) as second:
        assert second.handle.flush(15_000)
        assert second.told(ACKNOWLEDGED) == ["a"]
    assert ids_of(server) == ["a"]


@pytest.mark.parametrize("uptime_s", [1.0, 1e9])
def test_what_a_file_holds_is_sent_after_the_machine_started_again(
    tmp_path: Path, server: LoopbackServer, uptime_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A steady clock begins anew then: it may be before or after all that was written."""
    outbox = Outbox.sqlite(tmp_path / "outbox.db", flush_interval=60_000)
    with wired(outbox, server.domain) as first:
        queued = first.queue("a")
        queued += first.queue("b", session_id="leased")
        store = first.handle._store
        assert store.claim(always) is None  # not due
        store.hurry()
        while store.claim(always) is None:  # which is never settled; the sender, which may be looking, came first
            queued += first.queue(f"c{len(queued)}", session_id="leased")
            store.hurry()
        started_s = time.monotonic()
    monkeypatch.setattr(store_module, "monotonic_s", lambda: uptime_s + time.monotonic() - started_s)
    with wired(outbox, server.domain) as second:
        second.handle.flush(0)
        assert eventually(lambda: set(ids_of(server)) == set(queued), 15)
        assert second.handle.dead_letters == []


@pytest.mark.parametrize("kind", ["sqlite", "durable"])
def test_a_steady_clock_that_begins_anew_delays_nothing(kind: str, tmp_path: Path) -> None:
    clock = Clock()
    store = make_store(kind, tmp_path / "outbox.db", clock)
    clock.now += DAY_S
    put(store, [entry("a")])
    put(store, [entry("b", session_id="other")])
    assert store.claim(always) is not None
    clock.now -= DAY_S
    due_s = store.next_due_s(always)
    assert due_s is not None
    assert due_s <= clock.now
    claims = [store.claim(always) for _ in range(2)]
    assert {claim.session_id for claim in claims if claim is not None} == {"s", "other"}
    store.close()


def test_nothing_is_given_up_untried_however_old_it_is(tmp_path: Path, server: LoopbackServer) -> None:
    outbox = Outbox.sqlite(tmp_path / "outbox.db", flush_interval=60_000, max_age=1)
    first = Wired(outbox, server.domain)
    for number in range(10):
        first.queue(f"n-{number}", session_id=f"s-{number}")
    first.close(0)
    time.sleep(0.01)
    with wired(outbox, server.domain) as second:
        assert second.handle.flush(15_000)
        assert len(second.told(ACKNOWLEDGED)) == 10
        assert second.handle.dead_letters == []
