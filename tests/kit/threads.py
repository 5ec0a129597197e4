"""The threads that a test began: those of the test before may end a moment later."""

from __future__ import annotations

import threading

_before: set[threading.Thread] = set()


def forget_threads() -> None:
    """Called as each test begins."""
    _before.clear()
    _before.update(threading.enumerate())


def threads_of(name: str) -> list[threading.Thread]:
    """The threads alive whose names begin with ``name`` and that were begun since the test began."""
    return [each for each in threading.enumerate() if each.name.startswith(name) and each not in _before]
