"""What is told of two artifacts that differ."""

from __future__ import annotations

from typing import Any

from hypothesis import given

from target.decisioning.artifact import parse_artifact
from target.decisioning.differences import Difference, compare
from target.errors import ArtifactError
from tests.kit.rules import build_artifact
from tests.unit.decisioning.test_lint import CHROME, MONDAY, random_artifacts, rule, share, until


def differences(before: list[Any], after: list[Any], **changes: Any) -> list[Difference]:
    old, new = build_artifact(*before), build_artifact(*after, **changes)
    return compare(parse_artifact(old), parse_artifact(new))


def told(before: list[Any], after: list[Any], **changes: Any) -> list[tuple[str, str, str | None, str | None]]:
    return [(each.what, each.change, each.before, each.after) for each in differences(before, after, **changes)]


HALVES = [rule(share(0, 50)), rule(share(50, 100), experience=1)]


def test_the_same_differs_in_nothing() -> None:
    assert told(HALVES, HALVES) == []


def test_activities_come_and_go() -> None:
    assert told([rule()], [rule(), rule(MONDAY, 11)]) == [("activity", "added", None, None)]
    (gone,) = differences([rule(), rule(activity=11)], [rule()])
    assert (gone.activity_id, gone.message) == (
        "11",
        'activity 11 "Test 11" was removed (experience 0: all of everybody)',
    )


def test_experiences_come_and_go() -> None:
    (added,) = differences(HALVES[:1], HALVES)
    assert (added.what, added.change, added.experience_id) == ("experience", "added", "1")
    assert added.message == 'activity 10 "Test 10": experience 1 was added (50-100 % of everybody)'
    assert told(HALVES, HALVES[:1]) == [("experience", "removed", None, None)]


def test_shares_and_dates_change() -> None:
    assert told([rule(share(0, 50))], [rule(share(0, 30))]) == [("share", "changed", "0-50 %", "0-30 %")]
    ((_, change, before, after),) = told([rule(until(1))], [rule(until(2))])  # its dates are part of its audience
    assert change == "changed"
    assert before != after


def test_audiences_come_change_and_go() -> None:
    ((what, change, before, _),) = told([rule(CHROME)], [rule()])
    assert (what, change) == ("audience", "removed")
    assert before
    assert "chrome" in before
    assert [row[:2] for row in told([rule()], [rule(CHROME)])] == [("audience", "added")]
    assert [row[:2] for row in told([rule(MONDAY)], [rule(CHROME)])] == [("audience", "changed")]


def test_what_is_shown_and_where_changes() -> None:
    other = rule(consequence={"options": [{"type": "html", "content": "new"}]})
    assert [row[:2] for row in told([rule()], [other])] == [("content", "changed")]
    recounted = rule(consequence={"options": [{"type": "html", "content": "offer 10", "eventToken": "other"}]})
    assert told([rule()], [recounted]) == []
    rules = {"mboxes": {"hero": [rule()]}, "views": {"cart": [rule()]}}
    assert told([rule()], [], rules=rules) == [("place", "added", None, "view cart")]


def test_names_types_and_properties_change() -> None:
    meta = {"activity.id": 10, "activity.name": "Renamed", "activity.type": "ab", "experience.id": 0}
    assert told([rule()], [{**rule(), "meta": meta}]) == [
        ("name", "changed", "Test 10", "Renamed"),
        ("type", "changed", "nothing", "ab"),
    ]
    assert told([rule()], [rule(propertyTokens=["b", "a"])]) == [("properties", "changed", "all", "a, b")]


def test_priorities_change() -> None:
    one, other = rule(MONDAY), rule(CHROME, 11)
    assert told([one, other], [other, rule(activity=12), one])[1:] == [("priority", "changed", "10, 11", "11, 10")]


def test_what_the_server_decides_changes() -> None:
    assert told([rule()], [rule()], remoteMboxes=["x"], geoTargetingEnabled=True) == [
        ("setting", "changed", "off", "on"),
        ("remote", "added", None, "x"),
    ]


def test_a_condition_that_reads_alike_and_is_not_is_told() -> None:
    (found,) = differences([rule({"<=": [0, {"var": "allocation"}, 50]})], [rule(share(0, 50))])
    assert (found.what, found.message) == (
        "audience",
        'activity 10 "Test 10", experience 0: its condition is written otherwise',
    )


@given(before=random_artifacts, after=random_artifacts)
def test_no_artifacts_make_it_fail(before: Any, after: Any) -> None:
    try:
        old, new = parse_artifact(before), parse_artifact(after)
    except ArtifactError:
        return
    assert compare(old, old) == []
    assert bool(compare(old, new)) == bool(compare(new, old))
