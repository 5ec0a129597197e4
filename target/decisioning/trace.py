"""The trace of one part of a decision: which rules were looked at, on what grounds, and which of them matched."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any, NamedTuple

from target.decisioning.address import host_of
from target.decisioning.artifact import Artifact
from target.decisioning.context import Scope
from target.decisioning.rules import Rule


class Retrieval(NamedTuple):
    """How the artifact came here.

    Attributes:
        location: Its URL, or the option that held it.
        polling_interval_ms: How often it is asked for; 0: once.
        is_halted: Whether it is not asked for again.
        times: How often it was fetched, or confirmed to be the latest.
        last_s: When that was for the last time, in epoch seconds; None where it never was.
    """

    location: str
    polling_interval_ms: int
    is_halted: bool
    times: int
    last_s: float | None


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
        self,
        client: str,
        artifact: Artifact,
        retrieval: Retrieval | None,
        ids: Mapping[str, Any],
        request: Mapping[str, Any],
    ) -> dict[str, Any]:
        """The trace in wire form. It may share with the artifact: copy before it is handed to a caller."""
        return {
            "clientCode": client,
            "artifact": _build_artifact(artifact, retrieval),
            "profile": {"visitorId": ids},
            "request": request,
            "campaigns": list(self._campaigns.values()),
            "evaluatedCampaignTargets": list(self._targets.values()),
        }


def _build_artifact(artifact: Artifact, retrieval: Retrieval | None) -> dict[str, Any]:
    """What Adobe's page on troubleshooting has users look for."""
    told: dict[str, Any] = {**artifact.meta, "artifactVersion": artifact.version}
    if retrieval is not None:
        told["artifactLocation"] = retrieval.location
        told["pollingInterval"] = retrieval.polling_interval_ms
        told["pollingHalted"] = retrieval.is_halted
        told["artifactRetrievalCount"] = retrieval.times
        if retrieval.last_s is not None:
            moment = datetime.datetime.fromtimestamp(retrieval.last_s, datetime.UTC)
            told["artifactLastRetrieved"] = f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03}Z"
    return told


def build_trace_request(
    session_id: str | None, scope: Scope, asked: Mapping[str, Mapping[str, Any]], mode: str
) -> dict[str, Any]:
    """What a trace says about the request; ``asked`` is the mbox or the view under the key that it has there."""
    browser = scope.visit.context.get("browser")
    host = browser.get("host") if isinstance(browser, Mapping) else None
    request = {
        "sessionId": session_id,
        "pageURL": scope["page"]["url"] or None,
        "host": host or host_of(scope["page"]["url"]) or None,
    }
    known = {name: value for name, value in request.items() if value is not None}
    return {**known, **{kind: {**part, "type": mode} for kind, part in asked.items()}}


def _extend(collected: list[Any], added: list[Any]) -> None:
    collected += [item for item in added if item not in collected]
