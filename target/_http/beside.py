"""A second attempt over a new connection, beside a kept one that stays silent: whichever answers first is heard.

A kept connection may be dead without anyone knowing: what forgets it on the way drops what is sent, and says nothing.
It may as well lead to a server that takes its time. So the first attempt is not given up: a wrong guess costs the
server one more request, which counts once, and the caller nothing.
"""

from __future__ import annotations

import selectors
import socket
import ssl
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from target._http.failures import RAISED

if TYPE_CHECKING:
    from target._http.deadline import Deadline


class FirstAnswered(Exception):
    """The connection that stayed silent answers: the attempt beside it is not needed."""


class Superseded(Exception):
    """The attempt beside it was answered: ``answer`` is that."""

    def __init__(self, answer: Any) -> None:
        super().__init__()
        self.answer = answer


def try_beside(deadline: Deadline, exchange: Callable[[Deadline], object], first: socket.socket) -> bool:
    """Attempt the same over a new connection, while ``first`` may still answer: True when that one did.

    Args:
        deadline: Of the whole call.
        exchange: One attempt, to its end, within the deadline it is given.
        first: The connection that stays silent.

    Raises:
        Superseded: The attempt was answered.
    """
    second = deadline.beside(first)
    try:
        answer = exchange(second)
    except FirstAnswered:
        return True
    except RAISED:
        return False  # the first may still answer
    finally:
        second.first = None
    raise Superseded(answer)


def receive_unless_first(sock: Any, first: Any, buffer: Any, remaining_s: Callable[[], float]) -> int:
    """What ``sock.recv_into(buffer)`` returns, as soon as there is something.

    Raises:
        FirstAnswered: Something came from ``first`` before.
        TimeoutError: Nothing came while ``remaining_s()`` was above 0.
    """
    with selectors.DefaultSelector() as selector:
        selector.register(sock, selectors.EVENT_READ)
        selector.register(first, selectors.EVENT_READ)
        while (left_s := remaining_s()) > 0:
            sock.settimeout(0)
            try:
                return int(sock.recv_into(buffer))
            except (BlockingIOError, ssl.SSLWantReadError):  # TLS has messages of its own
                pass
            for key, _ in selector.select(left_s):
                if key.fileobj is first:
                    raise_if_answered(first)
                    selector.unregister(first)  # it is dead for certain
    raise TimeoutError("the deadline has passed")


def raise_if_answered(first: Any) -> None:
    """Raise FirstAnswered, unless all that came from ``first`` is its end."""
    try:
        ended = not socket.socket.recv(first, 1, socket.MSG_PEEK)
    except OSError:
        ended = True
    except TypeError:  # TLS within TLS is no socket
        ended = False
    if not ended:
        raise FirstAnswered
