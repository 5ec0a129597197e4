"""Whose the outbox file is: made its owner's alone, or refused; and a database that is no outbox is left alone."""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from target._outbox import ownership, schema
from target._outbox.schema import open_file
from target.loggers import Log
from target.protocols import LaneState, Settlement, StoreBroken
from tests.kit.outboxes import LOGGER, Clock, always, entry, make_store, names, put

NOBODY = 65534
as_root = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only the superuser can give files away"
)


@pytest.fixture
def store(path: Path) -> Iterator[Any]:
    made = make_store("durable", path, Clock())
    yield made
    made.close()


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def make_outbox_file(path: Path) -> None:
    open_file(str(path), LOGGER).close()


# --- modes


@pytest.mark.parametrize("mode", [0o644, 0o666, 0o640, 0o604, 0o777])
def test_an_existing_file_that_others_could_use_is_made_its_owners(
    path: Path, store: Any, mode: int, caplog: pytest.LogCaptureFixture
) -> None:
    make_outbox_file(path)
    path.chmod(mode)
    put(store, [entry("a")])
    assert store.volatile() == 0
    assert {file.name: mode_of(file) & 0o077 for file in path.parent.iterdir()} == dict.fromkeys(
        ["outbox.db", "outbox.db-wal", "outbox.db-shm"], 0
    )
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert f"mode {mode:o}" in caplog.text


def test_an_empty_file_that_everyone_may_read_is_made_its_owners(path: Path, store: Any) -> None:
    path.touch()
    path.chmod(0o644)
    put(store, [entry("a")])
    assert {mode_of(file) for file in path.parent.iterdir()} == {0o600}


def test_what_sqlite_keeps_beside_the_file_is_made_its_owners(path: Path, store: Any) -> None:
    keeper = open_file(str(path), LOGGER)  # so that -wal and -shm stay
    keeper.execute("BEGIN IMMEDIATE")
    keeper.execute("COMMIT")
    for suffix in ("-wal", "-shm"):
        Path(f"{path}{suffix}").chmod(0o666)
    put(store, [entry("a")])
    assert {file.name: mode_of(file) for file in path.parent.iterdir()} == dict.fromkeys(
        ["outbox.db", "outbox.db-wal", "outbox.db-shm"], 0o600
    )
    keeper.close()


def test_a_file_that_is_swapped_while_in_use_is_checked_anew(path: Path, store: Any) -> None:
    put(store, [entry("a")])
    for file in path.parent.iterdir():
        file.unlink()
    make_outbox_file(path)
    path.chmod(0o644)
    put(store, [entry("b")])
    assert mode_of(path) == 0o600


# --- owners and links


@as_root
@pytest.mark.parametrize("suffix", ["", "-wal", "-shm", "-journal"])
def test_what_another_user_owns_is_refused(
    path: Path, store: Any, suffix: str, caplog: pytest.LogCaptureFixture
) -> None:
    make_outbox_file(path)
    theirs = Path(f"{path}{suffix}")
    theirs.touch()
    os.chown(theirs, NOBODY, NOBODY)
    content = theirs.read_bytes()
    put(store, [entry("a")])
    assert (store.counts().pending, store.volatile()) == (1, 1)
    assert "belongs to another user" in caplog.text
    assert theirs.read_bytes() == content


@as_root
def test_a_link_that_another_user_made_is_refused(tmp_path: Path, store: Any, caplog: pytest.LogCaptureFixture) -> None:
    elsewhere = tmp_path / "elsewhere"
    (tmp_path / "outbox.db").symlink_to(elsewhere)
    os.lchown(tmp_path / "outbox.db", NOBODY, NOBODY)
    put(store, [entry("a")])
    assert store.volatile() == 1
    assert "a link that another user made" in caplog.text
    assert not elsewhere.exists()


def test_ones_own_link_is_followed(tmp_path: Path, path: Path, store: Any) -> None:
    (tmp_path / "disk").mkdir()
    path.symlink_to(tmp_path / "disk" / "real.db")
    put(store, [entry("a")])
    assert store.volatile() == 0
    assert {file.name for file in (tmp_path / "disk").iterdir()} == {"real.db", "real.db-wal", "real.db-shm"}
    assert mode_of(tmp_path / "disk" / "real.db") == 0o600
    assert names(store.claim(always).entries) == ["a"]


@pytest.mark.parametrize("suffix", ["-wal", "-shm", "-journal"])
def test_a_link_beside_the_file_is_refused(path: Path, store: Any, suffix: str) -> None:
    make_outbox_file(path)
    victim = path.with_name("victim")
    victim.write_text("mine")
    Path(f"{path}{suffix}").symlink_to(victim)
    put(store, [entry("a")])
    assert store.volatile() == 1
    assert victim.read_text() == "mine"


@pytest.mark.parametrize("kind", ["fifo", "folder"])
def test_what_is_no_ordinary_file_is_refused(path: Path, store: Any, kind: str) -> None:
    os.mkfifo(path) if kind == "fifo" else path.mkdir()
    put(store, [entry("a")])
    assert (store.counts().pending, store.volatile()) == (1, 1)


@pytest.mark.parametrize(("mode", "is_told"), [(0o777, True), (0o1777, False), (0o700, False), (0o775, False)])
def test_a_folder_that_everyone_may_write_to_is_told_of_once(
    path: Path, store: Any, mode: int, is_told: bool, caplog: pytest.LogCaptureFixture
) -> None:
    path.parent.chmod(mode)
    put(store, [entry("a")])
    store.close()
    put(store, [entry("b")])
    told = [record for record in caplog.records if "remove or replace" in record.getMessage()]
    assert len(told) == is_told
    assert store.volatile() == 0


def test_a_lock_file_that_is_a_link_is_not_followed(path: Path) -> None:
    path.write_bytes(b"This is no database. " * 500)
    victim = path.with_name("victim")
    Path(f"{path}.lock").symlink_to(victim)
    with pytest.raises(OSError, match="symbolic links"):
        schema.move_aside(str(path))
    assert not victim.exists()


def test_without_owners_and_modes_there_is_nothing_to_check(
    path: Path, store: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(ownership.os, "geteuid")  # type: ignore[attr-defined]
    put(store, [entry("a")])
    assert store.volatile() == 0


# --- databases that are no outbox


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TRIGGER again AFTER DELETE ON entry BEGIN DELETE FROM lane; END",
        "CREATE VIEW more AS SELECT * FROM entry",
        "DROP INDEX lane_due",
        "DROP TABLE dead",
        "ALTER TABLE entry ADD COLUMN more TEXT",
    ],
)
def test_other_tables_than_an_outboxs_are_refused(
    path: Path, store: Any, statement: str, caplog: pytest.LogCaptureFixture
) -> None:
    make_outbox_file(path)
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute(statement)
    put(store, [entry("a")])
    assert store.volatile() == 1
    assert "not those of an outbox" in caplog.text


def test_another_programs_database_is_left_alone(path: Path, store: Any, caplog: pytest.LogCaptureFixture) -> None:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE orders (id)")
    put(store, [entry("a")])
    assert store.volatile() == 1
    assert "another program" in caplog.text
    with contextlib.closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("orders",)]


VERSION_1 = """
CREATE TABLE entry (seq INTEGER PRIMARY KEY AUTOINCREMENT, misses INTEGER NOT NULL DEFAULT 0, account TEXT NOT NULL,
    session_id TEXT NOT NULL, envelope TEXT NOT NULL, notification TEXT NOT NULL, telemetry TEXT,
    queued_at INTEGER NOT NULL, since_s REAL NOT NULL);
CREATE INDEX entry_of_session ON entry (account, session_id, seq);
CREATE TABLE dead (seq INTEGER PRIMARY KEY AUTOINCREMENT, reason TEXT NOT NULL, status INTEGER, account TEXT NOT NULL,
    session_id TEXT NOT NULL, envelope TEXT NOT NULL, notification TEXT NOT NULL, telemetry TEXT,
    queued_at INTEGER NOT NULL, since_s REAL NOT NULL);
CREATE INDEX dead_of_account ON dead (account, seq);
CREATE TABLE lane (account TEXT NOT NULL, session_id TEXT NOT NULL, due_s REAL NOT NULL,
    failures INTEGER NOT NULL DEFAULT 0, suspects INTEGER NOT NULL DEFAULT 0, status INTEGER, token TEXT,
    lease_end_s REAL NOT NULL DEFAULT 0, PRIMARY KEY (account, session_id)) WITHOUT ROWID;
CREATE INDEX lane_due ON lane (account, due_s);
PRAGMA user_version=1;
"""


def test_what_the_version_before_left_is_taken_over(path: Path, store: Any) -> None:
    envelope = '{"body":{"property":{"token":"p"}},"cluster":"38"}'
    item = entry("a").notification
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.executescript(VERSION_1)
        for seq, text in ((7, envelope), (9, "no json"), (10, b'{"cluster":"x"}')):
            connection.execute(
                "INSERT INTO entry VALUES (?, 0, 'acme', ?, ?, ?, NULL, 5, 1.5)", (seq, f"s{seq}", text, item)
            )
        connection.execute("INSERT INTO lane (account, session_id, due_s) VALUES ('acme', 's7', 9e9)")
        connection.execute(
            "INSERT INTO dead VALUES (3, 'refused', 400, 'acme', 's', ?, ?, NULL, 4, 1.5)", (envelope, item)
        )
    claims = [store.claim(always) for _ in range(3)]
    assert sorted(claim.session_id for claim in claims) == ["s10", "s7", "s9"]
    (taken,) = [item for claim in claims for item in claim.entries]
    assert (taken.seq, taken.cluster, taken.queued_at, taken.since.wall_s) == (7, "38", 5, 1.5)
    assert taken.envelope == envelope
    for claim in claims:
        assert store.settle(claim, Settlement(LaneState(0), claim.entries, dead=claim.unreadable))
    assert sorted((letter.reason, letter.status) for letter in store.dead_letters()) == [
        ("refused", 400),
        ("unreadable", None),
        ("unreadable", None),
    ]
    put(store, [entry("new", session_id="new")])
    assert store.claim(always).entries[0].seq == 11


def test_a_refused_file_says_why_without_what_it_holds(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE secret_orders (id)")
    with pytest.raises(StoreBroken) as caught:
        open_file(str(path), Log(logging.getLogger("x")))
    assert str(caught.value) == "it is another program's database"
