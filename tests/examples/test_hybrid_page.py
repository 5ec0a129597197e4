"""examples/hybrid_page.py against the emulator: what reaches Target, what reaches the browser, and what cannot."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from html.parser import HTMLParser
from typing import Any
from urllib.parse import quote

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from examples.hybrid_page import QA_COOKIE, create_app
from target import TargetClient
from target.emulator import Emulator, load_offers, running
from tests.kit.processes import ROOT

ORGANIZATION = "acme@AdobeOrg"
AMCV = f"AMCV_{ORGANIZATION}"
ECID = "07327024324407615852294135870030620007"
EVIL = "</script><script>alert(1)</script><!--"
QA_LINK = "/?at_preview_token=secret-token&at_preview_index=1_2&at_preview_listed_activities_only=true"
QA_MODE = {
    "token": "secret-token",
    "listedActivitiesOnly": True,
    "previewIndexes": [{"activityIndex": 1, "experienceIndex": 2}],
}
Shop = tuple[FlaskClient, Emulator]


@pytest.fixture
def open_shop() -> Iterator[Callable[..., Shop]]:
    """Makes a browser in front of the page, in front of an emulator with these settings or the one given."""
    with ExitStack() as stack:

        def open_(emulator: Emulator | None = None, trusted_proxies: Sequence[str] = (), **settings: Any) -> Shop:
            emulator = emulator or stack.enter_context(running(**settings))
            client = stack.enter_context(
                TargetClient.create(
                    client="acmeclient",
                    organization_id=ORGANIZATION,
                    server_domain=emulator.server_domain,
                    secure=False,
                    edge_routing=False,
                )
            )
            return create_app(client, ORGANIZATION, trusted_proxies).test_client(), emulator

        yield open_


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with running(offers=load_offers(ROOT / "examples/offers.json").in_cluster("38")) as one:
        yield one


@pytest.fixture
def shop(open_shop: Callable[..., Shop], emulator: Emulator) -> Shop:
    """The page with the offers of examples/offers.json; nothing received yet."""
    emulator.reset()
    return open_shop(emulator)


def with_cookies(browser: FlaskClient, cookies: str, path: str = "/", **headers: str) -> TestResponse:
    """Asks for the page with exactly this Cookie header, which the test client's own jar would replace."""
    raw = browser.application.test_client(use_cookies=False)
    return raw.get(path, headers=headers, environ_overrides={"HTTP_COOKIE": cookies})


class Page(HTMLParser):
    """A page as a browser takes it: each script's text, and the tags."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.scripts: list[str] = []
        self.tags: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.append(tag)
        if tag == "script":
            self.scripts.append("")

    def handle_data(self, data: str) -> None:
        if self.cdata_elem == "script":
            self.scripts[-1] += data

    def handle_comment(self, data: str) -> None:
        self.tags.append("!--")

    def state(self, owner: str) -> Any:
        """The serverState in the script that mentions `owner`."""
        [script] = [script for script in self.scripts if owner in script]
        return json.loads(re.sub(r"^.*?\{serverState: (.*)\}\)?;$", r"\1", script, flags=re.DOTALL))


TAGS = ["title", "script", "script", "script", "script", "p", "a"]


def bodies(emulator: Emulator) -> list[dict[str, Any]]:
    assert [received.status for received in emulator.received] == [200] * len(emulator.received)
    return [received.body for received in emulator.received]


def test_both_calls_share_an_analytics_hit_and_the_visitor(shop: Shop) -> None:
    browser, emulator = shop
    browser.set_cookie(AMCV, f"1|MCMID|{ECID}|MCAAMLH-9585281503|9")
    page = Page(browser.get("/").text)
    first, second = bodies(emulator)
    sdid = first["experienceCloud"]["analytics"]["supplementalDataId"]
    assert second["experienceCloud"]["analytics"]["supplementalDataId"] == sdid
    assert page.state("Visitor.getInstance") == {
        ORGANIZATION: {
            "sdid": {
                "supplementalDataIDCurrent": sdid,
                "supplementalDataIDCurrentConsumed": {"payload:page": True, "payload:banner": True},
            }
        }
    }
    for body in (first, second):
        assert body["id"]["marketingCloudVisitorId"] == ECID
        assert body["experienceCloud"]["audienceManager"] == {"locationHint": 9}
    assert len({received.query["sessionId"] for received in emulator.received}) == 1
    assert emulator.received[0].query["imsOrgId"] == ORGANIZATION


@pytest.mark.parametrize("name", [AMCV, quote(AMCV)], ids=["plain", "percent"])
def test_the_visitors_cookie_under_either_name(shop: Shop, name: str) -> None:
    browser, emulator = shop
    with_cookies(browser, f"{name}=MCMID%7C{ECID}")
    assert bodies(emulator)[0]["id"]["marketingCloudVisitorId"] == ECID


def test_at_js_takes_over_page_load_and_views(shop: Shop) -> None:
    browser, emulator = shop
    page = Page(browser.get("/").text)
    state = page.state("targetGlobalSettings")
    asked = bodies(emulator)[0]
    assert state["request"]["requestId"] == state["response"]["requestId"] == asked["requestId"]
    assert state["request"]["execute"] == {"pageLoad": {}}
    [option] = state["response"]["execute"]["pageLoad"]["options"]
    assert option["content"] == '<div class="notice">We deliver on Sundays now.</div>'
    [view] = state["response"]["prefetch"]["views"]
    assert (view["name"], view["key"]) == ("cart", "cart")
    assert view["options"][0]["eventToken"]
    assert "mboxes" not in json.dumps(state)


def test_the_server_renders_the_banner(shop: Shop) -> None:
    assert "<h1>Summer sale: 20 % off everything</h1>" in shop[0].get("/").text


def test_cookies_carry_session_and_device_over(shop: Shop) -> None:
    browser, emulator = shop
    answer = browser.get("/", base_url="https://shop.example")
    cookies = answer.headers.getlist("Set-Cookie")
    assert [cookie.partition("=")[0] for cookie in cookies] == ["mbox", "mboxEdgeCluster"]
    assert all("Secure" in cookie and "HttpOnly" not in cookie for cookie in cookies)
    assert answer.headers["Cache-Control"] == "private, no-store"
    browser.get("/", base_url="https://shop.example")
    assert len(bodies(emulator)) == 4
    assert len({received.query["sessionId"] for received in emulator.received}) == 1
    made = {(body.get("id") or {}).get("tntId") for body in bodies(emulator)[1:]}
    assert len(made) == 1
    assert None not in made
    first, last = bodies(emulator)[0], bodies(emulator)[3]
    sdids = [body["experienceCloud"]["analytics"]["supplementalDataId"] for body in (first, last)]
    assert sdids[0] != sdids[1], "each page is a hit of its own"


def test_two_browsers_are_two_visitors(shop: Shop) -> None:
    browser, emulator = shop
    other = browser.application.test_client()
    browser.get("/")
    other.get("/")
    sessions = [received.query["sessionId"] for received in emulator.received]
    assert len(set(sessions)) == 2


def test_context_from_headers(shop: Shop, open_shop: Callable[..., Shop]) -> None:
    browser, emulator = open_shop(shop[1], trusted_proxies=["10.0.0.0/8"])
    headers = {
        "User-Agent": "Mozilla/5.0",
        "Referer": "https://search.example/",
        "Sec-CH-UA-Platform": '"macOS"',
        "X-Forwarded-For": "198.51.100.1, 203.0.113.7, 10.0.0.9",
    }
    browser.get("/?a=b", headers=headers, environ_base={"REMOTE_ADDR": "10.0.0.2"})
    browser.get("/", headers=headers, environ_base={"REMOTE_ADDR": "192.0.2.1"})
    behind, _, past, _ = (body["context"] for body in bodies(emulator))
    assert behind["userAgent"] == "Mozilla/5.0"
    assert behind["address"] == {"url": "http://localhost/?a=b", "referringUrl": "https://search.example/"}
    assert behind["clientHints"] == {"platform": "macOS"}
    assert behind["geo"] == {"ipAddress": "203.0.113.7"}
    assert past["geo"] == {"ipAddress": "192.0.2.1"}, "who comes past the proxies cannot pretend"


class TestQaMode:
    def test_a_link_starts_it_and_a_cookie_keeps_it(self, shop: Shop) -> None:
        browser, emulator = shop
        browser.get("/")
        started = browser.get(QA_LINK)
        browser.get("/")
        assert [body.get("qaMode") for body in bodies(emulator)] == [None] * 2 + [QA_MODE] * 4
        [cookie] = [line for line in started.headers.getlist("Set-Cookie") if line.startswith(QA_COOKIE)]
        assert "HttpOnly" in cookie
        assert "SameSite=Lax" in cookie
        assert "at_preview_token=" in started.text

    def test_an_empty_token_ends_it(self, shop: Shop) -> None:
        browser, emulator = shop
        browser.get(QA_LINK)
        browser.get("/?at_preview_token=")
        browser.get("/")
        assert [body.get("qaMode") for body in bodies(emulator)] == [QA_MODE] * 2 + [None] * 4
        assert browser.get_cookie(QA_COOKIE) is None

    def test_another_browser_is_not_in_it(self, shop: Shop) -> None:
        browser, emulator = shop
        browser.get(QA_LINK)
        browser.application.test_client().get("/")
        assert [body.get("qaMode") for body in bodies(emulator)] == [QA_MODE] * 2 + [None] * 2

    @pytest.mark.parametrize("value", ["x", "1.x", "9.eyJ0b2tlbiI6ImEifQ", "1." + "A" * 3990, EVIL])
    def test_a_bad_cookie_is_no_qa_mode(self, shop: Shop, value: str) -> None:
        browser, emulator = shop
        browser.set_cookie(QA_COOKIE, value)
        assert browser.get("/").status_code == 200
        assert [body.get("qaMode") for body in bodies(emulator)] == [None] * 2

    def test_a_link_that_is_too_long_breaks_nothing(self, shop: Shop) -> None:
        browser, _ = shop
        indexes = "&".join(f"at_preview_index={number}999999_{number}999999" for number in range(1, 190))
        assert browser.get(f"/?at_preview_token=t&{indexes}").status_code == 200

    def test_its_token_stays_out_of_the_state_for_at_js(self, shop: Shop) -> None:
        browser, _ = shop
        browser.get(QA_LINK)
        assert "secret-token" not in browser.get("/").text


class TestNothingBreaksOut:
    def offers(self) -> dict[str, Any]:
        option = {
            "type": "actions",
            "content": [{"type": "setHtml", "selector": EVIL, "content": f"{EVIL}\u2028\u2029]]>"}],
            "responseTokens": {EVIL: EVIL},
        }
        return {
            "client": "acmeclient",
            "pageLoad": {"options": [option]},
            "views": {EVIL: {"key": EVIL, "options": [option]}},
            "mboxes": {"home": [{"type": "json", "content": {"title": EVIL}}]},
        }

    def test_hostile_offers(self, open_shop: Callable[..., Shop]) -> None:
        browser, _ = open_shop(offers=self.offers())
        text = browser.get("/").text
        page = Page(text)
        assert page.tags == [*TAGS[:5], "h1", *TAGS[5:]]
        assert "alert" not in text.replace(page.scripts[2], "")
        [view] = page.state("targetGlobalSettings")["response"]["prefetch"]["views"]
        assert view["name"] == EVIL, "it arrives whole, where it does no harm"
        assert "Welcome to our shop" in text, "a JSON offer is no banner"

    def test_hostile_headers_and_cookies(self, open_shop: Callable[..., Shop]) -> None:
        browser, emulator = open_shop(offers=self.offers())
        mbox = f"session#{EVIL}#9585281503|PC#{quote(EVIL)}#9585281503"
        answer = with_cookies(
            browser,
            f"{AMCV}=MCMID%7C{quote(EVIL)}%7CMCAAMB%7C{quote(EVIL)}; mbox={quote(mbox)}; "
            f"mboxEdgeCluster={quote(EVIL)}; {QA_COOKIE}={quote(EVIL)}",
            f"/?q={quote(EVIL)}&at_preview_token={quote(EVIL)}",
            **{"User-Agent": EVIL, "Referer": EVIL, "Sec-CH-UA-Model": f'"{EVIL}"', "X-Forwarded-For": EVIL},
        )
        assert answer.status_code == 200
        page = Page(answer.text)
        assert page.tags == [*TAGS[:5], "h1", *TAGS[5:], "a"]
        sent = emulator.received[0].body
        assert sent["id"]["marketingCloudVisitorId"] == EVIL, "or this test would hold for nothing"
        assert page.state("targetGlobalSettings")["request"]["id"] == sent["id"]
        assert all("<" not in line for line in answer.headers.getlist("Set-Cookie"))

    def test_a_cookie_of_any_bytes(self, shop: Shop) -> None:
        browser, _ = shop
        for name in (AMCV, "mbox", "mboxEdgeCluster", QA_COOKIE):
            value = bytes(range(32, 256)).replace(b";", b"").decode("latin-1")
            answer = with_cookies(browser, f"{name}={value}")
            assert answer.status_code == 200
            assert Page(answer.text).tags == [*TAGS[:5], "h1", *TAGS[5:]]


class TestDefaultContent:
    def test_when_target_fails(self, open_shop: Callable[..., Shop], caplog: pytest.LogCaptureFixture) -> None:
        browser, emulator = open_shop(offers=load_offers(ROOT / "examples/offers.json").in_cluster("38"), fail="1:503")
        browser.set_cookie(AMCV, f"MCMID|{ECID}")
        answer = browser.get(QA_LINK)
        assert answer.status_code == 200
        assert "Welcome to our shop" in answer.text
        assert {received.status for received in emulator.received} == {503}
        page = Page(answer.text)
        assert "targetGlobalSettings" not in answer.text, "at.js asks for itself"
        assert set(page.state("Visitor.getInstance")) == {ORGANIZATION}
        assert "mbox" not in " ".join(answer.headers.getlist("Set-Cookie"))
        assert "shows default content" in caplog.text
        assert ECID not in caplog.text

    def test_when_there_is_no_offer(self, open_shop: Callable[..., Shop]) -> None:
        browser, _ = open_shop(offers={"mboxes": {}})
        answer = browser.get("/")
        assert "Welcome to our shop" in answer.text
        assert "mbox=" in " ".join(answer.headers.getlist("Set-Cookie"))

    def test_when_target_is_gone(self, open_shop: Callable[..., Shop]) -> None:
        with running() as gone:
            domain = gone.server_domain
        with TargetClient.create(
            client="acmeclient", organization_id=ORGANIZATION, server_domain=domain, secure=False, edge_routing=False
        ) as client:
            answer = create_app(client, ORGANIZATION).test_client().get("/")
        assert answer.status_code == 200
        assert "Welcome to our shop" in answer.text


def test_the_command_line(emulator: Emulator) -> None:
    emulator.reset()
    command = [sys.executable, "examples/hybrid_page.py", "--client", "acmeclient", "--organization-id", ORGANIZATION]
    command += ["--server-domain", emulator.server_domain, "--port", "0"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        told = (re.search(r"Running on (http://127\.0\.0\.1:\d+)", line) for line in process.stderr)
        url = next(found[1] for found in told if found)
        with urllib.request.urlopen(url, timeout=10) as answer:
            assert "Summer sale" in answer.read().decode()
    finally:
        process.terminate()
        process.communicate(timeout=10)
    assert len(bodies(emulator)) == 2
