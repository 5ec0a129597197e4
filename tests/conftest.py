"""Fixtures every test may use."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import settings

from target import TargetClient
from tests.kit.loopback import LoopbackServer, serving

# A busy machine is no counterexample. Where a change is judged, it is by the same examples each time.
settings.register_profile("here", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "here")

# Servers of tests are on this machine, and so are those of the processes that tests start: no proxy leads to them.
for _name in [name for name in os.environ if name.lower().endswith("_proxy")]:
    del os.environ[_name]


@pytest.fixture
def server() -> Iterator[LoopbackServer]:
    """A loopback server that answers with success; set ``server.answer`` for anything else."""
    with serving() as running:
        yield running


@pytest.fixture
def make_client(server: LoopbackServer) -> Iterator[Callable[..., TargetClient]]:
    """Makes clients of ``server``, closed at the end; keywords are options of ``TargetClient.create``."""
    clients: list[TargetClient] = []

    def make(**options: Any) -> TargetClient:
        defaults: dict[str, Any] = {
            "client": "acme",
            "organization_id": "1234@AdobeOrg",
            "server_domain": server.domain,
            "secure": False,
            "edge_routing": False,
        }
        clients.append(TargetClient.create({**defaults, **options}))  # type: ignore[typeddict-item]
        return clients[-1]

    yield make
    for client in clients:
        client.close()


@pytest.fixture
def client(make_client: Callable[..., TargetClient]) -> TargetClient:
    """A client of ``server`` with default options."""
    return make_client()
