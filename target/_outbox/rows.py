"""The statements of the outbox file. What it holds is of unknown origin, types included; who asks for it checks it."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

from target.delivery.entries import MOST_CHARACTERS
from target.protocols import Death, Entry, IsOpen, LaneState, Moment

#: Account and session, of whatever type that was stored.
Key = tuple[str, Any]

_STORED = "account, session_id, cluster, envelope, notification, telemetry, queued_at, since_s, steady_s"
_INSERT = f"INSERT INTO entry (misses, {_STORED}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_ADD_LANE = "INSERT OR IGNORE INTO lane (account, session_id, cluster, due_s) VALUES (?, ?, ?, ?)"
_TEXTS = ("envelope", "notification", "telemetry")
# What is too large is not even fetched.
_SIZE = " + ".join(f"coalesce(length({name}), 0)" for name in _TEXTS)
_BOUNDED = ", ".join(f"CASE WHEN {_SIZE} <= {MOST_CHARACTERS} THEN {name} END" for name in _TEXTS)
_ODD_NUMBER = " OR ".join(f"typeof({name}) NOT IN ('real', 'integer')" for name in ("due_s", "lease_end_s"))
_ODD = f"({_ODD_NUMBER} OR due_s > ? OR lease_end_s > ?)"
_REVIVABLE = ("refused", "unacknowledged", "expired")  # and nothing that this version does not know


def insert(db: sqlite3.Connection, account: str, entries: Sequence[Entry], due_s: float) -> None:
    """Add ``entries``, of one session, which is due then unless it is due already."""
    first = entries[0]
    db.execute(_ADD_LANE, (account, first.session_id, first.cluster, due_s))
    db.executemany(_INSERT, [(entry.misses, account, *entry[1:7], *entry.since) for entry in entries])


def due_lanes(db: sqlite3.Connection, account: str, now_s: float, is_open: IsOpen) -> list[tuple[Any, LaneState]]:
    """The first session that has been due for longest and may be sent, and the one after it."""
    found = db.execute(
        "SELECT session_id, cluster, due_s, failures, suspects, status, message FROM lane"
        " WHERE account = ? AND due_s <= ? AND lease_end_s <= ? ORDER BY due_s",
        (account, now_s, now_s),
    )
    lanes: list[tuple[Any, LaneState]] = []
    for session_id, cluster, *state in found:
        if is_open(cluster):
            lanes.append((session_id, LaneState(*state)))
            if len(lanes) == 2:
                break
    found.close()
    return lanes


def read_entries(db: sqlite3.Connection, key: Key, most: int) -> tuple[Entry, ...]:
    """The first entries of a session."""
    found = db.execute(
        f"SELECT seq, session_id, cluster, {_BOUNDED}, queued_at, since_s, steady_s, misses FROM entry"
        " WHERE account = ? AND session_id = ? ORDER BY seq LIMIT ?",
        (*key, most),
    )
    return tuple(Entry._make([*row, Moment(wall_s, steady_s), misses]) for *row, wall_s, steady_s, misses in found)


def bury(db: sqlite3.Connection, dead: Sequence[Death], gone: Sequence[int]) -> None:
    """Make dead letters of ``dead``, and remove the entries that are gone."""
    if dead:
        db.executemany(
            f"INSERT INTO dead (reason, status, message, {_STORED}) SELECT ?, ?, ?, {_STORED} FROM entry WHERE seq = ?",
            [(reason, status, message, entry.seq) for entry, reason, status, message in dead],
        )
    removed = {*gone, *(death.entry.seq for death in dead)}
    db.executemany("DELETE FROM entry WHERE seq = ?", [(seq,) for seq in removed])


def count_misses(db: sqlite3.Connection, missed: Sequence[Entry]) -> None:
    """An answer of success did not list them."""
    if missed:
        db.executemany("UPDATE entry SET misses = misses + 1 WHERE seq = ?", [(entry.seq,) for entry in missed])


def free_lane(db: sqlite3.Connection, key: Key, token: str, state: LaneState) -> bool:
    """Give the session back, or forget it when it has no entry left. False when ``token`` does not hold it any more."""
    mine = "WHERE account = ? AND session_id = ? AND token = ?"
    left = "FROM entry WHERE account = ? AND session_id = ?"
    forgotten = db.execute(f"DELETE FROM lane {mine} AND NOT EXISTS (SELECT 1 {left})", (*key, token, *key))
    if forgotten.rowcount > 0:
        return True
    freed = db.execute(
        "UPDATE lane SET token = NULL, lease_end_s = 0, due_s = ?, failures = ?, suspects = ?, status = ?, message = ?,"
        f" cluster = (SELECT cluster {left} ORDER BY seq LIMIT 1) {mine}",
        (*state, *key, *key, token),
    )
    return freed.rowcount > 0


def next_due_s(db: sqlite3.Connection, account: str, is_open: IsOpen) -> float | None:
    """When the next session that may be sent is due and free."""
    clusters = db.execute(
        "SELECT cluster, min(max(due_s, lease_end_s)) FROM lane WHERE account = ? GROUP BY cluster", (account,)
    ).fetchall()
    return min((due_s for cluster, due_s in clusters if is_open(cluster)), default=None)


def has_odd_lanes(db: sqlite3.Connection, account: str, latest_due_s: float, latest_lease_s: float) -> bool:
    """Whether a session would never be due, or some entries are of none: the machine started again, or worse."""
    odd = f"SELECT 1 FROM lane WHERE account = ? AND {_ODD} LIMIT 1"
    if db.execute(odd, (account, latest_due_s, latest_lease_s)).fetchone() is not None:
        return True
    orphan = (
        "SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM lane WHERE account = ?)"
        " AND EXISTS (SELECT 1 FROM entry WHERE account = ?)"
    )
    return db.execute(orphan, (account, account)).fetchone() is not None


def mend_lanes(db: sqlite3.Connection, account: str, now_s: float, latest_due_s: float, latest_lease_s: float) -> None:
    """Let each odd session be due now, and each entry have a session."""
    db.execute(
        f"UPDATE lane SET due_s = ?, token = NULL, lease_end_s = 0 WHERE account = ? AND {_ODD}",
        (now_s, account, latest_due_s, latest_lease_s),
    )
    add_missing_lanes(db, account, now_s)


def add_missing_lanes(db: sqlite3.Connection, account: str, now_s: float) -> None:
    """Let each entry have a session."""
    db.execute(
        "INSERT OR IGNORE INTO lane (account, session_id, cluster, due_s) SELECT account, session_id, cluster, ?"
        " FROM entry WHERE account = ? GROUP BY session_id HAVING NOT EXISTS (SELECT 1 FROM lane WHERE"
        " lane.account = entry.account AND lane.session_id = entry.session_id)",
        (now_s, account),
    )


def dead_letters(db: sqlite3.Connection, account: str) -> list[Death]:
    """What was given up, oldest first; of its entries, what there is to tell."""
    bounded = f"CASE WHEN length(notification) <= {MOST_CHARACTERS} THEN notification END"
    found = db.execute(
        f"SELECT seq, {bounded}, queued_at, since_s, steady_s, reason, status, message FROM dead WHERE account = ?"
        " ORDER BY seq",
        (account,),
    )
    return [
        Death(Entry(seq, "", None, "", text, None, queued_at, Moment(wall_s, steady_s)), *told)
        for seq, text, queued_at, wall_s, steady_s, *told in found
    ]


def revive(db: sqlite3.Connection, account: str, most: int, now: Moment) -> int:
    """Make entries of the oldest dead letters that could be read: how many."""
    found = db.execute(
        "SELECT seq, session_id, cluster FROM dead WHERE account = ? AND reason IN (?, ?, ?) ORDER BY seq LIMIT ?",
        (account, *_REVIVABLE, most),
    ).fetchall()
    kept = "account, session_id, cluster, envelope, notification"
    for seq, session_id, cluster in found:
        db.execute(_ADD_LANE, (account, session_id, cluster, now.steady_s))
        db.execute(
            f"INSERT INTO entry ({kept}, queued_at, since_s, steady_s)"
            f" SELECT {kept}, queued_at, ?, ? FROM dead WHERE seq = ?",
            (*now, seq),
        )
        db.execute("DELETE FROM dead WHERE seq = ?", (seq,))
    return len(found)
