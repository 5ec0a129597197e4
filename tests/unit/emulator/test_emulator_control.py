"""The control API: what it shows and changes, what it refuses, and that the object of tests does the same."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import pytest
import urllib3
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from target.emulator import Emulator, running
from target.emulator.desk import parse_moment
from tests.kit.cdn import artifact
from tests.kit.properties import examples

WEB = {"context": {"channel": "web"}}
HOME = {"execute": {"mboxes": [{"name": "home"}]}}
Call = Callable[..., urllib3.BaseHTTPResponse]


def rule(experience: int, least: int, most: int) -> dict[str, Any]:
    share = {"and": [{"<": [least, {"var": "allocation"}]}, {">=": [most, {"var": "allocation"}]}]}
    option = {"type": "html", "content": f"<b>{experience}</b>", "eventToken": f"token-{experience}"}
    return {
        "ruleKey": str(experience),
        "activityId": "7",
        "meta": {
            "activity.id": 7,
            "activity.name": "Seven",
            "activity.type": "ab",
            "experience.id": experience,
            "experience.name": f"E{experience}",
        },
        "condition": share,
        "consequence": {"name": "home", "options": [option], "metrics": []},
    }


RULES = artifact(rules={"mboxes": {"home": [rule(0, -1, 50), rule(1, 50, 100)]}, "views": {}})
OFFERS = {"mboxes": {"remote": [{"type": "html", "content": "<b>offer</b>"}]}}


@pytest.fixture(scope="module")
def serving() -> Iterator[Emulator]:
    with running(OFFERS, RULES) as emulator:
        yield emulator


@pytest.fixture
def emulator(serving: Emulator) -> Emulator:
    serving.reset()
    serving.use_rules(RULES)
    serving.use_offers(OFFERS)
    return serving


@pytest.fixture
def call(emulator: Emulator, pool: urllib3.PoolManager) -> Call:
    def send(method: str, path: str, body: Any = None, **headers: str) -> urllib3.BaseHTTPResponse:
        raw = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        return pool.request(method, f"{emulator.url}/_/{path}", body=raw, headers=headers, redirect=False)

    return send


def shown(post: Any, emulator: Emulator, body: dict[str, Any] = HOME, **query: str) -> Any:
    answer = post(emulator, WEB | body, {"imsOrgId": "o", "sessionId": "s"} | query).json()
    return [option["content"] for option in answer["execute"]["mboxes"][0].get("options", [])]


def test_the_state_says_what_is_served_and_how_it_stands(emulator: Emulator, call: Call, post: Any) -> None:
    post(emulator, WEB | HOME)
    state = call("GET", "state").json()
    assert "not Adobe Target" in state["about"]
    assert "Auto-Allocate" in state["about"]
    assert state["rules"]["activities"] == [{"id": "7", "name": "Seven", "type": "ab"}]
    assert state["offers"] == {"mboxes": ["remote"], "views": [], "pageLoad": False}
    assert state["received"]["requests"] == {"received": 1, "kept": 1, "dropped": 0}
    assert (state["rules"]["problems"], state["rules"]["unanswered"]) == ([], [])
    assert (state["forced"], state["faults"], state["files"]) == ([], [], [])
    assert state["clock"]["is_set"] is False


def test_requests_are_listed_filtered_and_forgotten(
    emulator: Emulator, call: Call, post: Any, pool: urllib3.PoolManager
) -> None:
    post(emulator, WEB | HOME, {"imsOrgId": "o", "sessionId": "one"})
    post(emulator, WEB | {"prefetch": {"mboxes": [{"name": "remote"}]}}, {"imsOrgId": "o", "sessionId": "two"})
    listed = call("GET", "requests").json()
    assert (listed["received"], listed["kept"], listed["dropped"]) == (2, 2, 0)
    first, second = listed["requests"]
    assert (first["status"], first["path"], first["body"]) == (200, "/rest/v1/delivery", WEB | HOME)
    for query, found in (
        ("mbox=remote", [second]),
        ("type=execute", [first]),
        ("session=two", [second]),
        (f"since={first['number']}", [second]),
        ("mbox=nowhere", []),
    ):
        assert call("GET", f"requests?{query}").json()["requests"] == found
    pool.request("GET", f"{emulator.url}/v1/geo")
    (fetched,) = call("GET", "requests?of=geo&wait=1").json()["requests"]
    assert fetched["path"] == "/v1/geo"
    assert emulator.wait_for_requests(1, of="geo")[0].number == fetched["number"]
    assert call("DELETE", "requests").status == 204
    assert call("GET", "requests").json() == {"requests": [], "received": 2, "kept": 0, "dropped": 0}


def test_waiting_for_what_comes(emulator: Emulator, call: Call, post: Any) -> None:
    told = {"id": "n", "type": "display", "timestamp": 1, "mbox": {"name": "home"}, "tokens": ["token-0"]}
    sending = threading.Timer(0.05, lambda: post(emulator, WEB | {"notifications": [told, told | {"id": "m"}]}))
    sending.start()
    answer = call("GET", "notifications?mbox=home&type=display&wait=2&timeout_ms=20000")
    sending.join()
    assert [entry["notification"]["id"] for entry in answer.json()["notifications"]] == ["n", "m"]
    assert answer.json()["notifications"][0]["activities"] == [{"activity": "7", "experience": "0"}]
    late = call("GET", "notifications?wait=3&timeout_ms=10")
    assert (late.status, late.json()["message"]) == (408, "2 of 3 notifications came within 10 ms")
    assert len(late.json()["notifications"]) == 2
    assert call("GET", "requests?wait=1&timeout_ms=0").status == 200


def test_who_waits_when_it_stops_waits_no_longer(pool: urllib3.PoolManager) -> None:
    answers: list[urllib3.BaseHTTPResponse] = []
    with running() as emulator:
        url = f"{emulator.url}/_/requests?wait=1&timeout_ms=600000"
        waiting = threading.Thread(target=lambda: answers.append(pool.request("GET", url)))
        waiting.start()
        journal = emulator._desk.journal
        until = time.monotonic() + 20
        while not journal._listeners and time.monotonic() < until:
            time.sleep(0.005)
    waiting.join(20)
    assert [answer.status for answer in answers] == [408]


def test_rules_and_offers_are_swapped_and_broken_ones_change_nothing(emulator: Emulator, call: Call, post: Any) -> None:
    assert shown(post, emulator)
    assert call("PUT", "rules", artifact("other")).json()["etag"].startswith('"')
    assert shown(post, emulator) == []
    refused = call("PUT", "rules", {"version": "1.0.0", "rules": {"mboxes": []}})
    assert (refused.status, refused.json()["pointer"]) == (400, "/rules/mboxes")
    assert refused.json()["message"].startswith("rules: /rules/mboxes: must be an object")
    assert call("PUT", "rules", b"{").status == 400
    assert list(emulator.stage.rules.data["rules"]["mboxes"]) == ["other"]
    assert call("PUT", "offers", {"mboxes": {"home": [{"type": "html", "content": "o"}]}}).json() == {
        "mboxes": ["home"]
    }
    refused = call("PUT", "offers", {"mboxes": {"home": 5}})
    assert (refused.status, refused.json()["pointer"]) == (400, "/mboxes/home")
    refused = call("PUT", "offers", b'{"mboxes": }')
    assert refused.json()["message"] == "offers: line 1, column 12: not JSON (Expecting value); correct it there"
    assert call("PUT", "rules", b"null").status == 200
    assert shown(post, emulator) == ["o"]


def test_an_experience_is_forced_and_released(emulator: Emulator, call: Call, post: Any) -> None:
    for experience in ("E0", "1"):
        listed = call("POST", "forced", {"experience": experience, "mbox": "home"})
        assert (listed.status, listed.json()) == (201, call("GET", "forced").json())
        assert shown(post, emulator) == [f"<b>{experience[-1]}</b>"]
    assert call("DELETE", "forced?mbox=home").status == 204
    emulator.force("E0", visitor="nobody")
    assert emulator.forced == [{"activity": "7", "experience": "0", "mbox": None, "visitor": "nobody"}]
    emulator.release(visitor="nobody")
    assert call("GET", "forced").json() == {"forced": []}


def test_faults_are_asked_for_listed_and_cleared(emulator: Emulator, call: Call, post: Any) -> None:
    assert call("POST", "faults", {"fault": 503}).status == 201
    asked = call("POST", "faults", {"n": 2, "fault": "reset", "latency_ms": 5, "of": "rules"}).json()["faults"]
    assert asked[1] == {"n": 2, "fault": "reset", "latency_ms": 5, "of": "rules"}
    assert post(emulator, WEB | HOME).status == 503
    assert call("DELETE", "faults?of=rules").status == 204
    assert call("GET", "faults").json() == {"faults": []}


def test_the_clock_is_set_and_runs_on(emulator: Emulator, call: Call) -> None:
    for at in ("2026-11-26T10:00:00Z", "2026-11-26T11:00:00+01:00", "2026-11-26T10:00:00", 1795687200000):
        clock = call("PUT", "clock", {"at": at}).json()
        assert clock == {"now": "2026-11-26T10:00:00.000Z", "now_ms": 1795687200000, "is_set": True}
    assert emulator.stage.now_s() == 1795687200
    emulator.set_clock(datetime(2026, 11, 26, 10, tzinfo=UTC))
    assert call("GET", "clock").json() == clock
    assert call("PUT", "clock", {"at": None}).json()["is_set"] is False


def test_counts_and_a_reset(emulator: Emulator, call: Call, post: Any) -> None:
    emulator.force("E1")
    for session in ("a", "b"):
        shown(post, emulator, sessionId=session)
    (activity,) = call("GET", "counts").json()["activities"]
    assert (activity["id"], activity["name"]) == ("7", "Seven")
    counted = {one["name"]: (one["visitors"], one["impressions"], one["share"]) for one in activity["experiences"]}
    assert counted == {"E0": (0, 0, 0.5), "E1": (2, 2, 0.5)}
    assert [one.impressions for one in emulator.counts()[0].experiences] == [0, 2]
    assert call("POST", "reset").status == 204
    assert sum(one.impressions for one in emulator.counts()[0].experiences) == 0
    assert (emulator.received, emulator.forced) == ([], [])


def test_a_request_is_explained_and_not_counted(emulator: Emulator, call: Call, post: Any) -> None:
    ask = WEB | HOME | {"id": {"tntId": "visitor-7"}}
    emulator.set_clock("2026-11-26T10:00:00Z")
    explained = call("POST", "explain", ask).json()
    assert explained["explanation"] == emulator.explain(ask).to_dict()
    assert explained["answer"]["execute"] == post(emulator, ask).json()["execute"]
    assert sum(one.impressions for one in emulator.counts()[0].experiences) == 1
    assert len(emulator.received) == 1


REFUSED = [
    ("POST", "explain", {}, None, "Invalid request: context must not be null"),
    ("POST", "explain", b"{", None, "Expecting property name"),
    (
        "GET",
        "requests?mbx=home",
        None,
        None,
        "mbx is no parameter: use mbox, type, session, since, wait, timeout_ms, of",
    ),
    ("GET", "requests?of=cdn", None, None, "of must be one of delivery, rules, geo"),
    ("GET", "counts?mbox=home", None, None, "mbox is no parameter: there are none here"),
    ("GET", "requests?wait=-1", None, None, "wait must be a whole number from 0 to 10000"),
    ("GET", "notifications?wait=1&timeout_ms=soon", None, None, "timeout_ms must be a whole number"),
    ("POST", "forced", {}, "/experience", "experience is missing: name one by its id or name"),
    ("POST", "forced", {"experience": 5}, "/experience", "experience must be text"),
    ("POST", "forced", {"experience": "none"}, None, "the rules have no experience 'none'; they have 0 (E0), 1 (E1)"),
    ("POST", "forced", {"experience": "0", "mbx": "home"}, "/mbx", "mbx is nothing that can be said here; use exp"),
    ("POST", "forced", [], "", "the body must be a JSON object with experience, mbox, activity, visitor"),
    ("POST", "faults", b"", "", "the body is not JSON (Expecting value"),
    ("POST", "faults", b"\xff", "", "the body is not JSON ('utf-8' codec"),
    ("POST", "faults", {"fault": "often"}, None, "fault is a status from 300 to 599, or one of reset, drip, half"),
    ("PUT", "clock", {}, "/at", "at is missing: a date and time, milliseconds since 1970, or null"),
    ("PUT", "clock", {"at": "noon"}, "/at", "the time must be a date and time as 2026-11-26T10:00:00Z, or millisec"),
    ("PUT", "clock", {"at": True}, "/at", "the time must be"),
    ("PUT", "clock", {"at": -1}, "/at", "the time must be"),
]


@pytest.mark.parametrize(("method", "path", "body", "pointer", "message"), REFUSED, ids=[row[4] for row in REFUSED])
def test_what_cannot_be_done_is_explained(
    method: str, path: str, body: Any, pointer: str | None, message: str, call: Call
) -> None:
    refused = call(method, path, body)
    assert (refused.status, refused.json().get("pointer")) == (400, pointer)
    assert refused.json()["message"].startswith(message)


def test_what_nobody_answers_is_told(emulator: Emulator, call: Call) -> None:
    odd = rule(0, 0, 100) | {"condition": {"odd": []}}
    emulator.use_rules(artifact(rules={"mboxes": {"home": [odd]}}, remoteMboxes=["remote", "other", "g"]))
    emulator.use_offers(OFFERS | {"pageLoad": []})
    told = call("GET", "state").json()["rules"]
    assert told["unanswered"] == ["other"]
    assert told["problems"] == ["/rules/mboxes/home/0: the operator 'odd' is not known"]


def test_bodies_are_bounded(emulator: Emulator, call: Call) -> None:
    assert call("POST", "faults", b" " * 70_000).status == 413
    with running(max_body_bytes=100) as small, urllib3.PoolManager() as pool:
        assert pool.request("PUT", f"{small.url}/_/rules", body=b" " * 101).status == 413


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 10**20, [], "9999999-01-01"])
def test_a_moment_that_is_none(value: Any) -> None:
    with pytest.raises(ValueError, match="the time must be a date and time"):
        parse_moment(value)


ENDPOINTS = [
    *(("PUT", "rules"), ("PUT", "offers"), ("PUT", "clock"), ("POST", "forced"), ("POST", "explain")),
    *(("GET", "requests"), ("GET", "notifications"), ("GET", "counts"), ("DELETE", "forced"), ("DELETE", "faults")),
]
WORDS = [
    "experience",
    "mbox",
    "at",
    "version",
    "1.0.0",
    "rules",
    "mboxes",
    "home",
    "offers",
    "options",
    "type",
    "content",
]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(WORDS),
    lambda one: st.lists(one, max_size=3) | st.dictionaries(st.sampled_from(WORDS) | st.text(), one, max_size=4),
    max_leaves=8,
)


@settings(max_examples=examples(100), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    endpoint=st.sampled_from(ENDPOINTS),
    body=JSON | st.binary(),
    query=st.dictionaries(st.text(), st.text(), max_size=2),
)
def test_nothing_that_is_asked_makes_it_a_500(endpoint: Any, body: Any, query: dict[str, str], call: Call) -> None:
    method, path = endpoint
    asked = urlencode(query, errors="surrogatepass")
    assert call(method, f"{path}?{asked}" if asked else path, body).status in (200, 201, 204, 400, 408)
