"""What a store promises of claims: who has a lane, for how long, and what becomes of it."""

from __future__ import annotations

import pytest

from target.protocols import Death, LaneState, Settlement
from target.testing._store_bench import (
    LEASE_S,
    Clock,
    Make,
    StoreBench,
    acknowledge,
    add,
    always,
    claim_all,
    claim_one,
    dead_names,
    names,
)


class LeasePromises(StoreBench):
    """A part of StoreSuite."""

    def test_a_lane_has_one_sender_at_a_time(self, make: Make) -> None:
        store = make()
        add(store, "a")
        claim = claim_one(store)
        assert store.claim(always) is None
        add(store, "b")
        store.hurry()
        assert store.claim(always) is None
        assert acknowledge(store, claim)
        assert names(claim_one(store).entries) == ["b"]

    def test_no_two_claims_have_the_same_token(self, make: Make) -> None:
        store = make()
        tokens = []
        for number in range(3):
            add(store, f"a{number}", session_id="a")
            add(store, f"b{number}", session_id="b")
            claims = claim_all(store)
            tokens += [claim.token for claim in claims]
            assert all(acknowledge(store, claim) for claim in claims)
        assert len(set(tokens)) == 6

    def test_a_claim_says_when_its_lease_ends(self, make: Make, clock: Clock) -> None:
        store = make()
        add(store, "a")
        assert claim_one(store).ends_s == pytest.approx(clock.steady_s + LEASE_S)
        assert store.next_due_s(always) == pytest.approx(clock.steady_s + LEASE_S)

    def test_settling_sorts_entries(self, make: Make) -> None:
        store = make()
        add(store, "taken", "missed", "refused", "next")
        claim = claim_one(store)
        taken, missed, refused, _ = claim.entries
        death = Death(refused, "refused", 400, "no <such> mbox ☃")
        assert store.settle(claim, Settlement(LaneState(0.0), (taken,), (missed,), (death,)))
        assert tuple(store.counts()) == (2, 1)
        left = claim_one(store).entries
        assert [(name, item.misses) for name, item in zip(names(left), left, strict=True)] == [
            ("missed", 1),
            ("next", 0),
        ]
        assert dead_names(store) == ["refused"]
        (found,) = store.dead_letters()
        assert tuple(found)[1:] == ("refused", 400, "no <such> mbox ☃")
        assert found.entry.queued_at == refused.queued_at

    def test_a_settled_claim_has_ended(self, make: Make) -> None:
        store = make()
        add(store, "a", "b")
        claim = claim_one(store)
        settlement = Settlement(claim.state, acknowledged=claim.entries[:1])
        assert store.settle(claim, settlement) is True
        assert store.settle(claim, Settlement(claim.state, acknowledged=claim.entries)) is False
        assert store.release(claim, 0.0) is False
        assert store.counts().pending == 1
        assert names(claim_one(store).entries) == ["b"]

    def test_a_released_lane_is_as_it_was(self, make: Make, clock: Clock) -> None:
        store = make()
        add(store, "a", "b")
        state = LaneState(clock.steady_s, failures=2, suspects=1, status=503, message="busy")
        assert store.settle(claim_one(store), Settlement(state))
        claim = claim_one(store)
        assert store.release(claim, clock.steady_s + 3) is True
        assert store.claim(always) is None
        assert store.next_due_s(always) == pytest.approx(clock.steady_s + 3)
        assert not acknowledge(store, claim)
        clock.move(3.1)
        again = claim_one(store)
        assert again.entries == claim.entries
        assert again.state[1:] == state[1:]
        assert again.token != claim.token

    def test_a_released_lane_can_be_claimed_at_once(self, make: Make, clock: Clock) -> None:
        store = make()
        add(store, "a")
        assert store.release(claim_one(store), clock.steady_s)
        assert names(claim_one(store).entries) == ["a"]

    def test_a_lost_lease_is_taken_over(self, make: Make, clock: Clock) -> None:
        store = make()
        add(store, "a", "b")
        lost = claim_one(store)
        clock.move(LEASE_S - 0.1)
        assert store.claim(always) is None
        clock.move(0.2)
        taken = claim_one(store)
        assert taken.entries == lost.entries
        assert taken.token != lost.token
        assert store.claim(always) is None, "the new lease holds"

    def test_who_lost_the_lease_changes_nothing(self, make: Make, clock: Clock) -> None:
        store = make()
        add(store, "a", "b", "c")
        lost = claim_one(store)
        clock.move(LEASE_S + 0.1)
        taken = claim_one(store)
        late = Settlement(
            LaneState(clock.steady_s + 1000, failures=7),
            acknowledged=lost.entries[:1],
            missed=lost.entries[1:2],
            dead=(Death(lost.entries[2], "refused", 400),),
        )
        assert store.settle(lost, late) is False
        assert store.release(lost, clock.steady_s) is False
        assert store.claim(always) is None, "the lane is another sender's now"
        assert tuple(store.counts()) == (3, 0)
        assert store.release(taken, clock.steady_s) is True
        again = claim_one(store)
        assert again.entries == taken.entries
        assert again.state.failures == 0

    def test_a_lease_that_ran_out_settles_while_nobody_took_it(self, make: Make, clock: Clock) -> None:
        store = make()
        add(store, "a")
        claim = claim_one(store)
        clock.move(LEASE_S + 5)
        assert acknowledge(store, claim)
        assert store.counts().pending == 0
