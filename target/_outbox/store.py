"""What the threads of an outbox ask of the place where notifications wait: it never fails, and nobody waits long."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from target._background.clock import monotonic_s
from target.protocols import Claim, Counts, Death, Entry, IsOpen, Moment, Settlement

#: How long a caller who queues something waits at most for a store that may fail; and whoever looks at what it holds.
HOLD_S = 0.2
LOOK_S = 0.5
#: For so long a fork waits at most for what is being done there.
FORK_S = 2.0


class SteadyStore(Protocol):
    """A ``target.protocols.Store`` as far as its name and meaning are the same, with what a client needs besides."""

    @property
    def name(self) -> str:
        """What the log calls the place."""

    @property
    def is_usable(self) -> bool:
        """Whether it could be used when it was last tried; nobody is asked."""

    def queue(self, entries: Sequence[Entry], due_s: float, may_wait: bool = True, /) -> int:
        """See Store.add. Returns after ``HOLD_S`` at most, or at once: what no storage has taken by then waits here."""

    def claim(self, is_open: IsOpen, /) -> Claim | None:
        """See Store."""

    def settle(self, claim: Claim, settlement: Settlement, /) -> bool | None:
        """See Store; None when it cannot be recorded now, but maybe later."""

    def next_due_s(self, is_open: IsOpen, /) -> float | None:
        """See Store."""

    def hurry(self) -> None:
        """See Store."""

    def mark(self, wait_s: float = LOOK_S, /) -> Any | None:
        """Where the queue ends now; None when that cannot be known within so many seconds, or ``LOOK_S``."""

    def passed(self, mark: Any, /) -> bool:
        """Whether nothing that was queued before ``mark`` still waits. False when that cannot be known now."""

    def counts(self) -> Counts:
        """See Store; what was last known where it cannot be read."""

    def known(self) -> Counts:
        """The same as far as it is known, without asking any storage."""

    def refresh(self) -> None:
        """Now and then, by a sender: see what there is, to be known."""

    def dead_letters(self) -> Sequence[Death]:
        """See Store."""

    def revive(self) -> int:
        """See Store."""

    def volatile(self) -> int:
        """How many of the waiting notifications end with this process."""

    def tend(self) -> bool:
        """Now and then, by a sender: store what could not be stored before. Whether there is more of it."""

    def begin_anew(self) -> None:
        """In the child of a fork: leave to the parent what is the parent's to send."""

    def close(self) -> None:
        """See Store."""


def moments_of(wall_s: Callable[[], float]) -> Callable[[], Moment]:
    """A clock that tells both: the time of day as ``wall_s`` says, and the steady one, which nobody can set."""
    return lambda: Moment(wall_s(), monotonic_s())
