"""The scenarios, explained: what is said to be shown is what is shown."""

from __future__ import annotations

from typing import Any

import pytest

from target.decisioning.artifact import parse_artifact
from target.decisioning.decide import needs_geo
from target.decisioning.geo import parse_geo
from tests.conformance.runner import needs_shared
from tests.conformance.scenarios import OWN, SHARED, Scenario, load_scenarios
from tests.conformance.test_engine import SOME_DAY_S
from tests.kit.explained import both, differences


def cases(folder: Any) -> list[Any]:
    return [pytest.param(scenario, id=scenario.name) for scenario in load_scenarios(folder)]


def check(scenario: Scenario) -> None:
    artifact = parse_artifact(scenario.artifact)
    decision, explanation = both(
        scenario.request,
        artifact,
        client=scenario.client,
        now_s=scenario.now.timestamp() if scenario.now else SOME_DAY_S,
        location_hint=scenario.location_hint,
        geo=parse_geo(scenario.geo) if needs_geo(scenario.request, artifact) else None,
    )
    assert list(differences(decision, explanation, artifact)) == []
    assert str(explanation)
    assert explanation._repr_html_()


@pytest.mark.parametrize("scenario", cases(OWN))
def test_own_scenarios(scenario: Scenario) -> None:
    check(scenario)


@needs_shared
@pytest.mark.parametrize("scenario", cases(SHARED))
def test_shared_scenarios(scenario: Scenario) -> None:
    check(scenario)
