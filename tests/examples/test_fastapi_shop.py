"""The shop in FastAPI: a visitor sees an offer, the browser tells so, buys; and a real server serves it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from examples.fastapi_shop import create_app
from target.emulator import Emulator, load_offers, running
from tests.kit.calls import options_of

OFFERS = load_offers(Path(__file__).parents[2] / "examples" / "offers.json")


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with running(offers=OFFERS) as emulator:
        yield emulator


def test_a_visitor_sees_tells_and_buys(emulator: Emulator) -> None:
    options = {**options_of(emulator.server_domain), "client": "acmeclient", "cookie_secure": False}
    with TestClient(create_app(handle_key="a secret of this test", **options)) as browser:
        page = browser.get("/")
        assert "Summer sale" in page.text
        assert "Checkout: express" in page.text
        (handle,) = set(re.findall(r'handles: \["([^"]+)"\]', page.text))
        assert browser.post("/seen", json={"handles": [handle]}).status_code == 204
        assert "Thank you" in browser.post("/bought").text
    display, click = (received["notification"] for received in emulator.notifications)
    assert (display["type"], click["type"]) == ("display", "click")
    assert click["order"] == {"id": "order-1", "total": 49.9, "purchasedProductIds": ["7"]}
    assert len({received["sessionId"] for received in emulator.notifications}) == 1


def test_without_target_it_shows_its_own_page() -> None:
    options = {**options_of("127.0.0.1:9"), "retries": 0}
    with TestClient(create_app(handle_key="a secret of this test", **options)) as browser:
        page = browser.get("/")
        assert "Welcome to our shop" in page.text
        assert "Checkout: standard" in page.text
        assert "Thank you" in browser.post("/bought").text
