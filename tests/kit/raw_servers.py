"""Servers that misbehave below HTTP, on real sockets, and what they do."""

from __future__ import annotations

import contextlib
import gzip
import json
import select
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

#: Gets one accepted connection; the server closes it afterwards.
Behaviour = Callable[[socket.socket], object]

GOOD_BODY = json.dumps({"status": 200, "client": "acme"}).encode()
GOOD_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(GOOD_BODY), GOOD_BODY)
DRIP_S = 0.1


class RawServer:
    """A listening socket whose connections are handed to a behaviour, each in a thread of its own."""

    def __init__(self, behave: Behaviour, sock: socket.socket | None = None) -> None:
        self.behave = behave
        self._sock = sock or socket.create_server(("127.0.0.1", 0), backlog=128)
        self.connections: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def port(self) -> int:
        return int(self._sock.getsockname()[1])

    @property
    def domain(self) -> str:
        return f"127.0.0.1:{self.port}"

    def close(self) -> None:
        for sock in (self._sock, *self.connections):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                sock, _ = self._sock.accept()
                self.connections.append(sock)
                threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock: socket.socket) -> None:
        with contextlib.suppress(OSError, ValueError), sock:  # close() may take the socket away under it
            self.behave(sock)


@contextmanager
def raw_server(behave: Behaviour, sock: socket.socket | None = None) -> Iterator[RawServer]:
    server = RawServer(behave, sock)
    try:
        yield server
    finally:
        server.close()


@contextmanager
def refusing_server() -> Iterator[str]:
    """The domain of a server that is not there: its port is taken, so that nobody else begins to listen at it."""
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{unheard.getsockname()[1]}"


@contextmanager
def unaccepting_server() -> Iterator[int]:
    """The port of a server whose queue of connections is full, so that the next one is never made."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        fillers = fill_queue(server)
        try:
            yield server.getsockname()[1]
        finally:
            for filler in fillers:
                filler.close()


def fill_queue(server: socket.socket) -> list[socket.socket]:
    """Let ``server``, which is bound, listen with a queue that is full: by the connections returned."""
    server.listen(0)
    fillers = [socket.socket() for _ in range(4)]
    for filler in fillers:
        filler.setblocking(False)
        filler.connect_ex(server.getsockname())
    select.select([], fillers[:1], [], 1)
    return fillers


def read_request(sock: socket.socket) -> bytes:
    """Head and body of one request; what there is of it when the client goes away."""
    data = b""
    while b"\r\n\r\n" not in data and (chunk := sock.recv(65536)):
        data += chunk
    head, _, body = data.partition(b"\r\n\r\n")
    length = next((int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0)
    while len(body) < length and (chunk := sock.recv(65536)):
        body += chunk
    return head + b"\r\n\r\n" + body


def hang(sock: socket.socket) -> None:
    """Say nothing until the client goes away."""
    while sock.recv(65536):
        pass


def reset(sock: socket.socket) -> None:
    """End the connection the hard way."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def drip(content: bytes, after: bytes = b"", answering: bool = True) -> Behaviour:
    """Send ``after`` at once, then a byte of ``content`` every 100 ms, from the start again when it has ended."""

    def behave(sock: socket.socket) -> None:
        if answering:
            read_request(sock)
        sock.sendall(after)
        while True:
            for value in content:
                sock.sendall(bytes([value]))
                time.sleep(DRIP_S)

    return behave


def flood(content: bytes) -> Behaviour:
    """Send ``content`` again and again, as fast as it goes."""

    def behave(sock: socket.socket) -> None:
        read_request(sock)
        while True:
            sock.sendall(content * 100)

    return behave


def say(content: bytes, then: Behaviour = lambda _: None) -> Behaviour:
    """Answer every request with ``content``, then do ``then``."""

    def behave(sock: socket.socket) -> None:
        read_request(sock)
        sock.sendall(content)
        then(sock)

    return behave


def serve_well(sock: socket.socket) -> None:
    """Answer every request of a connection with success."""
    while read_request(sock) != b"\r\n\r\n":
        sock.sendall(GOOD_ANSWER)


def gzipped(content: bytes) -> bytes:
    return gzip.compress(content, 1)


def tunnel(port: int, seen: list[bytes]) -> Behaviour:
    """What a CONNECT proxy does, whatever host is asked for: the bytes go to ``port`` on this machine."""

    def behave(sock: socket.socket) -> None:
        seen.append(read_request(sock))
        with socket.create_connection(("127.0.0.1", port)) as origin:
            sock.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            ends: dict[Any, socket.socket] = {sock: origin, origin: sock}
            while True:
                for end in select.select(list(ends), [], [])[0]:
                    data = end.recv(65536)
                    if not data:
                        return
                    ends[end].sendall(data)

    return behave
