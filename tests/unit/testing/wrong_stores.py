"""Stores that break one promise each, and the test of StoreSuite that has to say so. Run by test_stores.py."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

from target.protocols import Claim, Counts, Entry, IsOpen, Settlement, StoreSettings
from target.testing.stores import OpenStore, StoreSuite
from tests.kit.json_store import JsonStore, _Content, _empty


class DictStore(JsonStore):
    """A right one: the same over a dict behind a lock, which all stores of a test share."""

    def __init__(self, shared: dict[str, Any], settings: StoreSettings) -> None:
        self._shared = shared
        self._settings = settings
        self._lock = shared.setdefault("lock", threading.RLock())

    def _account(self) -> str:
        return self._settings.account

    @contextmanager
    def _content(self) -> Iterator[_Content]:
        with self._lock:
            content = _Content(self._shared.setdefault(self._account(), _empty()), self._settings)
            yield content
            content.forget_empty_lanes()


class LosesAnEntryOnSettle(DictStore):
    def settle(self, claim: Claim, settlement: Settlement, /) -> bool:
        more = (*settlement.acknowledged, *settlement.missed[:1])
        return super().settle(claim, settlement._replace(acknowledged=more))


class GivesALaneToTwo(DictStore):
    def claim(self, is_open: IsOpen, /) -> Claim | None:
        with self._content() as content:
            for lane in content.box["lanes"].values():
                lane["ends_s"] = 0.0
        return super().claim(is_open)


class IgnoresTheEndOfALease(DictStore):
    def claim(self, is_open: IsOpen, /) -> Claim | None:
        claim = super().claim(is_open)
        with self._content() as content:
            for lane in content.box["lanes"].values():
                lane["ends_s"] = self._settings.now_s() + 50 if lane["token"] else 0.0
        return claim


class EndsALeaseTooEarly(DictStore):
    def claim(self, is_open: IsOpen, /) -> Claim | None:
        claim = super().claim(is_open)
        if claim is not None:
            with self._content() as content:
                content.box["lanes"][claim.session_id]["ends_s"] -= 20
        return claim


class LetsTheLoserSettle(DictStore):
    def settle(self, claim: Claim, settlement: Settlement, /) -> bool:
        with self._content() as content:
            if (lane := content.box["lanes"].get(claim.session_id)) is not None:
                lane["token"] = claim.token
        return super().settle(claim, settlement)


class SettlesTwice(DictStore):
    def settle(self, claim: Claim, settlement: Settlement, /) -> bool:
        return super().settle(claim, settlement) or True


class ForgetsOrderWithinALane(DictStore):
    def claim(self, is_open: IsOpen, /) -> Claim | None:
        claim = super().claim(is_open)
        return claim and claim._replace(entries=tuple(sorted(claim.entries, key=lambda entry: str(entry.seq))))


class ForgetsOrderOfLanes(DictStore):
    def claim(self, is_open: IsOpen, /) -> Claim | None:
        with self._content() as content:
            content.box["lanes"] = dict(reversed(content.box["lanes"].items()))
            for lane in content.box["lanes"].values():
                lane["state"] = [min(lane["state"][0], 0.0) if lane["state"][0] < self._settings.now_s() else
                                 lane["state"][0], *lane["state"][1:]]  # fmt: skip
        return super().claim(is_open)


class ClaimsTooMany(DictStore):
    def claim(self, is_open: IsOpen, /) -> Claim | None:
        claim = super().claim(is_open)
        with self._content() as content:
            return claim and claim._replace(entries=tuple(content.entries_of(claim.session_id)))


class CountsWhatIsNotClaimed(DictStore):
    def counts(self) -> Counts:
        with self._content() as content:
            claimed = {name for name, lane in content.box["lanes"].items() if lane["token"]}
            return Counts(sum(entry[1] not in claimed for entry in content.box["entries"]), len(content.box["dead"]))


class ForgetsAfterReopening(DictStore):
    def __init__(self, shared: dict[str, Any], settings: StoreSettings) -> None:
        super().__init__({}, settings)


class GivesASeqAgain(DictStore):
    def add(self, entries: Sequence[Entry], due_s: float, /, promised: bool = False) -> int:
        with self._content() as content:
            content.box["seq"] = max((entry[0] for entry in content.box["entries"]), default=0)
        return super().add(entries, due_s, promised)


class ReleasesTooLate(DictStore):
    def release(self, claim: Claim, due_s: float, /) -> bool:
        return super().release(claim, due_s + 1)


class ReleasesWithoutState(DictStore):
    def release(self, claim: Claim, due_s: float, /) -> bool:
        return super().release(claim._replace(state=type(claim.state)(due_s)), due_s)


class HasNoBound(DictStore):
    def add(self, entries: Sequence[Entry], due_s: float, /, promised: bool = False) -> int:
        return super().add(entries, due_s, promised=True)


class StoresWhatFits(DictStore):
    def add(self, entries: Sequence[Entry], due_s: float, /, promised: bool = False) -> int:
        with self._content() as content:
            room = self._settings.max_pending - len(content.box["entries"])
        if 0 < room < len(entries) and not promised and self._settings.when_full == "raise":
            super().add(entries[:room], due_s)
        return super().add(entries, due_s, promised)


class DropsTheNewest(DictStore):
    def add(self, entries: Sequence[Entry], due_s: float, /, promised: bool = False) -> int:
        with self._content() as content:
            content.box["entries"].reverse()
            try:
                return super().add(entries, due_s, promised)
            finally:
                content.box["entries"].sort()


class RefusesWhatWasPromised(DictStore):
    def add(self, entries: Sequence[Entry], due_s: float, /, promised: bool = False) -> int:
        return super().add(entries, due_s)


class KeepsAllDeadLetters(DictStore):
    def settle(self, claim: Claim, settlement: Settlement, /) -> bool:
        with self._content() as content:
            before = list(content.box["dead"])
            settled = super().settle(claim, settlement)
            content.box["dead"] = before + [death for death in content.box["dead"] if death not in before]
        return settled


class RevivesTheUnreadable(DictStore):
    def revive(self) -> int:
        with self._content() as content:
            content.box["dead"] = [[entry, "refused", *why[1:]] for entry, *why in content.box["dead"]]
        return super().revive()


class MixesAccounts(DictStore):
    def _account(self) -> str:
        return "one for all"


class IgnoresWhenItIsDue(DictStore):
    def claim(self, is_open: IsOpen, /) -> Claim | None:
        self.hurry()
        return super().claim(is_open)


class IgnoresWhatIsOpen(DictStore):
    def claim(self, is_open: IsOpen, /) -> Claim | None:
        return super().claim(lambda _: True)


class LosesAField(DictStore):
    def add(self, entries: Sequence[Entry], due_s: float, /, promised: bool = False) -> int:
        return super().add([entry._replace(telemetry=None) for entry in entries], due_s, promised)


class PutsALaneOff(DictStore):
    def add(self, entries: Sequence[Entry], due_s: float, /, promised: bool = False) -> int:
        dropped = super().add(entries, due_s, promised)
        with self._content() as content:
            lane = content.box["lanes"][entries[0].session_id]
            lane["state"] = [due_s, *lane["state"][1:]]
        return dropped


class TakesClaimsAwayInAHurry(DictStore):
    def hurry(self) -> None:
        super().hurry()
        with self._content() as content:
            for lane in content.box["lanes"].values():
                lane["token"], lane["ends_s"] = None, 0.0


class TakesLeasesAwayOnClose(DictStore):
    def close(self) -> None:
        with self._content() as content:
            for lane in content.box["lanes"].values():
                lane["token"], lane["ends_s"] = None, 0.0


class PassesTooEarly(DictStore):
    def passed(self, mark: int, /) -> bool:
        with self._content() as content:
            claimed = {name for name, lane in content.box["lanes"].items() if lane["token"]}
            return all(entry[0] > mark or entry[1] in claimed for entry in content.box["entries"])


class GoesByTheTimeOfDay(DictStore):
    def __init__(self, shared: dict[str, Any], settings: StoreSettings) -> None:
        now = settings.now
        super().__init__(shared, settings._replace(now=lambda: now()._replace(steady_s=now().wall_s)))


class WaitsForTheClockOfBefore(DictStore):
    def __init__(self, shared: dict[str, Any], settings: StoreSettings) -> None:
        super().__init__(shared, settings._replace(longest_wait_s=1e9))


WRONG: dict[type[DictStore], str] = {
    LosesAnEntryOnSettle: "test_settling_sorts_entries",
    GivesALaneToTwo: "test_a_lane_has_one_sender_at_a_time",
    IgnoresTheEndOfALease: "test_a_lost_lease_is_taken_over",
    EndsALeaseTooEarly: "test_a_lost_lease_is_taken_over",
    LetsTheLoserSettle: "test_who_lost_the_lease_changes_nothing",
    SettlesTwice: "test_a_settled_claim_has_ended",
    ForgetsOrderWithinALane: "test_order_is_kept_within_a_lane",
    ForgetsOrderOfLanes: "test_the_lane_that_has_been_due_for_longest_comes_first",
    ClaimsTooMany: "test_a_claim_holds_one_batch_at_most",
    CountsWhatIsNotClaimed: "test_what_is_being_sent_takes_room",
    ForgetsAfterReopening: "test_another_store_finds_what_the_first_left",
    GivesASeqAgain: "test_a_seq_is_never_given_again",
    ReleasesTooLate: "test_a_released_lane_can_be_claimed_at_once",
    ReleasesWithoutState: "test_a_released_lane_is_as_it_was",
    HasNoBound: "test_a_full_store_refuses_all_of_what_does_not_fit",
    StoresWhatFits: "test_a_full_store_refuses_all_of_what_does_not_fit",
    DropsTheNewest: "test_a_full_store_drops_the_oldest",
    RefusesWhatWasPromised: "test_what_was_promised_is_stored_without_room",
    KeepsAllDeadLetters: "test_dead_letters_are_bounded",
    RevivesTheUnreadable: "test_the_unreadable_is_not_revived",
    MixesAccounts: "test_accounts_do_not_meet",
    IgnoresWhenItIsDue: "test_a_lane_is_claimed_when_it_is_due",
    IgnoresWhatIsOpen: "test_lanes_of_a_closed_cluster_are_passed_over",
    LosesAField: "test_an_entry_comes_back_as_it_was",
    PutsALaneOff: "test_a_lane_that_has_entries_stays_due_when_it_was",
    TakesClaimsAwayInAHurry: "test_a_lane_has_one_sender_at_a_time",
    TakesLeasesAwayOnClose: "test_a_closed_store_opens_again",
    PassesTooEarly: "test_a_mark_is_passed_when_all_before_it_is_gone",
    GoesByTheTimeOfDay: "test_a_lane_is_claimed_when_it_is_due",
    WaitsForTheClockOfBefore: "test_a_machine_that_starts_again_delays_nothing",
}


def _suite_of(kind: Callable[[dict[str, Any], StoreSettings], DictStore]) -> type[StoreSuite]:
    class Suite(StoreSuite):
        @pytest.fixture
        def open_store(self) -> OpenStore:
            shared: dict[str, Any] = {}
            return lambda settings: kind(shared, settings)

    return Suite


for _kind in (DictStore, *WRONG):
    globals()[f"Test{_kind.__name__}"] = _suite_of(_kind)  # type: ignore[arg-type, attr-defined]
