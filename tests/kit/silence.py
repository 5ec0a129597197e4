"""Servers whose kept connections go silent, and clients that call them more than once, each way there is."""

from __future__ import annotations

import asyncio
import ctypes
import socket
import struct
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from target._on_device.download import Downloads
from target.config import parse_client_options
from tests.kit import aio
from tests.kit.calls import ACCOUNT, CALL, client_of
from tests.kit.raw_servers import GOOD_ANSWER, RawServer, read_request

# A call with a callback, and one on a thread of asyncio's, are blocking calls on another thread.
ways = pytest.mark.parametrize(
    "way",
    [
        "blocking",
        "aiohttp",
        pytest.param("callback", marks=pytest.mark.slow),
        pytest.param("threads", marks=pytest.mark.slow),
    ],
)
linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what is not acknowledged")

_ATTACH_FILTER = 26  # Linux's SO_ATTACH_FILTER


class Forgetful(RawServer):
    """Answers the first request of each connection; the later ones ``later`` does, by the connection's number."""

    def __init__(self, later: Callable[[socket.socket, int], object], sock: socket.socket | None = None) -> None:
        self.later = later
        self.requests: list[int] = []
        self.numbers = iter(range(1, 1000))
        super().__init__(self._remember, sock)

    def _remember(self, sock: socket.socket) -> None:
        number = next(self.numbers)
        while read_request(sock) != b"\r\n\r\n":
            self.requests.append(number)
            if self.requests.count(number) == 1:
                sock.sendall(GOOD_ANSWER)
            else:
                self.later(sock, number)


@contextmanager
def forgetful(later: Callable[[socket.socket, int], object]) -> Iterator[Forgetful]:
    server = Forgetful(later)
    try:
        yield server
    finally:
        server.close()


def say_nothing(_: socket.socket, __: int) -> None:
    """As something on the way does that has forgotten the connection."""


def answer_after(seconds: float) -> Callable[[socket.socket, int], object]:
    def later(sock: socket.socket, _: int) -> None:
        time.sleep(seconds)
        sock.sendall(GOOD_ANSWER)

    return later


def drop_what_comes(sock: socket.socket) -> None:
    """Let the system lose all that comes on ``sock`` from now on: not even receipt is acknowledged."""
    program = ctypes.create_string_buffer(struct.pack("HBBI", 6, 0, 0, 0))  # return 0
    sock.setsockopt(socket.SOL_SOCKET, _ATTACH_FILTER, struct.pack("HL", 1, ctypes.addressof(program)))


def nothing() -> None:
    """The connection was idle for no time at all."""


def visit(way: str, domain: str, between: list[Callable[[], object]], **options: Any) -> list[float]:
    """Calls of one client, with something done before each but the first: how long each took, in seconds."""
    took: list[float] = []
    options = {"timeout": 8000, **options}
    if way in ("threads", "aiohttp"):

        async def go() -> None:
            async with aio.client_of(domain, transport=way, **options) as client:
                for before in [lambda: None, *between]:
                    await asyncio.to_thread(before)
                    started = time.monotonic()
                    await client.get_offers(**CALL)
                    took.append(time.monotonic() - started)

        asyncio.run(go())
        return took
    with client_of(domain, **options) as client:
        for before in [lambda: None, *between]:
            before()
            started = time.monotonic()
            if way == "callback":
                client.get_offers(**CALL, callback=lambda _: None).get(10)
            else:
                client.get_offers(**CALL)
            took.append(time.monotonic() - started)
    return took


def downloads_of(**options: Any) -> Downloads:
    return Downloads(parse_client_options({**ACCOUNT, **options}))
