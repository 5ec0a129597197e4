"""How long silence is borne, and what is suspect, where tests have less time than callers."""

from __future__ import annotations

import pytest

from target._http import deadline, liveness


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Silence is borne for 100 ms, so that these tests take less time."""
    monkeypatch.setattr(deadline, "_LONGEST_PATIENCE_S", 0.1)


@pytest.fixture
def suspicious(monkeypatch: pytest.MonkeyPatch) -> None:
    """However short a connection was idle, it may be dead."""
    monkeypatch.setattr(liveness, "SUSPECT_IDLE_S", 0.0)
