"""Django: one visit for each request, in views of both kinds, under WSGI and ASGI; cookies once."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpResponse
from django.test import AsyncClient, Client, RequestFactory, override_settings
from hypothesis import given
from hypothesis import strategies as st

import tests.kit.django_shop  # noqa: F401  (which makes Django's settings)
from target.integrations.django import TargetMiddleware, current_site
from tests.kit.calls import REQUEST, options_of
from tests.kit.loopback import serving
from tests.kit.pages import KEY


@pytest.fixture
def server() -> Iterator[Any]:
    with serving() as server, override_settings(TARGET=options_of(server.domain, handle_key=KEY)):
        yield server


def visit(path: str, way: str = "WSGI", cookies: str = "", **options: Any) -> Any:
    """The answer to a request of a new browser."""
    browser: Any = {"WSGI": Client, "ASGI": AsyncClient}[way](raise_request_exception=False)
    browser.cookies.load(cookies)
    answer = browser.get(path, **options)
    return answer if way == "WSGI" else asyncio.run(answer)


def names(answer: Any) -> list[str]:
    return sorted(answer.cookies)


@pytest.mark.parametrize("way", ["WSGI", "ASGI"])
@pytest.mark.parametrize("path", ["/", "/awaited"])
def test_the_calls_of_a_request_have_one_session_and_the_answer_its_cookies(way: str, path: str, server: Any) -> None:
    answer = visit(path, way, headers={"user-agent": "B/1", "referer": "https://r.example/"})
    assert answer.json()["mbox"] == "home"
    assert names(answer) == ["mbox", "mboxEdgeCluster"]
    assert (answer["Cache-Control"], answer["Vary"]) == ("private", "Cookie")
    assert len({received.session_id for received in server.received}) == 1
    context = server.received[0].body["context"]
    assert context["address"] == {"url": f"http://testserver{path}", "referringUrl": "https://r.example/"}
    assert context["geo"] == {"ipAddress": "127.0.0.1"}


@pytest.mark.parametrize("way", ["WSGI", "ASGI"])
def test_a_page_that_asks_nothing_sets_nothing(way: str, server: Any) -> None:
    for path in ("/nothing", "/unknown"):
        answer = visit(path, way)
        assert names(answer) == []
        assert not answer.has_header("Vary")
        assert not answer.has_header("Cache-Control")
    assert server.received == []


@pytest.mark.parametrize("way", ["WSGI", "ASGI"])
def test_whatever_answers_has_its_cookies_once(way: str, server: Any) -> None:
    answers = {path: visit(path, way) for path in ("/gone", "/failing", "/moved", "/streamed")}
    assert [answer.status_code for answer in answers.values()] == [404, 500, 302, 200]
    assert names(answers.pop("/moved")) == ["mbox", "mboxEdgeCluster", "own"]
    assert all(names(answer) == ["mbox", "mboxEdgeCluster"] for answer in answers.values())


def test_what_the_application_says_of_caching_stays_but_for_sharing(server: Any) -> None:
    answer = visit("/moved")
    assert (answer["Cache-Control"], answer["Vary"]) == ("max-age=9, private", "Accept, Cookie")


def test_a_browser_comes_back_and_tells_what_it_shows(server: Any) -> None:
    browser = Client()
    handle = browser.get("/").json()["handle"]
    assert browser.post("/seen", {"handles": [handle]}, "application/json").status_code == 204
    assert server.received[-1].body["notifications"][0]["tokens"] == ["t"]
    assert len({received.session_id for received in server.received}) == 1
    assert Client().post("/seen", {"handles": [handle]}, "application/json").status_code == 400
    assert browser.post("/seen", b"x" * 1_000_000, "text/plain").status_code == 413
    assert browser.get("/seen").status_code == 405


class Gone(io.BytesIO):
    """A body whose browser goes away."""

    def read(self, _: int | None = -1) -> bytes:
        raise ConnectionResetError


class Bits(io.BytesIO):
    """A body that arrives bit by bit."""

    def read(self, size: int | None = -1) -> bytes:
        return super().read(min(7, size or 7))


def test_a_body_that_comes_in_bits_is_read_and_one_that_does_not_come_is_refused(server: Any) -> None:
    browser = Client(raise_request_exception=False)
    body = json.dumps({"handles": [browser.get("/").json()["handle"]]}).encode()

    def post(stream: Any) -> int:
        environ = {"CONTENT_LENGTH": str(len(body)), "wsgi.input": stream}
        return browser.post("/seen", content_type="text/plain", **environ).status_code

    assert [post(Bits(body)), post(Gone())] == [204, 400]
    assert len(server.received) == 2 + 1


@pytest.mark.parametrize("host", ["[a:.]", "[", "a/b", "::"])
@pytest.mark.parametrize("path", ["/", "/nothing/./"])
def test_a_host_that_is_none_makes_no_page_fail(server: Any, host: str, path: str) -> None:
    def page(request: Any) -> HttpResponse:
        request.target.get_offers(request=REQUEST)
        return HttpResponse("page")

    with override_settings(ALLOWED_HOSTS=["*"]):
        answer: Any = TargetMiddleware(page)(RequestFactory().get(path, HTTP_HOST=host))
    assert names(answer) == ["mbox", "mboxEdgeCluster"]


def test_the_cache_of_django_keeps_what_asks_nothing_and_no_page_of_a_visitor(server: Any) -> None:
    of_django = "django.middleware.cache"
    order = [f"{of_django}.UpdateCacheMiddleware", "target.integrations.django.TargetMiddleware"]
    with override_settings(MIDDLEWARE=[*order, f"{of_django}.FetchFromCacheMiddleware"]):
        visits = [visit("/") for _ in range(2)]
        assert visit("/nothing").has_header("Expires")
    assert [names(answer) for answer in visits] == [["mbox", "mboxEdgeCluster"]] * 2
    assert len({received.session_id for received in server.received}) == 2


def test_visitors_at_once_share_nothing(server: Any) -> None:
    failed: list[str] = []

    def browse(name: str) -> None:
        for way in ("WSGI", "ASGI") * 4:
            answer = visit("/", way, f"mbox=session#{name}#9999999999")
            if f"session#{name}#" not in answer.cookies["mbox"].value:
                failed.append(name)

    threads = [threading.Thread(target=browse, args=(f"s{number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert {received.session_id for received in server.received} == {f"s{number}" for number in range(4)}


def test_there_is_one_client_of_the_process_until_the_setting_changes(server: Any) -> None:
    client = current_site().client
    visit("/")
    visit("/", "ASGI")
    assert current_site().client is client
    with override_settings(TARGET=options_of(server.domain, client="other")):
        assert current_site().client is not client
    assert current_site().client is not client


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        (None, "TARGET is missing"),
        ({}, "client"),
        ({"client": "acme", "organization_id": "1@AdobeOrg", "cookie_domian": "x"}, "did you mean 'cookie_domain'"),
        ("acme", "must be a dict"),
    ],
)
def test_a_mistake_in_the_setting_is_told_when_the_application_is_made(setting: Any, says: str) -> None:
    with override_settings(TARGET=setting), pytest.raises(ImproperlyConfigured, match=says):
        WSGIHandler()


def test_consent_is_asked_with_the_request(server: Any) -> None:
    def consent(request: Any) -> bool:
        return bool(request.COOKIES.get("consent") == "1")

    with override_settings(TARGET=options_of(server.domain, handle_key=KEY, consent=consent)):
        assert names(visit("/")) == []
        assert names(visit("/", cookies="consent=1")) == ["mbox", "mboxEdgeCluster"]


QUIET = logging.getLogger("tests.quiet")
QUIET.setLevel(logging.CRITICAL)
ODD = st.text(st.characters(min_codepoint=1, max_codepoint=255, exclude_characters="\r\n"), max_size=60)


@given(cookie=ODD, agent=ODD, forwarded=ODD, referrer=ODD, host=ODD, path=ODD, query=ODD, peer=ODD)
def test_no_header_cookie_or_address_makes_a_page_fail(
    cookie: str, agent: str, forwarded: str, referrer: str, host: str, path: str, query: str, peer: str
) -> None:
    said: list[tuple[str, str]] = []

    def page(request: Any) -> HttpResponse:
        assert request.target.get_offers(request=REQUEST).response is None
        said[:] = request.target.response_headers()
        return HttpResponse("page")

    request = RequestFactory().get("/")
    request.META |= {"HTTP_COOKIE": f"mbox={cookie}; mboxEdgeCluster={cookie}; target_qa_mode={cookie}; {cookie}"}
    request.META |= {"HTTP_USER_AGENT": agent, "HTTP_X_FORWARDED_FOR": forwarded, "HTTP_REFERER": referrer}
    request.META |= {"HTTP_HOST": host, "QUERY_STRING": query, "REMOTE_ADDR": peer, "PATH_INFO": f"/{path}"}
    options = options_of("127.0.0.1:9", trusted_proxies=1, experience_cloud=True, retries=0, logger=QUIET)
    with override_settings(TARGET=options):
        answer: Any = TargetMiddleware(page)(request)
    lines = [morsel.OutputString() for morsel in answer.cookies.values()]
    pairs = {morsel.OutputString().partition(";")[0] for morsel in answer.cookies.values()}
    assert pairs == {value.partition(";")[0] for name, value in said if name == "Set-Cookie"}
    assert lines
    assert all(len(line) <= 4096 and "\n" not in line for line in lines)
