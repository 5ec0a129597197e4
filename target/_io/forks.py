"""What a forked child must make anew: each registered object, for as long as somebody else keeps it."""

from __future__ import annotations

import os
import weakref
from typing import Protocol


class Renewable(Protocol):
    """Something whose locks, threads or sockets must not go through a fork as they are."""

    def begin_anew(self) -> None:
        """Called in the child while it has one thread only; a thread it lost may hold any of the object's locks."""


_all: weakref.WeakSet[Renewable] = weakref.WeakSet()


def renew_in_children(renewable: Renewable) -> None:
    """Tell ``renewable`` about every fork from now on, in the child."""
    _all.add(renewable)


def _in_child() -> None:
    for renewable in list(_all):
        renewable.begin_anew()


if hasattr(os, "register_at_fork"):  # not where there is no fork
    os.register_at_fork(after_in_child=_in_child)
