"""What a store of waiting notifications does, whether it keeps them in memory, in a file, or in both."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from target._background.clock import monotonic_s
from target.delivery.entries import Entry, Moment
from target.delivery.outgoing import LONGEST_DELAY_S, Death, Lane, Settlement
from target.delivery.retry import LONGEST_PAUSE_S
from target.errors import OutboxFull
from target.outbox import DeadLetter, WhenFull

#: Where the queue ended at some moment, per part of the store.
Mark = tuple[int | None, ...]

#: Whether something may be sent to an edge cluster now; gets what was stored, whatever that is.
IsOpen = Callable[[object], bool]


class StoreBroken(Exception):
    """The file cannot be used now. The message is the system's, and holds nothing of what is stored."""


class Limits(NamedTuple):
    """The part of an Outbox that stores need; durations in seconds.

    ``hold_s`` is how long a caller who queues something waits for the file at most, ``look_s`` whoever looks at what it
    holds.
    """

    max_pending: int
    when_full: WhenFull
    flush_interval_s: float
    lease_s: float
    now: Callable[[], Moment]
    hold_s: float = 0.2
    look_s: float = 0.5

    def now_s(self) -> float:
        """What the steady clock says: what is due, and who holds a lease, goes by it."""
        return self.now().steady_s

    def latest_due_s(self, now_s: float) -> float:
        """After this no session can be due, unless the machine has started again since that was written."""
        return now_s + 2 * max(LONGEST_DELAY_S, self.flush_interval_s) + LONGEST_PAUSE_S

    def require_room(self, waiting: int, added: int) -> int:
        """How many of the oldest to drop so that ``added`` fit. Raises OutboxFull when none may be, or all would."""
        excess = waiting + added - self.max_pending
        if excess > 0 and (self.when_full == "raise" or added > self.max_pending):
            raise OutboxFull(
                f"The outbox holds {waiting} notifications of at most {self.max_pending} and got {added} more: raise "
                "max_pending, or find out why Target does not take them"
            )
        return max(0, excess)


def moments_of(wall_s: Callable[[], float]) -> Callable[[], Moment]:
    """A clock that tells both: the time of day as ``wall_s`` says, and the steady one, which nobody can set."""
    return lambda: Moment(wall_s(), monotonic_s())


class Claim(NamedTuple):
    """A session that one sender has to itself until it settles the claim or the lease ends.

    Attributes:
        token: What the store knows the claim by; no two are the same.
        lane: How sending stands.
        session_id: The session.
        entries: Its first entries, as many as one batch may hold; empty only where none of them can be read.
        more: Whether another session is due as well.
        ends_s: When the lease ends, by the steady clock.
        unreadable: Those of its first entries that cannot be read, to be settled as dead.
    """

    token: str
    lane: Lane
    session_id: str
    entries: tuple[Entry, ...]
    more: bool
    ends_s: float
    unreadable: tuple[Death, ...] = ()


class Store(Protocol):
    """Waiting and dead notifications of one account. Safe to share between threads; raises only what is named."""

    def add(self, entries: Sequence[Entry], may_wait: bool = True, /) -> int:
        """Store all of ``entries``, of one session, or none; how many older ones were dropped. Raises OutboxFull.

        Returns after ``hold_s`` seconds at most, or at once: what no disk has taken by then waits in memory.
        """

    def claim(self, is_open: IsOpen) -> Claim | None:
        """The session that has been due for longest, of those that may be sent, or None when none is."""

    def settle(self, claim: Claim, settlement: Settlement) -> bool | None:
        """Record ``settlement`` and free the session. False, and nothing recorded, when the claim was lost; None when
        it cannot be recorded now, but maybe later."""

    def next_due_s(self, is_open: IsOpen) -> float | None:
        """When the next session can be claimed, by the steady clock; None when nothing waits that may be sent."""

    def hurry(self) -> None:
        """Make every session due now."""

    def mark(self, wait_s: float, /) -> Mark | None:
        """Where the queue ends now; None when that cannot be known within so many seconds, or ``look_s``."""

    def passed(self, mark: Mark) -> bool:
        """Whether nothing that was queued before ``mark`` still waits. False when that cannot be known now."""

    def pending(self) -> int:
        """How many notifications wait; what was last known where the file cannot be read."""

    def dead_letters(self) -> list[DeadLetter]:
        """What was given up, oldest first: at most as many as may wait."""

    def revive(self) -> int:
        """Queue what was given up once more, as new, as far as there is room; how many that were."""

    def volatile(self) -> int:
        """How many of the waiting notifications end with this process."""

    def tend(self) -> bool:
        """Now and then, by a sender: put into the file what it could not take before. Whether there is more of it."""

    def close(self) -> None:
        """Free what the store holds open. It opens again when it is used."""

    def forget(self) -> None:
        """In the child of a fork: leave to the parent what is the parent's to send."""
