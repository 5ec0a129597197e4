"""Name lookups that end in time: the system's resolver cannot be interrupted, so it runs beside the call."""

from __future__ import annotations

import os
import socket
import threading
from typing import Any

AddressInfo = tuple[Any, Any, int, str, Any]

_lock = threading.Lock()
_running: dict[tuple[str, int, int], _Lookup] = {}


class _Lookup:
    """One lookup in progress; every call that wants the same host waits for the same one."""

    def __init__(self) -> None:
        self.done = threading.Event()
        self.addresses: list[AddressInfo] = []
        self.error: OSError | UnicodeError | None = None


def resolve(host: str, port: int, family: int, timeout_s: float) -> list[AddressInfo]:
    """Addresses of ``host`` as ``socket.getaddrinfo`` gives them.

    Raises:
        TimeoutError: No answer within ``timeout_s`` seconds. The lookup goes on, at most one for each host.
        OSError: The name does not resolve.
    """
    try:  # an address needs no lookup, and no thread
        return socket.getaddrinfo(host, port, family, socket.SOCK_STREAM, 0, socket.AI_NUMERICHOST)
    except (OSError, UnicodeError):
        pass
    key = (host, port, family)
    with _lock:
        lookup = _running.get(key)
        is_new = lookup is None
        if lookup is None:
            lookup = _running[key] = _Lookup()
    if is_new:
        _start(key, lookup)
    if not lookup.done.wait(timeout_s):
        raise TimeoutError(f"no address for {host} in time")
    if isinstance(lookup.error, OSError):
        raise type(lookup.error)(*lookup.error.args)  # each waiting call gets one of its own, with its own traceback
    if lookup.error is not None:
        raise OSError(f"{host} is no host name") from lookup.error
    return lookup.addresses


def _start(key: tuple[str, int, int], lookup: _Lookup) -> None:
    try:
        threading.Thread(target=_look_up, args=(key, lookup), name="target-dns", daemon=True).start()
    except RuntimeError:  # no thread to be had, as while the interpreter exits: late is better than never
        _look_up(key, lookup)


def _look_up(key: tuple[str, int, int], lookup: _Lookup) -> None:
    host, port, family = key
    try:
        lookup.addresses = socket.getaddrinfo(host, port, family, socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        lookup.error = error
    finally:
        with _lock:
            _running.pop(key, None)
        lookup.done.set()


def _forget_after_fork() -> None:
    """A child has none of its parent's threads: a lookup that ran there would never end here."""
    global _lock  # noqa: PLW0603
    _lock = threading.Lock()
    _running.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_after_fork)
