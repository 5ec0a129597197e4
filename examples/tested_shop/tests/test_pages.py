"""The whole service: its client makes real calls, to an emulator on this machine."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from fastapi.testclient import TestClient
from shop.banner import WELCOME

from target.emulator import Emulator

OFFERS = {
    "mboxes": {
        "home": {
            "options": [{"type": "html", "content": "<h1>Sale</h1>"}],
            "metrics": [{"type": "click"}],
        },
        "teaser": {"title": "Bag", "price": 49},
    }
}


def test_what_is_shown_is_told(
    browser: TestClient, target_offers: Callable[..., None], assert_notified: Callable[..., list[Any]]
) -> None:
    target_offers(OFFERS)
    assert browser.get("/").text == "<h1>Sale</h1><p>Bag: 49 EUR</p>"
    assert_notified("home", type="display", times=1)
    assert_notified("home", type="click", times=0)


def test_an_order_is_told_with_the_click(
    browser: TestClient, target_offers: Callable[..., None], assert_notified: Callable[..., list[Any]]
) -> None:
    target_offers(OFFERS)
    browser.get("/")
    browser.post("/bought")
    [click] = assert_notified("home", type="click", times=1)
    assert click["order"]["total"] == 49.9


def test_a_visitor_who_comes_back_is_the_same(browser: TestClient, target_emulator: Emulator) -> None:
    for _ in range(2):
        browser.get("/checkout")
    first, second = target_emulator.received
    assert second.body["id"]["tntId"]
    assert second.query["sessionId"] == first.query["sessionId"]


@pytest.mark.parametrize("fault", [404, "half", "reset"])
def test_a_page_shows_its_default_on_a_bad_day(
    browser: TestClient, target_faults: Callable[..., None], fault: int | str
) -> None:
    target_faults(fault, n=10)
    assert browser.get("/").text == WELCOME


async def test_the_client_under_asyncio(
    async_target_client: Callable[..., Any], target_offers: Callable[..., None]
) -> None:
    target_offers(OFFERS)
    async with async_target_client() as client:
        shown = await client.get_offers(request={"execute": {"mboxes": [{"name": "home"}]}})
    assert shown.content("home") == "<h1>Sale</h1>"


@pytest.mark.parametrize("number", range(20))
def test_tests_see_their_own_offers_alone(
    browser: TestClient, target_offers: Callable[..., None], target_emulator: Emulator, number: int
) -> None:
    target_offers({"mboxes": {"home": f"<h1>{number}</h1>"}})
    assert browser.get("/").text == f"<h1>{number}</h1>"
    assert len(target_emulator.notifications) == 1
