"""What is sent before this process ends, where its client was not closed: at exit, and at the end of a pool's child.

A child that multiprocessing or billiard forked ends by ``os._exit``: atexit is never asked there, their finalizers
are. One that was spawned is asked at exit alone.
"""

from __future__ import annotations

import atexit
import importlib
import sys
from typing import Any, Protocol
from weakref import WeakValueDictionary

from target._background.clock import monotonic_s
from target._background.forks import renew_in_children

EXIT_S = 1.0  # what the end of the process, or of a client that nobody closed, waits for: as long as close() does
_FIRST = 100  # of multiprocessing's finalizers, which end queues and managers


class Pending(Protocol):
    """Something that sends what it was given, on threads of its own."""

    def hurry(self) -> None:
        """Send at once what waits, and do not wait for that."""

    def close(self, timeout_s: float) -> object:
        """Send what waits for up to so many seconds, then end. Twice is harmless."""


class Unfinished(Protocol):
    """Something that does work for others, on threads of its own."""

    def finish(self, timeout_s: float) -> object:
        """Do what waits for up to so many seconds, then end."""


_pending: WeakValueDictionary[int, Pending] = WeakValueDictionary()
_unfinished: WeakValueDictionary[int, Unfinished] = WeakValueDictionary()


def send_before_end(pending: Pending) -> None:
    """Close ``pending`` before the process ends, for as long as somebody keeps it."""
    _pending[id(pending)] = pending


def forget(pending: Pending) -> None:
    """``pending`` was closed."""
    _pending.pop(id(pending), None)


def finish_before_end(unfinished: Unfinished) -> None:
    """Finish ``unfinished`` before a pool's child ends. Any other process waits for none of it."""
    _unfinished[id(unfinished)] = unfinished


def _at_exit() -> None:
    if _is_child():  # a spawned one: it exits as any process does, and never runs what was to be run after a fork
        _end_child()
    else:
        _end(())


def _end_child(*_: Any, **__: Any) -> None:
    _end([found for reference in _unfinished.valuerefs() if (found := reference()) is not None])


def _end(unfinished: Any) -> None:
    give_up_at_s = monotonic_s() + EXIT_S
    pending = [found for reference in _pending.valuerefs() if (found := reference()) is not None]
    for each in pending:
        each.hurry()
    for each in unfinished:
        each.finish(max(0.0, give_up_at_s - monotonic_s()))
    for each in pending:
        each.close(max(0.0, give_up_at_s - monotonic_s()))


def _hook(*_: Any) -> None:
    """Be told of the end of this process by whatever made it: by what is not imported it was not made."""
    util: Any = sys.modules.get("multiprocessing.util")
    if util is not None and _is_child():
        util.Finalize(None, _end_child, exitpriority=_FIRST)
    signals: Any = sys.modules.get("celery.signals")
    if signals is not None:  # the children of its pool skip their finalizers, too
        signals.worker_process_shutdown.connect(_end_child, weak=False, dispatch_uid=__name__)


def _is_child() -> bool:
    process: Any = sys.modules.get("multiprocessing.process")
    if process is not None and process.parent_process() is not None:
        return True
    process = sys.modules.get("billiard.process")
    return process is not None and process.current_process().name != "MainProcess"


class _Hooks:
    """Puts itself in again in each child: what a process starts with is cleared before its work begins."""

    def __init__(self) -> None:
        self.begin_anew()

    def begin_anew(self) -> None:
        """In a forked child, and at first."""
        if "billiard" in sys.modules:  # which has its finalizers from there, and imports it late
            importlib.import_module("multiprocessing.util")
        util: Any = sys.modules.get("multiprocessing.util")
        if util is not None:  # called once the child's finalizers have been cleared, however it was started
            util.register_after_fork(self, _hook)
        _hook()


_hooks = _Hooks()
renew_in_children(_hooks)
atexit.register(_at_exit)
