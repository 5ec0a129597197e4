"""Pages for bots and of offline clients: defaults; a bot gets no cookie, and no cache keeps what it saw for people."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from target import AsyncTargetClient, AsyncVisit, Notification, Site, Visit
from tests.kit.calls import COOKIE, REQUEST, client_of, options_of
from tests.kit.loopback import LoopbackServer
from tests.kit.pages import KEY, PREFETCHED, SHOWN, web_request
from tests.kit.user_agents import GOOGLEBOT

BOT = {"User-Agent": GOOGLEBOT}


def names_of(visit: Any) -> list[str]:
    return [name for name, _ in visit.response_headers("public, max-age=60")]


def test_a_bots_page_has_defaults_and_sets_no_cookie(server: LoopbackServer) -> None:
    with client_of(server.domain, exclude_bots=True) as client:
        visit = Visit(Site(client, handle_key=KEY), lambda: web_request(headers=BOT))
        result = visit.get_offers(request=REQUEST)
        assert (result.content("home", "mine"), visit.error) == ("mine", None)
        assert visit.get_attributes(["flags"]).as_object() == {"flags": {}}
        assert visit.notify(result, displayed=["home"])
        assert visit.handle(result.displayed("home")) == ""
        assert visit.response_headers("public, max-age=60") == [
            ("Cache-Control", "max-age=60, private"),
            ("Vary", "Cookie"),
        ]
    assert server.received == []


def test_what_a_bot_tells_later_is_not_told(server: LoopbackServer) -> None:
    with client_of(server.domain, exclude_bots=True) as client:
        site = Site(client, handle_key=KEY)
        cookies = {"mbox": COOKIE}
        person = Visit(site, lambda: web_request(cookies))
        person.get_offers(request=PREFETCHED)
        handle = person.handle([Notification.from_dict(SHOWN.to_dict())])
        before = len(server.received)
        bot = Visit(site, lambda: web_request(cookies, headers=BOT))
        assert bot.receive(f'{{"handles": ["{handle}"]}}'.encode()) == 204
        assert len(server.received) == before
        assert person.receive(f'{{"handles": ["{handle}"]}}'.encode()) == 204
        assert len(server.received) == before + 1


def test_a_page_that_asks_nothing_says_nothing_to_a_bot_either(server: LoopbackServer) -> None:
    with client_of(server.domain, exclude_bots=True) as client:
        assert Visit(Site(client), lambda: web_request(headers=BOT)).response_headers() == []


def test_without_the_option_it_is_as_for_people(server: LoopbackServer) -> None:
    with client_of(server.domain) as client:
        visit = Visit(Site(client), lambda: web_request(headers=BOT))
        visit.get_offers(request=REQUEST)
        assert "Set-Cookie" in names_of(visit)


def test_an_offline_page_goes_on_with_the_visitors_cookies(server: LoopbackServer) -> None:
    with client_of(server.domain, offline=True) as client:
        visit = Visit(Site(client), lambda: web_request({"mbox": COOKIE}))
        visit.get_offers(request=REQUEST)
        (cookie,) = [value for name, value in visit.response_headers() if name == "Set-Cookie" and "mbox=" in value]
        assert "PC#Device-a9f3.38_0#" in cookie.replace("%23", "#")
        assert visit.error is None
    assert server.received == []


@pytest.mark.parametrize("transport", ["threads", "aiohttp"])
def test_the_same_on_an_event_loop(server: LoopbackServer, transport: str) -> None:
    async def page() -> tuple[Any, list[str]]:
        options = options_of(server.domain, exclude_bots=True, transport=transport)
        async with await AsyncTargetClient.create(options) as client:
            visit = AsyncVisit(Site(client), lambda: web_request(headers=BOT))
            return await visit.get_offers(request=REQUEST), names_of(visit)

    result, names = asyncio.run(page())
    assert [part.reason for part in result.meta.decisions] == ["bot"]
    assert names == ["Cache-Control", "Vary"]
    assert server.received == []
