"""The trace of one part of a decision: which rules were looked at, on what grounds, and which of them matched."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from target.decisioning.artifact import Artifact
from target.decisioning.context import Scope
from target.decisioning.places import Rule


class Trace:
    """Collects what ``trace`` of an mbox, a view or the page load tells."""

    def __init__(self) -> None:
        self._campaigns: dict[str, dict[str, Any]] = {}
        self._targets: dict[str, dict[str, Any]] = {}

    def add_evaluation(self, rule: Rule, scope: Scope, matched: bool) -> None:
        """Note that ``rule`` was looked at. Its activity keeps the context of the first time."""
        target = self._targets.get(rule.activity_id)
        if target is None:
            target = self._targets[rule.activity_id] = {
                "context": scope.as_data(rule.activity_id),
                "campaignId": rule.meta.get("activity.id"),
                "campaignType": rule.meta.get("activity.type"),
                "matchedSegmentIds": [],
                "unmatchedSegmentIds": [],
                "matchedRuleConditions": [],
                "unmatchedRuleConditions": [],
            }
        how = "matched" if matched else "unmatched"
        audiences = rule.meta.get("audience.ids")
        _extend(target[f"{how}SegmentIds"], audiences if isinstance(audiences, list) else [])
        _extend(target[f"{how}RuleConditions"], [rule.condition])

    def add_match(self, rule: Rule, environment: Any, notifications: list[dict[str, Any]] | None) -> None:
        """Note that ``rule`` gave an offer; ``notifications`` are what execute reports of it, None in prefetch."""
        campaign = self._campaigns.setdefault(
            rule.activity_id,
            {
                "id": rule.meta.get("activity.id"),
                "campaignType": rule.meta.get("activity.type"),
                "branchId": rule.meta.get("experience.id"),
                "offers": [],
                "environment": environment,
            },
        )
        if (offer := rule.meta.get("offer.id")) is not None:
            _extend(campaign["offers"], [offer])
        if notifications is not None:
            _extend(campaign.setdefault("notifications", []), notifications)

    def to_dict(
        self, client: str, artifact: Artifact, ids: Mapping[str, Any], request: Mapping[str, Any]
    ) -> dict[str, Any]:
        """The trace in wire form. It may share with the artifact: copy before it is handed to a caller."""
        return {
            "clientCode": client,
            "artifact": {**artifact.meta, "version": artifact.version},
            "profile": {"visitorId": ids},
            "request": request,
            "campaigns": list(self._campaigns.values()),
            "evaluatedCampaignTargets": list(self._targets.values()),
        }


def build_trace_request(
    session_id: str | None, scope: Scope, asked: Mapping[str, Mapping[str, Any]], mode: str
) -> dict[str, Any]:
    """What a trace says about the request; ``asked`` is the mbox or the view under the key that it has there."""
    browser = scope.visit.context.get("browser")
    request = {
        "sessionId": session_id,
        "pageURL": scope["page"]["url"] or None,
        "host": browser.get("host") if isinstance(browser, Mapping) else None,
    }
    known = {name: value for name, value in request.items() if value is not None}
    return {**known, **{kind: {**part, "type": mode} for kind, part in asked.items()}}


def _extend(collected: list[Any], added: list[Any]) -> None:
    collected += [item for item in added if item not in collected]
