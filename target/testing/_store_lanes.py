"""What a store promises of lanes: what comes back, in which order, and when."""

from __future__ import annotations

import pytest

from target.protocols import MOST_PER_BATCH, LaneState, Settlement
from target.testing._store_bench import (
    Clock,
    Make,
    StoreBench,
    acknowledge,
    add,
    always,
    claim_all,
    claim_one,
    entries,
    entry,
    names,
)


class LanePromises(StoreBench):
    """A part of StoreSuite."""

    def test_an_empty_store_has_nothing(self, make: Make) -> None:
        store = make()
        assert store.claim(always) is None
        assert store.next_due_s(always) is None
        assert tuple(store.counts()) == (0, 0)
        assert list(store.dead_letters()) == []
        assert store.revive() == 0
        assert store.passed(store.mark())
        store.hurry()

    def test_an_entry_comes_back_as_it_was(self, make: Make) -> None:
        store = make()
        added = [
            entry("ä☃\U0001f600", cluster="38", telemetry='[{"requestId":"r"}]', queued_at=5, misses=2),
            entry("x" * 100_000, envelope='{"body":{"context":{"channel":"web"}}}'),
        ]
        store.add(added, 0.0)
        claim = claim_one(store)
        assert claim.session_id == "session-1"
        assert [item._replace(seq=0) for item in claim.entries] == added

    def test_order_is_kept_within_a_lane(self, make: Make, clock: Clock) -> None:
        store = make()
        for number in range(12):  # of two digits, so that order as text is found
            add(store, f"a{number}", session_id="a")
            add(store, f"b{number}", f"c{number}", session_id="b")
            clock.move(1)
        claims = {claim.session_id: names(claim.entries) for claim in claim_all(store)}
        assert claims["a"] == [f"a{number}" for number in range(12)]
        assert claims["b"] == [f"{letter}{number}" for number in range(12) for letter in "bc"]

    def test_a_claim_holds_one_batch_at_most(self, make: Make) -> None:
        store = make()
        store.add(entries("n", MOST_PER_BATCH + 10), 0.0)
        claim = claim_one(store)
        assert names(claim.entries) == [f"n{number}" for number in range(MOST_PER_BATCH)]
        assert acknowledge(store, claim)
        assert names(claim_one(store).entries) == [f"n{MOST_PER_BATCH + number}" for number in range(10)]

    def test_every_entry_gets_a_seq_above_all_before(self, make: Make) -> None:
        store = make()
        last = 0
        for name in ("a", "b", "c"):
            add(store, name, f"{name}2")
            claim = claim_one(store)
            first, second = (item.seq for item in claim.entries)
            assert last < first < second
            last = second
            assert acknowledge(store, claim)

    def test_a_lane_is_claimed_when_it_is_due(self, make: Make, clock: Clock) -> None:
        store = make()
        due_s = clock.steady_s + 10
        add(store, "a", due_s=due_s)
        assert store.claim(always) is None
        assert store.next_due_s(always) == pytest.approx(due_s)
        clock.move(9.9)
        assert store.claim(always) is None
        clock.move(0.2)
        assert names(claim_one(store).entries) == ["a"]

    def test_a_lane_that_has_entries_stays_due_when_it_was(self, make: Make, clock: Clock) -> None:
        store = make()
        due_s = clock.steady_s + 10
        add(store, "a", due_s=due_s)
        add(store, "b", due_s=due_s - 5)
        add(store, "c", due_s=due_s + 5)
        assert store.next_due_s(always) == pytest.approx(due_s)
        clock.move(10.1)
        assert names(claim_one(store).entries) == ["a", "b", "c"]

    def test_the_lane_that_has_been_due_for_longest_comes_first(self, make: Make, clock: Clock) -> None:
        store = make()
        for session_id, due_in_s in (("second", 2), ("first", 1), ("third", 3), ("later", 30)):
            add(store, session_id, session_id=session_id, due_s=clock.steady_s + due_in_s)
        clock.move(5)
        assert [claim.session_id for claim in claim_all(store)] == ["first", "second", "third"]

    def test_lanes_of_a_closed_cluster_are_passed_over(self, make: Make, clock: Clock) -> None:
        store = make()
        due_s = clock.steady_s - 10
        store.add([entry("closed", "closed", cluster="35")], due_s)
        store.add([entry("open", "open", cluster="38"), entry("after", "open", cluster="35")], due_s + 5)
        store.add([entry("none", "none")], due_s + 7)
        claim = store.claim(lambda cluster: cluster == "38")
        assert claim is not None
        assert names(claim.entries) == ["open", "after"]
        assert store.claim(lambda cluster: cluster == "38") is None
        assert store.next_due_s(lambda cluster: cluster is None) == pytest.approx(due_s + 7)
        assert store.next_due_s(lambda _: False) is None
        assert store.settle(claim, Settlement(claim.state, acknowledged=claim.entries[:1]))
        assert store.claim(lambda cluster: cluster == "38") is None, "the first entry says where a lane goes"

    def test_hurry_makes_every_lane_due(self, make: Make, clock: Clock) -> None:
        store = make()
        add(store, "now", session_id="now", due_s=clock.steady_s - 5)
        for session_id in ("later", "much later"):
            add(store, session_id, session_id=session_id, due_s=clock.steady_s + 100)
        assert len(claim_all(store)) == 1
        store.hurry()
        assert {claim.session_id for claim in claim_all(store)} == {"later", "much later"}

    def test_a_lane_keeps_its_state(self, make: Make, clock: Clock) -> None:
        store = make()
        add(store, "a")
        state = LaneState(clock.steady_s + 7, failures=2, suspects=3, status=503, message="busy ☃")
        assert store.settle(claim_one(store), Settlement(state))
        assert store.claim(always) is None
        assert store.next_due_s(always) == pytest.approx(state.due_s)
        clock.move(7.1)
        found = claim_one(store).state
        assert found.due_s == pytest.approx(state.due_s)
        assert found[1:] == state[1:]

    def test_a_lane_without_entries_is_forgotten(self, make: Make, clock: Clock) -> None:
        store = make()
        add(store, "a")
        claim = claim_one(store)
        state = LaneState(clock.steady_s + 1000, failures=9, status=500)
        assert store.settle(claim, Settlement(state, acknowledged=claim.entries))
        assert store.next_due_s(always) is None
        add(store, "b", due_s=clock.steady_s)
        assert claim_one(store).state == LaneState(clock.steady_s)

    def test_a_mark_is_passed_when_all_before_it_is_gone(self, make: Make) -> None:
        store = make()
        add(store, "a", session_id="a")
        add(store, "b", session_id="b")
        mark = store.mark()
        add(store, "c", session_id="c")
        claims = {claim.session_id: claim for claim in claim_all(store)}
        assert not store.passed(mark)
        acknowledge(store, claims["b"])
        assert not store.passed(mark), "a waits, and came before the mark"
        acknowledge(store, claims["a"])
        assert store.passed(mark), "c came after the mark"
        assert not store.passed(store.mark())
        store.settle(claims["c"], Settlement(claims["c"].state))
        assert not store.passed(store.mark())

    def test_a_closed_store_opens_again(self, make: Make) -> None:
        store = make()
        add(store, "a")
        claim = claim_one(store)
        store.close()
        store.close()
        assert store.counts().pending == 1
        assert acknowledge(store, claim), "closing takes no lease away"
        store.close()
        add(store, "b")
        assert names(claim_one(store).entries) == ["b"]
