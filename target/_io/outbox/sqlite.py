"""The store in an SQLite file, which outlives its process and may be shared by several on one host."""

from __future__ import annotations

import json
import logging
import secrets
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from target._io.forks import pause_for_forks, renew_in_children
from target._io.outbox.schema import inode_of, is_corrupt, move_aside, open_file, tidy, transaction, words_of
from target._io.outbox.store import Claim, Limits, Mark, StoreBroken
from target.delivery.outgoing import MOST_PER_BATCH, Entry, Lane, Settlement
from target.outbox import DeadLetter

T = TypeVar("T")

_STORED = "account, session_id, envelope, notification, telemetry, queued_at, since_s"
_INSERT = f"INSERT INTO entry ({_STORED}) VALUES (?, ?, ?, ?, ?, ?, ?)"

_TIDY_S = 1.0
_abandoned: list[sqlite3.Connection] = []


class SqliteStore:
    """A Store in a file: one connection per process, under one lock. Every method but ``close`` may raise StoreBroken.

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
        self._logger = logger
        self._connection: sqlite3.Connection | None = None
        self._inode = (0, 0)
        self._lock = threading.RLock()
        self._tidying = threading.Lock()
        self._tidied_at_s = 0.0
        pause_for_forks(self)
        renew_in_children(self)

    def add(self, entries: Sequence[Entry]) -> int:
        """See Store."""
        due_s = self._limits.now_s() + self._limits.flush_interval_s

        def write(db: sqlite3.Connection) -> int:
            with transaction(db):
                # Counting takes as long as many wait; between the first and the last there are as many, or fewer.
                (span,) = db.execute("SELECT (SELECT max(seq) FROM entry) - (SELECT min(seq) FROM entry)").fetchone()
                is_roomy = (span or 0) + 1 + len(entries) <= self._limits.max_pending
                excess = 0 if is_roomy else self._limits.require_room(self._count(db), len(entries))
                if excess:
                    oldest = "SELECT seq FROM entry WHERE account = ? ORDER BY seq LIMIT ?"
                    db.execute(f"DELETE FROM entry WHERE seq IN ({oldest})", (self._account, excess))
                self._add_lane(db, entries[0].session_id, due_s)
                db.executemany(_INSERT, [(self._account, *entry[1:7]) for entry in entries])
            return excess

        return self._run(write)

    def claim(self) -> Claim | None:
        """See Store."""
        now_s = self._limits.now_s()
        # The first look takes no lock, so that idle senders of many processes do not queue up for one.
        due = (
            "SELECT session_id, due_s, failures, suspects, status FROM lane"
            " WHERE account = ? AND due_s <= ? AND lease_end_s <= ? ORDER BY due_s LIMIT 2"
        )
        values = (self._account, now_s, now_s)

        def write(db: sqlite3.Connection) -> Claim | None:
            while db.execute(due, values).fetchone() is not None:
                with transaction(db):
                    rows = db.execute(due, values).fetchall()
                    if not rows:
                        return None
                    session_id, due_s, failures, suspects, status = rows[0]
                    key = (self._account, session_id)
                    found = db.execute(
                        "SELECT seq, session_id, envelope, notification, telemetry, queued_at, since_s, misses"
                        " FROM entry WHERE account = ? AND session_id = ? ORDER BY seq LIMIT ?",
                        (*key, MOST_PER_BATCH),
                    ).fetchall()
                    if not found:  # all of them were dropped for newer ones
                        db.execute("DELETE FROM lane WHERE account = ? AND session_id = ?", key)
                        continue
                    token = secrets.token_hex(16)
                    db.execute(
                        "UPDATE lane SET token = ?, lease_end_s = ? WHERE account = ? AND session_id = ?",
                        (token, now_s + self._limits.lease_s, *key),
                    )
                lane = Lane(due_s, failures, suspects, status)
                return Claim(token, lane, session_id, tuple(Entry(*row) for row in found), len(rows) > 1)
            return None

        return self._run(write)

    def settle(self, claim: Claim, settlement: Settlement) -> bool:
        """See Store."""
        key = (self._account, claim.session_id)
        lane = settlement.lane
        gone = [*settlement.acknowledged, *(death.entry for death in settlement.dead)]

        def write(db: sqlite3.Connection) -> bool:
            with transaction(db):
                # Who lost the lease, or the whole file, must not touch what another one sends now.
                freed = db.execute(
                    "UPDATE lane SET token = NULL, lease_end_s = 0, due_s = ?, failures = ?, suspects = ?, status = ?"
                    " WHERE account = ? AND session_id = ? AND token = ?",
                    (lane.due_s, lane.failures, lane.suspects, lane.status, *key, claim.token),
                )
                if freed.rowcount == 0:
                    return False
                db.executemany(
                    "UPDATE entry SET misses = misses + 1 WHERE seq = ?", [(entry.seq,) for entry in settlement.missed]
                )
                db.executemany(
                    f"INSERT INTO dead (reason, status, {_STORED}) SELECT ?, ?, {_STORED} FROM entry WHERE seq = ?",
                    [(reason, status, entry.seq) for entry, reason, status in settlement.dead],
                )
                db.executemany("DELETE FROM entry WHERE seq = ?", [(entry.seq,) for entry in gone])
                if settlement.dead:
                    newest = "SELECT seq FROM dead WHERE account = ? ORDER BY seq DESC LIMIT -1 OFFSET ?"
                    db.execute(f"DELETE FROM dead WHERE seq IN ({newest})", (self._account, self._limits.max_pending))
                left = "SELECT 1 FROM entry WHERE account = ? AND session_id = ?"
                db.execute(
                    f"DELETE FROM lane WHERE account = ? AND session_id = ? AND NOT EXISTS ({left})", (*key, *key)
                )
            return True

        settled = self._run(write)
        self._tidy()
        return settled

    def next_due_s(self) -> float | None:
        """See Store."""
        now_s = self._limits.now_s()
        latest_due_s = self._limits.latest_due_s(now_s)
        latest_lease_s = now_s + 2 * self._limits.lease_s

        def read(db: sqlite3.Connection) -> float | None:
            found = db.execute(
                "SELECT min(max(due_s, lease_end_s)), max(due_s), max(lease_end_s) FROM lane WHERE account = ?",
                (self._account,),
            ).fetchone()
            if found[0] is not None and (found[1] > latest_due_s or found[2] > latest_lease_s):
                self._logger.warning("The clock was set back: notifications in the outbox no longer wait for it")
                with transaction(db):
                    db.execute(
                        "UPDATE lane SET due_s = min(due_s, ?), lease_end_s = min(lease_end_s, ?) WHERE account = ?",
                        (now_s, now_s + self._limits.lease_s, self._account),
                    )
                return now_s
            return None if found[0] is None else float(found[0])

        return self._run(read)

    def hurry(self) -> None:
        """See Store."""
        now_s = self._limits.now_s()
        due = "UPDATE lane SET due_s = ? WHERE account = ? AND due_s > ?"
        self._run(lambda db: db.execute(due, (now_s, self._account, now_s)))

    def mark(self) -> Mark:
        """See Store."""
        last = "SELECT max(seq) FROM entry WHERE account = ?"
        return (self._run(lambda db: db.execute(last, (self._account,)).fetchone()[0]),)

    def passed(self, mark: Mark) -> bool:
        """See Store."""
        values = (self._account, mark[0] or 0)
        waits = "SELECT 1 FROM entry WHERE account = ? AND seq <= ? LIMIT 1"
        return self._run(lambda db: db.execute(waits, values).fetchone()) is None

    def pending(self) -> int:
        """See Store."""
        return self._run(self._count)

    def dead_letters(self) -> list[DeadLetter]:
        """See Store."""
        dead = "SELECT notification, reason, status, queued_at FROM dead WHERE account = ? ORDER BY seq"
        rows = self._run(lambda db: db.execute(dead, (self._account,)).fetchall())
        return [DeadLetter(json.loads(notification), *rest) for notification, *rest in rows]

    def revive(self) -> int:
        """See Store."""
        now_s = self._limits.now_s()

        def write(db: sqlite3.Connection) -> int:
            with transaction(db):
                room = max(0, self._limits.max_pending - self._count(db))
                rows = db.execute(
                    f"SELECT seq, {_STORED} FROM dead WHERE account = ? ORDER BY seq LIMIT ?", (self._account, room)
                ).fetchall()
                for _, _, session_id, *_ in rows:
                    self._add_lane(db, session_id, now_s)
                db.executemany(_INSERT, [(*row[1:5], None, row[6], now_s) for row in rows])
                db.executemany("DELETE FROM dead WHERE seq = ?", [(row[0],) for row in rows])
            return len(rows)

        return self._run(write)

    def volatile(self) -> int:
        """See Store: what is in the file stays."""
        return 0

    def close(self) -> None:
        """See Store."""
        with self._lock:
            connection, self._connection = self._connection, None
            if connection is not None:
                connection.close()

    def forget(self) -> None:
        """See Store: the file belongs to the child as well."""

    def before_fork(self) -> None:
        """Let no connection be open, nor the lock be held by another thread, while the process forks: SQLite's own
        record of who holds which lock would be wrong in the child, and parent and child would damage the file."""
        self._tidying.acquire()
        self._lock.acquire()
        self.close()

    def after_fork_in_parent(self) -> None:
        """Go on."""
        self._lock.release()
        self._tidying.release()

    def begin_anew(self) -> None:
        """In a forked child: go on, with locks of one's own."""
        self._lock, self._tidying = threading.RLock(), threading.Lock()
        if self._connection is not None:  # forked by other than Python's means, which told nobody before
            _abandoned.append(self._connection)  # to close it would meddle with the parent's
            self._connection = None

    def _count(self, db: sqlite3.Connection) -> int:
        return int(db.execute("SELECT count(*) FROM entry WHERE account = ?", (self._account,)).fetchone()[0])

    def _add_lane(self, db: sqlite3.Connection, session_id: str, due_s: float) -> None:
        values = (self._account, session_id, due_s)
        db.execute("INSERT OR IGNORE INTO lane (account, session_id, due_s) VALUES (?, ?, ?)", values)

    def _tidy(self) -> None:
        """Now and then, carry the write-ahead log over into the file: a sender's task, since it waits for the disk."""
        if time.monotonic() - self._tidied_at_s < _TIDY_S or not self._tidying.acquire(blocking=False):
            return
        try:
            tidy(self._path)  # over a connection of its own, so that nobody waits for this one's lock
        finally:
            self._tidied_at_s = time.monotonic()
            self._tidying.release()

    def _run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        with self._lock:
            try:
                return self._attempt(work)
            except (sqlite3.Error, OSError) as error:
                if not is_corrupt(error):
                    raise StoreBroken(words_of(error)) from error
            try:
                aside = move_aside(self._path)
                if aside is not None:
                    self._logger.error("The outbox file %s is corrupt: moved to %s, begun anew", self._path, aside)
                return self._attempt(work)
            except (sqlite3.Error, OSError) as error:
                raise StoreBroken(words_of(error)) from error

    def _attempt(self, work: Callable[[sqlite3.Connection], T]) -> T:
        try:
            return work(self._open())
        except (sqlite3.Error, OSError, StoreBroken):
            self.close()  # what went wrong may be gone with the next connection
            raise

    def _open(self) -> sqlite3.Connection:
        if self._connection is not None:
            # A file that was moved or deleted would take what is queued and keep it from every later process.
            try:
                if inode_of(self._path) == self._inode:
                    return self._connection
            except FileNotFoundError:
                self._logger.error("The outbox file %s was removed, with what waited in it: begun anew", self._path)
            self.close()
        self._connection = open_file(self._path)
        self._inode = inode_of(self._path)
        return self._connection
