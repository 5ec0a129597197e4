"""A loopback HTTP server in a process of its own: one thread per connection, one prepared answer, counted connections.

It answers within microseconds, so that what a benchmark compares is the client's work. Started as a script it reads
its settings as one JSON line from stdin, prints its port, answers each further line with its counts, and ends with
stdin: it cannot outlive the process that started it.
"""

from __future__ import annotations

import itertools
import json
import re
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

_TARGET = re.compile(rb"[A-Z]+ (\S+)")
_LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]+)", re.IGNORECASE)
_RECEIVE_BYTES = 65536


class Server:
    """Listens on a free port of 127.0.0.1 and gives every request the same answer, ``latency_s`` after it came."""

    def __init__(self, answer: bytes, latency_s: float, certificate: str | None) -> None:
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(answer)}\r\n\r\n"
        self._answer = head.encode() + answer
        self._latency_s = latency_s
        self._tls: ssl.SSLContext | None = None
        if certificate is not None:
            self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._tls.load_cert_chain(certificate)
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port: int = self._listener.getsockname()[1]
        self.connections = 0
        self.requests = 0
        self.last = b""
        self.target = b""
        self._next_request = itertools.count(1).__next__  # counts in one step, whichever thread asks

    def accept_all(self) -> None:
        """Accept connections until the process ends."""
        while True:
            connection, _ = self._listener.accept()
            self.connections += 1
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            if self._tls is not None:
                connection = self._tls.wrap_socket(connection, server_side=True)
            self._answer_all(connection)
        except OSError:
            pass  # the client went away, which ends its connection and nothing else
        finally:
            connection.close()

    def _answer_all(self, connection: socket.socket) -> None:
        received = b""
        while True:
            while (head_ends := received.find(b"\r\n\r\n")) < 0:
                if not (chunk := connection.recv(_RECEIVE_BYTES)):
                    return
                received += chunk
            length = _LENGTH.search(received, 0, head_ends)
            ends = head_ends + 4 + (int(length[1]) if length else 0)
            while len(received) < ends:
                if not (chunk := connection.recv(_RECEIVE_BYTES)):
                    return
                received += chunk
            target = _TARGET.match(received)
            self.target = target[1] if target else b""
            self.last, received = received[head_ends + 4 : ends], received[ends:]
            self.requests = self._next_request()
            if self._latency_s:
                time.sleep(self._latency_s)
            connection.sendall(self._answer)


@dataclass(frozen=True)
class Counts:
    """What a server has seen since it started; ``target`` (path and query) and ``last`` (body) are the latest's."""

    connections: int
    requests: int
    target: str
    last: str


class FastServer:
    """The handle of a running server process."""

    def __init__(self, process: subprocess.Popen[str], *, tls: bool) -> None:
        self._process = process
        self.domain = f"127.0.0.1:{self._reply()['port']}"
        self.url = f"{'https' if tls else 'http'}://{self.domain}"

    def counts(self) -> Counts:
        """What it has seen so far. Raises RuntimeError when the process has ended."""
        self._write("counts")
        return Counts(**self._reply())

    def _write(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def _reply(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        if not (line := self._process.stdout.readline()):
            raise RuntimeError(f"the loopback server ended (exit code {self._process.wait()})")
        reply: dict[str, Any] = json.loads(line)
        return reply


@contextmanager
def serving(answer: bytes, latency_s: float = 0.0, certificate: str | None = None) -> Iterator[FastServer]:
    """A server process, ended at the end. ``certificate`` is a PEM file with key and chain; with it, TLS is spoken."""
    settings = {"answer": answer.decode(), "latency_s": latency_s, "certificate": certificate}
    with subprocess.Popen(
        [sys.executable, "-I", __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdin is not None
            process.stdin.write(json.dumps(settings) + "\n")
            process.stdin.flush()
            yield FastServer(process, tls=certificate is not None)
        finally:
            process.kill()


def main() -> None:
    """Serve with the settings of the first line of stdin, until stdin ends."""
    settings = json.loads(sys.stdin.readline())
    server = Server(settings["answer"].encode(), settings["latency_s"], settings["certificate"])
    threading.Thread(target=server.accept_all, daemon=True).start()
    print(json.dumps({"port": server.port}), flush=True)
    for _ in sys.stdin:
        counts = Counts(server.connections, server.requests, server.target.decode(), server.last.decode())
        print(json.dumps(asdict(counts)), flush=True)


if __name__ == "__main__":
    main()
