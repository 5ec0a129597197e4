"""The scenarios, run through the engine alone: no client, no network, no clock."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest

from target.decisioning.artifact import parse_artifact
from target.decisioning.decide import Decision, decide, needs_geo
from target.decisioning.geo import parse_geo
from target_delivery_api.models import DeliveryResponse
from tests.conformance.patterns import mismatches, surpluses
from tests.conformance.runner import load_runner, needs_shared
from tests.conformance.scenarios import OWN, SHARED, Scenario, load_scenarios

SOME_DAY_S = 1_700_000_000.0


def run(scenario: Scenario) -> Decision:
    artifact = parse_artifact(scenario.artifact)
    assert artifact.problems == () or scenario.name.startswith("SHOP_GAPS/")
    numbers = itertools.count()
    return decide(
        scenario.request,
        artifact,
        client=scenario.client,
        now_s=scenario.now.timestamp() if scenario.now else SOME_DAY_S,
        new_id=lambda: f"id-{next(numbers)}",
        session_id=scenario.session_id,
        location_hint=scenario.location_hint,
        geo=parse_geo(scenario.geo) if needs_geo(scenario.request, artifact) else None,
    )


def wire(decision: Decision) -> Any:
    """The answer as it would stand in JSON, by way of the model that a caller gets."""
    return json.loads(json.dumps(DeliveryResponse.from_dict(decision.response).to_dict()))


def sent(decision: Decision) -> dict[str, Any] | None:
    """What the client would send of it; the rest of that request is the client's."""
    if not decision.notifications:
        return None
    return {"request": {"id": decision.response["id"], "notifications": decision.notifications}}


def asks_for_telemetry(scenario: Scenario) -> bool:
    """Whether the scenario is about telemetry, which the client makes: test_client.py runs those."""
    expected = scenario.expects.get("notificationOutput") or {}
    return "telemetry" in expected.get("request", {})


def cases(folder: Any) -> list[Any]:
    found = [scenario for scenario in load_scenarios(folder) if not asks_for_telemetry(scenario)]
    return [pytest.param(scenario, id=scenario.name) for scenario in found]


def check_with_ours(scenario: Scenario) -> None:
    decision = run(scenario)
    wrong = list(surpluses(scenario.request, wire(decision), scenario.output))
    if scenario.output is not None:
        wrong += mismatches(wire(decision), scenario.output)
    if "notificationOutput" in scenario.expects:
        expected = scenario.expects["notificationOutput"]
        wrong += mismatches(sent(decision), expected, "notification")
    assert wrong == []


@pytest.mark.parametrize("scenario", cases(OWN))
def test_own_scenarios(scenario: Scenario) -> None:
    check_with_ours(scenario)


@needs_shared
@pytest.mark.parametrize("scenario", cases(SHARED))
def test_shared_scenarios(scenario: Scenario) -> None:
    runner = load_runner()
    decision = run(scenario)
    wrong = runner.extra(scenario.request, wire(decision), scenario.output)
    if scenario.output is not None:
        wrong += runner.compare(wire(decision), scenario.output)
    if "notificationOutput" in scenario.expects:
        wrong += runner.compare(sent(decision), scenario.expects["notificationOutput"])
    assert wrong == []


@needs_shared
@pytest.mark.parametrize("scenario", [*cases(OWN), *cases(SHARED)])
def test_our_patterns_and_the_shared_runner_agree(scenario: Scenario) -> None:
    runner = load_runner()
    answer = wire(run(scenario))
    for spoilt in (answer, *spoil(answer)):
        ours = [*surpluses(scenario.request, spoilt, scenario.output)]
        theirs = runner.extra(scenario.request, spoilt, scenario.output)
        if scenario.output is not None:
            ours += mismatches(spoilt, scenario.output)
            theirs += runner.compare(spoilt, scenario.output)
        assert bool(ours) is bool(theirs)


def spoil(answer: dict[str, Any]) -> list[dict[str, Any]]:
    """The answer with one thing wrong, in several ways."""
    section = "execute" if answer.get("execute") else "prefetch"
    text = json.dumps(answer)
    return [
        {key: value for key, value in answer.items() if key != section},
        json.loads(text.replace('"options": [{', '"options": [{"type": "odd", "eventToken": "t"}, {')),
        json.loads(text.replace('"content": ', '"content": null, "was": ')),
        json.loads(text.replace('"name": ', '"trace": {}, "name": ')),
        json.loads(text.replace('"index": ', '"index": 100')),
    ]
