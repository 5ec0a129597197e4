"""The store of ``Outbox.sqlite``: the file, and memory for as long as the file cannot be used."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import NoReturn, TypeVar

from target._outbox.memory import MemoryStore
from target._outbox.one_thread import StillAtIt
from target._outbox.sqlite import SqliteStore
from target._outbox.store import Claim, IsOpen, Limits, Mark, StoreBroken
from target.delivery.entries import Entry
from target.delivery.outgoing import Settlement
from target.errors import OutboxFull
from target.outbox import DeadLetter

T = TypeVar("T")

_REST_S = 1.0  # between two tries of a file that cannot be used: each may take as long as its lock is waited for
_TEND_S = 0.1  # for how long at once a sender carries over, while the others wait for their turn
_PATIENCE_S = 2.0  # what the file takes back in that time is sent in the order in which it was queued


class DurableStore:
    """A Store that never raises StoreBroken: what the file does not take waits in memory, and both are sent from.

    Who queues something waits for the file's thread for a moment only. While the file is behind, or cannot be used,
    what is queued goes into memory at once; a sender carries it over as soon as the file takes it.
    """

    def __init__(self, path: str, account: str, limits: Limits, logger: logging.Logger) -> None:
        self._path = path
        self._limits = limits
        self._hold_s, self._look_s = limits.hold_s, limits.look_s
        self._logger = logger
        self._file = SqliteStore(path, account, limits, logger)
        self._memory = MemoryStore(limits, _PATIENCE_S)
        self._begin()

    def _begin(self) -> None:
        self._lock = threading.Lock()
        self._broken_at_s: float | None = None
        self._unwritten = 0  # on its way to the file
        self._late_drops = 0
        self._late_claims: list[Claim] = []
        self._known_pending = 0
        self._carried = self._carried_to = 0  # how often something was carried over into the file, and up to where

    def add(self, entries: Sequence[Entry], may_wait: bool = True, /) -> int:
        """See Store."""
        if (
            self._broken_at_s is not None
            or self._file.waits_s() > self._hold_s
            or self._memory.holds(entries[0].session_id)
        ):
            return self._add_to_memory(entries)
        if not may_wait and self._limits.when_full == "raise":
            self._limits.require_room(self._unwritten + self._known_pending, len(entries))  # as far as is known
        with self._lock:
            self._unwritten += len(entries)
        try:
            wait_s = self._hold_s if may_wait else 0.0
            dropped = self._file.add(entries, wait_s, partial(self._added_late, entries, may_wait))
        except StillAtIt:
            if may_wait:
                self._break(None)
            return self._take_late_drops()
        except BaseException as error:
            self._wrote(entries)
            if not isinstance(error, StoreBroken):
                raise
            self._break(str(error))
            return self._add_to_memory(entries)
        self._wrote(entries)
        self._known_pending += len(entries) - dropped
        return dropped + self._take_late_drops()

    def claim(self, is_open: IsOpen) -> Claim | None:
        """See Store."""
        claim = self._memory.claim(is_open)
        if claim is None and self._late_claims:
            with self._lock:
                claim = self._late_claims.pop() if self._late_claims else None
        return claim or self._with_file(lambda: self._file.claim(is_open, self._look_s, self._claimed_late), None)

    def settle(self, claim: Claim, settlement: Settlement) -> bool | None:
        """See Store."""
        if self._memory.settle(claim, settlement):
            return True
        # Not put off where the file rests: what is not recorded as sent is sent again.
        settled = self._try(lambda: self._file.settle(claim, settlement), None)
        if settled:
            self._known_pending -= len(settlement.acknowledged) + len(settlement.dead)
        return settled

    def next_due_s(self, is_open: IsOpen) -> float | None:
        """See Store."""
        in_file = self._with_file(lambda: self._file.next_due_s(is_open, self._look_s), None)
        return min((due_s for due_s in (self._memory.next_due_s(is_open), in_file) if due_s is not None), default=None)

    def hurry(self) -> None:
        """See Store."""
        self._memory.hurry()
        self._with_file(lambda: self._file.hurry(self._look_s), None)

    def mark(self, wait_s: float, /) -> Mark | None:
        """See Store."""
        carried = self._carried
        # The file's first: what it did not take before that is in memory then.
        in_file = self._try(lambda: self._file.mark(min(wait_s, self._look_s)), None)
        return None if in_file is None else (*self._memory.mark(0.0), *in_file, carried)

    def passed(self, mark: Mark) -> bool:
        """See Store."""
        last = mark[1] if mark[2] == self._carried else max(mark[1] or 0, self._carried_to)
        return self._memory.passed(mark[:1]) and self._with_file(
            lambda: self._file.passed((last,), self._look_s), False
        )

    def pending(self) -> int:
        """See Store."""
        known = self._with_file(lambda: self._file.pending(self._look_s), None)
        if known is not None:
            self._known_pending = known
        return self._memory.pending() + self._unwritten + self._known_pending

    def dead_letters(self) -> list[DeadLetter]:
        """See Store."""
        none: list[DeadLetter] = []
        letters = [*self._memory.dead_letters(), *self._try(lambda: self._file.dead_letters(self._look_s), none)]
        return sorted(letters, key=lambda letter: letter.queued_at)

    def revive(self) -> int:
        """See Store."""
        return self._memory.revive() + self._try(lambda: self._file.revive(self._look_s), 0)

    def volatile(self) -> int:
        """See Store."""
        return self._memory.pending() + self._unwritten

    def tend(self) -> bool:
        """See Store."""
        give_up_at_s = self._limits.now_s() + _TEND_S
        while self._memory.pending():
            if self._rests() or self._file.waits_s() > self._hold_s:
                return False
            if self._limits.now_s() >= give_up_at_s:
                return True
            claim = self._memory.claim_any()
            if claim is None:
                return False
            carried = partial(self._carried_over, claim)
            try:
                last = self._file.take_over(claim, self._look_s, carried)
            except StillAtIt:
                self._break(None)
            except StoreBroken as error:
                carried(partial(_raise, error))
            else:
                carried(lambda last=last: last)  # type: ignore[misc]
        return False

    def close(self) -> None:
        """See Store."""
        self._file.close(self._take_late_claims)  # or the next process would wait until their leases have run out

    def forget(self) -> None:
        """See Store."""
        self._begin()
        self._memory.forget()

    def _add_to_memory(self, entries: Sequence[Entry]) -> int:
        elsewhere = self._unwritten + self._known_pending
        return self._memory.add(entries, elsewhere=elsewhere) + self._take_late_drops()

    def _added_late(self, entries: Sequence[Entry], promised: bool, outcome: Callable[[], int]) -> None:
        """On the file's thread, when nobody waits any more."""
        dropped = 0
        try:
            dropped = outcome()
        except OutboxFull:
            if promised:
                self._memory.keep(entries)
            else:
                dropped = len(entries)
        except StoreBroken as error:
            self._break(str(error))
            self._memory.keep(entries)
        else:
            self._known_pending += len(entries) - dropped
        with self._lock:
            self._unwritten -= len(entries)
            self._late_drops += dropped

    def _claimed_late(self, outcome: Callable[[], Claim | None]) -> None:
        claim = self._try(outcome, None)
        if claim is not None:
            with self._lock:
                self._late_claims.append(claim)

    def _take_late_claims(self) -> list[Claim]:
        with self._lock:
            taken, self._late_claims = self._late_claims, []
        return taken

    def _carried_over(self, claim: Claim, outcome: Callable[[], int]) -> None:
        last = self._try(outcome, None)
        if last is not None:
            self._carried_to = last  # first, so that what leaves memory is known to be in the file
            self._carried += 1
        self._memory.settle(claim, Settlement(claim.lane, acknowledged=() if last is None else claim.entries))

    def _wrote(self, entries: Sequence[Entry]) -> None:
        with self._lock:
            self._unwritten -= len(entries)

    def _take_late_drops(self) -> int:
        if not self._late_drops:
            return 0
        with self._lock:
            dropped, self._late_drops = self._late_drops, 0
        return dropped

    def _rests(self) -> bool:
        broken_at_s = self._broken_at_s
        return broken_at_s is not None and self._limits.now_s() - broken_at_s < _REST_S

    def _with_file(self, work: Callable[[], T], otherwise: T) -> T:
        return otherwise if self._rests() else self._try(work, otherwise)

    def _try(self, work: Callable[[], T], otherwise: T) -> T:
        try:
            result = work()
        except StillAtIt:
            if self._file.waits_s() > self._hold_s:
                self._break(None)
            return otherwise
        except StoreBroken as error:
            self._break(str(error))
            return otherwise
        if self._broken_at_s is not None:
            self._broken_at_s = None
            self._logger.warning("The outbox file %s can be used again", self._path)
        return result

    def _break(self, why: str | None) -> None:
        """Leave the file alone for a while: it cannot be used, or (None) is locked or slow."""
        was_broken = self._broken_at_s is not None
        self._broken_at_s = self._limits.now_s()
        if not was_broken:
            self._logger.log(
                logging.WARNING if why is None else logging.ERROR,
                "The outbox file %s %s: notifications wait in memory, and are lost if the process ends before they are "
                "sent or written",
                self._path,
                "is locked or slow" if why is None else f"cannot be used ({why})",
            )


def _raise(error: Exception) -> NoReturn:
    raise error
