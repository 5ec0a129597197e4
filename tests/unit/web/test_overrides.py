"""Override links in web services: followed, kept in a cookie, ended; for their tester alone, and in no shared cache."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
import time_machine
from flask import Flask
from flask.typing import ResponseReturnValue

from target import AsyncTargetClient, AsyncVisit, Site, TargetClient, Visit
from target.integrations.flask import Target, current_target
from target.overrides import OVERRIDE_NAME
from tests.kit.calls import REQUEST, client_of, options_of
from tests.kit.loopback import Answer, LoopbackServer, ok
from tests.kit.pages import BROWSER, PAGE, web_request

KEY = "a secret of this test"
ALLOWED: dict[str, Any] = {"allow_overrides": True, "override_key": KEY}
HOME: Any = {"request": REQUEST}


@pytest.fixture
def client(server: LoopbackServer) -> Iterator[TargetClient]:
    with client_of(server.domain, **ALLOWED) as made:
        yield made


def visit(client: TargetClient, url: str = PAGE, cookies: dict[str, str] | None = None, **options: Any) -> Visit:
    return Visit(Site(client, **options), lambda: web_request(cookies, url=url))


def set_cookies(visit: Any) -> dict[str, str]:
    headers = visit.response_headers("public, max-age=60")
    return {value.partition("=")[0]: value for name, value in headers if name == "Set-Cookie"}


def test_a_link_is_followed_kept_and_ended(client: TargetClient, server: LoopbackServer) -> None:
    link = client.override_link(PAGE, {"home": "ours"}, max_age=600_000)
    followed = visit(client, link)
    assert followed.has_overrides
    assert followed.get_offers(HOME).content("home") == "ours"
    assert followed.get_attributes("home").get_response().content("home") == "ours"
    cookie = set_cookies(followed)[OVERRIDE_NAME]
    value, max_age, *_ = cookie.split("; ")
    assert max_age in ("Max-Age=600", "Max-Age=599")
    kept = {OVERRIDE_NAME: value.partition("=")[2]}
    assert "Cache-Control" in dict(followed.response_headers())
    assert dict(followed.response_headers("public, max-age=60"))["Cache-Control"] == "max-age=60, private"
    assert dict(followed.response_headers(None, "Accept"))["Vary"] == "Accept, Cookie"

    later = visit(client, cookies=kept)
    assert later.get_offers(HOME).content("home") == "ours"
    assert OVERRIDE_NAME not in set_cookies(later)
    assert server.received == []

    ended = visit(client, f"{PAGE}?{OVERRIDE_NAME}=", kept)
    assert ended.get_offers(HOME).content("home") == {"part": "execute"}
    assert not ended.has_overrides
    assert set_cookies(ended)[OVERRIDE_NAME].startswith(f"{OVERRIDE_NAME}=; Max-Age=0")
    assert OVERRIDE_NAME not in set_cookies(visit(client, f"{PAGE}?{OVERRIDE_NAME}="))


def test_another_link_takes_the_place_of_the_cookie(client: TargetClient) -> None:
    kept = {OVERRIDE_NAME: client.override_token({"home": "first"})}
    second = visit(client, client.override_link(PAGE, {"home": "second"}), kept)
    assert second.get_offers(HOME).content("home") == "second"
    assert OVERRIDE_NAME in set_cookies(second)


@pytest.mark.parametrize("bad", ["forged", "a.b", "%00", "x" * 5000, "%C3%A4"])
def test_a_forged_link_or_cookie_changes_nothing(
    client: TargetClient, server: LoopbackServer, bad: str, caplog: pytest.LogCaptureFixture
) -> None:
    kept = {OVERRIDE_NAME: client.override_token({"home": "kept"})}
    for url, cookies in ((f"{PAGE}?{OVERRIDE_NAME}={bad}", {}), (PAGE, {OVERRIDE_NAME: bad})):
        seen = visit(client, url, cookies)
        assert not seen.has_overrides
        assert seen.get_offers(HOME).content("home") == {"part": "execute"}
        assert OVERRIDE_NAME not in set_cookies(seen)
    assert visit(client, f"{PAGE}?{OVERRIDE_NAME}={bad}", kept).get_offers(HOME).content("home") == "kept"
    assert len([line for line in caplog.messages if "token" in line]) == 1
    assert len(server.received) == 2


def test_an_expired_cookie_changes_nothing(client: TargetClient) -> None:
    with time_machine.travel("2020-01-01"):
        old = client.override_token({"home": "old"})
    assert visit(client, cookies={OVERRIDE_NAME: old}).get_offers(HOME).content("home") == {"part": "execute"}


def test_no_link_counts_where_overrides_are_not_allowed(server: LoopbackServer, client: TargetClient) -> None:
    token = client.override_token({"home": "ours"})
    for options in ({}, {"override_key": KEY}, {"allow_overrides": True}):
        with client_of(server.domain, **options) as other:
            for seen in (visit(other, f"{PAGE}?{OVERRIDE_NAME}={token}"), visit(other, cookies={OVERRIDE_NAME: token})):
                assert seen.get_offers(HOME).content("home") == {"part": "execute"}
                assert not seen.has_overrides
                assert OVERRIDE_NAME not in set_cookies(seen)


def test_a_token_is_not_told_to_target(client: TargetClient, server: LoopbackServer) -> None:
    link = client.override_link(f"{PAGE}?colour=red", {"side": "ours"})
    request = web_request(url=link, headers={**BROWSER, "Referer": link})
    Visit(Site(client), lambda: request).get_offers(HOME)
    (received,) = server.received
    assert OVERRIDE_NAME.encode() not in received.content
    assert received.body["context"]["address"] == {"url": f"{PAGE}?colour=red", "referringUrl": f"{PAGE}?colour=red"}


def test_a_url_that_cannot_be_read_takes_no_page_down(client: TargetClient) -> None:
    for url in (f"https://[{OVERRIDE_NAME}=x/", f"{PAGE}?{'a=1&' * 300}{OVERRIDE_NAME}=x", OVERRIDE_NAME):
        assert visit(client, url).get_offers(HOME).content("home") == {"part": "execute"}


def test_a_page_shows_overrides_though_target_is_away(client: TargetClient, server: LoopbackServer) -> None:
    server.answer = lambda _: Answer(None, 503)
    link = client.override_link(PAGE, {"home": "ours", "flags": {"new": True}})
    seen = visit(client, link)
    asked: Any = {"execute": {"mboxes": [{"name": "home"}, {"name": "side"}]}}
    result = seen.get_offers(request=asked)
    assert (result.content("home"), result.content("side", "default")) == ("ours", "default")
    assert seen.get_attributes(["flags", "side"]).get_bool("flags", "new", False) is True
    assert seen.error is not None


def test_what_one_visitor_sees_is_in_no_shared_cache(client: TargetClient) -> None:
    client.override("home", "Amy's", visitor={"tntId": "amy"})
    amy = visit(client, cookies={"mbox": "PC#amy.38_0#9999999999"})
    assert not amy.has_overrides
    assert amy.get_offers(HOME).content("home") == "Amy's"
    assert amy.has_overrides
    assert dict(amy.response_headers("public"))["Cache-Control"] == "private"
    bob = visit(client, cookies={"mbox": "PC#bob.38_0#9999999999"})
    assert bob.get_offers(HOME).content("home") == {"part": "execute"}
    assert not bob.has_overrides


def test_without_consent_links_are_not_followed(client: TargetClient, server: LoopbackServer) -> None:
    link = client.override_link(PAGE, {"home": "ours"})
    token = client.override_token({"home": "ours"})
    refused = visit(client, link, {OVERRIDE_NAME: token}, consent=lambda _: False)
    assert refused.get_offers(HOME).content("home") == {"part": "execute"}
    assert refused.response_headers("public") == []
    assert not refused.has_overrides
    # What the application itself passes counts, and is for nobody else.
    assert refused.get_offers(**HOME, override_token=token).content("home") == "ours"
    assert refused.response_headers("public") == [("Cache-Control", "private"), ("Vary", "Cookie")]
    assert len(server.received) == 1


def test_the_same_with_asyncio(client: TargetClient, server: LoopbackServer) -> None:
    link = client.override_link(PAGE, {"home": "ours"})

    async def ask() -> tuple[Any, Any, Any]:
        async with await AsyncTargetClient.create(options_of(server.domain, **ALLOWED)) as awaited:
            seen = AsyncVisit(Site(awaited), lambda: web_request(url=link))
            results = await asyncio.gather(seen.get_offers(HOME), seen.get_offers(HOME))
            return results, set_cookies(seen), dict(seen.response_headers())

    results, cookies, headers = asyncio.run(ask())
    assert [result.content("home") for result in results] == ["ours", "ours"]
    assert OVERRIDE_NAME in cookies
    assert headers["Cache-Control"] == "private"
    assert server.received == []


def test_a_framework_follows_links(server: LoopbackServer, client: TargetClient) -> None:
    app = Flask(__name__)
    Target(app, **options_of(server.domain, **ALLOWED))

    @app.get("/")
    def home() -> ResponseReturnValue:
        return str(current_target.get_offers(request=REQUEST).content("home"))

    server.answer = ok
    browser, other = app.test_client(), app.test_client()
    link = client.override_link("/", {"home": "ours"})
    assert browser.get(link).text == "ours"
    assert browser.get("/").text == "ours"
    assert other.get("/").text != "ours"
    assert browser.get(f"/?{OVERRIDE_NAME}=").text != "ours"
    assert browser.get("/").text != "ours"
    answer = browser.get(urlsplit(link).geturl())
    assert answer.headers["Cache-Control"] == "private"
