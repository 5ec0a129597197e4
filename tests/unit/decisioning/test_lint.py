"""What is said of artifacts that have something wrong with them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from target.decisioning.artifact import parse_artifact
from target.decisioning.findings import Finding
from target.decisioning.lint import DAY_S, lint
from target.errors import ArtifactError
from tests.kit.rules import NOW_S, build_artifact, build_rule

ALLOCATION = {"var": "allocation"}
CHROME = {"==": [{"var": "user.browserType"}, "chrome"]}
MONDAY = {"==": [{"var": "current_day"}, 1]}


def share(least: float, most: float, *clauses: Any) -> dict[str, Any]:
    """From ``least`` up to ``most``, as Target writes it, of those who fit the clauses."""
    return {"and": [{"<" if least else "<=": [least, ALLOCATION]}, {">=": [most, ALLOCATION]}, *clauses]}


def until(days: float) -> dict[str, Any]:
    return {"<=": [0, {"var": "current_timestamp"}, (NOW_S + days * DAY_S) * 1000]}


def rule(condition: Any = True, activity: int = 10, experience: int = 0, **changes: Any) -> dict[str, Any]:
    meta = {"activity.id": activity, "activity.name": f"Test {activity}", "experience.id": experience}
    return build_rule(condition, activity, meta=meta, **changes)


def find(*rules: Any, **changes: Any) -> list[Finding]:
    return lint(build_artifact(*rules, **changes), now_s=NOW_S)


def codes(*rules: Any, **changes: Any) -> list[tuple[str, str]]:
    return [(finding.code, finding.pointer) for finding in find(*rules, **changes)]


HALVES = [rule(share(0, 50)), rule(share(50, 100), experience=1)]
HERO = "/rules/mboxes/hero"


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        (HALVES, []),
        ([rule(MONDAY), rule(True, 11), rule(CHROME, 9)], [("unreachable", f"{HERO}/2")]),
        ([*HALVES, rule(share(20, 70), experience=2)], [("unreachable", f"{HERO}/2"), ("allocation", f"{HERO}/0")]),
        ([*HALVES, rule(True, 11)], []),
        ([rule(share(0, 100)), rule(True, 11)], [("unreachable", f"{HERO}/1")]),
        ([rule(CHROME), rule({"and": [MONDAY, CHROME]}, 11)], [("unreachable", f"{HERO}/1")]),
        ([rule(MONDAY), rule(CHROME, 11)], []),
        ([rule(True, propertyTokens=["a"]), rule(True, 11)], []),
        ([rule(True), rule(True, 11, propertyTokens=["a"])], [("unreachable", f"{HERO}/1")]),
        ([rule(share(0, 50, CHROME)), rule(share(50, 100, CHROME)), rule(True, 11)], []),
        (
            [rule(share(0, 60)), rule(share(40, 100), experience=1)],
            [("overlap", f"{HERO}/1"), ("allocation", f"{HERO}/0")],
        ),
        (
            [rule(share(0, 60, CHROME)), rule(share(40, 100, MONDAY), experience=1)],
            [("allocation", f"{HERO}/0"), ("allocation", f"{HERO}/1")],
        ),
        ([rule(share(0, 40)), rule(share(60, 100), experience=1)], [("allocation", f"{HERO}/0")]),
        ([rule(share(0, 40)), rule(True, experience=1)], []),
        ([rule(share(50, 20)), rule(True, experience=1)], [("empty-range", f"{HERO}/0/condition")]),
        ([rule(False)], [("never", f"{HERO}/0/condition")]),
        ([rule({"near": [1, 2]})], [("undecidable", f"{HERO}/0/condition")]),
        (
            [rule({"and": [CHROME, {"==": [1, {"var": "user.mood"}]}]})],
            [("undecidable", f"{HERO}/0/condition/and/1/==/1")],
        ),
        ([rule({"!": {"a/b": [1]}})], [("undecidable", f"{HERO}/0/condition/!")]),
        ([rule(condition=[{"and": []}])], [("undecidable", f"{HERO}/0/condition")]),
        ([7], [("undecidable", f"{HERO}/0")]),
        ([rule(until(3))], [("ends-soon", f"{HERO}/0")]),
        ([rule(until(-3))], [("ended", f"{HERO}/0")]),
        ([rule(until(30))], []),
        ([rule(until(-3)), rule(True, experience=1)], [("rule-ended", f"{HERO}/0")]),
        ([rule(until(-3)), rule(until(3), experience=1)], [("ends-soon", f"{HERO}/0"), ("rule-ended", f"{HERO}/0")]),
    ],
)
def test_what_is_found_in_an_mbox(rules: list[Any], expected: list[tuple[str, str]]) -> None:
    assert codes(*rules) == expected


def test_on_a_page_load_only_rules_of_one_key_compete() -> None:
    def page(*rules: Any) -> list[tuple[str, str]]:
        return codes(rules={"mboxes": {"target-global-mbox": list(rules)}, "views": {"home": list(rules)}})

    assert page(rule(True, ruleKey="a"), rule(True, 11, ruleKey="b")) == []
    assert page(rule(True, ruleKey="a"), rule(True, ruleKey="a", experience=1)) == [
        ("unreachable", "/rules/mboxes/target-global-mbox/1"),
        ("unreachable", "/rules/views/home/1"),
    ]
    assert page(rule(MONDAY, ruleKey="a"), rule(CHROME, 11, ruleKey="a")) == [
        ("same-key", "/rules/mboxes/target-global-mbox/1/ruleKey"),
        ("same-key", "/rules/views/home/1/ruleKey"),
    ]


def test_what_is_remote_says_why() -> None:
    found = find(rule(), remoteMboxes=["hero", "far"], remoteViews=["cart"], localMboxes=["quiet"])
    assert [(each.pointer, each.message.partition(": ")[0]) for each in found if each.code == "remote"] == [
        ("/remoteMboxes/0", 'Only the server can decide mbox "hero"'),
        ("/remoteMboxes/1", 'Only the server can decide mbox "far"'),
        ("/remoteViews/0", 'Only the server can decide view "cart"'),
    ]
    assert "beside rules" in found[0].message
    (unlisted,) = find(rule(), localMboxes=["quiet"])
    assert (unlisted.pointer, unlisted.message) == (
        "/rules/mboxes/hero",
        'Only the server can decide mbox "hero": localMboxes does not name it',
    )


def test_names_with_slashes_are_escaped() -> None:
    rules = {"mboxes": {"a/b~c": [rule(False)]}, "views": {}}
    assert codes(rules=rules, localMboxes=None) == [("never", "/rules/mboxes/a~1b~0c/0/condition")]


def test_a_place_that_is_no_list_is_named() -> None:
    (found,) = find(rules={"mboxes": {"hero": {"a": 1}}, "views": {}})
    assert (found.pointer, found.severity) == ("/rules/mboxes/hero", "error")
    assert "its rules are not a list" in found.message


def test_size_counts_above_the_limit_alone() -> None:
    artifact = build_artifact(rule())
    assert lint(artifact, now_s=NOW_S, size_bytes=1000, max_bytes=1000) == []
    (found,) = lint(artifact, now_s=NOW_S, size_bytes=1001, max_bytes=1000)
    assert (found.code, found.pointer) == ("size", "")
    assert "1,001 bytes" in found.message


def test_findings_say_what_and_what_to_do() -> None:
    (found,) = find(rule(share(0, 40)), rule(share(60, 100), experience=1))
    assert found.message == (
        'In mbox "hero", the shares of activity 10 "Test 10" add up to 80 %, not 100 %: '
        "20 % of its visitors (40-60 %) get none of it"
    )
    (found,) = find(rule(True), rule(True, 11))
    assert found.message == (
        'In mbox "hero", nobody gets experience 0 of activity 11 "Test 11": '
        'rule 0 (experience 0 of activity 10 "Test 10") above it takes all who could'
    )
    assert found.to_dict()["advice"] == "Move it up, or narrow what is above it"


def test_what_cannot_be_decided_says_what_it_keeps_from_view() -> None:
    found = find(rule({"near": [{"far": 1}, {"var": "geo.mood"}]}), rule(), rule(True, 11))
    assert [each.pointer for each in found if each.code == "undecidable"] == [
        f"{HERO}/0/condition/near/0",
        f"{HERO}/0/condition/near/1",
    ]
    assert "the operator 'far' is not known: neither this rule nor the 2 rules below it" in found[0].message


def test_the_worst_comes_first() -> None:
    found = find(rule(until(-3)), rule(CHROME, experience=1), rule(share(0, 40), 11), rule(False, 12))
    assert [each.severity for each in found] == ["error", "warning", "note"]


def test_what_is_no_artifact_is_refused() -> None:
    with pytest.raises(ArtifactError):
        lint([], now_s=NOW_S)


def test_many_experiences_are_looked_through_in_time() -> None:
    clause = {"==": [{"var": "mbox.a"}, "b"]}
    rules = [rule(share(at / 5, (at + 1) / 5, clause), experience=at) for at in range(500)]
    assert [finding.code for finding in find(*rules)] == []


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 120) | st.floats() | st.sampled_from(["", "a", "allocation", "user.x"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["and", "or", "!", "var", "<=", ">", "==", "in", "substr", "x/y"]), inner, max_size=2
        )
    ),
    max_leaves=10,
)
random_rules = st.lists(
    st.one_of(
        json_values,
        st.fixed_dictionaries(
            {"condition": json_values, "consequence": st.just({"options": []}), "meta": st.just({"activity.id": 1})},
            optional={
                "ruleKey": st.sampled_from(["a", "b", 3]),
                "activityId": st.sampled_from([1, 2, "x"]),
                "propertyTokens": json_values,
            },
        ),
    ),
    max_size=5,
)
random_artifacts = st.fixed_dictionaries(
    {
        "version": st.just("1.0"),
        "rules": st.fixed_dictionaries(
            {},
            optional={
                kind: st.none()
                | st.dictionaries(
                    st.sampled_from(["hero", "target-global-mbox", "~/"]), random_rules | json_values, max_size=3
                )
                for kind in ("mboxes", "views")
            },
        ),
    },
    optional=dict.fromkeys(
        ["remoteMboxes", "localMboxes", "remoteViews", "localViews", "meta", "globalMbox"], json_values
    ),
)


@given(data=random_artifacts)
def test_no_artifact_makes_it_fail(data: Any) -> None:
    try:
        parse_artifact(data)
    except ArtifactError:
        return
    for finding in lint(data, now_s=NOW_S, size_bytes=1):
        target: Any = data
        for part in finding.pointer.split("/")[1:]:
            key = part.replace("~1", "/").replace("~0", "~")
            if key in ("ruleKey", "condition") and key not in target:
                break
            target = target[int(key)] if isinstance(target, list) else target[key]
