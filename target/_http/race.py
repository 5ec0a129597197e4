"""Connects to whichever address of a host accepts first: a dead one costs a moment (RFC 8305, happy eyeballs)."""

from __future__ import annotations

import errno
import os
import selectors
import socket
from collections.abc import Callable, Sequence
from itertools import chain, zip_longest
from typing import Any

from target._background.clock import monotonic_s
from target._http.beside import raise_if_answered
from target._http.resolve import AddressInfo

NEXT_ADDRESS_S = 0.25  # the RFC's Connection Attempt Delay
_UNDER_WAY = frozenset({0, errno.EINPROGRESS, errno.EWOULDBLOCK, getattr(errno, "WSAEWOULDBLOCK", errno.EINPROGRESS)})

#: Makes a socket for an address, with its options set and bound where it must be.
Open = Callable[[AddressInfo], socket.socket]
#: Is told the sockets in the race, whenever there is another one; raises what ends it.
Watch = Callable[[Sequence[socket.socket]], None]


def connect_first(
    addresses: Sequence[AddressInfo], open_socket: Open, timeout_s: float, watch: Watch, first: Any = None
) -> socket.socket:
    """A connected socket. The others are closed; the next address is tried when one failed, or took too long.

    Args:
        addresses: Where to connect to, in the order of the system's preference.
        open_socket: Makes the sockets.
        timeout_s: How long all of it may take.
        watch: Is told of the sockets.
        first: The socket of an attempt that this one is beside.

    Raises:
        TimeoutError: None was connected within ``timeout_s`` seconds; it has no ``errno``.
        OSError: None accepts.
        FirstAnswered: Something came from ``first``.
    """
    ends_at_s = monotonic_s() + timeout_s
    next_after_s = min(NEXT_ADDRESS_S, timeout_s / (len(addresses) + 1))
    left = in_turn(addresses)
    racing: list[socket.socket] = []
    winner: socket.socket | None = None
    failure = OSError("it has no address")
    next_at_s = 0.0
    with selectors.DefaultSelector() as selector:
        if first is not None:
            selector.register(first, selectors.EVENT_READ)
        try:
            while left or racing:
                now_s = monotonic_s()
                if now_s >= ends_at_s:
                    raise TimeoutError("no address accepted in time")
                if left and (not racing or now_s >= next_at_s):
                    next_at_s = now_s + next_after_s
                    address = left.pop(0)
                    try:
                        sock = open_socket(address)
                    except OSError as error:  # such as a family that this machine lacks
                        failure = error
                        continue
                    racing.append(sock)
                    watch(racing)
                    sock.setblocking(False)
                    number = sock.connect_ex(address[4])
                    if number in _UNDER_WAY:
                        selector.register(sock, selectors.EVENT_WRITE)
                    else:
                        failure = _lose(sock, racing, number)
                    continue
                for key, _ in selector.select((min(next_at_s, ends_at_s) if left else ends_at_s) - now_s):
                    if key.fileobj is first:
                        raise_if_answered(first)
                        selector.unregister(first)
                        continue
                    sock = racing[racing.index(key.fileobj)]  # type: ignore[arg-type]
                    watch(racing)
                    number = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                    if not number:
                        winner = sock
                        return sock
                    selector.unregister(sock)
                    failure = _lose(sock, racing, number)
                    next_at_s = 0.0
            raise failure
        finally:
            watch(())
            for sock in racing:
                if sock is not winner:
                    sock.close()


def in_turn(addresses: Sequence[AddressInfo]) -> list[AddressInfo]:
    """The addresses, families by turns, the first one's first: where all of a family is dead, the other comes soon."""
    first = [address for address in addresses if address[0] == addresses[0][0]]
    others = [address for address in addresses if address[0] != addresses[0][0]]
    return [address for address in chain(*zip_longest(first, others)) if address is not None]


def _lose(sock: socket.socket, racing: list[socket.socket], number: int) -> OSError:
    racing.remove(sock)
    sock.close()
    return OSError(number, os.strerror(number))
