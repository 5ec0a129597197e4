"""The store in an SQLite file, which outlives its process and may be shared by several on one host."""

from __future__ import annotations

import contextlib
import logging
import secrets
import sqlite3
import threading
from collections.abc import Callable, Sequence
from typing import TypeVar

from target._background.clock import monotonic_s
from target._background.forks import pause_for_forks, renew_in_children
from target._outbox import rows
from target._outbox.connection import FileConnection
from target._outbox.one_thread import OneThread
from target._outbox.schema import tidy, transaction
from target._outbox.store import Claim, IsOpen, Limits, Mark, StoreBroken
from target.delivery.entries import Entry
from target.delivery.outgoing import MOST_PER_BATCH, Settlement
from target.outbox import DeadLetter

T = TypeVar("T")
#: Gets what returns or raises the outcome of work that nobody waits for any more.
Late = Callable[[Callable[[], T]], object]

_TIDY_S = 1.0
_FORK_S = 2.0  # for so long a fork waits for the file to be at rest


class _LeaseLost(Exception):
    """What was to be settled is another sender's now: nothing of it is recorded."""


class SqliteStore:
    """A Store in a file: one connection per process, on a thread of its own.

    Every method but ``close`` may raise StoreBroken; and StillAtIt, where it is given a time to wait.

    Args:
        path: The file, absolute.
        account: Whose notifications these are; those of another account in the same file are left alone.
        limits: How much, and for how long.
        logger: Told when a corrupt file was moved aside.
    """

    def __init__(self, path: str, account: str, limits: Limits, logger: logging.Logger) -> None:
        self._path = path
        self._account = account
        self._limits = limits
        self._connection = FileConnection(path, account, limits.now_s, logger)
        self._has_more = False  # whether another session was due at the last claim
        self._thread = OneThread("target-outbox-file")
        self._tidying = threading.Lock()
        self._tidied_at_s = 0.0
        pause_for_forks(self)
        renew_in_children(self)

    def waits_s(self) -> float:
        """For how many seconds what was asked of the file first has not been done."""
        return self._thread.waits_s()

    def add(self, entries: Sequence[Entry], wait_s: float | None = None, late: Late[int] | None = None) -> int:
        """See Store."""
        due_s = self._limits.now_s() + self._limits.flush_interval_s

        def write(db: sqlite3.Connection) -> int:
            with transaction(db):
                excess = self._excess(db, len(entries))
                if excess:
                    oldest = "SELECT seq FROM entry WHERE account = ? ORDER BY seq LIMIT ?"
                    db.execute(f"DELETE FROM entry WHERE seq IN ({oldest})", (self._account, excess))
                rows.insert(db, self._account, entries, due_s)
            return excess

        return self._run(write, wait_s, late, adds=True)

    def take_over(self, claim: Claim, wait_s: float | None = None, late: Late[int] | None = None) -> int:
        """Store what another store holds, room or no room: the number of the last of it."""

        def write(db: sqlite3.Connection) -> int:
            with transaction(db):
                rows.insert(db, self._account, claim.entries, claim.lane.due_s)
                return int(db.execute("SELECT max(seq) FROM entry").fetchone()[0])

        return self._run(write, wait_s, late, adds=True)

    def claim(
        self, is_open: IsOpen, wait_s: float | None = None, late: Late[Claim | None] | None = None
    ) -> Claim | None:
        """See Store."""
        now = self._limits.now()
        ends_s = now.steady_s + self._limits.lease_s

        def write(db: sqlite3.Connection) -> Claim | None:
            # The first look takes no lock, so that idle senders of many processes do not queue up for one.
            while self._has_more or rows.due_lanes(db, self._account, now.steady_s, is_open):
                self._has_more = False
                with transaction(db):
                    lanes = rows.due_lanes(db, self._account, now.steady_s, is_open)
                    if not lanes:
                        return None
                    session_id, lane = lanes[0]
                    key = (self._account, session_id)
                    entries, unreadable = rows.read_entries(db, key, MOST_PER_BATCH, now)
                    if not entries and not unreadable:  # all of them were dropped for newer ones
                        db.execute("DELETE FROM lane WHERE account = ? AND session_id = ?", key)
                        continue
                    token = secrets.token_hex(16)
                    leased = "UPDATE lane SET token = ?, lease_end_s = ? WHERE account = ? AND session_id = ?"
                    db.execute(leased, (token, ends_s, *key))
                self._has_more = len(lanes) > 1
                return Claim(token, lane, session_id, entries, self._has_more, ends_s, unreadable)
            return None

        return self._run(write, wait_s, late)

    def settle(self, claim: Claim, settlement: Settlement) -> bool:
        """See Store."""
        try:
            self._run(self._settling(claim, settlement))
        except _LeaseLost:
            return False
        finally:
            self._tidy()
        return True

    def _settling(self, claim: Claim, settlement: Settlement) -> Callable[[sqlite3.Connection], None]:
        key = (self._account, claim.session_id)

        def write(db: sqlite3.Connection) -> None:
            with transaction(db):
                rows.count_misses(db, settlement.missed)
                rows.bury(db, settlement.dead, [entry.seq for entry in settlement.acknowledged])
                if settlement.dead:
                    newest = "SELECT seq FROM dead WHERE account = ? ORDER BY seq DESC LIMIT -1 OFFSET ?"
                    db.execute(f"DELETE FROM dead WHERE seq IN ({newest})", (self._account, self._limits.max_pending))
                # Who lost the lease, or the whole file, must not touch what another one sends now.
                if not rows.free_lane(db, key, claim.token, settlement.lane):
                    raise _LeaseLost

        return write

    def next_due_s(self, is_open: IsOpen, wait_s: float | None = None) -> float | None:
        """See Store."""
        now_s = self._limits.now_s()
        latest_due_s = self._limits.latest_due_s(now_s)
        latest_lease_s = now_s + 2 * self._limits.lease_s

        def read(db: sqlite3.Connection) -> float | None:
            if rows.has_odd_lanes(db, self._account, latest_due_s, latest_lease_s):
                with transaction(db):
                    rows.mend_lanes(db, self._account, now_s, latest_due_s, latest_lease_s)
            return rows.next_due_s(db, self._account, is_open)

        return self._run(read, wait_s)

    def hurry(self, wait_s: float | None = None) -> None:
        """See Store."""
        now_s = self._limits.now_s()
        due = "UPDATE lane SET due_s = ? WHERE account = ? AND due_s > ?"
        self._run(lambda db: db.execute(due, (now_s, self._account, now_s)), wait_s)

    def mark(self, wait_s: float | None = None) -> Mark:
        """See Store."""
        last = "SELECT max(seq) FROM entry WHERE account = ?"
        return (self._run(lambda db: db.execute(last, (self._account,)).fetchone()[0], wait_s),)

    def passed(self, mark: Mark, wait_s: float | None = None) -> bool:
        """See Store."""
        values = (self._account, mark[0] or 0)
        waits = "SELECT 1 FROM entry WHERE account = ? AND seq <= ? LIMIT 1"
        return self._run(lambda db: db.execute(waits, values).fetchone(), wait_s) is None

    def pending(self, wait_s: float | None = None) -> int:
        """See Store."""
        return self._run(self._count, wait_s)

    def dead_letters(self, wait_s: float | None = None) -> list[DeadLetter]:
        """See Store."""
        return self._run(lambda db: rows.dead_letters(db, self._account), wait_s)

    def revive(self, wait_s: float | None = None) -> int:
        """See Store. What could not be read stays."""
        now = self._limits.now()

        def write(db: sqlite3.Connection) -> int:
            with transaction(db):
                room = max(0, self._limits.max_pending - self._count(db))
                return rows.revive(db, self._account, room, now)

        return self._run(write, wait_s, adds=True)

    def close(self, unused: Callable[[], Sequence[Claim]] = tuple) -> None:
        """See Store. ``unused`` are claims that nobody will settle; it is asked when all else is done."""

        def last() -> None:
            with contextlib.suppress(StoreBroken, _LeaseLost):
                for claim in unused():
                    self._connection.work(self._settling(claim, Settlement(claim.lane)), adds=False)
            self._connection.close()

        self._thread.end(last)

    def before_fork(self) -> None:
        """Let no connection be open, nor the lock be held by another thread, while the process forks: SQLite's own
        record of who holds which lock would be wrong in the child, and parent and child would damage the file."""
        self._tidying.acquire()
        self._has_paused = self._thread.at_work.acquire(timeout=_FORK_S)
        if self._has_paused:
            self._connection.close()

    def after_fork_in_parent(self) -> None:
        """Go on."""
        if self._has_paused:
            self._thread.at_work.release()
        self._tidying.release()

    def begin_anew(self) -> None:
        """In a forked child: go on, with locks and a thread of one's own."""
        was_in_use = not (self._thread.at_work.acquire(blocking=False) and self._tidying.acquire(blocking=False))
        self._thread.begin_anew()
        self._tidying = threading.Lock()
        self._connection.leave_to_parent(was_in_use)

    def _excess(self, db: sqlite3.Connection, added: int) -> int:
        # Counting takes as long as many wait; between the first and the last there are as many, or fewer.
        (span,) = db.execute("SELECT (SELECT max(seq) FROM entry) - (SELECT min(seq) FROM entry)").fetchone()
        is_roomy = (span or 0) + 1 + added <= self._limits.max_pending
        return 0 if is_roomy else self._limits.require_room(self._count(db), added)

    def _count(self, db: sqlite3.Connection) -> int:
        return int(db.execute("SELECT count(*) FROM entry WHERE account = ?", (self._account,)).fetchone()[0])

    def _tidy(self) -> None:
        """Now and then, carry the write-ahead log over into the file: a sender's task, since it waits for the disk."""
        if monotonic_s() - self._tidied_at_s < _TIDY_S or not self._tidying.acquire(blocking=False):
            return
        try:
            tidy(self._path)  # over a connection of its own, so that nobody waits for the other
        finally:
            self._tidied_at_s = monotonic_s()
            self._tidying.release()

    def _run(
        self,
        work: Callable[[sqlite3.Connection], T],
        wait_s: float | None = None,
        late: Late[T] | None = None,
        adds: bool = False,
    ) -> T:
        return self._thread.do(lambda: self._connection.work(work, adds), wait_s, late)
