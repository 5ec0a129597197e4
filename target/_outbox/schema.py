"""The outbox file: its tables, how it is opened, and how one that is corrupt is moved out of the way."""

from __future__ import annotations

import contextlib
import functools
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from target._background.clock import monotonic_s
from target._outbox.ownership import SUFFIXES, open_lock, own, real_path
from target.loggers import Log
from target.protocols import StoreBroken

VERSION = 2
BUSY_S = 1.0
_CORRUPT = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
# After these the connection is as good as before.
_PASSING = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL)
_COLUMNS = """
    account TEXT NOT NULL,
    session_id TEXT NOT NULL,
    cluster TEXT,
    envelope TEXT NOT NULL,
    notification TEXT NOT NULL,
    telemetry TEXT,
    queued_at INTEGER NOT NULL,
    since_s REAL NOT NULL,
    steady_s REAL NOT NULL
"""
# AUTOINCREMENT, so that the number of an entry that is gone is never given to another.
_TABLES = f"""
CREATE TABLE entry (seq INTEGER PRIMARY KEY AUTOINCREMENT, misses INTEGER NOT NULL DEFAULT 0, {_COLUMNS});
CREATE INDEX entry_of_session ON entry (account, session_id, seq);
CREATE TABLE dead (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, reason TEXT NOT NULL, status INTEGER, message TEXT, {_COLUMNS}
);
CREATE INDEX dead_of_account ON dead (account, seq);
CREATE TABLE lane (
    account TEXT NOT NULL,
    session_id TEXT NOT NULL,
    cluster TEXT,
    due_s REAL NOT NULL,
    failures INTEGER NOT NULL DEFAULT 0,
    suspects INTEGER NOT NULL DEFAULT 0,
    status INTEGER,
    message TEXT,
    token TEXT,
    lease_end_s REAL NOT NULL DEFAULT 0,
    PRIMARY KEY (account, session_id)
) WITHOUT ROWID;
CREATE INDEX lane_due ON lane (account, due_s);
"""
# What the version before kept, with due times and leases by the time of day, which is known no more.
_CLUSTER = "CASE WHEN typeof(envelope) = 'text' AND json_valid(envelope) THEN json_extract(envelope, '$.cluster') END"
_FROM_1 = f"""
ALTER TABLE entry RENAME TO old_entry;
ALTER TABLE dead RENAME TO old_dead;
DROP TABLE lane;
DROP INDEX entry_of_session;
DROP INDEX dead_of_account;
{_TABLES}
INSERT INTO entry SELECT seq, misses, account, session_id, {_CLUSTER}, envelope, notification, telemetry, queued_at,
    since_s, -1 FROM old_entry;
INSERT INTO dead SELECT seq, reason, status, NULL, account, session_id, {_CLUSTER}, envelope, notification, telemetry,
    queued_at, since_s, -1 FROM old_dead;
DROP TABLE old_entry;
DROP TABLE old_dead
"""
_SHAPE = "SELECT type, name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name"


def open_file(path: str, logger: Log) -> sqlite3.Connection:
    """A connection to the outbox file at ``path``, made if need be; any thread may use it, one at a time.

    Raises:
        StoreBroken: It is another user's, is no outbox, or a newer version of this package wrote it.
        sqlite3.Error: It cannot be opened, or is no such file.
        OSError: It cannot be made.
    """
    path = real_path(path)
    own(path, logger)
    connection = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
    try:
        connection.text_factory = _read_text
        _use_wal(connection)
        # A commit is with the operating system when it returns, which is what a killed process needs. Waiting for the
        # disk as well (FULL) would add milliseconds to every call that queues, and help only when the power fails.
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.execute("PRAGMA journal_size_limit=4194304")
        # Senders see to it every second (``tidy``); here only where they cannot keep up.
        connection.execute("PRAGMA wal_autocheckpoint=10000")
        if _version(connection) != VERSION:
            with transaction(connection):
                _create(connection)
        # A trigger or a view would do at every write whatever who made it wants.
        if connection.execute(_SHAPE).fetchall() != _shape():
            raise StoreBroken("its tables are not those of an outbox")
    except BaseException:
        connection.close()
        raise
    return connection


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """One writing transaction: all of it or, when anything is raised, nothing."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        with contextlib.suppress(sqlite3.Error):  # a full disk has rolled it back already
            connection.execute("ROLLBACK")
        raise


def tidy(path: str) -> None:
    """Carry what the write-ahead log holds over into the file. Others may read and write meanwhile."""
    # Whatever goes wrong here goes wrong for those who write, too, and they say so.
    with contextlib.suppress(sqlite3.Error), contextlib.closing(_open_existing(path)) as connection:
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.execute("PRAGMA wal_checkpoint(PASSIVE)")


def is_corrupt(error: Exception) -> bool:
    """Whether ``error`` says that the file is not, or no longer, a database."""
    return _code_of(error) in _CORRUPT


def is_passing(error: Exception) -> bool:
    """Whether ``error`` says that the file is locked or its disk full, and nothing worse."""
    return _code_of(error) in _PASSING or getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_IOERR_WRITE


def inode_of(path: str) -> tuple[int, int]:
    """Which file ``path`` names now. Raises OSError."""
    found = os.stat(path)
    return found.st_dev, found.st_ino


def words_of(error: Exception) -> str:
    """What the system says of ``error``, without the path, which the log names anyway."""
    return (error.strerror if isinstance(error, OSError) else str(error)) or type(error).__name__


def move_aside(path: str) -> str | None:
    """Give a corrupt file, and what belongs to it, a new name: that name, or None where another process was faster.

    Raises:
        OSError: It cannot be renamed.
    """
    path = os.path.realpath(path)
    with open(open_lock(f"{path}.lock")) as lock:
        with contextlib.suppress(ImportError):  # Windows has none, and renames no file that another process has open
            import fcntl

            fcntl.flock(lock, fcntl.LOCK_EX)
        if _is_sound(path):
            return None
        aside = f"{path}.corrupt-{time.time_ns()}"
        for suffix in SUFFIXES:
            with contextlib.suppress(FileNotFoundError):
                os.rename(path + suffix, aside + suffix)
        return aside


def _code_of(error: Exception) -> int | None:
    code = getattr(error, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF  # the low byte; the rest says more precisely what


def _read_text(raw: bytes) -> str:
    return raw.decode(errors="replace")  # what is no text makes its row unreadable, not the whole file


def _open_existing(path: str) -> sqlite3.Connection:
    return sqlite3.connect(f"{Path(path).as_uri()}?mode=rw", timeout=BUSY_S, uri=True)


def _is_sound(path: str) -> bool:
    try:
        with contextlib.closing(_open_existing(path)) as connection:
            return bool(connection.execute("PRAGMA integrity_check(1)").fetchone() == ("ok",))
    except sqlite3.DatabaseError as error:
        return not is_corrupt(error)


def _use_wal(connection: sqlite3.Connection) -> None:
    """Several processes may open a new file at once, and SQLite does not wait for its turn where it changes this."""
    give_up_at = monotonic_s() + BUSY_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if _code_of(error) != sqlite3.SQLITE_BUSY or monotonic_s() > give_up_at:
                raise
            time.sleep(0.005)
        else:
            return


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _create(connection: sqlite3.Connection) -> None:
    version = _version(connection)
    if version == VERSION:  # another process has just made it
        return
    if version > VERSION:
        raise StoreBroken(f"a newer version of this package wrote it (schema {version}, this one knows {VERSION})")
    if version == 0 and connection.execute(_SHAPE).fetchone() is not None:
        raise StoreBroken("it is another program's database")
    for statement in (_FROM_1 if version == 1 else _TABLES).split(";"):
        connection.execute(statement)
    connection.execute(f"PRAGMA user_version={VERSION}")


@functools.cache
def _shape() -> list[tuple[str, str, str]]:
    with contextlib.closing(sqlite3.connect(":memory:")) as connection:
        _create(connection)
        return connection.execute(_SHAPE).fetchall()
