"""Places for calls, shared between hosts: pure rules first, then calls while a host hangs, each way there is."""

from __future__ import annotations

import asyncio
import copy
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from target import ApiError, ClientClosed, Outbox, TargetTimeout, TransportError
from target._background.shares import MOST_SHARES, Host, Shares, did_answer
from tests.kit import aio
from tests.kit.calls import client_of, eventually
from tests.kit.loopback import Answer, LoopbackServer, Received, ok, serving

HOME, OWN = Host("http://acme.example"), Host("http://mboxedge35.tt.omtrdc.net")
ASK: dict[str, Any] = {"request": {"execute": {"mboxes": [{"name": "home"}]}}}


def visitors(cluster: int) -> Host:
    return Host(f"http://mboxedge{cluster}.tt.omtrdc.net", is_visitors=True)


def taken(shares: Shares[int], host: Host, most: int = 100) -> int:
    """How many places ``host`` gets, when it asks for as many as it can have."""
    return sum(shares.begin(host) for _ in range(most))


# The rules


def test_a_host_of_the_client_has_all_its_places_whatever_the_others_have() -> None:
    shares = Shares[int](8)
    assert [taken(shares, visitors(number)) for number in range(10)] == [1, 1, 1, 1, 0, 0, 0, 0, 0, 0]
    assert taken(shares, HOME) == 8
    assert taken(shares, OWN) == 8
    assert MOST_SHARES * 8 >= 8 + 8 + 4


def test_a_host_that_answers_has_what_visitors_hosts_have_together() -> None:
    shares = Shares[int](8)
    assert shares.begin(visitors(38))
    shares.end(visitors(38), answered=True)
    assert taken(shares, visitors(38)) == 8
    assert taken(shares, visitors(39)) == 0


def test_a_host_that_fails_is_in_doubt_again() -> None:
    shares = Shares[int](16)
    for answered in (True, False):
        assert shares.begin(visitors(38))
        shares.end(visitors(38), answered=answered)
    assert taken(shares, visitors(38)) == 2


def test_places_in_use_change_with_what_is_known_of_their_host() -> None:
    shares = Shares[int](16)
    assert taken(shares, visitors(38)) == 2
    shares.end(visitors(38), answered=True)  # the other one is in doubt no longer
    assert [taken(shares, visitors(number)) for number in range(6)] == [2, 2, 2, 2, 0, 0]
    for number in range(4):
        for _ in range(2):
            shares.end(visitors(number), answered=None)
    assert taken(shares, visitors(38), 3) == 3
    shares.end(visitors(38), answered=False)
    assert taken(shares, visitors(38)) == 0
    assert [taken(shares, visitors(number)) for number in range(6)] == [2, 2, 1, 0, 0, 0]


def test_who_waits_gets_its_turn_in_the_order_of_coming() -> None:
    shares = Shares[str](1)
    assert shares.begin(HOME)
    shares.wait(HOME, "a")
    shares.wait(OWN, "b")
    shares.wait(HOME, "c")
    shares.wait(OWN, "d")
    assert shares.waiting == 4
    assert shares.next() == (OWN, "b")
    assert shares.next() is None
    assert not shares.begin(HOME)
    shares.end(HOME, None)
    assert not shares.begin(HOME)  # others were there first
    shares.give_up(HOME, "a")
    shares.give_up(HOME, "never came")
    assert shares.next() == (HOME, "c")
    shares.wait(HOME, "e")
    assert shares.drain() == ["d", "e"]
    assert shares.waiting == 0


@given(
    size=st.integers(1, 20),
    steps=st.lists(st.tuples(st.integers(0, 5), st.sampled_from(["begin", "wait", "end", "next"]), st.booleans())),
)
def test_no_place_is_lost_or_given_twice(size: int, steps: list[tuple[int, str, bool]]) -> None:
    shares = Shares[int](size)
    hosts = [HOME, OWN, *map(visitors, range(4))]
    running: dict[Host, int] = dict.fromkeys(hosts, 0)
    waiting = 0
    for item, (number, step, answered) in enumerate(steps):
        host = hosts[number]
        if step == "begin":
            running[host] += shares.begin(host)
        elif step == "wait":
            shares.wait(host, item)
            waiting += 1
        elif step == "end" and running[host]:
            shares.end(host, answered)
            running[host] -= 1
        elif step == "next" and (found := shares.next()) is not None:
            running[found[0]] += 1
            waiting -= 1
        assert shares.waiting == waiting
        assert shares.has_next is (copy.deepcopy(shares).next() is not None)
        assert all(not shares.is_full(host) for host in hosts if running[host] < size)
        assert all(not shares._may_begin(host) for host in hosts if shares.is_full(host))
        assert running[HOME] <= size >= running[OWN]
        assert sum(running[visitor] for visitor in hosts[2:]) <= size
        assert shares._visitors == sum(running[visitor] for visitor in hosts[2:])
        assert shares._doubtful == sum(running[visitor] for visitor in hosts[2:] if shares._is_doubtful(visitor))
    while (found := shares.next()) is not None or any(running.values()):
        if found is not None:
            running[found[0]] += 1
        host = next(host for host, count in running.items() if count)
        running[host] -= 1
        shares.end(host, None)
    assert taken(shares, HOME) == size
    assert shares._doubtful == shares._visitors == 0


def test_many_hosts_that_answered_are_not_remembered_for_ever() -> None:
    shares = Shares[int](8)
    for number in range(300):
        assert shares.begin(visitors(number))
        shares.end(visitors(number), answered=True)
    assert len(shares._proven) == 256
    assert taken(shares, visitors(0)) == 1


def test_what_an_error_says_of_a_host() -> None:
    assert did_answer(None)
    assert did_answer(ApiError(500, "no"))
    assert did_answer(TargetTimeout("late")) is False
    assert did_answer(TransportError("refused")) is False
    assert did_answer(ClientClosed("closed")) is None


# Calls while a host hangs


class Hosts:
    """A proxy that leads to every host; those in ``hanging`` do not answer before the test is over."""

    def __init__(self) -> None:
        self.hanging: set[str] = set()
        self.over = threading.Event()
        self.asked: list[str] = []

    def answer(self, received: Received) -> Answer:
        host = received.target.split("/")[2].partition(".")[0]
        self.asked.append(host)
        if host in self.hanging:
            self.over.wait(30)
        return ok(received)


@pytest.fixture
def hosts() -> Iterator[Hosts]:
    found = Hosts()
    yield found
    found.over.set()


@pytest.fixture
def proxy(hosts: Hosts) -> Iterator[LoopbackServer]:
    with serving(hosts.answer) as server:
        yield server
        hosts.over.set()


def options(proxy: LoopbackServer, **more: Any) -> dict[str, Any]:
    return {"proxy": proxy.url, "edge_routing": True, "timeout": 30_000, "retries": 0, **more}


@pytest.mark.parametrize("proven", [False, True], ids=["unknown", "known to answer"])
def test_calls_with_a_callback_to_other_hosts_do_not_wait(proxy: LoopbackServer, hosts: Hosts, proven: bool) -> None:
    with client_of("acme.example", **options(proxy, async_workers=4)) as client:
        if proven:
            client.get_offers(**ASK, target_location_hint="44", callback=lambda _: None).get(20)
        hosts.hanging = {"mboxedge44"}
        hung = [client.get_offers(**ASK, target_location_hint="44", callback=lambda _: None) for _ in range(20)]
        assert eventually(lambda: hosts.asked.count("mboxedge44") >= 1 + proven)
        for _ in range(10):
            client.get_offers(**ASK, callback=lambda _: None).get(20)
        assert not any(handle.ready() for handle in hung)
        hosts.over.set()
        for handle in hung:
            handle.get(20)


def test_a_visitor_of_another_cluster_does_not_wait_for_one_nobody_knows(proxy: LoopbackServer, hosts: Hosts) -> None:
    hosts.hanging = {"mboxedge44"}
    with client_of("acme.example", **options(proxy)) as client:
        hung = [client.get_offers(**ASK, target_location_hint="44", callback=lambda _: None) for _ in range(20)]
        for _ in range(5):
            client.get_offers(**ASK, target_location_hint="35", callback=lambda _: None).get(20)
        assert not any(handle.ready() for handle in hung)
        hosts.over.set()


@aio.transports
@pytest.mark.parametrize("proven", [False, True], ids=["unknown", "known to answer"])
def test_tasks_that_call_other_hosts_do_not_wait(
    transport: str, proxy: LoopbackServer, hosts: Hosts, proven: bool
) -> None:
    async def go() -> None:
        async with aio.client_of("acme.example", transport=transport, **options(proxy, max_concurrency=4)) as client:
            if proven:
                await client.get_offers(**ASK, target_location_hint="44")
            hosts.hanging = {"mboxedge44"}
            hung = [asyncio.create_task(client.get_offers(**ASK, target_location_hint="44")) for _ in range(20)]
            assert await aio.eventually(lambda: hosts.asked.count("mboxedge44") >= 1 + proven)
            for _ in range(10):
                async with asyncio.timeout(20):
                    await client.get_offers(**ASK)
            assert not any(task.done() for task in hung)
            for task in hung[::2]:
                task.cancel()
            hosts.over.set()
            async with asyncio.timeout(20):
                await asyncio.wait(hung)
            assert all(task.exception() is None for task in hung[1::2])
            await asyncio.gather(*(client.get_offers(**ASK, target_location_hint="44") for _ in range(8)))

    asyncio.run(go())


def test_the_outbox_sends_to_other_hosts(proxy: LoopbackServer, hosts: Hosts) -> None:
    hosts.hanging = {"mboxedge44"}
    acknowledged: list[str] = []

    def shown(name: str) -> dict[str, Any]:
        return {"notifications": [{"id": name, "type": "click", "timestamp": 1, "mbox": {"name": "home"}}]}

    with client_of(
        "acme.example",
        **options(
            proxy,
            outbox=Outbox.memory(flush_interval=1),
            background_concurrency=4,
            events={"notification_acknowledged": lambda event: acknowledged.append(event["id"])},
        ),
    ) as client:
        for number in range(20):
            client.queue_notifications(
                request=shown(f"hung-{number}"), session_id=f"h{number}", target_location_hint="44"
            )
        assert eventually(lambda: "mboxedge44" in hosts.asked)
        for number in range(10):
            client.queue_notifications(request=shown(f"good-{number}"), session_id=f"g{number}")
        assert eventually(lambda: len(acknowledged) == 10, 20)
        assert all(name.startswith("good") for name in acknowledged)
        hosts.over.set()


RULES = {
    "version": "1.0.0",
    "rules": {
        "mboxes": {
            "home": [
                {
                    "ruleKey": "r",
                    "activityId": "1",
                    "meta": {},
                    "condition": True,
                    "consequence": {"options": [{"type": "html", "content": "x", "eventToken": "t"}]},
                }
            ]
        },
        "views": {},
    },
}


def test_impressions_of_decisions_are_sent_to_other_hosts(proxy: LoopbackServer, hosts: Hosts) -> None:
    hosts.hanging = {"mboxedge44"}
    with client_of(
        "acme.example",
        **options(
            proxy,
            decisioning_method="on-device",
            artifact_payload=RULES,
            polling_interval=0,
            telemetry_enabled=False,
            background_concurrency=4,
            cdn_base_path="http://cdn.example",
        ),
    ) as client:
        for number in range(20):
            client.get_offers(**ASK, session_id=f"h{number}", target_location_hint="44")
        assert eventually(lambda: "mboxedge44" in hosts.asked)
        for number in range(10):
            client.get_offers(**ASK, session_id=f"g{number}")
        assert eventually(lambda: len(hosts.asked) - hosts.asked.count("mboxedge44") == 10, 20)
        hosts.over.set()
