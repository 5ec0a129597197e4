"""The recipes of docs/ at work: files and commands as the pages show them, on ports of the test's own."""

from __future__ import annotations

import http.client
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.docs.blocks import DOCUMENTED_DOMAIN
from tests.kit.processes import ROOT

PAGES = [ROOT / f"docs/{name}.md" for name in ("deployment", "gevent", "uwsgi", "asyncio", "celery")]
TEXT = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
_BIND = "127.0.0.1:8000"
_START_S = 20


def files(page: str) -> dict[str, str]:
    """The Python blocks by the file name in their first line."""
    return dict(re.findall(r"^```python\n# (\w+\.py)\n(.*?)^```", page, re.DOTALL | re.MULTILINE))


def commands(page: str) -> list[str]:
    """The shell commands."""
    blocks = re.findall(r"^```sh\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    return [line for block in blocks for line in block.splitlines() if not line.startswith("export ")]


def write_files(folder: Path, domain: str) -> None:
    """Put the pages' files into ``folder``, for the Delivery API at ``domain``."""
    for name, text in files(TEXT).items():
        (folder / name).write_text(text.replace(DOCUMENTED_DOMAIN, domain))


def environment(folder: Path) -> dict[str, str]:
    """Of a process that imports them, and this checkout."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), str(ROOT), str(ROOT / "generated")])}


class Running:
    """A server that one of the commands started."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, log: Path) -> None:
        self.process = process
        self.port = port
        self.log = log

    def workers(self) -> list[int]:
        """Its child processes that are no helper of multiprocessing."""
        path = f"/proc/{self.process.pid}/task/{self.process.pid}/children"
        children = [int(child) for child in Path(path).read_text().split()]
        return [child for child in children if b"resource_tracker" not in Path(f"/proc/{child}/cmdline").read_bytes()]

    def ask(self, method: str, path: str, session_id: str) -> tuple[int, str]:
        """Status and body, over a connection of its own, so that any worker may get it."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request(method, path, headers={"Cookie": f"mbox=session#{session_id}#9999999999"})
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def stop(self) -> int:
        """Tell it to end, as a service manager does: its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(20)


@contextmanager
def running(command: str, folder: Path, domain: str, after_create: str = "") -> Iterator[Running]:
    """Run a command of the pages in ``folder``, against the Delivery API at ``domain``; see ``run_recipe``."""
    write_files(folder, domain)
    with (folder / "target_client.py").open("a") as module:
        module.write(after_create)
    port = _free_port()
    words = shlex.split(command.replace(_BIND, f"127.0.0.1:{port}").replace("--port 8000", f"--port {port}"))
    log = folder / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [str(Path(sys.executable).with_name(words[0])), *words[1:]],
            cwd=folder,
            env=environment(folder),
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        _wait_until_listening(process, port, log)
        yield Running(process, port, log)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)  # its workers, too
            process.wait(10)


def connections_to(port: int) -> set[str]:
    """Inodes of the established sockets whose other end is ``port`` of loopback."""
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return {words[9] for words in lines if words[3] == "01" and words[2] == f"0100007F:{port:04X}"}


def sockets_of(process: int) -> set[str]:
    """Inodes of the sockets that a process holds."""
    found = set()
    for name in os.listdir(f"/proc/{process}/fd"):
        try:
            found.update(re.findall(r"^socket:\[(\d+)\]$", os.readlink(f"/proc/{process}/fd/{name}")))
        except FileNotFoundError:  # closed meanwhile
            continue
    return found


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def _wait_until_listening(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    give_up_at = time.monotonic() + _START_S
    while time.monotonic() < give_up_at:
        assert process.poll() is None, log.read_text()
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except ConnectionRefusedError:
            time.sleep(0.02)
        else:
            return
    raise AssertionError(f"not listening after {_START_S} s: {log.read_text()}")
