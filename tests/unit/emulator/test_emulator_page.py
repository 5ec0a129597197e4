"""The page without a browser: what it shows, what its forms do, who is refused, what a hostile value becomes."""

from __future__ import annotations

import hashlib
import json
import re
from html import unescape
from importlib.resources import files
from typing import Any

import pytest
import urllib3
from starlette.testclient import TestClient

from target.emulator import create_app, running
from target.emulator.journal import Journal
from target.emulator.page.forms import TOKEN
from target.emulator.page.routes import _event
from tests.kit.rules import ask, build_artifact, build_rule

HTML = {"accept": "text/html"}
EVIL = "<script>alert(1)</script>'\"&\n\u202e"


class Browser:
    """One that opens the page of an emulator, and that sends requests to it."""

    def __init__(self, **settings: Any) -> None:
        self.client = TestClient(create_app(**settings), base_url="http://127.0.0.1:8080", follow_redirects=False)

    def page(self, path: str = "/", **headers: str) -> str:
        answer = self.client.get(path, headers={**HTML, **headers})
        assert answer.status_code == 200, answer.text
        return answer.text

    def send(self, form: str, **typed: str) -> Any:
        return self.client.post(f"/_/page/{form}", data={"token": TOKEN, **typed}, headers=HTML)

    def deliver(self, body: dict[str, Any], session: str = "s") -> Any:
        query = {"imsOrgId": "1@AdobeOrg", "sessionId": session}
        return self.client.post("/rest/v1/delivery", params=query, json={"context": {"channel": "web"}, **body}).json()

    def counts(self) -> Any:
        return self.client.get("/_/counts").json()


@pytest.fixture
def browser() -> Browser:
    return Browser()


def cells(page: str, kind: str) -> list[str]:
    return [unescape(text) for text in re.findall(rf'<td class="{kind}">(.*?)</td>', page)]


def test_it_is_for_browsers_and_programs_get_json(browser: Browser) -> None:
    assert "<h1>Target emulator</h1>" in browser.page()
    assert browser.client.get("/", headers={"accept": "*/*"}).json()["deliver"] == "POST /rest/v1/delivery"


def test_it_shows_activities_with_their_audiences_in_words(browser: Browser) -> None:
    page = unescape(browser.page())
    for shown in ("Summer sale on the home page", "A: 20 % off", 'parameter membership is "gold" (ignoring case)'):
        assert shown in page
    assert "It emulates the Delivery API for development: it is not Adobe Target" in page
    assert "Not emulated: Auto-Allocate" in page


def test_its_numbers_are_those_of_the_api(browser: Browser) -> None:
    for number in range(30):
        browser.deliver({"id": {"tntId": f"v{number}"}, "execute": ask("home", "prices")})
    page = browser.page("/_/page/activities")
    counted = [one for activity in browser.counts()["activities"] for one in activity["experiences"]]
    assert cells(page, "number visitors") == [str(one["visitors"]) for one in counted]
    assert cells(page, "number impressions") == [str(one["impressions"]) for one in counted]
    assert sum(one["visitors"] for one in counted) == 60
    assert "The split fits the shares" in page or "The split is not as wanted" in page


def test_requests_are_listed_newest_first_with_ids_shortened(browser: Browser) -> None:
    browser.deliver({"execute": ask("home")}, "session-number-one")
    browser.deliver({"prefetch": ask("prices"), "notifications": []}, "session-number-two")
    browser.client.post("/rest/v1/delivery", content=b"no json")
    rows = re.findall(r"<tr><td>(.*?)</tr>", browser.page())
    assert [("prices" in row, "home" in row) for row in rows] == [(False, False), (True, False), (False, True)]
    assert 'class="bad">400' in rows[0]
    assert "session-…" in rows[1]
    assert "session-number" not in "".join(rows)


def test_a_decision_is_tried_and_explained_and_counts_nothing(browser: Browser) -> None:
    before = browser.counts()
    query = "mboxes=greeting,home&parameters=membership%3DGold%0AfirstName%3DAnn&visitor=anna"
    page = unescape(browser.page(f"/?{query}&page_load=1&views=1&url=https://shop.example/&time=2027-01-02T03:04"))
    assert "Welcome back, Ann: a gold member sees Greeting of members." in page
    assert 'parameter membership is "gold" (ignoring case): yes (seen: "gold")' in page
    assert "page load target-global-mbox" in page
    assert "view cart" in page
    assert "mbox home" in page
    assert browser.counts() == before
    assert browser.client.get("/_/state").json()["received"]["requests"]["received"] == 0


def test_time_and_place_of_a_trial_count(browser: Browser) -> None:
    sunday, monday = (browser.page(f"/?mboxes=hours&time=2027-01-0{day}T12:00") for day in (3, 4))
    assert "rests until Monday" in sunday
    assert "Call us: we are here." in monday
    assert "With you tomorrow" in browser.page("/?mboxes=delivery&country=CH")
    assert "The app for Android" in browser.page("/?mboxes=app&user_agent=Mozilla/5.0+(Linux;+Android+14)+Chrome/120")


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("mboxes=home&parameters=x", "Parameters, line 1: write name=value"),
        ("mboxes=home&time=tomorrow", "the time must be a date and time"),
        (f"mboxes={'x' * 251}", "size must be between"),
        ("mboxes=home&ip=nowhere", "ipAddress"),
    ],
)
def test_what_is_wrong_with_a_trial_is_said(browser: Browser, query: str, said: str) -> None:
    page = unescape(browser.page(f"/?{query}"))
    assert said in page
    assert '<p role="alert"' in page


def test_experiences_are_forced_and_released(browser: Browser) -> None:
    sent = browser.send("force", experience="310001/1", mbox="home", visitor="anna")
    assert (sent.status_code, sent.headers["location"]) == (303, "/?said=The%20experience%20is%20forced#switches")
    page = unescape(browser.page(sent.headers["location"]))
    assert "B: free shipping of Summer sale on the home page at home for anna" in page
    shown = browser.deliver({"id": {"tntId": "anna"}, "execute": ask("home")})["execute"]["mboxes"][0]
    assert "free shipping" in shown["options"][0]["content"]
    browser.send("release", activity="310001", mbox="home", visitor="anna")
    assert "None is forced." in browser.page()
    refused = browser.send("force", experience="310001/9")
    assert "the rules have no experience '9'" in unescape(browser.page(refused.headers["location"]))


def test_faults_the_clock_and_memory_are_switches(browser: Browser) -> None:
    browser.send("fail", n="2", of="delivery", fault="503", latency_ms="0")
    assert "The next 2 calls to the API: status 503." in browser.page()
    assert browser.deliver({"execute": ask("home")})["status"] == 503
    browser.send("heal")
    assert browser.deliver({"execute": ask("home")})["status"] == 200
    browser.send("clock", at="2027-01-03T12:00")
    assert browser.client.get("/_/clock").json()["is_set"]
    assert 'value="2027-01-03T12:00"' in browser.page()
    browser.send("clock", at="")
    assert not browser.client.get("/_/clock").json()["is_set"]
    browser.send("reset")
    assert "Nothing yet" in browser.page()
    assert "bad=1" in browser.send("fail", n="no", of="delivery", fault="", latency_ms="1").headers["location"]


@pytest.mark.parametrize("token", [None, "", "x" * len(TOKEN), TOKEN[:-1]], ids=["none", "empty", "another", "cut"])
def test_a_form_from_elsewhere_changes_nothing(browser: Browser, token: str | None) -> None:
    typed = {"experience": "310001/1"} | ({} if token is None else {"token": token})
    assert browser.client.post("/_/page/force", data=typed, headers=HTML).status_code == 403
    assert browser.client.get("/_/forced").json() == {"forced": []}


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "iframe"},
        {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors", "sec-fetch-dest": "document"},
        {"host": "evil.example"},
        {"host": "127.0.0.1.evil.example:8080"},
    ],
)
@pytest.mark.parametrize("path", ["/", "/_/page/activities", "/_/page/requests", "/_/live"])
def test_pages_of_other_origins_and_other_hosts_are_refused(
    browser: Browser, headers: dict[str, str], path: str
) -> None:
    answer = browser.client.get(path, headers={**HTML, **headers})
    assert answer.status_code == 403
    assert "Summer" not in answer.text
    assert browser.client.post("/_/page/reset", data={"token": TOKEN}, headers={**HTML, **headers}).status_code == 403


LINK = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}


def test_a_link_on_a_page_from_elsewhere_leads_here_and_says_nothing(browser: Browser) -> None:
    page = browser.page("/?said=evil&mboxes=home", **LINK)
    assert "Summer sale on the home page" in page
    assert "evil" not in page
    assert 'class="tried"' not in page
    for path, headers in (
        ("/", {"host": "evil.example"}),
        ("/", {"origin": "null"}),
        ("/_/live", {}),
        ("/_/state", {}),
    ):
        assert browser.client.get(path, headers={**HTML, **LINK, **headers}).status_code == 403
    assert browser.client.post("/_/page/reset", data={"token": TOKEN}, headers={**HTML, **LINK}).status_code == 403


def test_the_browser_is_told_to_load_nothing_from_elsewhere(browser: Browser) -> None:
    answer = browser.client.get("/", headers=HTML)
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert not re.search(r"\sstyle=|\son\w+=|<style|javascript:", answer.text)
    assert not re.search(r"<script(?! src=\"/_/static/)", answer.text)
    assert not re.search(r"(?:src|href|action)=\"(?!/|#|data:,)", answer.text)


def test_every_value_is_escaped() -> None:
    rule = build_rule({"==": [EVIL, {"var": f"mbox.{EVIL}"}]}, 1)
    rule["meta"] |= {"activity.name": EVIL, "experience.name": EVIL, "experience.id": EVIL, "activity.type": EVIL}
    browser = Browser(rules=build_artifact(rules={"mboxes": {EVIL: [rule], "hero": [rule, {"condition": EVIL}]}}))
    browser.deliver({"execute": ask(EVIL)}, "s")
    browser.client.post("/rest/v1/delivery", params={"sessionId": EVIL}, json={"execute": ask(EVIL)})
    browser.send("force", experience=f"1/{EVIL}".strip())
    pages = [
        browser.page(),
        browser.page("/", **{"user-agent": "<script>"}),
        browser.page(
            "/?" + "&".join(f"{name}=%3Cscript%3E" for name in ("mboxes", "visitor", "parameters", "said", "url"))
        ),
        browser.client.get("/", params={"mboxes": "hero", "parameters": f"a={EVIL}"}, headers=HTML).text,
    ]
    for page in pages:
        assert "<script>" not in page
        assert "&lt;script&gt;" in page


HALF = "\ud800"  # half of a surrogate pair: JSON may hold it, UTF-8 has none


def test_what_utf_8_does_not_have_is_shown_as_an_escape() -> None:
    rule = build_rule(True, 1)
    rule["meta"] |= {"activity.name": HALF, "experience.name": HALF}
    browser = Browser(rules=build_artifact(rules={"mboxes": {"hero": [rule]}}))
    told = {"id": "1", "timestamp": 1, "type": "display", "mbox": {"name": HALF}, "tokens": [HALF]}
    for body in ({"execute": ask(HALF)}, {"notifications": [told]}):
        sent = json.dumps({"context": {"channel": "web"}, **body})
        query = {"imsOrgId": "1@AdobeOrg", "sessionId": "s"}
        assert browser.client.post("/rest/v1/delivery", params=query, content=sent).status_code == 200
    assert browser.page("/?mboxes=hero").count("\\ud800") > 4
    assert "\\ud800" in browser.page("/_/page/activities")
    assert "\\ud800" in unescape(browser.page(browser.send("force", experience="1/none").headers["location"]))


def test_rows_of_what_utf_8_does_not_have_are_sent_too() -> None:
    with running() as emulator, urllib3.PoolManager() as pool:
        body = json.dumps({"context": {"channel": "web"}, "execute": ask(HALF)})
        pool.request("POST", f"{emulator.url}/rest/v1/delivery?imsOrgId=1&sessionId=s", body=body)
        assert b"\\ud800" in told_after(pool, emulator.url, 0)


def test_json_is_shown_in_its_own_letters() -> None:
    browser = Browser(offers={"mboxes": {"home": [{"type": "json", "content": {"said": "Grüße"}}]}})
    assert '"said": "Grüße"' in unescape(browser.page("/?mboxes=home"))


def test_a_line_break_begins_no_field_of_an_event() -> None:
    assert _event("row", "a\nevent: evil\r\ndata: b", 7) == (
        "id: 7\nevent: row\ndata: a\ndata: event: evil\ndata: data: b\n\n"
    )
    assert _event("counted", "") == "event: counted\ndata: \n\n"


@pytest.mark.waits
def test_a_thousand_activities_and_ten_thousand_requests_stay_readable() -> None:
    rules = {"mboxes": {"hero": [build_rule(True, number) for number in range(1, 1001)]}}
    journal = Journal(most=100)
    browser = Browser(rules=build_artifact(rules=rules), journal=journal)
    for number in range(150):
        browser.deliver({"execute": ask("hero")}, f"s{number}")
    page = browser.page()
    assert page.count("<article>") - 3 == 20
    assert page.count("<tr><td>") == 50
    assert "Page 1 of 50" in page
    assert "50 are no longer listed" in page
    assert len(page) < 300_000
    rows = browser.page("/_/page/requests")
    assert (rows.count("<tr><td>"), "The newest 50 of 150 (50 are no longer listed)" in rows) == (50, True)
    last = browser.page("/?page=50")
    assert ("Page 50 of 50" in last, "Page 50 of 50" in browser.page("/?page=99999")) == (True, True)


def test_what_a_long_trial_leaves_out_is_said() -> None:
    rules = {f"view{number}": [build_rule(True, number)] for number in range(300)}
    hero = [build_rule(True, number) for number in range(300)]
    offers = {"mboxes": {"long": [{"type": "html", "content": "x" * 5000}]}}
    browser = Browser(rules=build_artifact(rules={"mboxes": {"hero": hero}, "views": rules}), offers=offers)
    page = browser.page("/?mboxes=hero,long&views=1")
    assert page.count('<article class="tried">') == 50
    assert "252 more places are not shown" in page
    assert "250 more rules are not shown" in page
    assert "100 more activities are forced by" in page
    assert f"{'x' * 4000}…</code>" in page
    assert "Mboxes: try 50 at once at most, not 60" in browser.page(f"/?mboxes={'home,' * 60}")


def test_without_rules_it_says_that_offers_answer() -> None:
    browser = Browser(offers={"mboxes": {"home": [{"type": "html", "content": "x"}]}})
    page = browser.page("/?mboxes=home,none")
    assert "The rules have no activities: offers answer everything." in page
    assert "<pre><code>x</code></pre>" in page


def told_after(pool: urllib3.PoolManager, url: str, number: int) -> bytes:
    """What an open page hears, until it is told that counts have changed."""
    answer = pool.request("GET", f"{url}/_/live?since={number}", preload_content=False, timeout=20)
    told = b""
    for piece in answer.stream(16):
        told += piece
        if b"event: counted" in told:
            break
    answer.close()
    return told


VENDORED = json.loads((files("target.emulator") / "page" / "static" / "vendored.json").read_text())


@pytest.mark.parametrize("name", sorted(VENDORED["files"]))
def test_what_is_vendored_is_what_was_taken_over(browser: Browser, name: str) -> None:
    content = (files("target.emulator") / "page" / "static" / name).read_bytes()
    assert hashlib.sha256(content).hexdigest() == VENDORED["files"][name]
    served = browser.client.get(f"/_/static/{name}")
    assert (served.status_code, served.content) == (200, content)
    assert served.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("name", ["none.js", "vendored.json", "..%2Froutes.py", "../routes.py"])
def test_no_other_file_is_served(browser: Browser, name: str) -> None:
    assert browser.client.get(f"/_/static/{name}").status_code == 404


def test_rows_that_came_before_the_stream_was_open_are_in_it() -> None:
    with running() as emulator, urllib3.PoolManager() as pool:
        query = "imsOrgId=1&sessionId=s"
        body = json.dumps({"context": {"channel": "web"}, "execute": ask("home")})
        for _ in range(3):
            pool.request("POST", f"{emulator.url}/rest/v1/delivery?{query}", body=body)
        told = told_after(pool, emulator.url, 1)
    assert re.findall(rb"id: (\d)\n", told) == [b"2", b"3"]
    assert told.count(b"event: counted") == 1
