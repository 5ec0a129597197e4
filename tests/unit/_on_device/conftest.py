"""A CDN on loopback, who owns what asks it, and how soon that is tried again."""

from __future__ import annotations

import pytest

from target._on_device import artifact_rotation
from tests.kit.cdn import Cdn, Owner
from tests.kit.loopback import LoopbackServer


@pytest.fixture
def cdn(server: LoopbackServer) -> Cdn:
    return Cdn(server)


@pytest.fixture
def owner() -> Owner:
    return Owner()


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits between tries, and between downloads that fail, which a test has the patience for."""
    monkeypatch.setattr(artifact_rotation, "PAUSES_S", (0.02, 0.03))
    monkeypatch.setattr(artifact_rotation, "FIRST_WAIT_S", 0.1)
