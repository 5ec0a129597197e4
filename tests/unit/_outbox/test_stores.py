"""What every store of the outbox promises, held against all of them."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from target._outbox.store import Claim, Store
from target.delivery.outgoing import Death, Lane, Settlement
from target.errors import OutboxFull
from tests.kit.outboxes import KINDS, START_S, Clock, always, counted, entry, make_store, names

Make = Callable[..., Store]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=KINDS)
def make(request: pytest.FixtureRequest, tmp_path: Path, clock: Clock) -> Iterator[Make]:
    made: list[Store] = []

    def make_one(**options: Any) -> Store:
        made.append(make_store(request.param, tmp_path / "outbox.db", clock, **options))
        return made[-1]

    yield make_one
    for store in made:
        store.close()


def claim_of(store: Store) -> Claim:
    claim = store.claim(always)
    assert claim is not None
    return claim


def acknowledge(store: Store, claim: Claim) -> bool:
    return store.settle(claim, Settlement(Lane(0), acknowledged=claim.entries))


def test_what_is_added_is_claimed_as_it_was(make: Make) -> None:
    store = make()
    added = entry("ä", since_s=START_S - 5, telemetry='[{"requestId":"r"}]', cluster="38")
    assert store.add([added, entry("b")]) == 0
    claim = claim_of(store)
    assert claim.session_id == "s"
    assert not claim.more
    assert claim.entries[0]._replace(seq=0) == added
    assert names(claim.entries) == ["ä", "b"]


def test_nothing_is_claimed_from_nothing(make: Make) -> None:
    store = make()
    assert store.claim(always) is None
    assert store.next_due_s(always) is None
    assert store.pending() == 0
    assert store.dead_letters() == []
    assert store.revive() == 0
    assert store.passed(store.mark(20))


def test_order_is_kept_within_a_session(make: Make, clock: Clock) -> None:
    store = make()
    for name in ("a", "b", "c"):
        store.add([entry(name)])
        clock.now += 1
        store.add([entry(f"{name}-other", session_id="other")])
    assert names(claim_of(store).entries) == ["a", "b", "c"]
    assert names(claim_of(store).entries) == ["a-other", "b-other", "c-other"]


def test_a_claim_holds_one_batch_at_most(make: Make) -> None:
    store = make()
    store.add([entry(name) for name in counted("n", 60)])
    claim = claim_of(store)
    assert names(claim.entries) == list(counted("n", 50))
    assert acknowledge(store, claim)
    assert len(claim_of(store).entries) == 10


def test_a_session_has_one_sender_at_a_time(make: Make) -> None:
    store = make()
    store.add([entry("a")])
    claim = claim_of(store)
    store.add([entry("b")])
    assert store.claim(always) is None
    assert acknowledge(store, claim)
    assert names(claim_of(store).entries) == ["b"]


def test_a_claim_tells_of_more(make: Make) -> None:
    store = make()
    store.add([entry("a")])
    store.add([entry("b", session_id="other")])
    assert claim_of(store).more
    assert not claim_of(store).more


def test_a_first_notification_waits_for_others(make: Make, clock: Clock) -> None:
    store = make(flush_interval_s=1.0)
    store.add([entry("a")])
    clock.now += 0.9
    store.add([entry("b")])
    assert store.claim(always) is None
    assert store.next_due_s(always) == pytest.approx(START_S + 1)
    clock.now += 0.2
    assert names(claim_of(store).entries) == ["a", "b"]


def test_hurry_makes_all_due(make: Make, clock: Clock) -> None:
    store = make(flush_interval_s=1000.0)
    store.add([entry("a")])
    store.add([entry("b", session_id="other")])
    assert store.claim(always) is None
    store.hurry()
    assert {claim_of(store).session_id, claim_of(store).session_id} == {"s", "other"}
    assert store.claim(always) is None


def test_the_session_that_waits_longest_comes_first(make: Make, clock: Clock) -> None:
    store = make()
    store.add([entry("late", session_id="late")])
    claim = claim_of(store)
    store.add([entry("early", session_id="early")])
    assert store.settle(claim, Settlement(Lane(START_S + 2)))
    clock.now += 5
    assert [claim_of(store).session_id for _ in range(2)] == ["early", "late"]


def test_a_settled_lane_is_due_when_it_says(make: Make, clock: Clock) -> None:
    store = make()
    store.add([entry("a")])
    lane = Lane(START_S + 7, failures=2, suspects=3, status=503, message="busy")
    assert store.settle(claim_of(store), Settlement(lane))
    assert store.claim(always) is None
    assert store.next_due_s(always) == START_S + 7
    clock.now += 7
    assert claim_of(store).lane == lane


def test_settling_sorts_entries(make: Make) -> None:
    store = make()
    store.add([entry(name) for name in ("good", "missed", "bad", "next")])
    claim = claim_of(store)
    good, missed, bad, _ = claim.entries
    settlement = Settlement(Lane(0), (good,), (missed,), (Death(bad, "refused", 400, "no <hidden>"),))
    assert store.settle(claim, settlement)
    assert store.pending() == 2
    left = claim_of(store).entries
    assert [(name, item.misses) for name, item in zip(names(left), left, strict=True)] == [("missed", 1), ("next", 0)]
    (letter,) = store.dead_letters()
    assert (letter.notification["id"], letter.reason, letter.status) == ("bad", "refused", 400)
    assert letter.message == "no <hidden>"
    assert letter.queued_at == int(START_S * 1000)


def test_a_session_without_entries_is_forgotten(make: Make) -> None:
    store = make()
    store.add([entry("a")])
    claim = claim_of(store)
    assert store.settle(claim, Settlement(Lane(START_S + 1000, failures=9), acknowledged=claim.entries))
    assert store.next_due_s(always) is None
    store.add([entry("b")])
    assert claim_of(store).lane.failures == 0


def test_a_lost_lease_is_taken_over_and_its_late_settlement_ignored(make: Make, clock: Clock) -> None:
    store = make(lease_s=30.0)
    store.add([entry("a")])
    lost = claim_of(store)
    clock.now += 29.9
    assert store.claim(always) is None
    clock.now += 0.2
    taken = claim_of(store)
    assert names(taken.entries) == ["a"]
    assert not acknowledge(store, lost)
    assert store.pending() == 1
    assert acknowledge(store, taken)
    assert not acknowledge(store, taken)
    assert store.pending() == 0


def test_next_due_waits_for_a_lease(make: Make) -> None:
    store = make(lease_s=30.0)
    store.add([entry("a")])
    claim_of(store)
    assert store.next_due_s(always) == START_S + 30


def test_a_full_store_raises_and_stores_nothing_of_it(make: Make) -> None:
    store = make(max_pending=3)
    store.add([entry("a"), entry("b")])
    with pytest.raises(OutboxFull, match="max_pending") as caught:
        store.add([entry("c"), entry("d")])
    assert "2 notifications of at most 3" in str(caught.value)
    assert store.pending() == 2
    assert store.add([entry("c")]) == 0
    assert names(claim_of(store).entries) == ["a", "b", "c"]


def test_a_full_store_drops_the_oldest(make: Make) -> None:
    store = make(max_pending=3, when_full="drop_oldest")
    store.add([entry("a", session_id="one")])
    store.add([entry("b"), entry("c")])
    assert store.add([entry("d"), entry("e")]) == 2
    assert store.pending() == 3
    assert names(claim_of(store).entries) == ["c", "d", "e"]
    assert store.claim(always) is None
    with pytest.raises(OutboxFull):
        store.add([entry(name) for name in counted("n", 4)])


def test_dropping_what_is_being_sent_is_harmless(make: Make) -> None:
    store = make(max_pending=2, when_full="drop_oldest")
    store.add([entry("a"), entry("b")])
    claim = claim_of(store)
    store.add([entry("c", session_id="other")])
    assert acknowledge(store, claim)
    assert store.pending() == 1
    assert names(claim_of(store).entries) == ["c"]


def test_dead_letters_are_bounded_too(make: Make) -> None:
    store = make(max_pending=3)
    for name in counted("n", 5):
        store.add([entry(name)])
        claim = claim_of(store)
        assert store.settle(claim, Settlement(Lane(0), dead=(Death(claim.entries[0], "expired", None),)))
    assert [letter.notification["id"] for letter in store.dead_letters()] == ["n-2", "n-3", "n-4"]


def test_dead_letters_are_revived_as_new_where_there_is_room(make: Make, clock: Clock) -> None:
    store = make(max_pending=3)
    store.add([entry("a", misses=0), entry("b"), entry("c", session_id="s")])
    claim = claim_of(store)
    deaths = tuple(Death(item, "unacknowledged", 200) for item in claim.entries)
    assert store.settle(claim, Settlement(Lane(0), missed=claim.entries, dead=deaths))
    store.add([entry("d", session_id="other")])
    clock.now += 100
    assert store.revive() == 2
    assert store.revive() == 0
    assert store.pending() == 3
    assert [letter.notification["id"] for letter in store.dead_letters()] == ["c"]
    revived = next(claim for claim in (claim_of(store), claim_of(store)) if claim.session_id == "s")
    assert [(item.misses, item.since.wall_s, item.queued_at) for item in revived.entries] == [
        (0, START_S + 100, int(START_S * 1000))
    ] * 2


def test_a_mark_is_passed_by_what_came_before_it_only(make: Make, clock: Clock) -> None:
    store = make()
    store.add([entry("a")])
    clock.now += 1
    mark = store.mark(20)
    store.add([entry("b", session_id="other")])
    assert not store.passed(mark)
    claim = claim_of(store)
    assert names(claim.entries) == ["a"]
    acknowledge(store, claim)
    assert store.passed(mark)
    assert not store.passed(store.mark(20))


def test_a_closed_store_opens_again(make: Make) -> None:
    store = make()
    store.add([entry("a")])
    store.close()
    store.close()
    assert store.pending() == 1
    assert names(claim_of(store).entries) == ["a"]


def test_threads_share_a_store(make: Make) -> None:
    store = make(max_pending=10_000)
    sent: Counter[str] = Counter()
    lock = threading.Lock()
    adding = threading.Event()

    def add(thread: int) -> None:
        for number in range(100):
            store.add([entry(f"{thread}-{number}", session_id=f"s{thread}-{number % 5}")])

    def send() -> None:
        while True:
            claim = store.claim(always)
            if claim is None:
                if adding.is_set() and not store.pending():
                    return
                continue
            if acknowledge(store, claim):
                with lock:
                    sent.update(names(claim.entries))

    adders = [threading.Thread(target=add, args=(number,)) for number in range(4)]
    senders = [threading.Thread(target=send) for _ in range(3)]
    for thread in (*adders, *senders):
        thread.start()
    for thread in adders:
        thread.join(20)
    adding.set()
    for thread in senders:
        thread.join(20)
        assert not thread.is_alive()
    assert sent == Counter({f"{thread}-{number}": 1 for thread in range(4) for number in range(100)})
