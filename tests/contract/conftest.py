"""Keeps every test of this folder off the network: whoever tries to reach a host fails the test."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

import pytest

from target import TargetClient

# So that a check that fails within a scenario says what was compared.
pytest.register_assert_rewrite("tests.contract.handmade", "tests.contract.recorded")


class Network:
    """What tests may reach, and what they tried to."""

    def __init__(self) -> None:
        self.allowed: set[str] = set()
        self.attempts: list[str] = []

    def refuse(self, host: str) -> NoReturn:
        self.attempts.append(host)
        # No OSError: the client would turn it into an error of its own, and a test that expects one would pass.
        pytest.fail(f"a test of tests/contract tried to reach {host}: replays must not need a network")


@pytest.fixture(autouse=True)
def network(monkeypatch: pytest.MonkeyPatch) -> Iterator[Network]:
    """No name lookup and no connection, but for hosts in `allowed`; fails the test also for attempts in threads."""
    guard = Network()
    of_others = {*threading.enumerate()} - {threading.current_thread()}  # clients that an earlier test has left

    def guarded(real: Callable[..., Any], host_of: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            host = host_of(*arguments, **options)
            is_let_through = host in guard.allowed or threading.current_thread() in of_others
            return real(*arguments, **options) if is_let_through else guard.refuse(str(host))

        return call

    for name in ("connect", "connect_ex"):
        monkeypatch.setattr(socket.socket, name, guarded(getattr(socket.socket, name), lambda _, address: address[0]))
    monkeypatch.setattr(socket, "getaddrinfo", guarded(socket.getaddrinfo, lambda host, *_, **__: host))
    yield guard
    assert guard.attempts == []


@pytest.fixture
def loopback(network: Network) -> None:
    """For tests that record, over real HTTP, from a server on this machine."""
    network.allowed.add("127.0.0.1")


@pytest.fixture
def replaying() -> Iterator[TargetClient]:
    """A client as a user makes it: https to the account's own host, nothing of the recording in it."""
    with TargetClient.create(client="somebody", organization_id="0123456789ABCDEF@AdobeOrg") as client:
        yield client
