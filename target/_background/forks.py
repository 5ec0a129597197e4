"""What a fork needs: whatever lives on in a child begins anew there, before anything of it is used.

Python tells of its own forks; C code that forks by itself (uWSGI's prefork, extensions) tells nobody. So whatever users
call asks first whether this is still the process it was.
"""

from __future__ import annotations

import os
import threading
from typing import Protocol
from weakref import WeakValueDictionary


class Renewable(Protocol):
    """Something whose locks, threads, sockets or contents must not go through a fork as they are."""

    def begin_anew(self) -> None:
        """Called in the child, by one thread, before any other uses the object; twice is harmless.

        A thread that the child lacks may hold any of the object's locks, and may have been in the middle of anything.
        """


class Pausable(Protocol):
    """Something that must not be in use while the process forks, where that can be known before."""

    def before_fork(self) -> None:
        """Called by the forking thread."""

    def after_fork_in_parent(self) -> None:
        """Called by the same thread."""


_first_process_id = _process_id = os.getpid()  # of the process that everything below belongs to
_lock_kind = threading.Lock  # gevent puts another in its place, in a child often after the fork
# Weak, and by identity: dicts change in one step, so that no lock is needed that a fork might find held.
_renewables: WeakValueDictionary[int, Renewable] = WeakValueDictionary()
_pausables: WeakValueDictionary[int, Pausable] = WeakValueDictionary()
_paused: list[Pausable] = []
_pausing = threading.Lock()
_renewing: dict[int, threading.RLock] = {}  # by process: the lock of another one may be held by a thread of that one
_under_way: set[int] = set()


def renew_in_children(renewable: Renewable) -> None:
    """Let ``renewable`` begin anew in every process that is forked from now on, for as long as somebody keeps it."""
    begin_anew_if_forked()
    _renewables[id(renewable)] = renewable


def pause_for_forks(pausable: Pausable) -> None:
    """Tell ``pausable`` before every fork of Python's own, and after it in the parent."""
    _pausables[id(pausable)] = pausable


def begin_anew_if_forked() -> None:
    """To be called before anything is used that outlives a call: costs as much as asking for the process id."""
    process_id = os.getpid()
    if process_id != _process_id or (threading.Lock is not _lock_kind and process_id != _first_process_id):
        _begin_anew(process_id)


def _begin_anew(process_id: int) -> None:
    global _process_id, _lock_kind, _pausing  # noqa: PLW0603
    lock = _renewing.setdefault(process_id, threading.RLock())
    with lock:  # the other threads of this process wait until all of it is done
        if (process_id == _process_id and threading.Lock is _lock_kind) or process_id in _under_way:
            return
        _under_way.add(process_id)
        try:
            _lock_kind = threading.Lock
            _pausing = threading.Lock()  # the old one may be held by a thread that this process lacks
            _paused.clear()
            for reference in _renewables.valuerefs():
                if (renewable := reference()) is not None:
                    renewable.begin_anew()
            _process_id = process_id
        finally:
            _under_way.discard(process_id)
    _renewing.pop(process_id, None)


def _before() -> None:
    _pausing.acquire()
    # The latest first: what was made later may be using what was there before.
    references = reversed(_pausables.valuerefs())
    _paused.extend(pausable for reference in references if (pausable := reference()) is not None)
    for pausable in _paused:
        pausable.before_fork()


def _in_parent() -> None:
    for pausable in _paused:
        pausable.after_fork_in_parent()
    _paused.clear()
    _pausing.release()


def import_before_threads() -> None:
    """Import now what a first call, or a sending thread, would import later. A call would take several times as long; a
    fork in the middle of a thread's import leaves the child with half a module, or waiting for a thread that it does
    not have."""
    import codecs

    import urllib3.util.ssl_

    from target_delivery_api import models
    from target_delivery_api.api.delivery import execute

    _ = models.DeliveryResponse, models.UnexpectedError, execute, urllib3.util.ssl_
    codecs.lookup("idna")  # which resolving a host's name begins with


if hasattr(os, "register_at_fork"):  # not where there is no fork
    os.register_at_fork(before=_before, after_in_parent=_in_parent, after_in_child=begin_anew_if_forked)
