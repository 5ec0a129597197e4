"""The server of these tests, in a process of its own: told on its stdin what to do wrong, it tells what it saw.

``python -m tests.faults.server FOLDER`` writes the certificate of its authority to FOLDER. Then each line it reads is a
JSON list, a command and its arguments, and for each it writes one JSON value. It ends with its stdin.
"""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import trustme

from tests.faults.behaviours import packed_bomb
from tests.faults.rows import BY_NAME, Fault, Stage, never_accept, refuse
from tests.kit.raw_servers import GOOD_ANSWER, RawServer, fill_queue, read_request
from tests.kit.tls import Authority

_NO_REQUEST = b"\r\n\r\n"
_SMALL_BUFFER = 4096
_BEFORE_REQUESTS = (Stage.LISTENING, Stage.ACCEPTED)


def contexts(folder: Path) -> dict[str, ssl.SSLContext]:
    """Certificates by what is wrong with them."""
    trusted = Authority(folder)
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir()
    alone = trustme.CA()
    self_signed = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    path = str(elsewhere / "alone.pem")
    alone.private_key_pem.write_to_path(path)
    alone.cert_pem.write_to_path(path, append=True)
    self_signed.load_cert_chain(path)
    return {
        "good": trusted.server_context(),
        "wrong host": trusted.server_context("other.example"),
        "expired": trusted.server_context(not_after=datetime.now(UTC) - timedelta(days=1)),
        "unknown": Authority(elsewhere).server_context(),
        "self-signed": self_signed,
    }


class Port:
    """One listening port. ``fault`` is what it does wrong, None while it does everything right."""

    def __init__(self, fault: Fault | None, certificates: dict[str, ssl.SSLContext] | None) -> None:
        self.fault = fault
        self._certificates = certificates
        self._lock = threading.Lock()
        self.seen: dict[str, list[int]] = {"bad": [], "good": []}
        self.open: set[int] = set()
        self.connections = 0
        self._server: RawServer | None = None
        self._fillers: list[socket.socket] = []
        self._sock = socket.socket()
        self._sock.bind(("127.0.0.1", 0))
        self.number = self._sock.getsockname()[1]
        if fault is not None and fault.large:
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _SMALL_BUFFER)
        if fault is not None and fault.does is never_accept:
            self._fillers = fill_queue(self._sock)
        elif fault is None or fault.does is not refuse:
            self._start()

    def turn(self, fault: Fault | None) -> None:
        """From now on do this wrong, or everything right."""
        self.fault = fault
        if self._server is None:
            self._drain()
            self._start()

    def report(self) -> dict[str, Any]:
        """By whether it was done wrong or right, the connection of each request; and the connections still open."""
        with self._lock:
            return {**self.seen, "connections": self.connections, "open": len(self.open)}

    def close(self) -> None:
        """Listen no more."""
        if self._server is None:
            self._drain()
            self._sock.close()
        else:
            self._server.close()

    def _start(self) -> None:
        self._sock.listen(128)
        self._server = RawServer(self._serve, self._sock)

    def _drain(self) -> None:
        for filler in self._fillers:
            filler.close()
        self._sock.settimeout(0)
        with contextlib.suppress(OSError):
            while True:
                self._sock.accept()[0].close()
        self._sock.settimeout(None)

    def _serve(self, sock: socket.socket) -> None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # or a reset may overtake what was sent before
        with self._lock:
            self.connections = identity = self.connections + 1
            self.open.add(identity)
        try:
            self._converse(sock, identity)
        finally:
            with self._lock:
                self.open.discard(identity)

    def _note(self, identity: int) -> Fault | None:
        with self._lock:
            fault = self.fault
            self.seen["good" if fault is None else "bad"].append(identity)
            return fault

    def _converse(self, sock: socket.socket, identity: int) -> None:
        fault = self.fault
        certificate = "good" if fault is None else fault.certificate
        if fault is not None and fault.stage in _BEFORE_REQUESTS:
            self._note(identity)
            fault.does(sock)
        if self._certificates is not None:
            sock = self._certificates[certificate].wrap_socket(sock, server_side=True)
        with sock:
            while True:
                if self.fault is not None and self.fault.stage is Stage.SENDING:
                    if not sock.recv(100):
                        return
                elif read_request(sock) == _NO_REQUEST:
                    return
                fault = self._note(identity)
                if fault is None:
                    sock.sendall(GOOD_ANSWER)
                else:
                    fault.does(sock)


def main() -> None:
    """Serve until stdin ends."""
    certificates = contexts(Path(sys.argv[1]))
    packed_bomb()
    ports: dict[int, Port] = {}
    for line in sys.stdin:
        command, *arguments = json.loads(line)
        said: Any = None
        if command == "open":
            name, secure = arguments
            port = Port(BY_NAME.get(name), certificates if secure else None)
            ports[port.number] = port
            said = port.number
        elif command == "turn":
            number, name = arguments
            ports[number].turn(BY_NAME.get(name))
        elif command == "report":
            said = ports[arguments[0]].report()
        elif command == "close":
            ports.pop(arguments[0]).close()
        print(json.dumps(said), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
