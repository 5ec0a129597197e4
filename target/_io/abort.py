"""Ends a call that blocks on one thread from another thread: its wait is woken, its socket shut down."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from collections.abc import Callable, Sequence
from functools import partial

from target.errors import ClientClosed


class Abort:
    """The handle to end one call. The call says what wakes it, whenever it begins to wait for something else."""

    def __init__(self) -> None:
        self._process_id = os.getpid()
        self._lock = threading.Lock()
        self._wake: Callable[[], object] | None = None
        self.called = False

    def __call__(self) -> None:
        """End the call, whichever stage it is at. Never blocks; calling twice is harmless.

        In a forked child it does nothing: the call goes on in the parent, over a socket that both have.
        """
        if self._process_id != os.getpid():
            return
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
                raise ClientClosed("The client was closed during the call: make it again on a new client")

    def watch_socket(self, sock: socket.socket) -> None:
        """From now on, end the call by shutting ``sock`` down. Raises ClientClosed when it was ended already."""
        self.watch(partial(_shut_down, sock))

    def watch_sockets(self, sockets: Sequence[socket.socket]) -> None:
        """The same for all of ``sockets``, which may change meanwhile; none: by nothing."""
        self.watch(partial(_shut_down_all, sockets) if sockets else None)

    def wait(self, event: threading.Event, seconds: float) -> None:
        """Wait for ``event``. Raises ClientClosed when the call is ended meanwhile."""
        self.watch(event.set)
        event.wait(seconds)
        self.watch(None)
        if self.called:
            raise ClientClosed("The client was closed during the call: make it again on a new client")


def _shut_down(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):  # it may be gone, or not connected yet
        # Not the method of an SSLSocket: that takes TLS away from under the thread that reads.
        socket.socket.shutdown(sock, socket.SHUT_RDWR)


def _shut_down_all(sockets: Sequence[socket.socket]) -> None:
    for sock in list(sockets):
        _shut_down(sock)
