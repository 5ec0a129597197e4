"""Ends a call that blocks on one thread from another thread: its wait is woken, its socket shut down."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

from target._background.flag import Flag
from target._background.forks import renew_in_children
from target._http.failures import closed_meanwhile

T = TypeVar("T")


class Abort:
    """The handle to end one call. The call says what wakes it, whenever it begins to wait for something else."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._wake: Callable[[], object] | None = None
        self.called = False

    def __call__(self) -> None:
        """End the call, whichever stage it is at. Never blocks; calling twice is harmless.

        Not to be called in a forked child: the call goes on in the parent, over a socket that both have.
        """
        with self._lock:  # held while waking, so that the call cannot close a socket that is being shut down
            self.called = True
            wake, self._wake = self._wake, None
            if wake is not None:
                wake()

    def watch(self, wake: Callable[[], object] | None) -> None:
        """From now on, end the call by ``wake``; None: by nothing. Raises ClientClosed when it was ended already."""
        with self._lock:
            self._wake = wake
            if self.called and wake is not None:
                raise closed_meanwhile()

    def watch_socket(self, sock: socket.socket) -> None:
        """From now on, end the call by shutting ``sock`` down. Raises ClientClosed when it was ended already."""
        self.watch(partial(_shut_down, sock))

    def watch_sockets(self, sockets: Sequence[socket.socket]) -> None:
        """The same for all of ``sockets``, which may change meanwhile; none: by nothing."""
        self.watch(partial(_shut_down_all, sockets) if sockets else None)

    def wait(self, event: Flag, seconds: float) -> None:
        """Wait for ``event``. Raises ClientClosed when the call is ended meanwhile."""
        self.watch(event.set)
        event.wait(seconds)
        self.watch(None)
        if self.called:
            raise closed_meanwhile()


class Aborts:
    """Those of a client's calls in progress. In a forked child there are none: the calls go on in the parent."""

    def __init__(self) -> None:
        self.begin_anew()
        renew_in_children(self)

    def begin_anew(self) -> None:
        """Have no call; so in a forked child."""
        self._all: set[Abort] = set()

    def run(self, call: Callable[[Abort], T]) -> T:
        """What ``call`` returns, which can be ended meanwhile."""
        abort = Abort()
        self._all.add(abort)
        try:
            return call(abort)
        finally:
            self._all.discard(abort)

    def end_all(self) -> None:
        """End every call."""
        for abort in list(self._all):
            abort()


def _shut_down(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):  # it may be gone, or not connected yet
        # Not the method of an SSLSocket: that takes TLS away from under the thread that reads.
        socket.socket.shutdown(sock, socket.SHUT_RDWR)


def _shut_down_all(sockets: Sequence[socket.socket]) -> None:
    for sock in list(sockets):
        _shut_down(sock)
