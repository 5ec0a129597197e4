"""What keeps idle connections alive on their way, and tells those that something on the way has forgotten."""

from __future__ import annotations

import contextlib
import select
import socket
import struct
import sys
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


def has_come(sock: Any, poll: Any) -> bool:
    """Whether there is something to be read from ``sock``; ``poll`` is what ``poll_of`` made for it."""
    return wait_for_read(sock, timeout=0.0) if poll is None else bool(poll.poll(0))


def poll_of(sock: Any) -> Any:
    """What asks the system about ``sock``, to be kept: urllib3 makes it anew each time. None where there is no such
    thing."""
    if not hasattr(select, "poll"):
        return None
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return poll


def keep_alive(sock: socket.socket) -> None:
    """Let the system ask now and then whether the other end is there."""
    with contextlib.suppress(OSError):  # some systems have the names, and not the options
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in _KEEPALIVE.items():
            if hasattr(socket, name):
                sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
