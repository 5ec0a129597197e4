"""A call that is cancelled, or whose turn does not come, ends at once and leaves nothing behind, on both transports."""

from __future__ import annotations

import asyncio
import concurrent.futures
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from target import AsyncTargetClient, ClientClosed, OptionsError, TargetDeliveryResponse, TargetTimeout
from target._http import resolve
from target._http.abort import Abort
from tests.kit.aio import client_of, eventually, sockets, transports, workers
from tests.kit.calls import CALL
from tests.kit.loopback import Answer, LoopbackServer, Received, ok, serving
from tests.kit.raw_servers import GOOD_ANSWER, Behaviour, drip, hang, raw_server, read_request, unaccepting_server
from tests.kit.tls import Authority

LONG_MS = 20_000
SOON_S = 2.0  # on a loaded machine


async def cancelled_soon(client: AsyncTargetClient, begun: Callable[[], object]) -> float:
    """Seconds that a call takes to end once it is cancelled, which it is when ``begun`` says so."""
    task = asyncio.create_task(client.get_offers(**CALL))
    assert await eventually(begun)
    await asyncio.sleep(0.03)
    assert not task.done()
    started = time.monotonic()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    return time.monotonic() - started


STAGES: dict[str, Behaviour] = {
    "before an answer": hang,
    "in the head": drip(b"HTTP/1.1 200 OK\r\nX: " + b"y" * 50),
    "in the body": drip(b"{}" * 50, b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"),
    "in a chunk": drip(b"2\r\n{}\r\n", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
}


@transports
@pytest.mark.parametrize("stage", STAGES)
def test_cancelling_closes_the_connection_at_once(stage: str, transport: str) -> None:
    gone = threading.Event()

    def behave(sock: socket.socket) -> None:
        try:
            STAGES[stage](sock)
        finally:
            gone.set()

    async def main(domain: str) -> None:
        async with client_of(domain, transport=transport, timeout=LONG_MS) as client:
            assert await cancelled_soon(client, lambda: server.connections) < SOON_S
            assert await eventually(gone.is_set, 1)
            if transport == "threads":  # the thread is free again, not merely forgotten
                assert await eventually(lambda: not client._transport._threads._running, SOON_S)  # type: ignore[attr-defined]

    with raw_server(behave) as server:
        asyncio.run(main(server.domain))


@transports
def test_asyncio_timeout_does_the_same(transport: str) -> None:
    async def main(domain: str) -> None:
        async with client_of(domain, transport=transport, timeout=LONG_MS) as client:
            started = time.monotonic()
            with pytest.raises(TimeoutError) as caught:
                async with asyncio.timeout(0.1):
                    await client.get_offers(**CALL)
            assert type(caught.value) is TimeoutError
            assert time.monotonic() - started < 0.1 + SOON_S

    with raw_server(hang) as server:
        asyncio.run(main(server.domain))


@transports
def test_while_connecting(transport: str) -> None:
    async def main(port: int) -> None:
        async with client_of(f"127.0.0.1:{port}", transport=transport, timeout=LONG_MS) as client:
            before = sockets()
            assert await cancelled_soon(client, lambda: sockets() - before) < SOON_S
            assert await eventually(lambda: sockets() <= before, 1)

    with unaccepting_server() as port:
        asyncio.run(main(port))


@transports
def test_in_a_tls_handshake(transport: str) -> None:
    async def main(domain: str) -> None:
        async with client_of(domain, transport=transport, timeout=LONG_MS, secure=True) as client:
            before = sockets() - {""}
            assert await cancelled_soon(client, lambda: server.connections) < SOON_S
            assert await eventually(lambda: len(sockets()) <= len(before), 1)

    with raw_server(hang) as server:
        asyncio.run(main(server.domain))


@transports
def test_through_tls(transport: str, authority: Authority) -> None:
    release = threading.Event()

    def wait(received: Received) -> Answer:
        release.wait(10)
        return ok(received)

    async def main(server: LoopbackServer) -> None:
        options: dict[str, Any] = {"secure": True, "ca_certs": authority.ca_certs, "timeout": LONG_MS}
        async with client_of(server.domain, transport=transport, **options) as client:
            server.answer = ok
            await client.get_offers(**CALL)  # so that the cancelled call has a connection that is kept
            server.answer = wait
            assert await cancelled_soon(client, lambda: len(server.received) == 2) < SOON_S
            release.set()
            assert (await client.get_offers(**CALL)).response is not None

    with serving(tls=authority.server_context()) as server:
        asyncio.run(main(server))
        assert server.connections == 2


@pytest.mark.waits
@transports
def test_while_the_name_is_looked_up(transport: str, monkeypatch: pytest.MonkeyPatch) -> None:
    release, asked = threading.Event(), threading.Event()
    real = socket.getaddrinfo

    def look_up(host: str, port: int, family: int = 0, kind: int = 0, protocol: int = 0, flags: int = 0) -> Any:
        if flags & socket.AI_NUMERICHOST or host != "slow.example":
            return real(host, port, family, kind, protocol, flags)
        asked.set()
        release.wait(10)
        raise socket.gaierror(socket.EAI_NONAME, "no such name")

    monkeypatch.setattr(socket, "getaddrinfo", look_up)

    async def main() -> None:
        async with client_of("slow.example", transport=transport, timeout=LONG_MS) as client:
            assert await cancelled_soon(client, asked.is_set) < SOON_S
        assert workers() == []

    try:
        asyncio.run(main())
    finally:
        release.set()
    lookups = [thread for thread in threading.enumerate() if thread.name == "target-dns"]
    for thread in lookups:
        thread.join(5)


@transports
def test_while_waiting_for_another_attempt(transport: str, server: LoopbackServer) -> None:
    server.answer = lambda _: Answer({}, 503, {"Retry-After": "10"})

    async def main() -> None:
        async with client_of(server.domain, transport=transport, timeout=LONG_MS) as client:
            assert await cancelled_soon(client, lambda: server.received) < SOON_S
        assert workers() == []

    asyncio.run(main())
    assert len(server.received) == 1


@transports
def test_a_connection_whose_answer_was_complete_serves_the_next_call(transport: str, server: LoopbackServer) -> None:
    """What ends one call must not end the next one on the same connection."""

    async def main() -> None:
        async with client_of(server.domain, transport=transport, timeout=LONG_MS) as client:
            for _ in range(20):
                task = asyncio.create_task(client.get_offers(**CALL))
                await asyncio.sleep(0.002)
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
                assert (await client.get_offers(**CALL)).response is not None

    asyncio.run(main())


# Slots


@transports
@pytest.mark.waits
def test_cancelling_half_of_a_thousand_calls_leaves_no_socket_and_no_task(transport: str) -> None:
    release = threading.Event()

    def wait(received: Received) -> Answer:
        release.wait(10)
        return ok(received)

    async def main(server: LoopbackServer) -> None:
        before = sockets()  # the event loop's own included
        async with client_of(server.domain, transport=transport, timeout=LONG_MS) as client:
            tasks = [asyncio.create_task(client.get_offers(**CALL)) for _ in range(1000)]
            assert await eventually(lambda: len(server.received) == 64)
            for task in tasks[::2]:
                task.cancel()
            await asyncio.sleep(0.01)
            release.set()
            results = await asyncio.gather(*tasks, return_exceptions=True)
            assert all(isinstance(result, asyncio.CancelledError) for result in results[::2])
            assert all(isinstance(result, TargetDeliveryResponse) for result in results[1::2])
        assert asyncio.all_tasks() == {asyncio.current_task()}
        assert workers() == []
        assert await eventually(lambda: sockets() <= before)

    with serving(wait) as server:
        asyncio.run(main(server))


@transports
def test_no_more_calls_at_once_than_allowed_and_each_in_its_turn(transport: str, server: LoopbackServer) -> None:
    lock, running, most = threading.Lock(), 0, 0

    def count(received: Received) -> Answer:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.01)
        with lock:
            running -= 1
        return ok(received)

    server.answer = count

    async def main() -> None:
        async with client_of(server.domain, transport=transport, max_concurrency=3) as client:
            ended: list[int] = []

            async def call(number: int) -> None:
                await client.get_offers({**CALL, "session_id": f"number-{number}"})
                ended.append(number)

            await asyncio.gather(*(call(number) for number in range(30)))
            assert sorted(ended) == list(range(30))

    asyncio.run(main())
    assert most == 3
    arrived = [int(received.session_id.removeprefix("number-")) for received in server.received]
    assert max(abs(position - number) for position, number in enumerate(arrived)) <= 3


@transports
def test_waiting_for_a_turn_counts(transport: str) -> None:
    async def main(domain: str) -> None:
        async with client_of(domain, transport=transport, timeout=300, max_concurrency=1) as client:
            first = asyncio.create_task(client.get_offers(**CALL))
            await asyncio.sleep(0.1)
            started = time.monotonic()
            calls = [client.get_offers(**CALL) for _ in range(10)]  # one has its turn, for 100 ms
            results = await asyncio.gather(*calls, return_exceptions=True)
            assert 0.25 < time.monotonic() - started < 0.3 + SOON_S
            assert {type(result) for result in results} == {TargetTimeout}
            assert any("all of 300 ms: raise 'max_concurrency'" in str(result) for result in results)
            with pytest.raises(TargetTimeout, match="No complete answer"):
                await first

    with raw_server(hang) as server:
        asyncio.run(main(server.domain))


@transports
def test_a_call_that_is_cancelled_while_it_waits_takes_no_turn(transport: str, server: LoopbackServer) -> None:
    def slowly(received: Received) -> Answer:
        time.sleep(0.05)
        return ok(received)

    server.answer = slowly

    async def main() -> None:
        async with client_of(server.domain, transport=transport, max_concurrency=1) as client:
            tasks = [asyncio.create_task(client.get_offers(**CALL)) for _ in range(4)]
            await asyncio.sleep(0.01)
            tasks[1].cancel()
            tasks[2].cancel()
            results = await asyncio.gather(*tasks, return_exceptions=True)
            assert [isinstance(result, BaseException) for result in results] == [False, True, True, False]

    asyncio.run(main())
    assert len(server.received) == 2


@transports
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_the_default_executor_of_the_loop_has_no_part(transport: str, host: str, server: LoopbackServer) -> None:
    class Forbidden(concurrent.futures.ThreadPoolExecutor):
        def submit(self, *_: Any, **__: Any) -> Any:
            raise AssertionError("the loop's default executor was used")

    async def main() -> None:
        asyncio.get_running_loop().set_default_executor(Forbidden())
        async with client_of(f"{host}:{server.server_port}", transport=transport) as client:
            await asyncio.gather(*(client.get_offers(**CALL) for _ in range(5)))

    asyncio.run(main())
    assert len(server.received) == 5


# The handle itself


def test_a_lookup_is_shared_and_can_be_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()
    asked: list[str] = []

    def look_up(host: str, *_: Any) -> Any:
        asked.append(host)
        release.wait(5)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 80))]

    monkeypatch.setattr("target._http.resolve.socket.getaddrinfo", look_up)
    first, second = (resolve.look_up("a.example", 80, 0) for _ in range(2))
    assert first is second
    assert not first.done.is_set()
    release.set()
    assert first.done.wait(5)
    assert [address[4] for address in resolve.addresses_of(first, "a.example")] == [("127.0.0.1", 80)]
    assert asked == ["a.example"]


def test_what_was_ended_does_not_begin_to_wait() -> None:
    abort = Abort()
    woken: list[str] = []
    abort.watch(lambda: woken.append("first"))
    abort.watch(None)
    abort()
    abort()
    assert (woken, abort.called) == ([], True)
    for wait in (lambda: abort.watch(print), lambda: abort.wait(threading.Event(), 5)):  # type: ignore[arg-type]
        with pytest.raises(ClientClosed):
            wait()  # type: ignore[no-untyped-call]


def test_an_end_that_comes_while_the_answer_is_read_is_not_lost() -> None:
    """The thread and the task race; whoever is first, no connection may stay open in a pool that nobody closes."""

    def behave(sock: socket.socket) -> None:
        while read_request(sock) != b"\r\n\r\n":
            time.sleep(0.001)
            sock.sendall(GOOD_ANSWER)

    async def main(domain: str) -> None:
        async with client_of(domain, transport="threads") as client:
            for pause in range(40):
                task = asyncio.create_task(client.get_offers(**CALL))
                await asyncio.sleep(pause / 10_000)
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
            assert (await client.get_offers(**CALL)).response is not None

    with raw_server(behave) as server:
        before = sockets()
        asyncio.run(main(server.domain))
        assert workers() == []
        assert len(sockets()) <= len(before) + len(server.connections)


def test_options_are_checked_before_a_turn_is_taken(server: LoopbackServer) -> None:
    async def main() -> None:
        async with client_of(server.domain, max_concurrency=1) as client:
            for _ in range(3):
                with pytest.raises(OptionsError):
                    await client.get_offers(request={})
            assert (await client.get_offers(**CALL)).response is not None

    asyncio.run(main())
