"""Suites for who writes a store of their own. Needs pytest, which nothing else of this package does."""

import pytest

_SUITES = ("bench", "lanes", "leases", "room", "sharing")
pytest.register_assert_rewrite("target.testing.stores", *(f"target.testing._store_{name}" for name in _SUITES))
