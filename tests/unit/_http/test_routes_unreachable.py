"""Clusters that cannot be reached: they refuse, accept nothing, or speak no TLS."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from target import TargetClient, TargetTimeout
from tests.kit.built_calls import FAR_HOST
from tests.kit.calls import ACCOUNT, REQUEST
from tests.kit.loopback import LoopbackServer, serving
from tests.kit.raw_servers import hang, raw_server, unaccepting_server
from tests.kit.tls import Authority
from tests.kit.ways import WAYS, through


def look_up(monkeypatch: pytest.MonkeyPatch, places: dict[str, Callable[[Any], tuple[str, int]]]) -> None:
    """Let names lead to addresses and ports, each chosen by a function of the port that is asked for."""
    real = socket.getaddrinfo

    def answer(host: str, port: Any, *rest: Any, **more: Any) -> Any:
        if host not in places:
            return real(host, port, *rest, **more)
        if len(rest) > 3 and rest[3] & socket.AI_NUMERICHOST:
            raise socket.gaierror(socket.EAI_NONAME, "no number")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", places[host](int(port)))]

    monkeypatch.setattr(socket, "getaddrinfo", answer)


@pytest.fixture
def nobody_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    """The cluster's name leads to an address where nobody listens, the account's to this machine."""
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.9", 80)) == 0:
            pytest.skip("something listens at port 80 of this machine")
    look_up(monkeypatch, {FAR_HOST: lambda port: ("127.0.0.9", port), "acme.example": lambda port: ("127.0.0.1", port)})


@pytest.mark.usefixtures("nobody_listens")
@pytest.mark.parametrize("way", WAYS)
def test_a_cluster_that_refuses_connections(way: str, server: LoopbackServer) -> None:
    client = WAYS[way](
        **ACCOUNT,
        secure=False,
        server_domain=f"acme.example:{server.server_port}",
        telemetry_enabled=False,
    )
    try:
        for _ in range(5):
            assert through(client, {"request": REQUEST, "target_location_hint": "38"}).response.client == "acme"
    finally:
        client.close()
    assert len(server.received) == 5


@pytest.fixture
def nobody_answers(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Looking up the cluster's name takes for ever."""
    over = threading.Event()

    def never(port: int) -> tuple[str, int]:
        over.wait(30)
        return "127.0.0.1", port

    look_up(monkeypatch, {FAR_HOST: never, "acme.example": lambda port: ("127.0.0.1", port)})
    yield
    over.set()


@pytest.mark.waits
@pytest.mark.usefixtures("nobody_answers")
@pytest.mark.parametrize("way", WAYS)
def test_a_cluster_that_cannot_be_reached_leaves_time_for_the_accounts_host(way: str, server: LoopbackServer) -> None:
    client = WAYS[way](
        **ACCOUNT,
        secure=False,
        server_domain=f"acme.example:{server.server_port}",
        telemetry_enabled=False,
        timeout=2000,
    )
    try:
        assert through(client, {"request": REQUEST, "target_location_hint": "38"}).response.client == "acme"
    finally:
        client.close()


@pytest.mark.waits
def test_a_cluster_that_accepts_nothing_leaves_time_for_the_accounts_host(
    monkeypatch: pytest.MonkeyPatch, server: LoopbackServer
) -> None:
    with unaccepting_server() as port:
        places = {FAR_HOST: port, "acme.example": server.server_port}
        look_up(monkeypatch, {host: lambda _, port=port: ("127.0.0.1", port) for host, port in places.items()})  # type: ignore[misc]
        options = {**ACCOUNT, "secure": False, "server_domain": "acme.example"}
        with TargetClient.create(**options, timeout=2000) as client:
            assert client.get_offers(request=REQUEST, target_location_hint="38").response is not None
        with TargetClient.create(**options, timeout=300, retries=0) as client, pytest.raises(TargetTimeout):
            client.get_offers(request=REQUEST, target_location_hint="38")


@pytest.mark.waits
@pytest.mark.parametrize("way", ["sync", "callback", "asyncio on threads"])  # aiohttp takes the port of the URL
def test_a_cluster_without_tls_leaves_time_for_the_accounts_host(
    way: str, monkeypatch: pytest.MonkeyPatch, authority: Authority
) -> None:
    with raw_server(hang) as silent, serving(tls=authority.server_context("acme.example")) as server:
        places = {FAR_HOST: silent.port, "acme.example": server.server_port}
        look_up(monkeypatch, {host: lambda _, port=port: ("127.0.0.1", port) for host, port in places.items()})  # type: ignore[misc]
        client = WAYS[way](
            **ACCOUNT,
            server_domain="acme.example",
            ca_certs=authority.ca_certs,
            timeout=2000,
        )
        try:
            assert through(client, {"request": REQUEST, "target_location_hint": "38"}).response.client == "acme"
        finally:
            client.close()
    assert len(server.received) == 1
