"""Which of several addresses a call connects to, and what is left of the others."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest

from target import TargetTimeout, TransportError
from target._http import race
from target._http.abort import Abort
from target._http.race import connect_first, in_turn
from target.errors import ClientClosed
from tests.kit.aio import sockets
from tests.kit.calls import CALL, client_of, eventually, timed
from tests.kit.loopback import LoopbackServer
from tests.kit.raw_servers import fill_queue, raw_server, serve_well

Address = tuple[Any, Any, int, str, Any]


def at(where: tuple[str, int], family: int = socket.AF_INET) -> Address:
    return family, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", where


def plain(address: Address) -> socket.socket:
    return socket.socket(address[0], address[1], address[2])


def unwatched(_: Sequence[socket.socket]) -> None:
    """Nobody ends this race."""


@contextmanager
def dead_addresses(count: int, port: int = 0) -> Iterator[list[Address]]:
    """Addresses of this machine that take no connection, as they have too many that wait."""
    with ExitStack() as stack:
        addresses = []
        for number in range(count):
            server = stack.enter_context(socket.socket())
            server.bind((f"127.0.0.{number + 2}", port))
            for filler in fill_queue(server):
                stack.enter_context(filler)
            addresses.append(at(server.getsockname()))
        yield addresses


@pytest.fixture
def living() -> Iterator[Address]:
    with raw_server(serve_well) as server:
        yield at(("127.0.0.1", server.port))


@pytest.fixture
def refusing() -> Address:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        return at(gone.getsockname())


def test_families_take_turns_and_the_first_stays_first() -> None:
    six = [at((f"::{number}", 1), socket.AF_INET6) for number in range(3)]
    four = [at((f"127.0.0.{number}", 1)) for number in range(2)]
    assert in_turn([*six, *four]) == [six[0], four[0], six[1], four[1], six[2]]
    assert in_turn([*four, *six]) == [four[0], six[0], four[1], six[1], six[2]]
    assert in_turn(four) == four
    assert in_turn([]) == []


def test_an_address_that_refuses_costs_no_time(
    living: Address, refusing: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(race, "NEXT_ADDRESS_S", 20.0)
    started = time.monotonic()
    with connect_first([refusing, refusing, living], plain, 60.0, unwatched) as sock:
        assert sock.getpeername() == living[4]
    assert time.monotonic() - started < 10


def test_the_first_that_accepts_wins_and_the_others_are_closed(living: Address) -> None:
    with dead_addresses(2) as dead:
        opened: list[socket.socket] = []

        def open_socket(address: Address) -> socket.socket:
            opened.append(plain(address))
            return opened[-1]

        with connect_first([*dead, living], open_socket, 60.0, unwatched) as sock:
            assert sock is opened[2]
            assert [other.fileno() for other in opened[:2]] == [-1, -1]


def test_all_are_tried_within_a_short_time(living: Address) -> None:
    with dead_addresses(4) as dead, connect_first([*dead, living], plain, 0.5, unwatched) as sock:
        assert sock.getpeername() == living[4]


def test_none_accepts_in_time() -> None:
    with dead_addresses(2) as dead:
        before = sockets()
        with pytest.raises(TimeoutError) as caught:
            connect_first(dead, plain, 0.2, unwatched)
        assert caught.value.errno is None
        assert sockets() <= before


def test_all_refuse(refusing: Address) -> None:
    before = sockets()
    with pytest.raises(ConnectionRefusedError):
        connect_first([refusing, refusing], plain, 60.0, unwatched)
    assert sockets() <= before


def test_no_address_at_all() -> None:
    with pytest.raises(OSError, match="no address"):
        connect_first([], plain, 60.0, unwatched)


def test_a_socket_that_cannot_be_made_is_passed_over(living: Address) -> None:
    unknown = (12345, socket.SOCK_STREAM, 0, "", ("127.0.0.1", 1))
    with connect_first([unknown, living], plain, 60.0, unwatched) as sock:
        assert sock.getpeername() == living[4]


def test_a_race_is_ended_from_another_thread() -> None:
    abort = Abort()
    with dead_addresses(2) as dead:
        before = sockets()
        racing = threading.Event()

        def watch(others: Sequence[socket.socket]) -> None:
            abort.watch_sockets(others)
            if len(others) == 2:
                racing.set()

        def end() -> None:
            racing.wait(30)
            abort()

        thread = threading.Thread(target=end)
        thread.start()
        with pytest.raises(ClientClosed):
            connect_first(dead, plain, 60.0, watch)
        thread.join()
        assert sockets() <= before


@pytest.fixture
def two_addresses(server: LoopbackServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Address]]:
    """``two.example`` is at these addresses: the first is dead, the second that of the server."""
    real = socket.getaddrinfo
    with dead_addresses(1, server.server_port) as addresses:
        addresses.append(at(("127.0.0.1", server.server_port)))

        def look_up(host: str, port: Any, *more: Any, **options: Any) -> list[Address]:
            if host != "two.example":
                return real(host, port, *more, **options)
            if len(more) > 3 and more[3] & socket.AI_NUMERICHOST:
                raise socket.gaierror(socket.EAI_NONAME, "no number")
            return addresses

        monkeypatch.setattr(socket, "getaddrinfo", look_up)
        yield addresses


def test_a_dead_first_address_costs_a_call_a_moment(server: LoopbackServer, two_addresses: list[Address]) -> None:
    before = threading.active_count()
    with client_of(f"two.example:{server.server_port}", timeout=20000) as client:
        assert 0.2 < timed(lambda: client.get_offers(**CALL)) < 2  # a share of the deadline would be 10 s
        client.get_offers(**CALL)
    assert server.connections == 1
    assert eventually(lambda: threading.active_count() <= before)


def test_with_all_addresses_dead_the_deadline_holds(server: LoopbackServer, two_addresses: list[Address]) -> None:
    two_addresses[1] = two_addresses[0]
    with client_of(f"two.example:{server.server_port}", timeout=300) as client, pytest.raises(TargetTimeout):
        client.get_offers(**CALL)


def test_a_kernel_that_gives_up_before_the_deadline_is_no_timeout(
    server: LoopbackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def give_up(*_: object) -> socket.socket:
        raise TimeoutError(110, "Connection timed out")

    monkeypatch.setattr("target._http.connect.connect_first", give_up)
    with (
        client_of(server.domain) as client,
        pytest.raises(TransportError, match="Connection timed out"),
    ):
        client.get_offers(**CALL)
