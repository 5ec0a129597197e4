"""Starts the server of these tests as a process, and talks to it."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from tests.kit.processes import ROOT, environment


class Report(NamedTuple):
    """What a port saw: the connection of each request, by how it was served; how many connections, how many open."""

    bad: list[int]
    good: list[int]
    connections: int
    open: int


class FaultPort:
    """One port of the server, which does one thing wrong, or none."""

    def __init__(self, server: FaultServer, fault: str | None, secure: bool) -> None:
        self._server = server
        self._number = server.ask("open", fault, secure)

    @property
    def domain(self) -> str:
        return f"127.0.0.1:{self._number}"

    def turn(self, fault: str | None) -> None:
        """From now on do this wrong; None: everything right."""
        self._server.ask("turn", self._number, fault)

    def report(self) -> Report:
        return Report(**self._server.ask("report", self._number))

    def close(self) -> None:
        self._server.ask("close", self._number)


class FaultServer:
    """The process. Clients trust it by the file ``ca_certs``."""

    def __init__(self, process: subprocess.Popen[str], folder: Path) -> None:
        self._process = process
        self._lock = threading.Lock()
        self.ca_certs = str(folder / "ca.pem")

    def ask(self, *command: Any) -> Any:
        """What the process answers."""
        with self._lock:
            assert self._process.stdin is not None
            assert self._process.stdout is not None
            self._process.stdin.write(json.dumps(command) + "\n")
            self._process.stdin.flush()
            return json.loads(self._process.stdout.readline())

    @contextmanager
    def port(self, fault: str | None = None, secure: bool = False) -> Iterator[FaultPort]:
        """A port that does ``fault`` wrong from the start."""
        port = FaultPort(self, fault, secure)
        try:
            yield port
        finally:
            port.close()


@contextmanager
def fault_server(folder: Path) -> Iterator[FaultServer]:
    """A running server; ``folder`` is for its certificates."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.faults.server", str(folder)],
        cwd=ROOT,
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        server = FaultServer(process, folder)
        server.ask("ready")
        yield server
    finally:
        process.stdin.close()
        process.stdout.close()
        process.wait(10)
