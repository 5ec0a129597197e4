"""The store in an SQLite file, which outlives its process and may be shared by several on one host."""

from __future__ import annotations

import secrets
import sqlite3
import threading
from collections.abc import Callable, Sequence
from typing import TypeVar

from target._background.clock import monotonic_s
from target._background.forks import pause_for_forks, renew_in_children
from target._outbox import rows
from target._outbox.connection import FileConnection
from target._outbox.schema import tidy, transaction
from target._outbox.store import FORK_S
from target.loggers import log_of
from target.protocols import MOST_PER_BATCH, Claim, Counts, Death, Entry, IsOpen, Settlement, Store, StoreSettings

T = TypeVar("T")

_TIDY_S = 1.0


class _LeaseLost(Exception):
    """What was to be settled is another sender's now: nothing of it is recorded."""


class SqliteStore(Store):
    """A Store in a file: one connection per process.

    Args:
        path: The file, absolute.
        settings: See Store.
    """

    def __init__(self, path: str, settings: StoreSettings) -> None:
        self.name = f"file {path}"
        self._path = path
        self._account = settings.account
        self._settings = settings
        self._connection = FileConnection(path, settings.account, settings.now_s, log_of(settings.logger))
        self._has_more = False  # whether another session was due at the last claim
        self._at_work = threading.Lock()
        self._tidying = threading.Lock()
        self._tidied_at_s = 0.0
        pause_for_forks(self)
        renew_in_children(self)

    def add(self, entries: Sequence[Entry], due_s: float, /, promised: bool = False) -> int:
        """See Store."""

        def write(db: sqlite3.Connection) -> int:
            with transaction(db):
                excess = 0 if promised else self._excess(db, len(entries))
                if excess:
                    oldest = "SELECT seq FROM entry WHERE account = ? ORDER BY seq LIMIT ?"
                    db.execute(f"DELETE FROM entry WHERE seq IN ({oldest})", (self._account, excess))
                rows.insert(db, self._account, entries, due_s)
            return excess

        return self._run(write, adds=True)

    def claim(self, is_open: IsOpen, /) -> Claim | None:
        """See Store."""
        now_s = self._settings.now_s()
        ends_s = now_s + self._settings.lease_s

        def write(db: sqlite3.Connection) -> Claim | None:
            # The first look takes no lock, so that idle senders of many processes do not queue up for one.
            while self._has_more or rows.due_lanes(db, self._account, now_s, is_open):
                self._has_more = False
                with transaction(db):
                    lanes = rows.due_lanes(db, self._account, now_s, is_open)
                    if not lanes:
                        return None
                    session_id, state = lanes[0]
                    key = (self._account, session_id)
                    entries = rows.read_entries(db, key, MOST_PER_BATCH)
                    if not entries:  # all of them were dropped for newer ones
                        db.execute("DELETE FROM lane WHERE account = ? AND session_id = ?", key)
                        continue
                    token = secrets.token_hex(16)
                    leased = "UPDATE lane SET token = ?, lease_end_s = ? WHERE account = ? AND session_id = ?"
                    db.execute(leased, (token, ends_s, *key))
                self._has_more = len(lanes) > 1
                return Claim(token, state, session_id, entries, self._has_more, ends_s)
            return None

        return self._run(write)

    def settle(self, claim: Claim, settlement: Settlement, /) -> bool:
        """See Store."""
        key = (self._account, claim.session_id)

        def write(db: sqlite3.Connection) -> None:
            with transaction(db):
                rows.count_misses(db, settlement.missed)
                rows.bury(db, settlement.dead, [entry.seq for entry in settlement.acknowledged])
                if settlement.dead:
                    newest = "SELECT seq FROM dead WHERE account = ? ORDER BY seq DESC LIMIT -1 OFFSET ?"
                    db.execute(f"DELETE FROM dead WHERE seq IN ({newest})", (self._account, self._settings.max_pending))
                # Who lost the lease, or the whole file, must not touch what another one sends now.
                if not rows.free_lane(db, key, claim.token, settlement.state):
                    raise _LeaseLost

        try:
            self._run(write)
        except _LeaseLost:
            return False
        return True

    def next_due_s(self, is_open: IsOpen, /) -> float | None:
        """See Store."""
        now_s = self._settings.now_s()
        latest_due_s = now_s + self._settings.longest_wait_s
        latest_lease_s = now_s + 2 * self._settings.lease_s

        def read(db: sqlite3.Connection) -> float | None:
            if rows.has_odd_lanes(db, self._account, latest_due_s, latest_lease_s):
                with transaction(db):
                    rows.mend_lanes(db, self._account, now_s, latest_due_s, latest_lease_s)
            return rows.next_due_s(db, self._account, is_open)

        return self._run(read)

    def hurry(self) -> None:
        """See Store."""
        now_s = self._settings.now_s()
        due = "UPDATE lane SET due_s = ? WHERE account = ? AND due_s > ?"
        self._run(lambda db: db.execute(due, (now_s, self._account, now_s)))

    def mark(self) -> int:
        """See Store."""
        last = "SELECT max(seq) FROM entry WHERE account = ?"
        return self._run(lambda db: db.execute(last, (self._account,)).fetchone()[0] or 0)

    def passed(self, mark: int, /) -> bool:
        """See Store."""
        waits = "SELECT 1 FROM entry WHERE account = ? AND seq <= ? LIMIT 1"
        return self._run(lambda db: db.execute(waits, (self._account, mark)).fetchone()) is None

    def counts(self) -> Counts:
        """See Store."""
        return self._run(lambda db: Counts(self._count(db, "entry"), self._count(db, "dead")))

    def dead_letters(self) -> Sequence[Death]:
        """See Store."""
        return self._run(lambda db: rows.dead_letters(db, self._account))

    def revive(self) -> int:
        """See Store."""
        now = self._settings.now()

        def write(db: sqlite3.Connection) -> int:
            with transaction(db):
                room = max(0, self._settings.max_pending - self._count(db, "entry"))
                return rows.revive(db, self._account, room, now)

        return self._run(write, adds=True)

    def close(self) -> None:
        """See Store."""
        with self._at_work:
            self._connection.close()

    def before_fork(self) -> None:
        """Let no connection be open, nor the lock be held by another thread, while the process forks: SQLite's own
        record of who holds which lock would be wrong in the child, and parent and child would damage the file."""
        self._tidying.acquire()
        self._has_paused = self._at_work.acquire(timeout=FORK_S)
        if self._has_paused:
            self._connection.close()

    def after_fork_in_parent(self) -> None:
        """Go on."""
        if self._has_paused:
            self._at_work.release()
        self._tidying.release()

    def begin_anew(self) -> None:
        """See Store."""
        was_in_use = not (self._at_work.acquire(blocking=False) and self._tidying.acquire(blocking=False))
        self._at_work = threading.Lock()
        self._tidying = threading.Lock()
        self._connection.leave_to_parent(was_in_use)

    def _excess(self, db: sqlite3.Connection, added: int) -> int:
        # Counting takes as long as many wait; between the first and the last there are as many, or fewer.
        (span,) = db.execute("SELECT (SELECT max(seq) FROM entry) - (SELECT min(seq) FROM entry)").fetchone()
        is_roomy = (span or 0) + 1 + added <= self._settings.max_pending
        return 0 if is_roomy else self._settings.require_room(self._count(db, "entry"), added)

    def _count(self, db: sqlite3.Connection, table: str) -> int:
        return int(db.execute(f"SELECT count(*) FROM {table} WHERE account = ?", (self._account,)).fetchone()[0])

    def tidy(self) -> None:
        """See Store: now and then, carry the write-ahead log over into the file, which waits for the disk."""
        if monotonic_s() - self._tidied_at_s < _TIDY_S or not self._tidying.acquire(blocking=False):
            return
        try:
            tidy(self._path)  # over a connection of its own, so that nobody waits for the other
        finally:
            self._tidied_at_s = monotonic_s()
            self._tidying.release()

    def _run(self, work: Callable[[sqlite3.Connection], T], adds: bool = False) -> T:
        with self._at_work:
            return self._connection.work(work, adds)
