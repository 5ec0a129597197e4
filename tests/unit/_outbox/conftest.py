"""The outboxes that these tests try, and where their file is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from target.outbox import Outbox
from tests.kit.outboxes import MakeOutbox


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "outbox.db"


@pytest.fixture(params=["memory", "sqlite"])
def make_outbox(request: pytest.FixtureRequest, tmp_path: Path) -> MakeOutbox:
    def make(**options: Any) -> Outbox:
        if request.param == "memory":
            return Outbox.memory(**{"flush_interval": 20, **options})
        return Outbox.sqlite(tmp_path / "outbox.db", **{"flush_interval": 20, **options})

    return make
