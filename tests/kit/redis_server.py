"""A real Redis on loopback: its own port, its own folder, ended with the test."""

from __future__ import annotations

import importlib.util
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

COMMAND = shutil.which("redis-server")
WITHIN_S = 15.0

_LACKING = "there is no redis-server, or no redis-py: `make redis` installs the one, the extra redis the other"
_IS_THERE = COMMAND is not None and importlib.util.find_spec("redis") is not None

needs_redis = pytest.mark.skipif(not _IS_THERE, reason=_LACKING)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


class RedisServer:
    """One redis-server. It writes nothing to the disk unless ``options`` say so.

    Args:
        folder: Where it keeps its files.
        options: Those of its configuration, as on its command line.
    """

    def __init__(self, folder: Path, *options: str, port: int | None = None, tls: bool = False) -> None:
        if not _IS_THERE:
            pytest.skip(_LACKING)
        self.folder = folder
        self.port = port or free_port()
        self._ports = ["--port", "0", "--tls-port", str(self.port)] if tls else ["--port", str(self.port)]
        self._options = options
        self.bus = 0  # where the nodes of a cluster talk to each other
        self._process: subprocess.Popen[bytes] | None = None
        self.url = f"{'rediss' if tls else 'redis'}://127.0.0.1:{self.port}/0"

    def start(self, until_ready: bool = True) -> None:
        """Start it, and wait until it takes commands."""
        command = [str(COMMAND), *self._ports, "--bind", "127.0.0.1", "--dir", str(self.folder), "--save", ""]
        self.start_as(*command, *self._options, until_ready=until_ready)

    def start_as(self, *command: str, until_ready: bool = True) -> None:
        """The same, by a command of one's own."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "redis.log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        give_up_at_s = time.monotonic() + WITHIN_S
        while until_ready and not self._answers():
            assert self._process.poll() is None, (self.folder / "redis.log").read_text()
            assert time.monotonic() < give_up_at_s, "redis-server does not answer"
            time.sleep(0.02)

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1) as connection:
                if "--tls-port" in self._ports:
                    return True
                connection.sendall(b"PING\r\n")
                said = connection.recv(100)
                return said.startswith((b"+PONG", b"-NOAUTH", b"-DENIED"))
        except OSError:
            return False

    def kill(self) -> None:
        """End it as a crash does."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End it."""
        self._end(signal.SIGTERM)

    def freeze(self) -> None:
        """Let it hang; ``thaw`` lets it go on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(how)
            process.send_signal(signal.SIGCONT)
            try:
                process.wait(WITHIN_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def client(self) -> Any:
        """A client of redis-py, to look into it."""
        import redis

        return redis.Redis.from_url(self.url)

    def all_keys(self) -> list[str]:
        """All keys that it has, in order."""
        client = self.client()
        try:
            return sorted(key.decode() for key in client.keys("*"))
        finally:
            client.close()


@contextmanager
def running(folder: Path, *options: str, **more: Any) -> Iterator[RedisServer]:
    server = RedisServer(folder, *options, **more)
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def shared_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """One for all tests of a process, which keep apart by the prefix of their keys."""
    with running(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
def redis_server(shared_redis: RedisServer) -> RedisServer:
    """The same, emptied."""
    client = shared_redis.client()
    client.flushall()
    client.close()
    return shared_redis


@contextmanager
def running_cluster(folder: Path, size: int = 3) -> Iterator[list[RedisServer]]:
    """A Redis Cluster of so many masters, which share the slots."""
    servers: list[RedisServer] = []
    try:
        for number in range(size):
            bus = free_port()
            options = ("--cluster-enabled", "yes", "--cluster-port", str(bus), "--cluster-node-timeout", "2000")
            servers.append(RedisServer(folder / str(number), *options))
            servers[-1].bus = bus
            servers[-1].start()
        addresses = [f"127.0.0.1:{server.port}" for server in servers]
        clients = [server.client() for server in servers]
        bounds = [16384 * number // size for number in range(size + 1)]
        for number, client in enumerate(clients):
            client.execute_command("CLUSTER ADDSLOTSRANGE", bounds[number], bounds[number + 1] - 1)
            client.execute_command("CLUSTER SET-CONFIG-EPOCH", number + 1)
            for server in servers[:number]:
                client.execute_command("CLUSTER MEET", "127.0.0.1", server.port, server.bus)
        give_up_at_s = time.monotonic() + WITHIN_S
        while not all(_is_whole(client, size) for client in clients):
            assert time.monotonic() < give_up_at_s, f"no cluster of {addresses}"
            time.sleep(0.05)
        for client in clients:
            client.close()
        yield servers
    finally:
        for server in servers:
            server.stop()


def _is_whole(client: Any, size: int) -> bool:
    said = client.execute_command("CLUSTER INFO")
    text = said.decode() if isinstance(said, bytes) else "".join(f"{name}:{value}\n" for name, value in said.items())
    return "cluster_state:ok" in text and f"cluster_size:{size}" in text and f"known_nodes:{size}" in text
