"""What keeps idle connections alive on their way, and tells those that something on the way has forgotten."""

from __future__ import annotations

import contextlib
import select
import socket
import struct
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

from urllib3.util.wait import wait_for_read

SUSPECT_IDLE_S = 1.0
_UNACKNOWLEDGED = struct.Struct("=24xI")  # in Linux's tcp_info: segments sent and not acknowledged

# Whatever forgets idle connections hears of this one before. What is dead is known 50 s after the last byte.
_KEEPALIVE = {"TCP_KEEPIDLE": 20, "TCP_KEEPALIVE": 20, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 3}


def is_suspect(idle_s: float | None, sock: Any) -> bool:
    """Whether silence on a connection may mean that it is dead: it was idle for a while (None: it is new), or the
    system knows that what was sent has not even arrived."""
    if idle_s is None or idle_s >= SUSPECT_IDLE_S:
        return idle_s is not None
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError, struct.error):  # TLS within TLS is no socket
            information = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 128)
            return bool(_UNACKNOWLEDGED.unpack_from(information)[0])
    return False


def reader_of(sock: Any) -> Callable[[], object]:
    """What says whether something has come from ``sock``. Made once: urllib3's way, which this is, makes it anew."""
    if not hasattr(select, "poll"):
        return partial(wait_for_read, sock, timeout=0.0)
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return partial(poll.poll, 0)


def keep_alive(sock: socket.socket) -> None:
    """Let the system ask now and then whether the other end is there."""
    with contextlib.suppress(OSError):  # some systems have the names, and not the options
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in _KEEPALIVE.items():
            if hasattr(socket, name):
                sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
