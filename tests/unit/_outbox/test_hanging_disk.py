"""A disk that hangs under the outbox: nobody who queues is kept, nothing is lost, and all is told."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from target._outbox import schema
from target._outbox.store import HOLD_S
from target.outbox import Outbox
from tests.kit.calls import eventually
from tests.kit.loopback import LoopbackServer
from tests.kit.outboxes import (
    CALLERS,
    SOON_S,
    counted,
    ids_of,
    locked,
    queue_at_once,
    wired,
)


class Disk:
    """Lets what is written through; or not, as a disk that hangs."""

    def __init__(self) -> None:
        self._works = threading.Event()
        self._works.set()

    def hang(self) -> None:
        self._works.clear()

    def go_on(self) -> None:
        self._works.set()

    @contextmanager
    def transaction(self, db: sqlite3.Connection) -> Iterator[None]:
        with schema.transaction(db):
            yield
            self._works.wait(20)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[Disk]:
    made = Disk()
    monkeypatch.setattr("target._outbox.sqlite.transaction", made.transaction)
    yield made
    made.go_on()


def test_a_disk_that_hangs_keeps_no_caller_and_takes_all_later(
    path: Path, server: LoopbackServer, disk: Disk, caplog: pytest.LogCaptureFixture
) -> None:
    with wired(Outbox.sqlite(path, flush_interval=60_000), server.domain) as made:
        made.queue("first")
        disk.hang()
        assert max(queue_at_once(made, "n")) < HOLD_S + SOON_S
        assert made.handle.volatile == CALLERS
        assert made.handle.pending == 1 + CALLERS
        assert not made.handle.flush(50)
        disk.go_on()
        assert made.handle.flush(10_000)
        assert made.handle.volatile == 0
        assert sorted(ids_of(server)) == sorted(["first", *counted("n", CALLERS)])
    assert "locked or slow" in caplog.text
    assert "can be used again" in caplog.text


@pytest.mark.waits
def test_a_disk_that_hangs_does_not_stop_what_is_in_memory(path: Path, server: LoopbackServer, disk: Disk) -> None:
    with wired(Outbox.sqlite(path, flush_interval=20), server.domain) as made:
        disk.hang()
        made.queue("on its way")
        for name in counted("n", 5):
            made.queue(name, session_id=name)
        assert eventually(lambda: sorted(ids_of(server)) == list(counted("n", 5)), 15)
        disk.go_on()
        assert made.handle.flush(10_000)
        assert sorted(set(ids_of(server))) == [*counted("n", 5), "on its way"]


@pytest.mark.waits
def test_much_that_waits_in_memory_is_carried_over_in_turns(path: Path, server: LoopbackServer) -> None:
    with wired(Outbox.sqlite(path, flush_interval=60_000), server.domain) as made:
        made.queue("first")
        with locked(path):
            for number in range(300):
                made.queue(f"n-{number}", session_id=f"s-{number}")
            assert made.handle.volatile == 300
        assert eventually(lambda: made.handle.volatile == 0, 20)
        assert made.handle.pending == 301
        assert server.received == []


def test_who_may_not_wait_does_not(path: Path, server: LoopbackServer, disk: Disk) -> None:
    with wired(Outbox.sqlite(path, flush_interval=60_000), server.domain) as made:
        disk.hang()
        started = time.monotonic()
        for name in counted("n", 20):
            made.handle.queue_later(made.call(name))
        assert time.monotonic() - started < HOLD_S
        assert made.handle.counters["queued"] == 20
        disk.go_on()
        assert made.handle.flush(10_000)
        assert sorted(ids_of(server)) == sorted(counted("n", 20))
