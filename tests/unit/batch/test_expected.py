"""What counts are held against: right where activities compete, and where audiences differ."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest

from target.batch.ratio import compare_ratios
from target.batch.simulate import Settings, simulate
from tests.kit.rules import NOW_S, build_artifact
from tests.unit.decisioning.test_lint import CHROME, rule, share

pytest.importorskip("scipy")
SETTINGS = Settings(client="acme", now_s=NOW_S)
RED = {"==": ["red", {"var": "mbox.colour"}]}
HALVES = [rule(share(0, 50)), rule(share(50, 100), experience=1)]


def run(*rules: Any, count: int = 1200, **changes: Any) -> Any:
    simulation = simulate(json.dumps(build_artifact(*rules, **changes)).encode(), SETTINGS, count=count)
    return {activity.id: activity for activity in simulation.activities}


def test_shares_are_expected_of_those_who_came_before_the_activity() -> None:
    activities = run(rule(CHROME, 11), rule(share(0, 30, RED), 12), rule(share(30, 100, RED), 12, 1), *HALVES)
    assert activities["11"].ratio is None
    for activity_id, first in (("12", 0.3001), ("10", 0.5001)):
        activity = activities[activity_id]
        assert 100 < activity.visitors < 1200
        assert activity.experiences[0].expected == pytest.approx(activity.visitors * first)
        assert activity.ratio.p_value > 0.001


def test_shares_that_leave_some_out_are_expected_in_their_proportion() -> None:
    activity = run(rule(share(0, 10)), rule(share(10, 40), experience=1))["10"]
    assert activity.experiences[0].expected == pytest.approx(activity.visitors * 0.1001 / 0.4001)
    assert activity.ratio.p_value > 0.001


def test_audiences_of_single_experiences_are_expected_of_each_visitor() -> None:
    """Half of those with Chrome get the first; all others get the second, at any place."""
    activity = run(rule(share(0, 50, CHROME)), rule(share(0, 100), experience=1))["10"]
    assert activity.visitors == 1200
    first, second = activity.experiences
    assert 0 < first.expected < 600
    assert first.expected + second.expected == pytest.approx(1200)
    assert activity.ratio.degrees_of_freedom == 1
    assert activity.ratio.p_value > 0.001


def test_an_activity_in_between_is_no_matter_of_chance() -> None:
    activities = run(rule(share(0, 50)), rule(RED, 11), rule(share(50, 100), experience=1))
    first, second = activities["10"].experiences
    assert first.expected + second.expected == pytest.approx(activities["10"].visitors)
    assert first.expected > second.expected  # those with red get the first or the other activity
    assert activities["10"].ratio.p_value > 0.001


def test_places_with_other_shares_are_taken_together() -> None:
    rules = {
        "mboxes": {"hero": [rule(RED, 11), rule(share(0, 50)), rule(share(50, 100), experience=1)]},
        "views": {"home": [rule(share(0, 20)), rule(share(20, 100), experience=1)]},
    }
    activity = run(rules=rules)["10"]
    assert activity.visitors == 1200
    assert activity.ratio.p_value > 0.001


def test_keys_of_a_page_load_are_one_activity() -> None:
    page = [
        rule(share(0, 50), ruleKey="a"),
        rule(share(0, 50, RED), ruleKey="b"),
        rule(share(50, 100), experience=1, ruleKey="a"),
        rule(share(50, 100, RED), experience=1, ruleKey="b"),
    ]
    activity = run(rules={"mboxes": {"target-global-mbox": page}, "views": {}})["10"]
    assert activity.experiences[0].expected == pytest.approx(1200 * 0.5001)


def test_too_many_shares_are_told() -> None:
    rules = [rule(share(at, at + 1, *([CHROME] if at % 2 else [])), experience=at) for at in range(100)]
    assert run(*rules, count=100)["10"].ratio.why_not == "its rules tell 100 shares apart"


def test_few_visitors_are_no_test() -> None:
    ratio = run(*HALVES, count=3)["10"].ratio
    assert (ratio.p_value, ratio.is_mismatch) == (None, False)
    assert "too few visitors" in ratio.why_not


def test_what_is_spread_otherwise_is_found() -> None:
    stratum = (("0", 5000), ("1", 5000))
    assert not compare_ratios({stratum: Counter({"0": 5050, "1": 4950})}).is_mismatch
    found = compare_ratios({stratum: Counter({"0": 5300, "1": 4700})})
    assert found.is_mismatch
    assert found.statistic == pytest.approx(36.0)
    assert found.expected == {"0": 5000.0, "1": 5000.0}


def test_strata_add_up() -> None:
    even, odd = (("0", 5000), ("1", 5000)), (("0", 2000), ("1", 8000))
    found = compare_ratios({even: Counter({"0": 60, "1": 40}), odd: Counter({"0": 20, "1": 80})})
    assert found.statistic == pytest.approx(4.0)
    assert found.degrees_of_freedom == 2
    assert found.expected == {"0": 70.0, "1": 130.0}


def test_rare_experiences_are_tested_together() -> None:
    stratum = (("0", 9900), ("1", 40), ("2", 60))
    assert compare_ratios({stratum: Counter({"0": 990, "1": 4, "2": 6})}).degrees_of_freedom == 1
    assert compare_ratios({stratum: Counter({"0": 99, "1": 1})}).p_value is None


@pytest.mark.waits
def test_one_stratum_is_the_test_of_a_library() -> None:
    stats = pytest.importorskip("scipy.stats")
    for seen in ([50, 50], [300, 340, 360], [10, 30, 15, 45]):
        stratum = tuple((str(at), 10_000 // len(seen)) for at in range(len(seen)))
        found = compare_ratios({stratum: Counter({str(at): number for at, number in enumerate(seen)})})
        expected = stats.chisquare(seen)
        assert found.statistic == pytest.approx(float(expected.statistic))
        assert found.p_value == pytest.approx(float(expected.pvalue))
