"""The outbox file on a real disk: shared, corrupt, removed, unwritable, full, and the memory behind it."""

from __future__ import annotations

import logging
import os
import signal
import sqlite3
import stat
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from target._outbox.durable import DurableStore
from target._outbox.schema import move_aside, open_file
from target._outbox.sqlite import SqliteStore
from target.protocols import LaneState, Settlement, StoreBroken
from tests.kit.outboxes import LOGGER, Clock, always, counted, entry, make_store, names, put
from tests.kit.processes import run_script


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def stores() -> Iterator[list[Any]]:
    made: list[Any] = []
    yield made
    for store in made:
        store.close()


@pytest.fixture
def open_store(path: Path, clock: Clock, stores: list[Any]) -> Any:
    def make(kind: str = "durable", where: Path = path, **options: Any) -> Any:
        stores.append(make_store(kind, where, clock, **options))
        return stores[-1]

    return make


def errors_in(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]


# --- the file


def test_only_its_owner_may_read_it(open_store: Any, path: Path) -> None:
    before = os.umask(0)
    try:
        put(open_store(), [entry("a")])
        files = sorted(path.parent.iterdir())
        assert {file.name for file in files} == {"outbox.db", "outbox.db-wal", "outbox.db-shm"}
        assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    finally:
        os.umask(before)


def test_the_file_is_in_wal_mode(open_store: Any, path: Path) -> None:
    put(open_store(), [entry("a")])
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()


def test_another_store_finds_what_the_first_left(open_store: Any) -> None:
    put(open_store(), [entry("a")])
    assert names(open_store().claim(always).entries) == ["a"]


def test_accounts_in_one_file_do_not_meet(open_store: Any) -> None:
    mine, theirs = open_store(account="mine", max_pending=2), open_store(account="theirs", max_pending=2)
    put(mine, [entry("a"), entry("b")])
    assert theirs.counts().pending == 0
    assert theirs.claim(always) is None
    put(theirs, [entry("c"), entry("d")])
    assert names(mine.claim(always).entries) == ["a", "b"]
    assert names(theirs.claim(always).entries) == ["c", "d"]


def test_the_bound_counts_all_processes(open_store: Any) -> None:
    first, second = (open_store("sqlite", max_pending=10_000) for _ in range(2))
    put(first, [entry(name) for name in counted("a", 6000)])
    put(second, [entry(name) for name in counted("b", 4000)])
    assert first.counts().pending == second.counts().pending == 10_000
    for store in (first, second):
        with pytest.raises(Exception, match="10000 notifications of at most 10000"):
            put(store, [entry("one too many")])


def test_many_open_a_new_file_at_once(open_store: Any) -> None:
    several = [open_store("sqlite", max_pending=1000) for _ in range(16)]
    failures: list[BaseException] = []

    def add(number: int) -> None:
        try:
            put(several[number], [entry(f"n{number}")])
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=add, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert several[0].counts().pending == 16


def test_a_killed_process_leaves_all_it_stored(path: Path, open_store: Any) -> None:
    script = """
        import os, signal, sys, time
        from pathlib import Path
        from tests.kit.outboxes import always, entry, make_store, put
        store = make_store("sqlite", Path(sys.argv[1]), time.time, max_pending=1000)
        for number in range(200):
            put(store, [entry(f"n{number}")])
        store.claim(always)
        print("stored", flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    """
    assert run_script(script, path, code=-signal.SIGKILL) == "stored\n"
    assert open_store().counts().pending == 200


# --- what may be wrong with it


@pytest.mark.parametrize("content", [b"This is no database. " * 500, b"SQLite format 3\0" + b"\xff" * 8000])
def test_a_corrupt_file_is_moved_aside_and_a_fresh_one_begun(
    content: bytes, path: Path, open_store: Any, caplog: pytest.LogCaptureFixture
) -> None:
    path.write_bytes(content)
    store = open_store()
    put(store, [entry("a")])
    assert store.volatile() == 0
    assert names(open_store().claim(always).entries) == ["a"]
    (aside,) = [file for file in path.parent.iterdir() if ".corrupt-" in file.name]
    assert aside.read_bytes() == content
    (message,) = errors_in(caplog)
    assert str(path) in message
    assert aside.name in message


def test_a_file_that_becomes_corrupt_in_use_is_moved_aside(
    path: Path, open_store: Any, caplog: pytest.LogCaptureFixture
) -> None:
    store = open_store()
    put(store, [entry(name, session_id=name) for name in counted("n", 1)])
    for name in counted("m", 80):
        put(store, [entry(name, session_id=name, envelope="x" * 2000)])
    claim = store.claim(always)
    store.close()
    content = bytearray(path.read_bytes())
    content[4096:] = os.urandom(len(content) - 4096)
    path.write_bytes(content)
    assert not store.settle(claim, Settlement(LaneState(0), acknowledged=claim.entries))
    put(store, [entry("new")])
    assert store.counts().pending == 1
    assert store.volatile() == 0
    assert sum("corrupt" in message for message in errors_in(caplog)) == 1


def test_only_the_first_of_several_moves_the_file(path: Path) -> None:
    path.write_bytes(b"This is no database. " * 500)
    assert move_aside(str(path)) is not None
    assert move_aside(str(path)) is None
    open_file(str(path), LOGGER).close()
    assert move_aside(str(path)) is None
    assert path.exists()


def test_a_removed_file_is_begun_anew(path: Path, open_store: Any, caplog: pytest.LogCaptureFixture) -> None:
    store = open_store()
    put(store, [entry("gone")])
    for file in path.parent.iterdir():
        file.unlink()
    put(store, [entry("kept")])
    assert names(open_store().claim(always).entries) == ["kept"]
    assert [message for message in errors_in(caplog) if "removed" in message]


def test_a_file_of_a_newer_version_is_left_alone(path: Path, open_store: Any, caplog: pytest.LogCaptureFixture) -> None:
    connection = open_file(str(path), LOGGER)
    connection.execute("PRAGMA user_version=99")
    connection.close()
    store = open_store()
    put(store, [entry("a")])
    assert store.volatile() == 1
    assert "newer version" in errors_in(caplog)[0]
    connection = sqlite3.connect(path)
    assert connection.execute("SELECT count(*) FROM entry").fetchone() == (0,)
    connection.close()


def test_a_file_that_cannot_be_made_falls_back_to_memory_and_is_tried_again(
    tmp_path: Path, clock: Clock, open_store: Any, caplog: pytest.LogCaptureFixture
) -> None:
    where = tmp_path / "missing" / "outbox.db"
    store: DurableStore = open_store(where=where)
    put(store, [entry("a")])
    put(store, [entry("b")])
    assert store.counts().pending == store.volatile() == 2
    (message,) = errors_in(caplog)  # once, not for each
    assert "memory" in message
    assert store.mark(20) is None  # nobody knows what a file holds that cannot be read
    where.parent.mkdir()
    put(store, [entry("c")])
    assert store.volatile() == 3
    store.tend()
    assert store.volatile() == 3  # it is not tried every time
    clock.now += 2
    store.tend()
    assert (store.counts().pending, store.volatile()) == (3, 0)
    assert "can be used again" in caplog.records[-1].getMessage()
    put(store, [entry("d", session_id="other")])
    assert (store.counts().pending, store.volatile()) == (4, 0)
    claims = [store.claim(always) for _ in range(2)]
    assert sorted(names(claim.entries) for claim in claims if claim is not None) == [["a", "b", "c"], ["d"]]
    for claim in claims:
        assert claim is not None
        assert store.settle(claim, Settlement(LaneState(0), acknowledged=claim.entries))
    assert store.counts().pending == 0


@pytest.mark.waits
def test_a_file_locked_for_long_does_not_stop_what_is_queued(path: Path, open_store: Any) -> None:
    store = open_store()
    put(store, [entry("a")])
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    put(store, [entry("b")])
    assert store.volatile() == 1
    other.execute("ROLLBACK")
    other.close()


def test_a_read_only_directory_falls_back_to_memory() -> None:
    script = """
        import logging, os, sys, time
        from pathlib import Path
        from tests.kit.outboxes import always, entry, make_store, put
        logging.basicConfig(stream=sys.stdout, format="%(levelname)s %(message)s")
        if os.geteuid() == 0:  # who may write anywhere
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
        store = make_store("durable", Path(sys.argv[1]) / "outbox.db", time.time)
        put(store, [entry("a")])
        print(store.counts().pending, store.volatile())
    """
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o555)
        said = run_script(script, folder).splitlines()
        assert os.listdir(folder) == []
    assert said[0].startswith("ERROR")
    assert "Permission denied" in said[0]
    assert said[1] == "1 1"


def test_a_full_disk_falls_back_to_memory(path: Path) -> None:
    script = """
        import json, logging, resource, sys, time
        from pathlib import Path
        from target.protocols import LaneState, Settlement
        from tests.kit.outboxes import always, entry, make_store, names, put
        logging.basicConfig(stream=sys.stdout, format="%(levelname)s %(message)s")
        now = [time.time()]
        store = make_store("durable", Path(sys.argv[1]), lambda: now[0], max_pending=5000)
        put(store, [entry("before")])
        resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, resource.RLIM_INFINITY))
        page = json.dumps({"body": {"context": {"address": {"url": "https://example.com/" + "x" * 3000}}}})
        for number in range(300):
            put(store, [entry(f"n{number}", session_id=f"s{number}", envelope=page)])
        now[0] += 60
        store.tend()
        print("pending", store.counts().pending, "volatile", store.volatile(), "mark", store.mark(20))
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        now[0] += 60
        store.tend()
        put(store, [entry("after")])
        print("pending", store.counts().pending, "volatile", store.volatile())
        sent = []
        while (claim := store.claim(always)) is not None:
            sent += names(claim.entries)
            assert store.settle(claim, Settlement(LaneState(0), acknowledged=claim.entries))
        print("sent", len(sent), len(set(sent)), store.counts().pending)
        store.close()
    """
    said = run_script(script, path).splitlines()
    assert sum(line.startswith("ERROR") for line in said) == 1, said
    assert "cannot be used" in said[0]
    full, after = (line.split() for line in said if line.startswith("pending"))
    assert full[1] == "301"
    assert 0 < int(full[3]) < 300
    assert after == ["pending", "302", "volatile", "0"]
    assert said[-1] == "sent 302 302 0"


def test_the_file_alone_says_when_it_is_broken(tmp_path: Path, open_store: Any) -> None:
    store: SqliteStore = open_store("sqlite", where=tmp_path / "missing" / "outbox.db")
    with pytest.raises(StoreBroken) as caught:
        put(store, [entry("a")])
    assert str(caught.value) == "No such file or directory"


# --- forks


def test_parent_and_child_share_the_file_after_a_fork(path: Path) -> None:
    script = """
        import os, sys, time
        from pathlib import Path
        from tests.kit.outboxes import always, entry, make_store, put
        store = make_store("sqlite", Path(sys.argv[1]), time.time, max_pending=10_000)
        put(store, [entry("parent-0")])
        children = []
        for child in range(4):
            process = os.fork()
            if process == 0:
                assert not store._connection.is_open  # nothing of SQLite's went through the fork
                for number in range(100):
                    put(store, [entry(f"{child}-{number}")])
                store.close()
                os._exit(0)
            children.append(process)
        for number in range(100):
            put(store, [entry(f"parent-{number}")])
        for process in children:
            assert os.waitpid(process, 0)[1] == 0
        print(store.counts().pending)
        store.close()
    """
    assert run_script(script, path) == "501\n"
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()


def test_what_is_in_memory_stays_with_the_parent() -> None:
    script = """
        import os
        from target.outbox import Outbox
        from tests.kit.outboxes import Wired
        made = Wired(Outbox.memory(flush_interval=100_000), "127.0.0.1:9")
        made.queue("a")
        process = os.fork()
        if process == 0:
            assert made.handle.pending == 0
            assert made.handle.counters["queued"] == 0
            made.queue("b")
            assert made.handle.pending == 1
            made.handle.close(0)
            os._exit(0)
        assert os.waitpid(process, 0)[1] == 0
        print(made.handle.pending)
        made.close(0)
    """
    assert run_script(script).endswith("1\n")
