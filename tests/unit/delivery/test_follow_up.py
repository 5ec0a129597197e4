"""The call that follows a decision made in process: whose it is, what of the decided call it keeps, and what rides."""

from __future__ import annotations

import json
from typing import Any

import pytest

from target.delivery.follow_up import Decided, build_follow_up
from target.delivery.request import Call
from tests.kit.built_calls import CLICK, FAR_HOST, PAGE_LOAD, config, offers, runtime

REQUEST = {
    **PAGE_LOAD,
    "environmentId": 7,
    "property": {"token": "prop"},
    "context": {"channel": "web", "timeOffsetInMinutes": 60},
    "experienceCloud": {"analytics": {"logging": "client_side"}},
    "trace": {"authorizationToken": "t"},
}
IDS = {"tntId": "device.38_0"}


def follow_up(decided: Decided, *entries: dict[str, Any], notifications: Any = (CLICK,)) -> Call:
    return build_follow_up(config(), runtime(), decided, notifications, entries)


def test_it_reports_what_was_shown_in_session_property_and_context_of_the_call() -> None:
    call = offers(REQUEST, session_id="s-1")
    sent = follow_up(Decided(call, IDS))
    assert sent.body == {
        "requestId": "id-1",
        "impressionId": "id-2",
        "id": IDS,
        "environmentId": 7,
        "property": {"token": "prop"},
        "context": {"channel": "web", "timeOffsetInMinutes": 60},
        "experienceCloud": {"analytics": {"logging": "client_side"}},
        "notifications": [CLICK],
    }
    assert json.loads(sent.content) == sent.body
    assert sent == Call(
        body=sent.body,
        base_url=f"https://{FAR_HOST}",
        session_id="s-1",
        device_id=None,
        cluster="38",
        names_cluster=True,
        trace_id="id-1",
        visitor=None,
        written=[sent.content],
        method="background",
    )


@pytest.mark.parametrize(
    ("ids", "notifications", "missing"), [({}, (CLICK,), "id"), (IDS, (), "notifications"), (IDS, [], "notifications")]
)
def test_what_is_empty_is_left_out(ids: dict[str, Any], notifications: Any, missing: str) -> None:
    sent = follow_up(Decided(offers(), ids), notifications=notifications)
    assert {"id", "notifications"} - set(sent.body) == {missing}
    host = FAR_HOST if ids else "acme.tt.omtrdc.net"
    assert (sent.cluster, sent.base_url) == ("38" if ids else None, f"https://{host}")


def test_it_goes_to_the_cluster_of_the_answer_else_of_the_call() -> None:
    call = offers(REQUEST, target_location_hint="31")
    for ids, cluster in (({"tntId": "new.35_0"}, "35"), ({"tntId": "new"}, "31"), ({"tntId": 7}, "31"), ({}, "31")):
        assert follow_up(Decided(call, ids)).cluster == cluster


def test_telemetry_rides_along() -> None:
    decided = Decided(offers(), IDS)
    entry = {"requestId": "other", "timestamp": 1}
    sent = follow_up(decided, entry)
    assert (sent.riding, "telemetry" in sent.body) == ((entry,), False)
    assert json.loads(sent.content) == {**sent.body, "telemetry": {"entries": [entry]}}
    assert follow_up(decided).riding == ()
    assert b"telemetry" not in follow_up(decided).content
