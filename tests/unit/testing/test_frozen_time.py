"""What users test with, while freezegun or time-machine hold the date: it is taken, and nothing waits for it."""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import freezegun
import pytest
import time_machine

from target import TargetClient, TargetDeliveryResponse, TargetTimeout
from target.emulator import Emulator
from target.testing import AsyncFakeTargetClient, FakeTargetClient
from target.testing._fixtures import AssertNotified, TargetFaults, UseOffers, begin_anew, options_for, serving

DATE = datetime.datetime(2021, 3, 4, 5, 6, 7, tzinfo=datetime.UTC)
DATE_S = int(DATE.timestamp())
HOME: Any = {"prefetch": {"mboxes": [{"name": "home"}]}}
OFFERS: Any = {"mboxes": {"home": "<h1>"}}
Frozen = Callable[[], AbstractContextManager[object]]


@pytest.fixture(params=["freezegun", "time-machine"])
def frozen(request: pytest.FixtureRequest) -> Frozen:
    if request.param == "freezegun":
        return lambda: freezegun.freeze_time(DATE)
    return lambda: time_machine.travel(DATE, tick=False)


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with serving() as emulator:
        yield emulator


def expires_at(result: TargetDeliveryResponse) -> int:
    return int(result.target_cookie.value.split("#")[2].partition("|")[0])


def test_results_and_fakes_take_the_date(frozen: Frozen) -> None:
    made_before = FakeTargetClient(OFFERS)
    with frozen():
        made_inside = FakeTargetClient(OFFERS)
        made = TargetDeliveryResponse.from_data({"prefetch": {"mboxes": {"home": "<h1>"}}})
        results = [made, *(client.get_offers(request=HOME) for client in (made_before, made_inside))]
        assert [expires_at(result) - DATE_S for result in results] == [1860] * 3
        assert [told.timestamp for result in results for told in result.displayed("home")] == [DATE_S * 1000] * 3
        shown = asyncio.run(AsyncFakeTargetClient(OFFERS).get_offers(request=HOME))
        assert expires_at(shown) == DATE_S + 1860


def test_what_was_told_is_waited_for(frozen: Frozen, emulator: Emulator) -> None:
    begin_anew(emulator)
    UseOffers(emulator)(OFFERS)
    with frozen(), TargetClient.create(**options_for(emulator.server_domain)) as client:
        shown = client.get_offers(request=HOME)
        client.notify(shown, displayed=["home"], callback=str)
        [told] = AssertNotified(emulator)("home", timeout_ms=10_000)
        assert told["timestamp"] == DATE_S * 1000
        with pytest.raises(AssertionError, match="told 1 times, not 2"):
            AssertNotified(emulator)("home", times=2, timeout_ms=50)


def test_deadlines_run_on(frozen: Frozen, emulator: Emulator) -> None:
    begin_anew(emulator)
    TargetFaults(emulator)(latency_ms=30_000)
    hasty = TargetClient.create({**options_for(emulator.server_domain), "timeout": 100})
    with frozen(), hasty as client, pytest.raises(TargetTimeout):
        client.get_offers(request=HOME)
