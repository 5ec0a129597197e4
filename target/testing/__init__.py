"""What users test with: clients that reach no network, fixtures, recordings, suites for stores.

    from target.testing import FakeTargetClient

    client = FakeTargetClient(offers={"mboxes": {"home": "<h1>Sale</h1>"}})

Of the modules, `plugin` is what pytest loads by itself, and `stores` is for who writes a store; both need pytest.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from target.testing._fakes import AsyncFakeTargetClient, FakeTargetClient
    from target.testing._recording import target_vcr_config

__all__ = ["AsyncFakeTargetClient", "FakeTargetClient", "target_vcr_config"]

# Loaded on first use: pytest loads this package in every run, whoever's tests these are.
_WHERE = {
    "AsyncFakeTargetClient": "target.testing._fakes",
    "FakeTargetClient": "target.testing._fakes",
    "target_vcr_config": "target.testing._recording",
}
_SUITES = ("bench", "lanes", "leases", "room", "sharing")

_pytest = sys.modules.get("pytest")
if _pytest is not None:
    _pytest.register_assert_rewrite("target.testing.stores", *(f"target.testing._store_{name}" for name in _SUITES))


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_WHERE[name]), name)
