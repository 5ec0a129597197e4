"""What depends on the date, which freezegun holds."""

from __future__ import annotations

import datetime
from collections.abc import Callable

from fastapi.testclient import TestClient
from freezegun import freeze_time

TWO_YEARS = datetime.timedelta(seconds=63_244_800)


def test_the_cookie_lasts_two_years(browser: TestClient, target_offers: Callable[..., None]) -> None:
    target_offers({"mboxes": {"home": "<h1>"}})
    now = datetime.datetime(2030, 1, 2, tzinfo=datetime.UTC)
    with freeze_time(now):
        cookie = browser.get("/").headers["Set-Cookie"].partition(";")[0]
    _, device = cookie.split("|")
    assert int(device.rpartition("#")[2]) == (now + TWO_YEARS).timestamp()
