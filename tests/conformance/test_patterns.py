from __future__ import annotations

from typing import Any

import pytest

from tests.conformance.patterns import mismatches, surpluses
from tests.conformance.scenarios import OWN, load_scenarios


@pytest.mark.parametrize(
    ("actual", "pattern", "fits"),
    [
        ({"a": 1, "b": 2}, {"a": 1.0}, True),
        ({"b": 2}, {"a": 1}, False),
        ([], {}, False),
        ([1, 2], [1], False),
        ([1, {"a": 2}], [1, {}], True),
        (None, [], False),
        (True, 1, False),
        (0, False, False),
        ("x", "expect.any(String)", True),
        (5, "expect.any(String)", False),
        (True, "expect.any(Number)", False),
        (1.5, "expect.any(Number)", True),
        ([], "expect.any(Object)", True),
        ("x", "expect.any(Object)", False),
        (None, None, True),
    ],
)
def test_patterns(actual: Any, pattern: Any, fits: bool) -> None:
    assert (list(mismatches(actual, pattern)) == []) is fits


REQUEST = {"execute": {"mboxes": [{"name": "hero", "index": 1}]}}


@pytest.mark.parametrize(
    "execute",
    [
        {"mboxes": []},
        {"mboxes": [{"name": "hero", "index": 2}]},
        {"mboxes": [{"name": "hero", "index": 1, "trace": {}}]},
        {"mboxes": [{"name": "hero", "index": 1, "options": [{"eventToken": "t"}]}]},
        {"mboxes": [{"name": "hero", "index": 1}], "pageLoad": {"options": []}},
    ],
)
def test_surpluses(execute: dict[str, Any]) -> None:
    assert list(surpluses(REQUEST, {"execute": execute}, None))
    assert not list(surpluses(REQUEST, {"execute": {"mboxes": [{"name": "hero", "index": 1}]}}, None))


def test_there_is_a_scenario_for_every_behaviour() -> None:
    suites = {scenario.name.partition("/")[0] for scenario in load_scenarios(OWN)}
    assert suites == {
        f"SHOP_{name}"
        for name in (
            "AB",
            "ADDRESS",
            "BROWSERS",
            "GAPS",
            "GEO",
            "MACROS",
            "NOTIFICATIONS",
            "PAGE",
            "PARAMS",
            "PROPERTIES",
            "TELEMETRY",
            "TIMES",
            "TOKENS",
            "TRACE",
            "VIEWS",
        )
    }
