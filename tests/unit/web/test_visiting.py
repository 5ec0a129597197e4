"""A visit: one session and one visitor for the calls of one request, defaults where no answer comes, cookies once."""

from __future__ import annotations

import asyncio
import logging
import threading
import weakref
from collections.abc import Iterator
from functools import partial
from http.cookies import SimpleCookie
from typing import Any

import pytest

from target import AsyncVisit, OptionsError, Outbox, Site, TargetClient, TransportError, Visit, WebRequest
from tests.kit.calls import REQUEST, client_of, options_of
from tests.kit.loopback import serving
from tests.kit.pages import BROWSER, PAGE, PREFETCHED, a_new_device_each_time, showable, web_request


@pytest.fixture
def server() -> Iterator[Any]:
    with serving(a_new_device_each_time) as server:
        yield server


@pytest.fixture
def client(server: Any) -> Iterator[TargetClient]:
    with client_of(server.domain) as client:
        yield client


def cookies_of(visit: Any) -> dict[str, str]:
    jar: SimpleCookie = SimpleCookie()
    for name, value in visit.response_headers():
        if name == "Set-Cookie":
            jar.load(value)
    return {name: morsel.value for name, morsel in jar.items()}


def test_a_page_that_asks_nothing_reads_and_sets_nothing(client: TargetClient) -> None:
    def read() -> WebRequest:
        raise AssertionError("read")

    assert Visit(Site(client), read).response_headers() == []


def test_calls_say_what_the_request_says(client: TargetClient, server: Any) -> None:
    visit = Visit(Site(client), web_request)
    assert visit.get_offers(request=REQUEST).response.execute.mboxes[0].options[0].content == "offer"
    context = server.received[0].body["context"]
    assert context["address"] == {"url": PAGE, "referringUrl": "https://search.example/"}
    assert context["userAgent"] == "Browser/1"
    assert context["clientHints"] == {"platform": "macOS"}
    assert context["geo"] == {"ipAddress": "203.0.113.7"}


def test_a_visit_that_has_read_its_request_lets_go_of_it(client: TargetClient) -> None:
    class Page:
        pass

    page = Page()
    kept = weakref.ref(page)
    visit = Visit(Site(client), partial(lambda _: web_request(), page), page)
    visit.get_offers(request=REQUEST)
    del page
    assert kept() is None
    assert visit.get_offers(request=REQUEST).response is not None


def test_what_a_call_says_itself_wins(client: TargetClient, server: Any) -> None:
    visit = Visit(Site(client), web_request)
    visit.get_offers(request={**REQUEST, "context": {"channel": "web", "userAgent": "Own/2"}}, session_id="own")
    assert server.received[0].body["context"]["userAgent"] == "Own/2"
    assert server.received[0].body["context"]["geo"] == {"ipAddress": "203.0.113.7"}
    assert server.received[0].session_id == "own"


def test_a_new_visitor_has_one_session_and_one_device_in_the_calls_of_a_request(
    client: TargetClient, server: Any
) -> None:
    visit = Visit(Site(client), web_request)
    threads = [threading.Thread(target=visit.get_offers, kwargs={"request": REQUEST}) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    visit.get_attributes("home")
    assert {received.session_id for received in server.received} == {visit.session_id}
    told = server.received[-1].body["id"]["tntId"]
    assert told in cookies_of(visit)["mbox"]
    assert visit.session_id in cookies_of(visit)["mbox"]


def test_a_visitor_who_comes_back_is_the_same(client: TargetClient, server: Any) -> None:
    first = Visit(Site(client), web_request)
    first.get_offers(request=REQUEST)
    second = Visit(Site(client), lambda: web_request(cookies_of(first)))
    second.get_offers(request=REQUEST)
    assert server.received[1].session_id == server.received[0].session_id
    assert server.received[1].body["id"]["tntId"] in cookies_of(first)["mbox"]


def test_where_no_answer_comes_the_page_gets_its_defaults_and_one_line_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with client_of("127.0.0.1:9", retries=0) as client, caplog.at_level(logging.WARNING):
        visit = Visit(Site(client), web_request)
        assert visit.get_offers(request=REQUEST).response is None
        assert visit.get_attributes("home").as_object() == {}
    assert isinstance(visit.error, TransportError)
    assert len([record for record in caplog.records if "default content" in record.message]) == 1
    assert visit.session_id in cookies_of(visit)["mbox"]


def test_a_mistake_of_the_program_is_an_error(client: TargetClient) -> None:
    visit = Visit(Site(client), web_request)
    with pytest.raises(OptionsError, match="session"):
        visit.get_offers(request=REQUEST, sesion_id="x")
    with pytest.raises(OptionsError, match="takes no callback"):
        visit.get_offers(request=REQUEST, callback=print)


def test_cookies_are_secure_where_the_request_was_and_for_the_domain_that_is_named(client: TargetClient) -> None:
    lines = {}
    for secure in (True, False):
        visit = Visit(Site(client, cookie_domain=".shop.example"), partial(web_request, secure=secure))
        visit.get_offers(request=REQUEST)
        lines[secure] = dict(visit.response_headers("public, max-age=60", "Accept"))
    assert "Secure" in lines[True]["Set-Cookie"]
    assert "Secure" not in lines[False]["Set-Cookie"]
    assert "Domain=shop.example" in lines[True]["Set-Cookie"]
    assert lines[True]["Cache-Control"] == "max-age=60, private"
    assert lines[True]["Vary"] == "Accept, Cookie"


def test_qa_mode_is_read_from_a_link_kept_and_ended(client: TargetClient, server: Any) -> None:
    def visited(url: str, cookies: dict[str, str]) -> Visit:
        visit = Visit(Site(client), lambda: web_request(cookies, url=url))
        visit.get_offers(request=REQUEST)
        return visit

    by_link = visited(f"{PAGE}?at_preview_token=abc&at_preview_index=1_2", {})
    kept = cookies_of(by_link)
    assert by_link.is_in_qa_mode
    assert visited(PAGE, kept).is_in_qa_mode
    assert [received.body["qaMode"]["token"] for received in server.received] == ["abc", "abc"]
    ended = visited(f"{PAGE}?at_preview_token=", kept)
    assert not ended.is_in_qa_mode
    assert any("target_qa_mode=; Max-Age=0" in value for _, value in ended.response_headers())


def test_an_experience_cloud_visitor_is_shared_by_the_calls(client: TargetClient, server: Any) -> None:
    cookies = {"AMCV_1234%40AdobeOrg": "1|MCMID|07327024324407615852294135870030620007"}
    visit = Visit(Site(client, experience_cloud=True), lambda: web_request(cookies))
    visit.get_offers(request=REQUEST, consumer_id="a")
    visit.get_offers(request=REQUEST, consumer_id="b")
    first, second = (received.body for received in server.received)
    assert first["id"]["marketingCloudVisitorId"] == "07327024324407615852294135870030620007"
    supplemental = [body["experienceCloud"]["analytics"]["supplementalDataId"] for body in (first, second)]
    assert supplemental[0] == supplemental[1]


def test_a_visit_of_an_asyncio_client(server: Any) -> None:
    async def visited() -> AsyncVisit:
        site = await Site.create_async({**options_of(server.domain), "trusted_proxies": 1})
        async with site.client:
            visit = AsyncVisit(site, lambda: web_request(headers={**BROWSER, "X-Forwarded-For": "198.51.100.2"}))
            await asyncio.gather(*(visit.get_offers(request=REQUEST) for _ in range(5)))
            assert (await visit.get_attributes("home")).as_object() == {"home": {}}
            return visit

    visit = asyncio.run(visited())
    assert {received.session_id for received in server.received} == {visit.session_id}
    assert {received.body["context"]["geo"]["ipAddress"] for received in server.received} == {"198.51.100.2"}
    assert visit.session_id in cookies_of(visit)["mbox"]


def test_a_view_that_is_a_coroutine_awaits_a_client_that_blocks(client: TargetClient, server: Any) -> None:
    visit = Visit(Site(client), web_request)

    async def view() -> Any:
        results = await asyncio.gather(*(visit.aget_offers(request=REQUEST) for _ in range(5)))
        return results, await visit.aget_attributes("home")

    results, found = asyncio.run(view())
    assert [result.response.status for result in results] == [200] * 5
    assert found.as_object() == {"home": {}}
    assert {received.session_id for received in server.received} == {visit.session_id}


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("trusted_proxies", -1),
        ("trusted_proxies", "10.0.0.0/8"),
        ("consent", True),
        ("cookie_domain", "https://shop.example"),
        ("cookie_domain", "shop.example:8000"),
        ("cookie_path", "/; Secure"),
        ("cookie_same_site", "lax; HttpOnly"),
        ("handle_key", "short"),
        ("cookie_sekure", True),
    ],
)
def test_a_wrong_option_of_a_site_is_named(client: TargetClient, option: str, value: object) -> None:
    with pytest.raises(OptionsError, match=option[:8]):
        Site(client, **{option: value})


def test_options_are_the_clients_or_the_sites() -> None:
    with pytest.raises(OptionsError, match="did you mean 'trusted_proxies'"):
        Site.create({"client": "acme", "organization_id": "1@AdobeOrg", "trusted_proxy": 1})
    site = Site.create({"client": "acme", "organization_id": "1@AdobeOrg", "trusted_proxies": 2})
    site.client.close()
    assert site._config.trusted_proxies == 2


@pytest.mark.parametrize("outbox", [False, True], ids=["sent", "queued"])
@pytest.mark.parametrize("kind", ["blocking", "view that is a coroutine", "asyncio client"])
def test_what_was_shown_is_told_as_the_visitor(kind: str, outbox: bool) -> None:
    options = {"outbox": Outbox.memory()} if outbox else {}
    way = "queue" if outbox else "notify"

    async def coroutine(visit: Visit) -> bool:
        result = await visit.aget_offers(request=PREFETCHED)
        return bool(await getattr(visit, f"a{way}")(result, displayed=["home"]))

    async def awaited(domain: str) -> bool:
        site = await Site.create_async({**options_of(domain), **options})
        async with site.client:
            visit = AsyncVisit(site, web_request)
            result = await visit.get_offers(request=PREFETCHED)
            return bool(await getattr(visit, way)(result, displayed=["home"]))

    with serving(showable) as server:
        if kind == "asyncio client":
            assert asyncio.run(awaited(server.domain))
        else:
            with client_of(server.domain, **options) as client:
                visit = Visit(Site(client), web_request)
                if kind == "blocking":
                    assert getattr(visit, way)(visit.get_offers(request=PREFETCHED), displayed=["home"])
                else:
                    assert asyncio.run(coroutine(visit))
        asked, told = server.received
        assert [one["tokens"] for one in told.body["notifications"]] == [["e"]]
        assert told.session_id == asked.session_id


def test_what_target_cannot_be_told_is_logged_and_the_page_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    with serving(showable) as server, client_of(server.domain, retries=0) as client:
        visit = Visit(Site(client), web_request)
        result = visit.get_offers(request=PREFETCHED)
        with pytest.raises(OptionsError, match="holds 'home'"):
            visit.notify(result, displayed=["hoem"])
        with pytest.raises(OptionsError, match="outbox"):
            visit.queue(result, displayed=["home"])
    assert not visit.notify(result, displayed=["home"])
    assert "Target is not told what was shown" in caplog.text


def test_defaults_of_the_client_are_told_as_well(caplog: pytest.LogCaptureFixture) -> None:
    with client_of("127.0.0.1:9", retries=0, default_attributes={"home": {"a": 1}}) as client:
        visit = Visit(Site(client), web_request)
        assert visit.get_attributes("home").get_value("home", "a") == 1
    assert isinstance(visit.error, TransportError)
    assert caplog.text.count("default content") == 1
