"""The scenarios, run through the public client alone: artifact, geo and Delivery API are one loopback server."""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from tests.conformance import adapter
from tests.conformance.adapter import Scene
from tests.conformance.patterns import mismatches, surpluses
from tests.conformance.runner import load_runner, needs_shared
from tests.conformance.scenarios import OWN, SHARED, Scenario, load_scenarios


def shared_cases() -> list[Any]:
    if not SHARED.exists():
        return []
    found = load_runner().cases(str(SHARED), "all")
    return [pytest.param(test, conf, artifact, id=f"{suite}/{name}") for suite, name, test, conf, artifact in found]


@pytest.mark.parametrize("scenario", [pytest.param(scenario, id=scenario.name) for scenario in load_scenarios(OWN)])
def test_own_scenarios(scenario: Scenario) -> None:
    assert list(wrongs(scenario)) == []


def wrongs(scenario: Scenario) -> Iterator[str]:
    asked = copy.deepcopy(scenario.request)
    with closing(Scene(scenario.conf, scenario.artifact, scenario.geo, scenario.now)) as scene:
        result = scene.get_offers(scenario.request, scenario.session_id, scenario.location_hint)
        assert result.response is not None
        answer = json.loads(json.dumps(result.response.to_dict()))
        sent = scene.sent()
        if scenario.request != asked:
            yield "the caller's request was changed"
        yield from surpluses(scenario.request, answer, scenario.output)
        if scenario.output is not None:
            yield from mismatches(answer, scenario.output)
        if scenario.geo is None and scene.geo_lookups:
            yield f"{scene.geo_lookups} was looked up"
        if "notificationOutput" in scenario.expects:
            expected = scenario.expects["notificationOutput"]
            yield from mismatches(sent, [] if expected is None else [expected], "sent")


@needs_shared
@pytest.mark.parametrize(("test", "conf", "artifact"), shared_cases())
def test_shared_scenarios(test: dict[str, Any], conf: dict[str, Any], artifact: dict[str, Any]) -> None:
    wrong, _, _ = load_runner().run_case(adapter, test, conf, artifact, exact=True, with_extra=True)
    assert wrong == []


@needs_shared
def test_no_shared_scenario_is_left_out() -> None:
    suites = {str(case.id).partition("/")[0] for case in shared_cases()}
    assert suites == {path.stem.removeprefix("TEST_SUITE_") for path in (SHARED / "models").iterdir()}
    assert {"TELEMETRY", "NOTIFICATIONS", "TRACE"} <= suites


def test_a_clock_that_stands_still_stops_no_deadline() -> None:
    """What the tests above freeze is the time that rules read; waiting goes on."""
    scenario = next(item for item in load_scenarios(OWN) if item.now is not None)
    with closing(Scene(scenario.conf, scenario.artifact, None, scenario.now, timeout=200)) as scene:
        scene.server.answer = lambda _: lambda _: time.sleep(6)
        frozen_s, started_s = time.time(), time.monotonic()
        with pytest.raises(TimeoutError):
            scene.client.get_offers(request=scenario.request, decisioning_method="server-side")
        assert time.time() == frozen_s
        assert 0.15 < time.monotonic() - started_s < 5
