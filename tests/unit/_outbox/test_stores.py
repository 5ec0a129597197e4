"""Our own stores under the suite that every store can run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from target._outbox.durable import DurableStore
from target._outbox.memory import MemoryStore
from target._outbox.sqlite import SqliteStore
from target.protocols import Claim, Entry, StoreSettings
from target.testing.stores import OpenStore, StoreSuite
from tests.kit.json_store import JsonStore


class TestMemory(StoreSuite):
    lasting = False

    @pytest.fixture
    def open_store(self) -> OpenStore:
        return MemoryStore


class TestSqlite(StoreSuite):
    several_processes = True

    @pytest.fixture
    def open_store(self, tmp_path: Path) -> OpenStore:
        return lambda settings: SqliteStore(str(tmp_path / "outbox.db"), settings)


class AsStore(DurableStore):
    """What a client uses, with the names of a Store."""

    def add(self, entries: Sequence[Entry], due_s: float, /, promised: bool = False) -> int:
        return self._asked.ask(lambda: self._store.add(entries, due_s, promised), int, wait_s=None)

    def release(self, claim: Claim, due_s: float, /) -> bool:
        return self._asked.ask(lambda: self._store.release(claim, due_s), bool, wait_s=None)


class TestDurable(TestSqlite):
    """Over SQLite, on a thread of its own."""

    @pytest.fixture
    def open_store(self, tmp_path: Path) -> Any:
        def open_one(settings: StoreSettings) -> AsStore:
            file = SqliteStore(str(tmp_path / "outbox.db"), settings)
            return AsStore(file, settings, hold_s=20.0, look_s=20.0)

        return open_one


class TestJson(StoreSuite):
    """Somebody else's."""

    several_processes = True

    @pytest.fixture
    def open_store(self, tmp_path: Path) -> OpenStore:
        return lambda settings: JsonStore(tmp_path / "outbox.json", settings)
