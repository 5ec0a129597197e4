from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from target.decisioning.trace import Retrieval
from tests.kit.rules import FIREFOX, VISITOR, ask, build_artifact, build_rule, run

IS_FIREFOX = {"==": [{"var": "user.browserType"}, "firefox"]}
IS_SAFARI = {"==": [{"var": "user.browserType"}, "safari"]}
CONTEXT = {
    "userAgent": FIREFOX,
    "address": {"url": "http://shop.example.com/"},
    "browser": {"host": "shop.example.com"},
}


def with_offer(condition: Any, activity: int, experience: int, audiences: list[int], **changes: Any) -> dict[str, Any]:
    meta = {
        "activity.id": activity,
        "activity.type": "landing",
        "experience.id": experience,
        "audience.ids": audiences,
        "offer.id": activity * 10 + experience,
    }
    return build_rule(condition, activity, meta=meta, **changes)


def traced(artifact: dict[str, Any], **request: Any) -> dict[str, Any]:
    return run(artifact, trace={}, context=CONTEXT, _session_id="s1", **request).response


def test_no_trace_unless_asked_for() -> None:
    answer = run(build_artifact(build_rule()), execute={"pageLoad": {}, **ask("hero")}).response
    assert "trace" not in answer["execute"]["mboxes"][0]
    assert "trace" not in answer["execute"]["pageLoad"]


def test_mbox() -> None:
    rules = [
        with_offer(IS_SAFARI, 1, 0, [7]),
        with_offer(IS_FIREFOX, 1, 1, [8, 9]),
        with_offer(True, 2, 0, []),
    ]
    trace = traced(build_artifact(*rules), prefetch={"mboxes": [{"name": "hero", "index": 3}]})["prefetch"]["mboxes"][
        0
    ]["trace"]
    assert trace["clientCode"] == "acme"
    assert trace["artifact"] == {"clientCode": "acme", "environment": "production", "artifactVersion": "1.0.0"}
    assert trace["profile"] == {"visitorId": VISITOR}
    assert trace["request"] == {
        "sessionId": "s1",
        "pageURL": "http://shop.example.com/",
        "host": "shop.example.com",
        "mbox": {"name": "hero", "index": 3, "type": "prefetch"},
    }
    assert trace["campaigns"] == [
        {"id": 1, "campaignType": "landing", "branchId": 1, "offers": [11], "environment": "production"}
    ]
    (target,) = trace["evaluatedCampaignTargets"]
    assert target["context"].pop("page")["subdomain"] == "shop"
    assert target["context"]["user"]["browserVersion"] == 78
    assert 0 <= target["context"]["allocation"] < 100
    assert {key: value for key, value in target.items() if key != "context"} == {
        "campaignId": 1,
        "campaignType": "landing",
        "matchedSegmentIds": [8, 9],
        "unmatchedSegmentIds": [7],
        "matchedRuleConditions": [IS_FIREFOX],
        "unmatchedRuleConditions": [IS_SAFARI],
    }


def test_execute_names_the_notifications_that_are_sent() -> None:
    decision = run(build_artifact(with_offer(True, 1, 0, [])), trace={}, execute=ask("hero"))
    (campaign,) = decision.response["execute"]["mboxes"][0]["trace"]["campaigns"]
    assert campaign["notifications"] == decision.notifications
    assert len(decision.notifications) == 1


def test_page_load_has_every_activity_that_was_looked_at() -> None:
    rules = [
        with_offer(True, 1, 0, [5], ruleKey="1-0"),
        with_offer(True, 1, 0, [5], ruleKey="1-1"),
        with_offer(False, 2, 0, [6]),
        with_offer(True, 3, 0, [7]),
    ]
    artifact = build_artifact(rules={"mboxes": {"target-global-mbox": rules}})
    trace = traced(artifact, execute={"pageLoad": {"parameters": {"a": "b"}}})["execute"]["pageLoad"]["trace"]
    assert trace["request"]["mbox"] == {"parameters": {"a": "b"}, "name": "target-global-mbox", "type": "execute"}
    assert [campaign["id"] for campaign in trace["campaigns"]] == [1, 3]
    assert [target["campaignId"] for target in trace["evaluatedCampaignTargets"]] == [1, 2, 3]
    assert trace["evaluatedCampaignTargets"][0]["matchedSegmentIds"] == [5]
    assert trace["evaluatedCampaignTargets"][0]["matchedRuleConditions"] == [True]
    assert trace["evaluatedCampaignTargets"][0]["context"]["mbox"] == {"a": "b", "a_lc": "b"}


def test_view_is_named_even_where_all_were_asked_for() -> None:
    rule = build_rule(True, 1, meta={})
    answer = traced(build_artifact(rules={"mboxes": {}, "views": {"home": [rule]}}), prefetch={"views": [{}]})
    trace = answer["prefetch"]["views"][0]["trace"]
    assert trace["request"]["view"] == {"name": "home", "type": "prefetch"}
    assert trace["campaigns"][0]["offers"] == []


def test_mbox_that_nothing_matches_is_traced_too() -> None:
    answer = traced(build_artifact(with_offer(IS_SAFARI, 1, 0, [7])), execute=ask("hero", "quiet"))
    hero, quiet = answer["execute"]["mboxes"]
    assert hero["trace"]["campaigns"] == []
    assert hero["trace"]["evaluatedCampaignTargets"][0]["unmatchedSegmentIds"] == [7]
    assert quiet["trace"]["evaluatedCampaignTargets"] == []


@pytest.fixture
def far_from_greenwich(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("far_from_greenwich")
def test_artifact_has_all_that_adobes_page_on_troubleshooting_shows() -> None:
    retrieval = Retrieval("https://cdn.example/rules.json", 300_000, False, 10, 1_600_560_582.707)
    meta = {"clientCode": "acme", "environment": "production", "generatedAt": "2020-09-22T17:17:59.783Z"}
    artifact = build_artifact(build_rule(), meta=meta)
    answer = run(artifact, trace={}, execute=ask("hero"), _retrieval=retrieval).response
    assert answer["execute"]["mboxes"][0]["trace"]["artifact"] == {
        "artifactLocation": "https://cdn.example/rules.json",
        "pollingInterval": 300_000,
        "pollingHalted": False,
        "artifactVersion": "1.0.0",
        "artifactRetrievalCount": 10,
        "artifactLastRetrieved": "2020-09-20T00:09:42.707Z",
        **meta,
    }


def test_request_tells_the_host_of_the_page_where_the_browser_names_none() -> None:
    for browser, host in (({"host": "own.example"}, "own.example"), ({}, "shop.example"), (None, "shop.example")):
        context = {"address": {"url": "https://shop.example:8443/a"}, "browser": browser}
        answer = run(build_artifact(), trace={}, context=context, execute={"pageLoad": {}, **ask("hero")}).response
        parts = (answer["execute"]["pageLoad"], answer["execute"]["mboxes"][0])
        assert [part["trace"]["request"]["host"] for part in parts] == [host, host]
    answer = run(build_artifact(), trace={}, execute=ask("hero")).response
    assert "host" not in answer["execute"]["mboxes"][0]["trace"]["request"]
