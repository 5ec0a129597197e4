"""A test of the user's sets the date: calls take it for cookies and timestamps, and every duration stays real."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

import freezegun
import pytest
import time_machine

from target import AsyncTargetClient, ClientClosed, Outbox, TargetClient, TargetTimeout, TargetUnavailable
from target._background.clock import monotonic_s
from tests.kit.calls import client_of, eventually, options_of
from tests.kit.cdn import artifact
from tests.kit.loopback import Answer, LoopbackServer, Received, ok, serving
from tests.kit.processes import run_script

DATE = "2026-02-03"
DATE_S = 1_770_076_800
REQUEST: dict[str, Any] = {"execute": {"mboxes": [{"name": "home"}]}}
CLOCK = partial(time.clock_gettime, time.CLOCK_MONOTONIC)  # as no tool sets it

Frozen = Callable[[], AbstractContextManager[Any]]


@pytest.fixture(params=["freezegun", "time-machine"])
def frozen(request: pytest.FixtureRequest) -> Frozen:
    if request.param == "freezegun":
        return lambda: freezegun.freeze_time(DATE)
    return lambda: time_machine.travel(DATE, tick=False)


@pytest.fixture(params=["before", "inside"])
def made(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def hang(received: Received) -> Answer:
    time.sleep(8)
    return ok(received)


@pytest.fixture(scope="module")
def hanging() -> Iterator[LoopbackServer]:
    with serving(hang) as server:
        yield server


def took_s(work: Callable[[], object]) -> float:
    began_s = CLOCK()
    work()
    return CLOCK() - began_s


def expires_at(client: TargetClient) -> int:
    result = client.get_offers(request=REQUEST, session_id="s")
    assert result.target_cookie is not None
    return int(result.target_cookie.value.split("#")[2].split("|")[0])


def test_the_clock_runs_on(frozen: Frozen) -> None:
    with frozen():
        before_s = monotonic_s()
        time.sleep(0.02)
        assert 0.01 < monotonic_s() - before_s < 5


def test_cookies_take_the_date_that_is_set(frozen: Frozen, made: str, server: LoopbackServer) -> None:
    if made == "before":
        client = client_of(server.domain)
    with frozen():
        if made == "inside":
            client = client_of(server.domain)
        assert 0 <= expires_at(client) - DATE_S - 1860 <= 5
    assert abs(expires_at(client) - time.time() - 1860) < 60
    client.close()


def test_the_deadline_holds(frozen: Frozen, made: str, hanging: LoopbackServer) -> None:
    def call() -> None:
        with pytest.raises(TargetTimeout):
            client.get_offers(request=REQUEST)

    if made == "before":
        client = client_of(hanging.domain, timeout=200)
    with frozen():
        if made == "inside":
            client = client_of(hanging.domain, timeout=200)
        assert 0.15 < took_s(call) < 6
    client.close()


def test_close_waits_as_long_as_it_says(frozen: Frozen, hanging: LoopbackServer) -> None:
    client = client_of(hanging.domain, timeout=30_000)
    with frozen():
        handle = client.get_offers(request=REQUEST, callback=str)
        assert 0.05 < took_s(lambda: client.close(timeout=100)) < 6
        with pytest.raises(ClientClosed):
            handle.get(5)


def test_the_outbox_sends(frozen: Frozen, made: str, server: LoopbackServer) -> None:
    if made == "before":
        client = client_of(server.domain, outbox=Outbox.memory(flush_interval=10))
    with frozen():
        if made == "inside":
            client = client_of(server.domain, outbox=Outbox.memory(flush_interval=10))
        item = {"id": "n", "type": "display", "timestamp": 1}
        client.queue_notifications(request={"notifications": [item]}, session_id="s")
        assert eventually(lambda: client.outbox is not None and client.outbox.pending == 0)  # by itself
    client.close()
    assert [received.body["notifications"][0]["id"] for received in server.received] == ["n"]


def test_the_breaker_opens_and_closes(frozen: Frozen, server: LoopbackServer) -> None:
    server.answer = lambda _: Answer({"message": "busy"}, 500)
    client = client_of(server.domain, breaker_failures=1, breaker_reset=300, retries=0)
    with frozen():
        with pytest.raises(Exception, match="busy"):
            client.get_offers(request=REQUEST)
        with pytest.raises(TargetUnavailable):
            client.get_offers(request=REQUEST)
        server.answer = ok
        time.sleep(0.4)
        client.get_offers(request=REQUEST)
    client.close()


@pytest.mark.waits
def test_impressions_take_the_date_and_rules_are_still_fetched(frozen: Frozen, server: LoopbackServer) -> None:
    asked: list[Received] = []
    told: list[dict[str, Any]] = []

    def answer(received: Received) -> Answer:
        if received.target.startswith("/rules.json"):
            asked.append(received)
            return Answer(artifact())
        told.extend(received.body.get("notifications", ()))
        return ok(received)

    server.answer = answer
    with frozen():
        client = client_of(
            server.domain,
            decisioning_method="on-device",
            artifact_location=f"{server.url}/rules.json",
            polling_interval=1000,
        )
        assert client.wait_until_ready(10_000)
        client.get_offers(request=REQUEST)
        assert eventually(lambda: told)
        assert eventually(lambda: len(asked) > 1, 10)
        client.close()
    assert 0 <= told[0]["timestamp"] - DATE_S * 1000 < 5000


@pytest.mark.waits
def test_the_package_may_be_imported_while_the_date_is_set(hanging: LoopbackServer) -> None:
    script = """
        import sys, time
        from functools import partial
        from freezegun import freeze_time
        clock = partial(time.clock_gettime, time.CLOCK_MONOTONIC)
        with freeze_time("2026-02-03"):
            from target import TargetClient, TargetTimeout
            client = TargetClient.create(client="acme", organization_id="1@AdobeOrg", server_domain=sys.argv[1],
                                         secure=False, edge_routing=False, timeout=300)
            for _ in range(2):
                began = clock()
                try:
                    client.get_offers(request={"execute": {"mboxes": [{"name": "home"}]}})
                except TargetTimeout:
                    print(0.2 < clock() - began < 6)
        client.close()
    """
    assert run_script(script, hanging.domain).split() == ["True", "True"]


@pytest.mark.waits
@pytest.mark.parametrize("transport", ["aiohttp", "threads"])
def test_an_event_loop_whose_clock_stands_still(transport: str, frozen: Frozen, made: str) -> None:
    answered: list[Received] = []

    def answer(received: Received) -> Answer:
        answered.append(received)
        if received.session_id == "hanging":
            return hang(received)
        if len(answered) == 1:
            return Answer({"message": "busy"}, 503, {"Retry-After": "1"})
        return ok(received)

    async def create(domain: str) -> AsyncTargetClient:
        return await AsyncTargetClient.create(options_of(domain, timeout=2500, transport=transport, max_concurrency=2))

    async def main(domain: str) -> None:
        client = await create(domain) if made == "before" else None
        with frozen():
            client = client or await create(domain)
            began_s = CLOCK()
            result = await client.get_offers(request=REQUEST, session_id="plain")
            assert CLOCK() - began_s > 0.9  # the second attempt came when the server wanted it
            assert result.target_cookie is not None
            assert f"#{DATE_S + 1860}|" in result.target_cookie.value
            began_s = CLOCK()
            calls = [client.get_offers(request=REQUEST, session_id="hanging") for _ in range(3)]  # one waits in line
            outcomes = await asyncio.gather(*calls, return_exceptions=True)
            assert [type(outcome) for outcome in outcomes] == [TargetTimeout] * 3
            assert 2.4 < CLOCK() - began_s < 7
            task = asyncio.ensure_future(client.get_offers(request=REQUEST, session_id="hanging"))
            await asyncio.sleep(0)
            began_s = CLOCK()
            await client.aclose(timeout=100)
            assert CLOCK() - began_s < 2.4
            with pytest.raises(ClientClosed):
                await task

    with serving(answer) as server:
        asyncio.run(main(server.domain))
