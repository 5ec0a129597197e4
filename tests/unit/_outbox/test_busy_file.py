"""A file that is locked, slow, full, read-only or gone: nobody who queues is kept, nothing is lost, and all is told."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
from pathlib import Path

import pytest

from target._outbox.durable import DurableStore
from target._outbox.store import LOOK_S
from target.errors import OutboxFull
from target.outbox import Outbox
from tests.kit.calls import eventually
from tests.kit.loopback import LoopbackServer
from tests.kit.outboxes import (
    CALLERS,
    SOON_S,
    Clock,
    Wired,
    always,
    counted,
    entry,
    ids_of,
    locked,
    make_store,
    names,
    put,
    queue_at_once,
    wired,
)
from tests.kit.processes import run_script

# --- locked


def test_a_locked_file_keeps_no_caller_and_takes_all_later(path: Path, server: LoopbackServer) -> None:
    with wired(Outbox.sqlite(path, flush_interval=60_000), server.domain) as made:
        made.queue("first")
        with locked(path):
            assert max(queue_at_once(made, "n")) < SOON_S
            assert max(queue_at_once(made, "later")) < SOON_S
            assert made.handle.pending == 1 + 2 * CALLERS
            assert not made.handle.flush(0)
        assert eventually(lambda: made.handle.volatile == 0)
        assert made.handle.pending == 1 + 2 * CALLERS or ids_of(server)
        assert made.handle.flush(10_000)
        assert sorted(ids_of(server)) == sorted(["first", *counted("n", CALLERS), *counted("later", CALLERS)])


def test_what_was_claimed_too_late_for_a_closed_store_is_free_for_the_next(path: Path) -> None:
    clock = Clock()  # which stands still, so that no lease runs out
    first = make_store("durable", path, clock, look_s=0.05)
    put(first, [entry("a")])
    with locked(path):
        assert first.claim(always) is None
    first.close()
    second = make_store("durable", path, clock)
    claims = []
    assert eventually(lambda: claims.append(second.claim(always)) or claims[-1])
    assert names(claims[-1].entries) == ["a"]
    second.close()


@pytest.mark.waits
def test_a_locked_file_keeps_the_order_of_a_session(path: Path, server: LoopbackServer) -> None:
    with wired(Outbox.sqlite(path, flush_interval=60_000), server.domain) as made:
        made.queue("a")
        with locked(path):
            made.queue("b")
            made.queue("c")
        made.queue("d")
        assert eventually(lambda: made.handle.volatile == 0)
        made.queue("e")
        assert made.handle.flush(10_000)
        assert ids_of(server) == ["a", "b", "c", "d", "e"]


@pytest.mark.waits
def test_a_file_that_stays_locked_keeps_the_order_of_a_session(path: Path, server: LoopbackServer) -> None:
    with wired(Outbox.sqlite(path, flush_interval=60_000), server.domain) as made:
        made.queue("first", session_id="other")
        with locked(path):
            made.queue("a")  # is on its way to the file until SQLite gives up
            made.queue("b")
            assert made.handle._store._on_the_way == 1  # type: ignore[attr-defined]
            assert eventually(lambda: made.handle._store._on_the_way == 0, 15)  # type: ignore[attr-defined]
            made.queue("c")
            made.handle.flush(0)
            assert eventually(lambda: len(ids_of(server)) == 3, 15)
        assert ids_of(server) == ["a", "b", "c"]


@pytest.mark.waits
def test_what_a_locked_file_does_not_take_is_sent_all_the_same(path: Path, server: LoopbackServer) -> None:
    with wired(Outbox.sqlite(path, flush_interval=20), server.domain) as made:
        made.queue("before")
        assert made.handle.flush(5000)
        with locked(path):
            made.queue("a")
            made.queue("b")  # the first may be on its way to the file still
            assert eventually(lambda: "b" in ids_of(server), 15)
        assert made.handle.flush(10_000)
        assert set(ids_of(server)) == {"before", "a", "b"}
        assert made.handle.pending == 0


@pytest.mark.waits
def test_a_locked_file_keeps_nobody_who_looks(path: Path, server: LoopbackServer) -> None:
    with wired(Outbox.sqlite(path, flush_interval=60_000), server.domain) as made:
        made.queue("a")
        with locked(path):
            made.queue("b")
            for _ in range(3):
                started = time.monotonic()
                assert made.handle.pending == 2
                assert made.handle.dead_letters == []
                assert made.handle.counters["queued"] == 2
                assert time.monotonic() - started < 2 * LOOK_S + SOON_S


def test_a_stopped_process_that_holds_the_lock_keeps_no_caller(path: Path, server: LoopbackServer) -> None:
    script = """
        import sqlite3, sys, time
        holder = sqlite3.connect(sys.argv[1], isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")
        print("locked", flush=True)
        sys.stdin.read()
        holder.execute("ROLLBACK")
    """
    with wired(Outbox.sqlite(path, flush_interval=60_000), server.domain) as made:
        made.queue("first")
        sibling = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(script), str(path)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        try:
            assert sibling.stdout is not None
            assert sibling.stdout.readline() == "locked\n"
            os.kill(sibling.pid, signal.SIGSTOP)
            assert max(queue_at_once(made, "n")) < SOON_S
            assert made.handle.pending == 1 + CALLERS
        finally:
            os.kill(sibling.pid, signal.SIGCONT)
            sibling.communicate()
        assert made.handle.flush(10_000)
        assert sorted(ids_of(server)) == sorted(["first", *counted("n", CALLERS)])


def test_a_full_outbox_is_full_while_its_file_is_locked(path: Path, server: LoopbackServer) -> None:
    with wired(Outbox.sqlite(path, max_pending=3, flush_interval=60_000), server.domain) as made:
        made.queue("a")
        with locked(path):
            made.queue("b")
            made.queue("c")
            with pytest.raises(OutboxFull):
                made.queue("d")
            assert made.handle.pending == 3


def test_a_look_in_between_takes_no_room(path: Path, server: LoopbackServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread that looks at what there is, between the moment that something is stored and that in which it counts."""
    count = DurableStore._know

    def look_first(store: DurableStore, *more: int) -> None:
        store.refresh()
        count(store, *more)

    monkeypatch.setattr(DurableStore, "_know", look_first)
    with wired(Outbox.sqlite(path, max_pending=3, flush_interval=60_000), server.domain) as made:
        made.queue("a")
        with locked(path):
            made.queue("b")
            made.queue("c")
            with pytest.raises(OutboxFull):
                made.queue("d")


# --- slow


def test_who_may_not_wait_is_told_that_there_is_no_room(path: Path, server: LoopbackServer) -> None:
    with wired(Outbox.sqlite(path, max_pending=2, flush_interval=60_000), server.domain) as made:
        made.handle.queue_later(made.call("a", "b"))
        with pytest.raises(OutboxFull):
            made.handle.queue_later(made.call("c"))


# --- full


FULL_DISK = """
    import logging, os, resource, sys, time
    from target.outbox import Outbox
    from tests.kit.calls import eventually
    from tests.kit.outboxes import Wired
    logging.basicConfig(stream=sys.stderr, format="%(levelname)s %(message)s")
    made = Wired(Outbox.sqlite(sys.argv[2], flush_interval=60_000), sys.argv[1])
    page = {"context": {"channel": "web", "address": {"url": "https://example.com/" + "x" * 3000}}}
    made.queue("before")
    fill(True)
    for number in range(200):
        made.queue(f"n{number}", session_id=f"s{number}", **page)
    time.sleep(1.5)  # what the file still takes it takes now
    assert 0 < made.handle.volatile < 200, made.handle.volatile
    assert eventually(lambda: made.handle.pending == 201), made.handle.pending
    # All that is in memory goes; what is stuck in the file, as most of it is, is not said to be sent.
    is_flushed, left = made.handle.flush(2000), made.handle.pending
    assert not (is_flushed and left), left
    assert eventually(lambda: made.handle.flush(1000) or not made.handle.volatile, 20)
    assert eventually(lambda: made.handle.counters["acknowledged"] + made.handle.pending == 201)
    fill(False)
    assert made.handle.flush(20_000)
    assert made.handle.pending == 0
    assert made.handle.counters["acknowledged"] == 201
    made.close()
    print("done")
"""


@pytest.mark.waits
def test_flush_and_pending_tell_the_truth_on_a_full_disk(path: Path, server: LoopbackServer) -> None:
    limit = """
        import resource
        def fill(full):
            resource.setrlimit(resource.RLIMIT_FSIZE, (300_000 if full else -1, -1))
    """
    assert run_script(textwrap.dedent(limit) + textwrap.dedent(FULL_DISK), server.domain, path).endswith("done\n")
    assert set(ids_of(server)) == {"before", *(f"n{number}" for number in range(200))}


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only the superuser can mount a disk")
def test_flush_and_pending_tell_the_truth_on_a_small_disk(tmp_path: Path, server: LoopbackServer) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "none", str(disk)], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"no disk can be mounted here: {mounted.stderr.strip()}")
    try:
        (disk / "ballast").write_bytes(bytes(3_800_000))
        limit = """
            import os
            def fill(full):
                if not full:
                    os.unlink(os.path.dirname(sys.argv[2]) + "/ballast")
        """
        script = textwrap.dedent(limit) + textwrap.dedent(FULL_DISK)
        assert run_script(script, server.domain, disk / "outbox.db").endswith("done\n")
        assert set(ids_of(server)) == {"before", *(f"n{number}" for number in range(200))}
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


# --- read-only, gone


@pytest.mark.waits
def test_a_read_only_file_keeps_no_caller_and_is_told(server: LoopbackServer) -> None:
    script = """
        import os, sys
        from target._background.forks import import_before_threads
        from target.outbox import Outbox
        from tests.kit.outboxes import Wired
        import_before_threads()
        if os.geteuid() == 0:  # who may write anywhere
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
        path = sys.argv[2] + "/outbox.db"
        made = Wired(Outbox.sqlite(path, flush_interval=20), sys.argv[1])
        made.queue("a")
        assert made.handle.flush(5000)
        made.close()
        os.chmod(path, 0o400)
        made = Wired(Outbox.sqlite(path, flush_interval=60_000), sys.argv[1])
        made.queue("b")
        assert made.handle.pending == made.handle.volatile == 1
        assert not made.handle.flush(1000)  # nobody can know what the file holds
        assert made.handle.pending == 0
        os.chmod(path, 0o600)
        assert made.handle.flush(10_000)
        made.close()
        print("done")
    """
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o777)
        assert run_script(script, server.domain, folder) == "done\n"
    assert ids_of(server) == ["a", "b"]


def test_a_file_that_is_deleted_underneath_is_begun_anew_and_told(
    path: Path, server: LoopbackServer, caplog: pytest.LogCaptureFixture
) -> None:
    with wired(Outbox.sqlite(path, flush_interval=60_000), server.domain) as made:
        made.queue("gone")
        for file in path.parent.iterdir():
            file.unlink()
        made.queue("kept")
        assert made.handle.pending == 1
        assert made.handle.flush(10_000)
        assert ids_of(server) == ["kept"]
    assert "was removed" in caplog.text


# --- the end


@pytest.mark.waits
@pytest.mark.parametrize("timeout_ms", [0, 300])
def test_close_keeps_to_its_time_though_the_file_is_locked(
    path: Path, server: LoopbackServer, timeout_ms: float, caplog: pytest.LogCaptureFixture
) -> None:
    made = Wired(Outbox.sqlite(path, flush_interval=60_000), server.domain)
    made.queue("a")
    with locked(path):
        made.queue("b")
        started = time.monotonic()
        made.close(timeout_ms)
        assert time.monotonic() - started < timeout_ms / 1000 + 2 * LOOK_S + SOON_S
        is_sent = "b" in ids_of(server)
    assert is_sent or "1 queued notifications were not sent" in caplog.text
