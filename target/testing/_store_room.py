"""What a store promises of room: what becomes of more than may wait, and of what was given up."""

from __future__ import annotations

import pytest

from target import OutboxFull
from target.protocols import Death, LaneState, Settlement, Store
from target.testing._store_bench import (
    Clock,
    Make,
    StoreBench,
    acknowledge,
    add,
    always,
    claim_all,
    claim_one,
    dead_names,
    entries,
    entry,
    names,
)


class RoomPromises(StoreBench):
    """A part of StoreSuite."""

    def test_a_full_store_refuses_all_of_what_does_not_fit(self, make: Make) -> None:
        store = make(max_pending=3)
        add(store, "a", "b")
        with pytest.raises(OutboxFull):
            store.add([entry("c"), entry("d")], 0.0)
        with pytest.raises(OutboxFull):
            store.add([entry("c", "other"), entry("d", "other")], 0.0)
        assert store.counts().pending == 2
        add(store, "c")
        assert [names(claim.entries) for claim in claim_all(store)] == [["a", "b", "c"]]

    def test_what_is_being_sent_takes_room(self, make: Make) -> None:
        store = make(max_pending=2)
        add(store, "a", "b")
        claim = claim_one(store)
        assert store.counts().pending == 2
        with pytest.raises(OutboxFull):
            store.add([entry("c")], 0.0)
        assert acknowledge(store, claim)
        add(store, "c")

    def test_a_full_store_drops_the_oldest(self, make: Make) -> None:
        store = make(max_pending=3, when_full="drop_oldest")
        add(store, "a", session_id="one")
        add(store, "b", "c", session_id="two")
        assert store.add([entry("d", "two"), entry("e", "two")], 0.0) == 2
        assert store.counts().pending == 3
        assert [names(claim.entries) for claim in claim_all(store)] == [["c", "d", "e"]]
        with pytest.raises(OutboxFull):
            store.add(entries("n", 4), 0.0)
        assert store.counts().pending == 3

    def test_what_is_being_sent_may_be_dropped(self, make: Make) -> None:
        store = make(max_pending=2, when_full="drop_oldest")
        add(store, "a", "b", session_id="one")
        claim = claim_one(store)
        assert store.add([entry("c", "two")], 0.0) == 1
        assert acknowledge(store, claim)
        assert store.counts().pending == 1
        assert [names(claim.entries) for claim in claim_all(store)] == [["c"]]

    def test_what_was_promised_is_stored_without_room(self, make: Make) -> None:
        for when_full in ("raise", "drop_oldest"):
            store = make(account=when_full, max_pending=2, when_full=when_full)
            add(store, "a", "b")
            assert store.add([entry("c"), entry("d")], 0.0, promised=True) == 0
            assert store.counts().pending == 4
            assert names(claim_one(store).entries) == ["a", "b", "c", "d"]

    def test_dead_letters_are_bounded(self, make: Make) -> None:
        store = make(max_pending=3)
        for number in range(5):
            _kill(store, f"n{number}")
        assert dead_names(store) == ["n2", "n3", "n4"]
        assert tuple(store.counts()) == (0, 3)

    def test_dead_letters_are_revived_as_new(self, make: Make, clock: Clock) -> None:
        store = make()
        store.add([entry("a", telemetry="[]", misses=3)], 0.0)
        claim = claim_one(store)
        assert store.settle(claim, Settlement(claim.state, dead=(Death(claim.entries[0], "unacknowledged", 200),)))
        add(store, "b", session_id="other", due_s=clock.steady_s + 1000)
        clock.move(100)
        assert store.revive() == 1
        assert tuple(store.counts()) == (2, 0)
        (revived,) = claim_one(store).entries
        assert (names([revived]), revived.misses, revived.telemetry) == (["a"], 0, None)
        assert (revived.since, revived.queued_at) == (clock.now(), claim.entries[0].queued_at)
        assert revived.seq > claim.entries[0].seq

    def test_dead_letters_are_revived_oldest_first_where_there_is_room(self, make: Make) -> None:
        store = make(max_pending=3)
        for name in ("a", "b", "c"):
            _kill(store, name)
        add(store, "d", session_id="other")
        assert store.revive() == 2
        assert store.revive() == 0
        assert tuple(store.counts()) == (3, 1)
        assert dead_names(store) == ["c"]
        claims = {claim.session_id: names(claim.entries) for claim in claim_all(store)}
        assert claims == {"session-1": ["a", "b"], "other": ["d"]}

    def test_the_unreadable_is_not_revived(self, make: Make) -> None:
        store = make()
        _kill(store, "a", "unreadable")
        _kill(store, "b", "expired")
        assert store.revive() == 1
        assert dead_names(store) == ["a"]
        assert names(claim_one(store).entries) == ["b"]

    def test_reading_changes_nothing(self, make: Make) -> None:
        store = make()
        _kill(store, "dead")
        add(store, "a")
        for _ in range(2):
            assert tuple(store.counts()) == (1, 1)
            assert dead_names(store) == ["dead"]
            assert not store.passed(store.mark())
            assert store.next_due_s(always) is not None
        assert names(claim_one(store).entries) == ["a"]


def _kill(store: Store, name: str, reason: str = "refused") -> None:
    """Add a notification, and give it up."""
    add(store, name, session_id="session-1")
    claim = claim_one(store)
    assert names(claim.entries) == [name]
    death = Death(claim.entries[0], reason, 400)  # type: ignore[arg-type]
    assert store.settle(claim, Settlement(LaneState(0.0), dead=(death,)))
