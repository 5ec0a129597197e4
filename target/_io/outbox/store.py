"""What a store of waiting notifications does, whether it keeps them in memory, in a file, or in both."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from target.delivery.outgoing import LONGEST_DELAY_S, Entry, Lane, Settlement
from target.errors import OutboxFull
from target.outbox import DeadLetter, WhenFull

#: Where the queue ended at some moment, per part of the store.
Mark = tuple[int | None, ...]


class StoreBroken(Exception):
    """The file cannot be used now. The message is the system's, and holds nothing of what is stored."""


class Limits(NamedTuple):
    """The part of an Outbox that stores need; durations in seconds."""

    max_pending: int
    when_full: WhenFull
    flush_interval_s: float
    lease_s: float
    now_s: Callable[[], float]

    def latest_due_s(self, now_s: float) -> float:
        """After this no session can be due, in seconds since the epoch, unless the clock was set back."""
        return now_s + 2 * max(LONGEST_DELAY_S, self.flush_interval_s)

    def require_room(self, waiting: int, added: int) -> int:
        """How many of the oldest to drop so that ``added`` fit. Raises OutboxFull when none may be, or all would."""
        excess = waiting + added - self.max_pending
        if excess > 0 and (self.when_full == "raise" or added > self.max_pending):
            raise OutboxFull(
                f"The outbox holds {waiting} notifications of at most {self.max_pending} and got {added} more: raise "
                "max_pending, or find out why Target does not take them"
            )
        return max(0, excess)


class Claim(NamedTuple):
    """A session that one sender has to itself until it settles the claim or the lease ends.

    Attributes:
        token: What the store knows the claim by; no two are the same.
        lane: How sending stands.
        session_id: The session.
        entries: Its first entries, as many as one batch may hold; never empty.
        more: Whether another session is due as well.
    """

    token: str
    lane: Lane
    session_id: str
    entries: tuple[Entry, ...]
    more: bool


class Store(Protocol):
    """Waiting and dead notifications of one account. Safe to share between threads; raises only what is named."""

    def add(self, entries: Sequence[Entry]) -> int:
        """Store all of ``entries``, of one session, or none; how many older ones were dropped. Raises OutboxFull."""

    def claim(self) -> Claim | None:
        """The session that has been due for longest, or None when none is."""

    def settle(self, claim: Claim, settlement: Settlement) -> bool:
        """Record ``settlement`` and free the session. False, and nothing recorded, when the claim was lost."""

    def next_due_s(self) -> float | None:
        """When the next session can be claimed, in seconds since the epoch; None when nothing waits."""

    def hurry(self) -> None:
        """Make every session due now."""

    def mark(self) -> Mark:
        """Where the queue ends now."""

    def passed(self, mark: Mark) -> bool:
        """Whether nothing that was queued before ``mark`` still waits."""

    def pending(self) -> int:
        """How many notifications wait."""

    def dead_letters(self) -> list[DeadLetter]:
        """What was given up, oldest first: at most as many as may wait."""

    def revive(self) -> int:
        """Queue what was given up once more, as new, as far as there is room; how many that were."""

    def volatile(self) -> int:
        """How many of the waiting notifications end with this process."""

    def close(self) -> None:
        """Free what the store holds open. It opens again when it is used."""

    def forget(self) -> None:
        """In the child of a fork: leave to the parent what is the parent's to send."""
