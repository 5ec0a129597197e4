"""What a store of the outbox has to do, and the values it speaks in."""

from __future__ import annotations

import logging
from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple, Protocol

from target.errors import OutboxFull

WhenFull = Literal["raise", "drop_oldest"]
DeathReason = Literal["refused", "unacknowledged", "expired", "unreadable"]

#: As many entries travel in one call, and are in one claim, at most.
MOST_PER_BATCH = 50

#: Whether something may be sent to the edge cluster of an entry now.
IsOpen = Callable[[Any], bool]


class StoreBroken(Exception):
    """The storage cannot be used now. The message goes into the log: it must hold nothing of what is stored."""


class Moment(NamedTuple):
    """One moment on two clocks, in seconds.

    Attributes:
        wall_s: Since the epoch: it means the same after a restart of the machine, but may be set to anything.
        steady_s: On the machine's own clock, the same in all its processes: it only ever goes on, until the machine
            starts again.
    """

    wall_s: float
    steady_s: float


class Entry(NamedTuple):
    """One notification as it is stored. A store keeps all fields, and reads only the first three and the last.

    Attributes:
        seq: Its place in the order of queueing: a whole number that the store gives when the entry is added (it comes
            with 0), larger than any it gave before, and never given again.
        session_id: The lane it belongs to.
        cluster: The edge cluster it goes to, or None.
        envelope: JSON of what its request holds besides notifications; equal ones may share a call.
        notification: JSON of the notification itself.
        telemetry: JSON of the telemetry entries that came with it, or None; they are tried once.
        queued_at: When it was queued, in ms since the epoch.
        since: What its age counts from.
        misses: How many answers of success did not list it.
    """

    seq: int
    session_id: str
    cluster: str | None
    envelope: str
    notification: str
    telemetry: str | None
    queued_at: int
    since: Moment
    misses: int = 0

    def age_s(self, now: Moment) -> float:
        """Its age in seconds, whatever became of the clock: as the one says that makes it younger.

        Either clock may be wrong (one was set, or the machine started again), hardly both; a negative age is wrong.
        """
        ages_s = (now.wall_s - self.since.wall_s, now.steady_s - self.since.steady_s)
        return min((age_s for age_s in ages_s if age_s >= 0), default=0.0)


class LaneState(NamedTuple):
    """How sending stands for one lane. A store keeps it, and reads ``due_s`` alone.

    Attributes:
        due_s: When its next batch may be sent, in seconds of the steady clock.
        failures: How many batches in a row got no usable answer.
        suspects: How many of its first entries hold one, at least, that made the API refuse them together.
        status: The last HTTP status that meant failure.
        message: What was said with it, or what went wrong where there was no answer; without ids.
    """

    due_s: float
    failures: int = 0
    suspects: int = 0
    status: int | None = None
    message: str | None = None


class Death(NamedTuple):
    """An entry that is given up, and why; ``status`` and ``message`` as in LaneState."""

    entry: Entry
    reason: DeathReason
    status: int | None
    message: str | None = None


class Settlement(NamedTuple):
    """What becomes of a claimed lane and its entries; those not named stay as they are.

    Attributes:
        state: How sending stands from now on.
        acknowledged: Are removed.
        missed: Have one miss more.
        dead: Are removed, and become dead letters.
    """

    state: LaneState
    acknowledged: tuple[Entry, ...] = ()
    missed: tuple[Entry, ...] = ()
    dead: tuple[Death, ...] = ()


class Claim(NamedTuple):
    """A lane that one sender has to itself until it settles or releases the claim, or the lease ends.

    Attributes:
        token: What the store knows the claim by; no two are the same, whichever process made them.
        state: How sending stands.
        session_id: The lane.
        entries: Its first entries in the order of ``seq``: MOST_PER_BATCH, or all where there are fewer.
        more: Whether another lane can be claimed as well: a hint, which wakes a second sender sooner.
        ends_s: When the lease ends, by the steady clock.
        unreadable: Not for stores: what the client found to be damaged among the entries.
    """

    token: str
    state: LaneState
    session_id: str
    entries: tuple[Entry, ...]
    more: bool
    ends_s: float
    unreadable: tuple[Death, ...] = ()


class Counts(NamedTuple):
    """How many entries wait, those of other processes and those being sent included; and how many dead letters are."""

    pending: int
    dead: int


class StoreSettings(NamedTuple):
    """What a store is opened with; durations in seconds.

    Attributes:
        account: Whose entries: a store sees nothing of another account's in the same storage.
        max_pending: How many entries may wait, and how many dead letters are kept.
        when_full: Whether ``add`` raises OutboxFull where there is no room, or drops the oldest entries.
        lease_s: How long a claim lasts.
        longest_wait_s: So far ahead of now lanes may be due, and no further.
        now: Both clocks.
        logger: The client's, which gives each line the fields of docs/observability.md. Nothing that was stored may be
            written to it.
    """

    account: str
    max_pending: int
    when_full: WhenFull
    lease_s: float
    longest_wait_s: float
    now: Callable[[], Moment]
    logger: logging.Logger

    def now_s(self) -> float:
        """What the steady clock says: what is due, and who holds a lease, goes by it."""
        return self.now().steady_s

    def require_room(self, waiting: int, added: int) -> int:
        """How many of the oldest to drop so that ``added`` fit. Raises OutboxFull when none may be, or all would."""
        excess = waiting + added - self.max_pending
        if excess > 0 and (self.when_full == "raise" or added > self.max_pending):
            raise OutboxFull(
                f"The outbox holds {waiting} notifications of at most {self.max_pending} and got {added} more: raise "
                "max_pending, or find out why Target does not take them"
            )
        return max(0, excess)


class Store(Protocol):
    """Where queued notifications wait until Target has acknowledged them: ``Outbox(store=...)`` takes what opens one.

    A *lane* is the line of one session's entries. Lanes are independent of each other; within one the order in which
    entries were added is the order in which they are sent, so a lane has one sender at a time. It begins with its first
    entry, and is forgotten, its state included, when it has none left.

    A sender *claims* a lane, sends its first entries and *settles* the claim. The claim is a *lease*: from ``lease_s``
    seconds on others may claim the lane, with the same entries. So a sender that died is replaced, and nobody has to
    notice its death: a process may end at any time, without a call to ``close``, and whatever ``add`` or ``settle``
    returned from is still there for the others and for the next one. Whoever lost its lease to another claim changes
    nothing any more; while there is no other claim, a lease that has run out still settles. What was sent but not
    settled is sent again: the API counts it once, by the impression id in it.

    Times are seconds of ``settings.now_s()``, which all processes of a machine share; storage that several machines
    use keeps differences to a clock of its own. The clock begins anew with the machine: in storage that outlives that,
    a lane that is due later than ``longest_wait_s`` from now, and a lease that ends later than twice ``lease_s`` from
    now, were written before, and count as due and as ended.

    Every method does all of its work or, when it raises, none. OutboxFull is raised by ``add`` alone. StoreBroken, or
    anything else, says that the storage cannot be used now: the client logs the words of a StoreBroken, and of anything
    else its class alone; keeps what is queued in memory, sends from there, and tries the store again after a second.
    A method may block. A client calls all but ``tidy`` from one thread, one after another, and waits for half a second
    at most where a user waits for it; several processes use the same storage at once. All the same a store is safe to
    share between threads.

    What a store gives back is checked before it is sent, so it need not distrust its storage. Entries hold ids of
    visitors: no message, log line or repr may show them.

    ``target.testing.stores.StoreSuite`` tries all of this.
    """

    @abstractmethod
    def add(self, entries: Sequence[Entry], due_s: float, /, promised: bool = False) -> int:
        """Store all of ``entries`` or none, giving each its ``seq``: how many older ones were dropped for them.

        Args:
            entries: At least one, all of one lane, in order.
            due_s: When the lane is due if it has no entries yet; a lane that has some is due when it was.
            promised: They were accepted before, and are stored whether or not there is room; nothing is dropped.

        Raises:
            OutboxFull: As ``settings.require_room(waiting, added)`` does, which also says how many of the oldest of
                all lanes, claimed ones included, to drop.
        """

    @abstractmethod
    def claim(self, is_open: IsOpen, /) -> Claim | None:
        """The lane that has been due for longest, of those that are due, that nobody has claimed, and whose first
        entry's ``cluster`` is open; None when there is none."""

    @abstractmethod
    def settle(self, claim: Claim, settlement: Settlement, /) -> bool:
        """Record ``settlement`` and end the claim; False, and nothing recorded, when the claim was lost or has ended.

        Entries of the settlement that are there no more were dropped meanwhile, and are passed over. Of the dead
        letters the latest ``max_pending`` are kept.
        """

    def release(self, claim: Claim, due_s: float, /) -> bool:
        """End the claim with nothing sent: the lane is as before, and due at ``due_s``. False as in ``settle``."""
        return self.settle(claim, Settlement(claim.state._replace(due_s=due_s)))

    @abstractmethod
    def next_due_s(self, is_open: IsOpen, /) -> float | None:
        """When the next lane can be claimed: the earliest time at which one whose cluster is open is due and, if
        claimed, its lease ended. It may have passed. None when there is no such lane."""

    @abstractmethod
    def hurry(self) -> None:
        """Make every lane due now that would be later. Claims stay."""

    @abstractmethod
    def mark(self) -> int:
        """Where the queue ends: the ``seq`` of the newest entry that waits, or of a later one; 0 for none."""

    @abstractmethod
    def passed(self, mark: int, /) -> bool:
        """Whether no entry waits whose ``seq`` is ``mark`` or less. Asked often by who waits for a flush."""

    @abstractmethod
    def counts(self) -> Counts:
        """How many wait and are dead."""

    @abstractmethod
    def dead_letters(self) -> Sequence[Death]:
        """What was given up, oldest first."""

    @abstractmethod
    def revive(self) -> int:
        """Make entries of the oldest dead letters, as far as there is room: how many.

        Each goes to the end of its lane with ``misses`` 0, ``telemetry`` None and ``since`` now; a lane that had no
        entries is due now. What is "unreadable" stays a dead letter.
        """

    def tidy(self) -> None:
        """Whatever upkeep may take long. Called after settling, beside other methods, by who waits for nothing."""
        return

    def begin_anew(self) -> None:
        """The process was forked, and this is the child: leave connections, locks and threads to the parent. Called
        before any other method, by one thread; twice is harmless.

        A fork of Python's own waits up to 2 s for the method in progress, so that no lock of a file is held in both. C
        code forks without telling, so a lock that goes with an open file (``flock``) is not safe there.
        """
        return

    @abstractmethod
    def close(self) -> None:
        """Free what is held open. The next call of any method opens it again; twice is harmless."""
