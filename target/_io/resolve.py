"""Name lookups that end in time: the system's resolver cannot be interrupted, so it runs beside the call."""

from __future__ import annotations

import socket
import threading
from concurrent.futures import Future
from typing import Any

from target._io.abort import Abort
from target._io.forks import renew_in_children

AddressInfo = tuple[Any, Any, int, str, Any]

_Lookup = Future[list[AddressInfo]]


_lock = threading.Lock()
_running: dict[tuple[str, int, int], _Lookup] = {}


class _Lookups:
    """Those in progress. In a forked child there are none: one that ran on a thread of its parent would never end."""

    def begin_anew(self) -> None:
        """Have none."""
        global _lock  # noqa: PLW0603
        _lock = threading.Lock()
        _running.clear()


_lookups = _Lookups()
renew_in_children(_lookups)


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
    done = threading.Event()
    lookup.add_done_callback(lambda _: done.set())
    if abort is None:
        done.wait(timeout_s)
    else:
        abort.wait(done, timeout_s)
    if not lookup.done():
        raise TimeoutError(f"no address for {host} in time")
    return addresses_of(lookup, host)


def look_up(host: str, port: int, family: int) -> _Lookup:
    """The lookup of this host that is in progress, begun if there is none. It cannot be cancelled."""
    key = (host, port, family)
    with _lock:
        lookup = _running.get(key)
        if lookup is not None:
            return lookup
        lookup = _running[key] = Future()
        lookup.set_running_or_notify_cancel()
    _start(key, lookup)
    return lookup


def addresses_of(lookup: _Lookup, host: str) -> list[AddressInfo]:
    """What a lookup that is done has found. Raises OSError: each call one of its own, with its own traceback."""
    error = lookup.exception()
    if isinstance(error, OSError):
        raise type(error)(*error.args)
    if error is not None:
        raise OSError(f"{host} is no host name") from error
    return lookup.result()


def _start(key: tuple[str, int, int], lookup: _Lookup) -> None:
    try:
        threading.Thread(target=_look_up, args=(key, lookup), name="target-dns", daemon=True).start()
    except RuntimeError:  # no thread to be had, as while the interpreter exits: late is better than never
        _look_up(key, lookup)


def _look_up(key: tuple[str, int, int], lookup: _Lookup) -> None:
    host, port, family = key
    addresses: list[AddressInfo] = []
    failure: OSError | UnicodeError | None = None
    try:
        addresses = socket.getaddrinfo(host, port, family, socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        failure = error
    finally:
        with _lock:
            _running.pop(key, None)
        if failure is None:
            lookup.set_result(addresses)
        else:
            lookup.set_exception(failure)
