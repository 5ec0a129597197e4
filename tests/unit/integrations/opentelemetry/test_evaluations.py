"""Events of evaluations: one for each mbox, in the words of the semantic conventions."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from opentelemetry._logs import SeverityNumber
from opentelemetry.semconv._incubating.attributes import feature_flag_attributes as conventions

from target import CallInfo, CallOutcome, PartDecision
from target.integrations.opentelemetry._evaluations import EVENT, REASONS
from target.reasons import RuleReason
from tests.kit.telemetry import Telemetry
from tests.unit.integrations.opentelemetry.told import IN_PROCESS, SPLIT, call, outcome

SHARED = {
    "feature_flag.provider.name": "Adobe Target",
    "feature_flag.set.id": "acme",
    "adobe.target.client": "acme",
    "adobe.target.method": "get_offers",
}


def told(telemetry: Telemetry, made: CallInfo, came: CallOutcome, **options: Any) -> list[dict[str, Any]]:
    hook = telemetry.hook(**options)
    hook.before_call(made)
    hook.after_call(made, came)
    return telemetry.events


def test_an_mbox_that_was_decided_is_an_event() -> None:
    telemetry = Telemetry()
    decisions = (
        SPLIT,
        PartDecision("mbox", "cart", "prefetch", "default"),
        PartDecision("view", "a", "execute", "split"),
    )
    came = outcome(decisions=decisions, decisioning_method="on-device", rules_version='"7f3a"')
    assert told(telemetry, call(**IN_PROCESS), came) == [
        {
            **SHARED,
            "feature_flag.key": "home",
            "feature_flag.result.reason": "split",
            "feature_flag.result.variant": "Experience B",
            "feature_flag.version": '"7f3a"',
            "adobe.target.reason": "split",
            "adobe.target.mode": "execute",
            "adobe.target.activity.id": "125873",
            "adobe.target.activity.name": "Summer",
            "adobe.target.experience.id": "1",
        },
        {
            **SHARED,
            "feature_flag.key": "cart",
            "feature_flag.result.reason": "default",
            "feature_flag.version": '"7f3a"',
            "adobe.target.reason": "default",
            "adobe.target.mode": "prefetch",
        },
    ]
    span: Any = telemetry.span().context
    assert {(record.trace_id, record.span_id) for record in telemetry.records} == {(span.trace_id, span.span_id)}
    assert {(record.event_name, record.severity_number) for record in telemetry.records} == {
        (EVENT, SeverityNumber.INFO)
    }


def test_the_property_is_the_set_and_the_id_of_an_experience_without_a_name_its_variant() -> None:
    unnamed = PartDecision("mbox", "home", "execute", "server", "125873", None, "0", None)
    (event,) = told(Telemetry(), call(property_token="ab12"), outcome(decisions=(unnamed,)))
    assert event["feature_flag.set.id"] == "ab12"
    assert event["feature_flag.result.variant"] == "0"
    assert event["feature_flag.result.reason"] == "targeting_match"
    assert "feature_flag.version" not in event


def test_each_reason_is_one_of_the_conventions() -> None:
    assert set(REASONS) == {*get_args(RuleReason), "server", "override", "offline", "bot"}
    assert set(REASONS.values()) <= {value.value for value in conventions.FeatureFlagResultReasonValues}


@pytest.mark.parametrize(
    ("error", "expected"), [("ArtifactNotReady", "provider_not_ready"), ("TargetTimeout", "general")]
)
def test_a_call_that_failed_is_an_event_for_each_mbox_that_it_asked_for(error: str, expected: str) -> None:
    events = told(Telemetry(), call(), outcome(status=None, error=error))
    failed = {**SHARED, "feature_flag.result.reason": "error", "error.type": expected}
    assert events == [failed | {"feature_flag.key": name} for name in ("home", "cart")]


def test_no_event_where_none_is_wanted_or_no_mbox_is_asked_for() -> None:
    assert told(Telemetry(), call(), outcome(decisions=(SPLIT,)), evaluations=False) == []
    assert told(Telemetry(), call(mboxes=()), outcome(error="TargetTimeout")) == []
