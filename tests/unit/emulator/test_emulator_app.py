"""The emulator over HTTP: notifications, beacons, failures, latency, limits, and that nothing makes it a 500."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import urllib3
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from target.emulator import Emulator, OffersError, running
from tests.kit.properties import examples

WEB = {"context": {"channel": "web"}}
BEACON = {"context": {"channel": "web", "beacon": True}}


def notification(**fields: Any) -> dict[str, Any]:
    return {"id": "n1", "type": "display", "timestamp": 1621530726000} | fields


def test_prefetch_then_notification_with_what_the_prefetch_gave(emulator: Emulator, post: Any) -> None:
    (home,) = post(emulator, WEB | {"prefetch": {"mboxes": [{"name": "home"}]}}).json()["prefetch"]["mboxes"]
    shown = notification(
        mbox={"name": "home", "state": home["state"]}, tokens=[option["eventToken"] for option in home["options"]]
    )
    response = post(emulator, WEB | {"notifications": [shown]})
    assert (response.status, response.json()["notifications"]) == (200, [{"id": "n1"}])
    (entry,) = emulator.notifications
    assert entry.items() >= {"sessionId": "session-1", "known": True, "repeat": False}.items()
    assert entry["notification"] == shown


def test_notifications_are_listed_and_cleared(emulator: Emulator, post: Any, pool: urllib3.PoolManager) -> None:
    listing = f"{emulator.url}/_/notifications"
    for clear in (("DELETE", listing), ("POST", f"{emulator.url}/_/reset")):
        post(emulator, WEB | {"notifications": [notification()]})
        listed = pool.request("GET", listing).json()["notifications"]
        assert [entry["notification"]["id"] for entry in listed] == ["n1"]
        assert pool.request(*clear).status == 204
        assert pool.request("GET", listing).json()["notifications"] == []
        assert emulator.received == []


def test_tokens_of_the_wrong_kind_or_none_are_accepted_and_flagged(emulator: Emulator, post: Any) -> None:
    (home,) = post(emulator, WEB | {"prefetch": {"mboxes": [{"name": "home"}]}}).json()["prefetch"]["mboxes"]
    display, click = home["options"][0]["eventToken"], home["metrics"][0]["eventToken"]
    sent: list[tuple[dict[str, Any], bool]] = [
        ({"tokens": [display]}, True),
        ({"type": "click", "tokens": [click]}, True),
        ({"type": "click", "tokens": [display]}, False),
        ({"tokens": [click]}, False),
        ({"tokens": [display, "made-up"]}, False),
        ({"tokens": []}, False),
        ({}, False),
    ]
    for fields, _ in sent:
        assert post(emulator, WEB | {"notifications": [notification(**fields)]}).status == 200
    assert [entry["known"] for entry in emulator.notifications] == [known for _, known in sent]


def test_a_repeated_impression_id_is_flagged(emulator: Emulator, post: Any) -> None:
    for impression in ({"impressionId": "i1"}, {"impressionId": "i2"}, {"impressionId": "i1"}, {}, {}):
        post(emulator, WEB | {"notifications": [notification(**impression)]})
    assert [entry["repeat"] for entry in emulator.notifications] == [False, False, True, False, False]


def test_one_invalid_notification_voids_the_whole_request(emulator: Emulator, post: Any) -> None:
    response = post(emulator, WEB | {"notifications": [notification(), notification(type="hover")]})
    assert response.status == 400
    assert emulator.notifications == []


def test_a_beacon_is_a_204_without_body_and_still_counts(emulator: Emulator, post: Any) -> None:
    response = post(emulator, BEACON | {"notifications": [notification()], "execute": {"mboxes": [{"name": "home"}]}})
    assert (response.status, response.data) == (204, b"")
    assert len(emulator.notifications) == 1


def test_received_holds_query_headers_body_and_status(emulator: Emulator, post: Any) -> None:
    post(emulator, WEB, {"imsOrgId": "acme@AdobeOrg", "sessionId": "a#1", "version": "2"})
    post(emulator, [])
    good, bad = emulator.received
    assert good.query == {"imsOrgId": "acme@AdobeOrg", "sessionId": "a#1", "version": "2"}
    assert good.headers["content-length"] == str(len(json.dumps(WEB)))
    assert (good.body, good.status) == (WEB, 200)
    assert (bad.body, bad.status) == ([], 400)


def test_it_says_what_it_is(emulator: Emulator, pool: urllib3.PoolManager) -> None:
    about = pool.request("GET", emulator.url).json()
    assert "not Adobe Target" in about["about"]
    assert about["mboxes"] == ["home", "flags", "default"]


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/rest/v1/delivery", 405), ("POST", "/rest/v2", 404), ("PUT", "/", 405)]
)
def test_other_calls_are_errors_in_the_same_shape(
    method: str, path: str, status: int, emulator: Emulator, pool: urllib3.PoolManager
) -> None:
    response = pool.request(method, emulator.url + path)
    assert response.status == response.json()["status"] == status
    assert "POST /rest/v1/delivery" in response.json()["message"]


def test_a_body_over_the_limit_is_a_413(post: Any) -> None:
    with running(max_body_bytes=1000) as emulator:
        fits = WEB | {"x": "y" * (1000 - len(json.dumps(WEB | {"x": ""})))}
        assert post(emulator, fits).status == 200
        response = post(emulator, WEB | {"x": "y" * 3_000_000})
        assert (response.status, response.json()["status"]) == (413, 413)
        assert [received.status for received in emulator.received] == [200, 413]


def test_too_many_calls_at_once_in_one_session_are_a_420(post: Any) -> None:
    with running(max_concurrent=2, latency_ms=300) as emulator, ThreadPoolExecutor(4) as threads:
        one_session = list(threads.map(lambda _: post(emulator, WEB), range(4)))
        assert Counter(response.status for response in one_session) == {200: 2, 420: 2}
        refused = next(response for response in one_session if response.status == 420)
        assert refused.json() == {"status": 420, "message": "Too many requests with same session ID"}
        sessions = [{"imsOrgId": "o", "sessionId": f"s{number}"} for number in range(4)]
        many = threads.map(lambda query: post(emulator, WEB, query), sessions)
        assert [response.status for response in many] == [200] * 4


def test_latency_delays_every_answer(post: Any) -> None:
    with running(latency_ms=120) as emulator:
        started = time.monotonic()
        assert post(emulator, WEB).status == 200
        assert post(emulator, []).status == 400
        assert time.monotonic() - started >= 0.24


def test_a_client_that_hangs_up_was_heard_and_holds_up_nothing(caplog: pytest.LogCaptureFixture) -> None:
    body = json.dumps(WEB | {"notifications": [notification()]}).encode()
    head = f"POST /rest/v1/delivery?imsOrgId=o&sessionId=s HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
    with running(latency_ms=60_000) as emulator, socket.create_connection((emulator.host, emulator.port)) as caller:
        caller.sendall(head.encode() + body)
        until = time.monotonic() + 5
        while not emulator.notifications and time.monotonic() < until:
            time.sleep(0.005)
    assert len(emulator.notifications) == 1
    assert caplog.messages == []  # a call still waited for would be cancelled, with an error in the log


def test_a_call_cut_off_in_its_body_is_not_received() -> None:
    with running() as emulator:
        with socket.create_connection((emulator.host, emulator.port)) as caller:
            caller.sendall(b"POST /rest/v1/delivery HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{")
        with urllib3.PoolManager() as pool:
            assert pool.request("GET", emulator.url).status == 200
        assert emulator.received == []


def failing(post: Any, fail: str, seed: int | None, calls: int) -> list[Any]:
    with running(fail=fail, seed=seed) as emulator:
        return [post(emulator, WEB | {"notifications": [notification()]}) for _ in range(calls)]


def test_fail_fails_its_share_the_same_way_for_a_seed(post: Any) -> None:
    first, again, other = ([one.status for one in failing(post, "0.3:503", seed, 60)] for seed in (1, 1, 2))
    assert first == again != other
    assert set(first) == {200, 503}
    assert 6 <= first.count(503) <= 30


def test_fail_with_429_says_when_to_come_back_and_counts_nothing(post: Any) -> None:
    with running(fail="1:429") as emulator:
        response = post(emulator, WEB | {"notifications": [notification()]})
        assert (response.status, response.headers["Retry-After"]) == (429, "1")
        assert response.json() == {"status": 429, "message": "The emulator was told to fail this call"}
        assert (emulator.notifications, [received.status for received in emulator.received]) == ([], [429])


def test_fail_rate_0_fails_nothing(post: Any) -> None:
    assert [response.status for response in failing(post, "0:500", 1, 5)] == [200] * 5


def test_bad_offers_are_refused_before_anything_listens() -> None:
    with pytest.raises(OffersError, match="offers: /mboxs"), running({"mboxs": {}}):
        raise AssertionError


def test_several_run_side_by_side_and_leave_no_thread(post: Any) -> None:
    before = set(threading.enumerate())  # of which some may be ending
    with running() as one, running() as other:
        post(one, WEB)
        assert (len(one.received), len(other.received)) == (1, 0)
        assert one.port != other.port
        assert one.server_domain == f"127.0.0.1:{one.port}"
    assert set(threading.enumerate()) <= before
    with pytest.raises(urllib3.exceptions.HTTPError):
        post(one, WEB)


def test_kept_alive_calls_are_quick(post: Any, emulator: Emulator) -> None:
    # With Nagle's algorithm left on, each would take 40 ms.
    started = time.monotonic()
    for _ in range(50):
        assert post(emulator, WEB).status == 200
    assert time.monotonic() - started < 1.5


WORDS = [
    *("context", "channel", "web", "beacon", "id", "tntId", "customerIds", "execute", "prefetch", "mboxes", "views"),
    *("pageLoad", "name", "home", "index", "parameters", "notifications", "type", "display", "timestamp", "tokens"),
    *("mbox", "view", "trace", "property", "token", "experienceCloud", "analytics", "logging", "client_side", "order"),
]
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(WORDS)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS) | st.text(), inner, max_size=4),
    max_leaves=12,
)
REQUESTS = st.fixed_dictionaries(
    {"context": st.fixed_dictionaries({"channel": st.just("web")}, optional={"beacon": st.booleans(), "geo": JSON})},
    optional={
        "requestId": st.text(max_size=128),
        "id": st.fixed_dictionaries({}, optional={"tntId": st.text(max_size=128), "customerIds": JSON}),
        "execute": st.fixed_dictionaries({"mboxes": st.lists(st.fixed_dictionaries({"name": st.text(min_size=1)}))}),
        "prefetch": st.fixed_dictionaries({}, optional={"views": st.just([{}]), "pageLoad": JSON, "mboxes": JSON}),
        "notifications": st.lists(
            st.fixed_dictionaries(
                {"id": st.text(), "type": st.sampled_from(["click", "display"]), "timestamp": st.integers()},
                optional={"tokens": JSON, "mbox": JSON, "parameters": JSON},
            ),
            max_size=3,
        ),
        "trace": JSON,
        "experienceCloud": JSON,
    },
)


def test_text_that_is_no_valid_unicode_is_echoed(emulator: Emulator, post: Any) -> None:
    assert post(emulator, WEB | {"requestId": "\ud800"}).json()["requestId"] == "\ud800"
    assert post(emulator, mbox_parameter("\ud800", 5)).status == 400


def mbox_parameter(name: str, value: Any) -> dict[str, Any]:
    return WEB | {"execute": {"mboxes": [{"name": "home", "parameters": {name: value}}]}}


@settings(max_examples=examples(150), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=JSON | REQUESTS)
def test_no_json_body_makes_it_a_500(body: Any, post: Any, emulator: Emulator) -> None:
    response = post(emulator, body)
    assert response.status in (200, 204, 400)
    if response.status != 204:
        assert response.json()["status"] == response.status
