"""Name lookups that end in time: the system's resolver cannot be interrupted, so it runs beside the call."""

from __future__ import annotations

import socket
import sys
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

from target._background.clock import monotonic_s
from target._background.flag import Flag
from target._background.forks import renew_in_children
from target._background.service import Service
from target._http.abort import Abort

AddressInfo = tuple[Any, Any, int, str, Any]

# A lookup takes as long as the system likes, and a visitor's cookie can name any of 10,000 hosts.
MOST_DOUBTFUL = 32  # at once, of names that were never found; the others have a thread each
MOST_WAITING = 1000
_MOST_FOUND = 256
_LOST_S = 30.0  # a lookup that takes longer may have lost its thread to an exception from outside


class Lookup:
    """One lookup in progress, for all who wait for it. No wait shares a lock that an interruption could leave held."""

    def __init__(self) -> None:
        self.done = Flag()
        self.addresses: list[AddressInfo] = []
        self.failure: OSError | UnicodeError | None = None
        self.begun_at_s: float | None = None  # None while it waits for a thread
        self._callbacks: deque[Callable[[], object]] = deque()

    def add_done_callback(self, tell: Callable[[], object]) -> None:
        """Call ``tell`` when it is done, on whichever thread; at once where it is done already."""
        self._callbacks.append(tell)
        if self.done.is_set():
            self._tell()

    def is_lost(self) -> bool:
        """Whether it is no use to wait for it."""
        return self.begun_at_s is not None and monotonic_s() - self.begun_at_s > _LOST_S

    def end(self) -> None:
        """It is done."""
        self.done.set()
        self._tell()

    def _tell(self) -> None:
        with suppress(IndexError):
            while True:
                self._callbacks.popleft()()


_Key = tuple[str, int, int]

_lock = threading.Lock()
_running: dict[_Key, Lookup] = {}  # those that wait for a thread included
_found: dict[_Key, None] = {}  # names that were found once
_doubtful: set[_Key] = set()  # the others that are being looked up
_waiting: deque[tuple[_Key, Lookup]] = deque()


class _Lookups:
    """Those in progress. In a forked child there are none: one that ran on a thread of its parent would never end."""

    def begin_anew(self) -> None:
        """Have none."""
        global _lock  # noqa: PLW0603
        _lock = threading.Lock()
        for kept in (_running, _doubtful, _waiting):
            kept.clear()


_lookups = _Lookups()
renew_in_children(_lookups)
_service = Service("target-dns", sys.maxsize)


def resolve(host: str, port: int, family: int, timeout_s: float, abort: Abort | None = None) -> list[AddressInfo]:
    """Addresses of ``host`` as ``socket.getaddrinfo`` gives them.

    Raises:
        TimeoutError: No answer within ``timeout_s`` seconds. The lookup goes on, at most one for each host.
        OSError: The name does not resolve.
        ClientClosed: ``abort`` was called meanwhile.
    """
    try:  # an address needs no lookup, and no thread
        return socket.getaddrinfo(host, port, family, socket.SOCK_STREAM, 0, socket.AI_NUMERICHOST)
    except (OSError, UnicodeError):
        pass
    lookup = look_up(host, port, family)
    if abort is None:
        lookup.done.wait(timeout_s)
    else:
        own = Flag()
        lookup.add_done_callback(own.set)
        abort.wait(own, timeout_s)
    if not lookup.done.is_set():
        raise TimeoutError(f"no address for {host} in time")
    return addresses_of(lookup, host)


def look_up(host: str, port: int, family: int) -> Lookup:
    """The lookup of this host that is in progress, begun if there is none. It cannot be cancelled."""
    key = (host, port, family)
    own = Lookup()
    given_up: tuple[_Key, Lookup] | None = None
    try:
        with _lock:
            lookup = _running.setdefault(key, own)
            if lookup.is_lost():
                lookup = _running[key] = own
            begins = lookup is own and (key in _found or len(_doubtful) < MOST_DOUBTFUL)
            if begins and key not in _found:
                _doubtful.add(key)
            elif lookup is own and not begins:
                _waiting.append((key, own))
                if len(_waiting) > MOST_WAITING:
                    given_up = _waiting.popleft()
                    _running.pop(given_up[0], None)
        if begins:
            _start(key, own)
        if given_up is not None:
            given_up[1].failure = OSError("too many names are being looked up")
            given_up[1].end()
        return lookup
    except BaseException:  # an interruption: nobody would begin what others then wait for
        if _running.get(key) is own:
            _running.pop(key, None)
            _doubtful.discard(key)
        raise


def addresses_of(lookup: Lookup, host: str) -> list[AddressInfo]:
    """What a lookup that is done has found. Raises OSError: each call one of its own, with its own traceback."""
    error = lookup.failure
    if isinstance(error, OSError):
        raise type(error)(*error.args)
    if error is not None:
        raise OSError(f"{host} is no host name") from error
    return lookup.addresses


def _start(key: _Key, lookup: Lookup) -> None:
    lookup.begun_at_s = monotonic_s()
    # No thread may be to be had, as while the interpreter exits: late is better than never.
    if not _service.put(partial(_look_up, key, lookup), partial(_end, key, lookup)):
        _service.do_here()


def _look_up(key: _Key, lookup: Lookup) -> None:
    try:
        lookup.addresses = socket.getaddrinfo(*key, socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        lookup.failure = error


def _end(key: _Key, lookup: Lookup) -> None:
    """Tell those who wait, and begin what waits for its turn: the latest, since somebody waits for that still."""
    following = None
    with _lock:
        if _running.get(key) is lookup:
            del _running[key]
        if lookup.failure is None:
            _found[key] = None
            if len(_found) > _MOST_FOUND:
                del _found[next(iter(_found))]
        if key in _doubtful:
            _doubtful.discard(key)
            if _waiting:
                following = _waiting.pop()
                _doubtful.add(following[0])
    lookup.end()
    if following is not None:
        _start(*following)
