"""What is told before and after this process forks: each registered object, for as long as somebody else keeps it."""

from __future__ import annotations

import os
import threading
import weakref
from typing import Protocol


class Forkable(Protocol):
    """Something that must not go through a fork as it is."""

    def before_fork(self) -> None:
        """Called by the forking thread."""

    def after_fork_in_parent(self) -> None:
        """Called by the same thread."""

    def after_fork_in_child(self) -> None:
        """Called in the child, which has this one thread only."""


_lock = threading.Lock()
_all: weakref.WeakSet[Forkable] = weakref.WeakSet()
_told: list[Forkable] = []


def around_forks(forkable: Forkable) -> None:
    """Tell ``forkable`` about every fork from now on."""
    with _lock:
        _all.add(forkable)


def _before() -> None:
    _lock.acquire()
    _told.extend(_all)
    for forkable in _told:
        forkable.before_fork()


def _in_parent() -> None:
    for forkable in _told:
        forkable.after_fork_in_parent()
    _told.clear()
    _lock.release()


def _in_child() -> None:
    global _lock  # noqa: PLW0603  (the old one is held by a thread that this process does not have)
    for forkable in list(_all):  # a fork by other than Python's means may have told nobody before
        forkable.after_fork_in_child()
    _told.clear()
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):  # not where there is no fork
    os.register_at_fork(before=_before, after_in_parent=_in_parent, after_in_child=_in_child)
