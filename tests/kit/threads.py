"""The threads that a test began: those of the test before may end a moment later. And one that computes meanwhile."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_before: set[threading.Thread] = set()


def forget_threads() -> None:
    """Called as each test begins."""
    _before.clear()
    _before.update(threading.enumerate())


def threads_of(name: str) -> list[threading.Thread]:
    """The threads alive whose names begin with ``name`` and that were begun since the test began."""
    return [each for each in threading.enumerate() if each.name.startswith(name) and each not in _before]


@contextmanager
def computing(turn_s: float) -> Iterator[None]:
    """Beside a thread that computes, and does so for this long whenever it gets Python's lock."""
    ended, interval_s = threading.Event(), sys.getswitchinterval()

    def compute() -> None:
        while not ended.is_set():
            sum(range(1000))

    thread = threading.Thread(target=compute)
    sys.setswitchinterval(turn_s)
    try:
        thread.start()
        yield
    finally:
        ended.set()
        sys.setswitchinterval(interval_s)
        thread.join()
