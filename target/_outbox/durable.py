"""A store that may fail, and memory for as long as it does: every outbox but that in memory alone."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple, NoReturn, TypeVar

from target._outbox.asked import AskedStore
from target._outbox.memory import MemoryStore
from target._outbox.one_thread import StillAtIt
from target._outbox.store import HOLD_S, LOOK_S
from target.delivery.claims import check_claim, check_count, check_counts, check_death
from target.delivery.entries import read_seconds
from target.errors import OutboxFull
from target.protocols import Claim, Counts, Death, Entry, IsOpen, Settlement, Store, StoreBroken, StoreSettings

T = TypeVar("T")

_TEND_S = 0.1  # for how long at once a sender carries over, while the others wait for their turn
_PATIENCE_S = 2.0  # what the store takes back in that time is sent in the order in which it was queued


class _Mark(NamedTuple):
    """Where the queue ended at some moment: in memory, in the store, and how often had been carried over by then."""

    in_memory: int
    in_store: int
    carried: int


class DurableStore:
    """A SteadyStore over a Store: what that does not take waits in memory, and both are sent from.

    Who queues something waits for the store for a moment only. While the store is behind, or cannot be used, what is
    queued goes into memory at once; a sender carries it over as soon as the store takes it.

    Args:
        store: What may fail, or hang.
        settings: What it was opened with.
        hold_s: How long who queues something waits for it at most.
        look_s: The same for who looks at what it holds.
    """

    def __init__(self, store: Store, settings: StoreSettings, hold_s: float = HOLD_S, look_s: float = LOOK_S) -> None:
        self._settings = settings
        self._asked = AskedStore(store, settings, hold_s, look_s)
        self._store = store
        self._memory = MemoryStore(settings)
        self._begin()

    def _begin(self) -> None:
        self._lock = threading.Lock()
        self._unwritten: dict[object, int] = {}  # how many entries are on their way to the store, by attempt
        self._late_drops = 0
        self._late_claims: list[Claim] = []
        self._known = Counts(0, 0)  # by what room is judged
        self._looked_at = Counts(0, 0)  # what a thread saw now and then, others' included: for who may not ask
        self._carried = self._carried_to = 0  # how often something was carried over into the store, and up to where

    @property
    def name(self) -> str:
        """See SteadyStore."""
        return self._asked.name

    @property
    def is_usable(self) -> bool:
        """See SteadyStore."""
        return not (self._asked.is_broken or self._asked.is_behind)

    def queue(self, entries: Sequence[Entry], due_s: float, may_wait: bool = True, /) -> int:
        """See SteadyStore."""
        asked = self._asked
        if asked.is_broken or asked.is_behind or self._memory.holds(entries[0].session_id):
            return self._queue_in_memory(entries, due_s)
        if not may_wait and self._settings.when_full == "raise":
            self._settings.require_room(self._on_the_way + self._known.pending, len(entries))  # as far as is known
        attempt = object()
        late = partial(self._added_late, attempt, entries, due_s, may_wait)
        try:
            self._unwritten[attempt] = len(entries)
            wait_s = asked.hold_s if may_wait else 0.0
            add = partial(self._add_to_store, entries, due_s)
            dropped: int = asked.ask(add, int, wait_s=wait_s, late=late)
        except StillAtIt:
            if may_wait:
                asked.leave_alone(None)
            return self._take_late_drops()
        except BaseException as error:
            self._unwritten.pop(attempt, None)
            if not isinstance(error, StoreBroken):
                raise
            asked.leave_alone(str(error))
            return self._queue_in_memory(entries, due_s)
        self._unwritten.pop(attempt, None)
        self._know(len(entries) - dropped)
        return dropped + self._take_late_drops()

    def claim(self, is_open: IsOpen, /) -> Claim | None:
        """See Store."""
        claim = self._memory.claim(is_open)
        if claim is None and self._late_claims:
            with self._lock:
                claim = self._late_claims.pop() if self._late_claims else None
        if claim is not None:
            return claim
        claim_one = partial(self._claim_from_store, is_open)
        return self._asked.look(claim_one, None, Claim, type(None), late=self._claimed_late)

    def settle(self, claim: Claim, settlement: Settlement, /) -> bool | None:
        """See SteadyStore."""
        if self._memory.settle(claim, settlement):
            return True
        # Not put off where the store rests: what is not recorded as sent is sent again.
        settle = partial(self._asked.ask, partial(self._store.settle, claim, settlement), bool, wait_s=None)
        settled = self._asked.attempt(settle, None)
        if settled:
            self._know(-len(settlement.acknowledged) - len(settlement.dead), len(settlement.dead))
        self._asked.tidy()
        return settled

    def next_due_s(self, is_open: IsOpen, /) -> float | None:
        """See Store."""
        in_store = self._asked.look(lambda: self._store.next_due_s(is_open), None, float, int, type(None))
        if in_store is not None:
            in_store = read_seconds(in_store, self._settings.now_s() + _TEND_S)
        return min((due_s for due_s in (self._memory.next_due_s(is_open), in_store) if due_s is not None), default=None)

    def hurry(self) -> None:
        """See Store."""
        self._memory.hurry()
        self._asked.look(self._store.hurry, None, object)

    def mark(self, wait_s: float = LOOK_S, /) -> _Mark | None:
        """See SteadyStore."""
        asked, carried = self._asked, self._carried
        # The store's first: what it did not take before that is in memory then.
        wait_s = min(wait_s, asked.look_s)
        in_store = asked.attempt(lambda: asked.ask(self._store.mark, int, wait_s=wait_s), None)
        return None if in_store is None else _Mark(self._memory.mark(), in_store, carried)

    def passed(self, mark: _Mark, /) -> bool:
        """See SteadyStore."""
        last = mark.in_store if mark.carried == self._carried else max(mark.in_store, self._carried_to)
        return self._memory.passed(mark.in_memory) and self._asked.look(lambda: self._store.passed(last), False, bool)

    def counts(self) -> Counts:
        """See SteadyStore."""
        self._known = self._looked_at = self._asked.look(self._count_in_store, self._known, Counts)
        return self.known()

    def refresh(self) -> None:
        """See SteadyStore."""
        self._looked_at = self._asked.look(self._count_in_store, self._looked_at, Counts)

    def known(self) -> Counts:
        """See SteadyStore."""
        return Counts(self.volatile() + self._looked_at.pending, self._memory.counts().dead + self._looked_at.dead)

    def dead_letters(self) -> Sequence[Death]:
        """See Store."""
        now, none = self._settings.now(), list[Death]()
        found = self._look_even_at_rest(lambda: [check_death(death, now) for death in self._store.dead_letters()], none)
        return sorted([*self._memory.dead_letters(), *found], key=lambda death: death.entry.queued_at)

    def revive(self) -> int:
        """See Store."""
        return self._memory.revive() + self._look_even_at_rest(lambda: check_count(self._store.revive()), 0)

    def volatile(self) -> int:
        """See SteadyStore."""
        return self._memory.volatile() + self._on_the_way

    def tend(self) -> bool:
        """See SteadyStore."""
        give_up_at_s = self._settings.now_s() + _TEND_S
        while self._memory.volatile():
            if self._asked.rests or self._asked.is_behind:
                return False
            if self._settings.now_s() >= give_up_at_s:
                return True
            claim = self._memory.claim_any()
            if claim is None:
                return False
            carried = partial(self._carried_over, claim)
            try:
                last = self._asked.ask(partial(self._take_over, claim), int, wait_s=self._asked.look_s, late=carried)
            except StillAtIt:
                self._asked.leave_alone(None)
            except (StoreBroken, OutboxFull) as error:
                carried(partial(_raise, error))
            else:
                carried(lambda last=last: last)  # type: ignore[misc]
        return False

    def close(self) -> None:
        """See Store."""
        self._asked.close(self._give_back)

    def begin_anew(self) -> None:
        """See SteadyStore."""
        self._begin()
        self._memory.begin_anew()
        self._asked.begin_anew()

    def _add_to_store(self, entries: Sequence[Entry], due_s: float, promised: bool = False) -> int:
        return check_count(self._store.add(entries, due_s, promised=promised))

    def _count_in_store(self) -> Counts:
        return check_counts(self._store.counts())

    def _claim_from_store(self, is_open: IsOpen) -> Claim | None:
        claim = self._store.claim(is_open)
        return None if claim is None else check_claim(claim, self._settings.now(), self._settings.lease_s)

    def _look_even_at_rest(self, work: Callable[[], T], otherwise: T) -> T:
        asked = self._asked
        return asked.attempt(lambda: asked.ask(work, type(otherwise), wait_s=asked.look_s), otherwise)

    def _take_over(self, claim: Claim) -> int:
        self._add_to_store(claim.entries, claim.state.due_s, promised=True)
        return self._store.mark()

    def _give_back(self) -> None:
        """Release what nobody will settle: else the next process would wait until its leases have run out."""
        with self._lock:
            unused, self._late_claims = self._late_claims, []
        for claim in unused:
            self._store.release(claim, claim.state.due_s)

    def _queue_in_memory(self, entries: Sequence[Entry], due_s: float) -> int:
        due_s = max(due_s, self._settings.now_s() + _PATIENCE_S)
        elsewhere = self._on_the_way + self._known.pending
        return self._memory.add(entries, due_s, elsewhere=elsewhere) + self._take_late_drops()

    def _added_late(
        self, attempt: object, entries: Sequence[Entry], due_s: float, promised: bool, outcome: Callable[[], int]
    ) -> None:
        """On the store's thread, when nobody waits any more."""
        dropped = 0
        try:
            dropped = outcome()
        except OutboxFull:
            if promised:
                self._memory.keep(entries, due_s)
            else:
                dropped = len(entries)
        except StoreBroken as error:
            self._asked.leave_alone(str(error))
            self._memory.keep(entries, due_s)
        else:
            self._know(len(entries) - dropped)
        with self._lock:
            self._late_drops += dropped
        self._unwritten.pop(attempt, None)

    def _claimed_late(self, outcome: Callable[[], Claim | None]) -> None:
        claim = self._asked.attempt(outcome, None)
        if claim is not None:
            with self._lock:
                self._late_claims.append(claim)

    def _carried_over(self, claim: Claim, outcome: Callable[[], int]) -> None:
        last = self._asked.attempt(outcome, None)
        if last is None:
            self._memory.release(claim, claim.state.due_s)
            return
        self._carried_to = last  # first, so that what leaves memory is known to be in the store
        self._carried += 1
        self._memory.settle(claim, Settlement(claim.state, acknowledged=claim.entries))

    def _know(self, pending: int, dead: int = 0) -> None:
        self._known = self._known._replace(pending=self._known.pending + pending)
        seen = self._looked_at  # which may have it already: the next look puts that right
        self._looked_at = Counts(max(seen.pending + pending, 0), seen.dead + dead)

    @property
    def _on_the_way(self) -> int:
        return sum(self._unwritten.copy().values())

    def _take_late_drops(self) -> int:
        if not self._late_drops:
            return 0
        with self._lock:
            dropped, self._late_drops = self._late_drops, 0
        return dropped


def _raise(error: Exception) -> NoReturn:
    raise error
