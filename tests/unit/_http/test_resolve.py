"""Lookups of names while others hang: the names of other hosts are found, and threads stay few.

A resolver cannot be stood in for by a server on loopback, so these replace socket.getaddrinfo.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from target import TransportError
from target._background import service
from target._http import resolve as resolving
from target._http.resolve import MOST_DOUBTFUL, MOST_WAITING, addresses_of, look_up, resolve
from tests.kit.calls import CALL, client_of, eventually, expect
from tests.kit.loopback import LoopbackServer


@pytest.fixture
def hang() -> Iterator[threading.Event]:
    """Names that begin with "hang" are looked up until this is set, and are not found then."""
    over = threading.Event()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(service, "IDLE_S", 0.02)
        yield over
        over.set()
        assert eventually(lambda: threads() == 0)
    assert eventually(lambda: not resolving._running)


@pytest.fixture(autouse=True)
def names(monkeypatch: pytest.MonkeyPatch, hang: threading.Event) -> list[str]:
    """The names that were looked up."""
    asked: list[str] = []
    real = socket.getaddrinfo

    def getaddrinfo(host: str, port: int, *more: Any) -> Any:
        if not host.endswith(".example") or socket.AI_NUMERICHOST in more:
            return real(host, port, *more)
        asked.append(host)
        if host.startswith("hang"):
            hang.wait(30)
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    monkeypatch.setattr(resolving, "_found", {})
    return asked


def threads() -> int:
    return sum(thread.name == "target-dns" for thread in threading.enumerate())


def hang_many(count: int = 100) -> None:
    for number in range(count):
        look_up(f"hang{number}.example", 80, 0)


def test_lookups_that_hang_take_few_threads(hang: threading.Event) -> None:
    assert eventually(lambda: threads() == 0)  # those of other tests
    hang_many()
    assert threads() == MOST_DOUBTFUL
    hang.set()
    assert eventually(lambda: threads() == 0)


def test_a_name_that_was_found_before_never_waits() -> None:
    assert resolve("good.example", 80, 0, 10)
    hang_many()
    assert resolve("good.example", 80, 0, 10)[0][4] == ("127.0.0.1", 80)


def test_a_name_nobody_knows_waits_for_one_thread_only_and_the_latest_goes_first(
    hang: threading.Event, names: list[str]
) -> None:
    hang_many()
    new = look_up("good.example", 80, 0)
    assert not new.done.is_set()
    hang.set()
    assert eventually(new.done.is_set)
    assert addresses_of(new, "good.example")
    assert names.index("good.example") <= 2 * MOST_DOUBTFUL


def test_far_too_many_names_are_refused() -> None:
    first = [look_up(f"hang{number}.example", 80, 0) for number in range(MOST_DOUBTFUL + 1)]
    hang_many(MOST_DOUBTFUL + MOST_WAITING + 1)
    assert [lookup.done.is_set() for lookup in first] == [False] * MOST_DOUBTFUL + [True]
    with pytest.raises(OSError, match="too many names"):
        addresses_of(first[-1], "hang.example")
    assert len(resolving._running) == MOST_DOUBTFUL + MOST_WAITING


def test_names_that_were_found_are_not_remembered_for_ever() -> None:
    for number in range(300):
        resolve(f"good{number}.example", 80, 0, 10)
    assert len(resolving._found) == 256


def test_calls_to_other_hosts_do_not_wait_for_a_lookup_that_hangs(
    server: LoopbackServer, hang: threading.Event
) -> None:
    with client_of(f"good.example:{server.server_port}", timeout=20_000) as client:
        client.get_offers(**CALL)
        hang_many()
        with client_of(f"good.example:{server.server_port}", timeout=20_000) as another:
            another.get_offers(**CALL)
            another.get_offers(**CALL, callback=lambda _: None).get(20)
    hang.set()
    with client_of("hang.example", retries=0) as client:
        expect(TransportError, lambda: client.get_offers(**CALL), "Name or service not known")


def test_a_lookup_that_lost_its_thread_is_begun_again(monkeypatch: pytest.MonkeyPatch, hang: threading.Event) -> None:
    lost = look_up("hangs.example", 80, 0)
    assert look_up("hangs.example", 80, 0) is lost
    monkeypatch.setattr(resolving, "_LOST_S", -1.0)
    other = look_up("hangs.example", 80, 0)
    assert other is not lost
    monkeypatch.undo()
    hang.set()
    assert lost.done.wait(5)
    assert other.done.wait(5)


def test_a_lookup_that_was_interrupted_before_it_began_is_begun_by_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(resolving, "_start", interrupt)
        with pytest.raises(KeyboardInterrupt):
            look_up("b.example", 80, 0)
    assert resolve("b.example", 80, 0, 5.0)[0][4] == ("127.0.0.1", 80)
