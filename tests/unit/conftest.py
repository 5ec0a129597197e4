"""Times that tests share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import time_machine

from target._on_device import artifact_rotation
from tests.kit.amcv import NOW_S


@pytest.fixture(scope="module")
def while_the_cookie_is_valid() -> Iterator[None]:
    with time_machine.travel(NOW_S, tick=False):
        yield


@pytest.fixture
def quick_tries(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pauses between the tries of a download have tests of their own."""
    monkeypatch.setattr(artifact_rotation, "PAUSES_S", (0.01, 0.01))
