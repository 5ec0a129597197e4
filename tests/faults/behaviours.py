"""What the server does wrong on a connection, once it has read what it wants to read; after that it reads on."""

from __future__ import annotations

import functools
import itertools
import socket
import time

from tests.kit.raw_servers import GOOD_ANSWER, GOOD_BODY, Behaviour, drip, gzipped, hang, reset

#: A reset discards what the client has not read yet, so it has to come later.
PAUSE_S = 0.03
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
#: The first bytes of a TLS record that is 16 kB long.
_TLS_RECORD = b"\x16\x03\x03\x40\x00\x02"


def wait(_: socket.socket) -> None:
    """Nothing: the connection stays open, and the next request on it is read."""


def close(sock: socket.socket) -> None:
    """End the server's side, as a server that exits does."""
    sock.close()


def reset_late(sock: socket.socket) -> None:
    """Reset when the client has read what was sent before."""
    time.sleep(PAUSE_S)
    reset(sock)


def sends(content: bytes, then: Behaviour = wait) -> Behaviour:
    """``content`` in one piece, and then ``then``."""

    def behave(sock: socket.socket) -> None:
        sock.sendall(content)
        then(sock)

    return behave


def in_pieces(content: bytes, *ends: int) -> Behaviour:
    """``content`` in pieces that ``ends`` part, each when the client has read the one before."""

    def behave(sock: socket.socket) -> None:
        for start, end in itertools.pairwise([0, *ends, len(content)]):
            sock.sendall(content[start:end])
            time.sleep(PAUSE_S)

    return behave


def drips(content: bytes, after: bytes = b"") -> Behaviour:
    """``after`` at once, then a byte every 100 ms."""
    return drip(content, after, answering=False)


def floods(content: bytes) -> Behaviour:
    """``content`` again and again, as fast as it goes."""

    def behave(sock: socket.socket) -> None:
        while True:
            sock.sendall(content * 100)

    return behave


def late(behave: Behaviour) -> Behaviour:
    """``behave`` when the client has got and read what was sent before."""

    def start(sock: socket.socket) -> None:
        time.sleep(PAUSE_S)
        behave(sock)

    return start


def hello_then(behave: Behaviour) -> Behaviour:
    """Read what a client says first in a TLS handshake, and then ``behave``."""

    def start(sock: socket.socket) -> None:
        sock.recv(65536)
        behave(sock)

    return start


DRIPS_TLS = drips(b"\0", after=_TLS_RECORD)


def reads_slowly(sock: socket.socket) -> None:
    """Take a little of a large request now and then, for longer than any deadline here; then all of it."""
    for _ in range(20):
        sock.recv(4096)
        time.sleep(PAUSE_S)
    hang(sock)


def answer(
    content: bytes,
    headers: str = "",
    status: str = "200 OK",
    length: int | None = None,
    then: Behaviour = wait,
    kind: str = "application/json",
) -> Behaviour:
    """A whole answer; ``length`` is what it says of itself where that is a lie."""
    size = len(content) if length is None else length
    lines = [f"HTTP/1.1 {status}", f"Content-Type: {kind}", f"Content-Length: {size}", *headers.splitlines(), "", ""]
    return sends("\r\n".join(lines).encode() + content, then)


def html(status: str, headers: str = "") -> Behaviour:
    """A page, as proxies and load balancers send it."""
    return answer(f"<html><h1>{status}</h1></html>".encode(), headers, status, kind="text/html")


def redirects(status: str) -> Behaviour:
    """To another path of this server, which counts every request it gets."""

    def behave(sock: socket.socket) -> None:
        host, port = sock.getsockname()[:2]
        answer(b"", f"Location: {_scheme(sock)}://{host}:{port}/elsewhere", status)(sock)

    return behave


def _scheme(sock: socket.socket) -> str:
    return "https" if hasattr(sock, "cipher") else "http"


def bomb(sock: socket.socket) -> None:
    """50 MB of spaces, packed."""
    answer(packed_bomb(), "Content-Encoding: gzip")(sock)


def bomb_in_bomb(sock: socket.socket) -> None:
    """The same, packed once more."""
    answer(gzipped(packed_bomb()), "Content-Encoding: gzip, gzip")(sock)


@functools.cache
def packed_bomb() -> bytes:
    """Packing takes longer than a call may."""
    return gzipped(b" " * 50_000_000)


FORGED = GOOD_ANSWER.replace(b'"acme"', b'"evil"')
LATIN = '{"client":"caf\u00e9"}'.encode("latin-1")
CHUNKS = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
HALF = GOOD_BODY[: len(GOOD_BODY) // 2]
CUT_GZIP = gzipped(GOOD_BODY)[:-20]
NO_SUM = gzipped(GOOD_BODY)[:-8]
BAD_SUM = gzipped(GOOD_BODY)[:-8] + bytes(8)
