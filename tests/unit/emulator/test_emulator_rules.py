from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from target.decisioning.experiences import Standing
from target.emulator.offers import parse_offers
from target.emulator.rules import (
    Rules,
    RulesError,
    load_rules,
    only_forced,
    parse_rules,
    rules_of,
    with_forced,
)
from tests.kit.rules import ask, build_artifact, build_rule, run

UNDECIDABLE = build_rule({"unheard_of": [1]}, 9)


def build_experience(condition: Any, activity: int, experience: int, **changes: Any) -> dict[str, Any]:
    rule = build_rule(condition, activity, **changes)
    content = f"{activity}/{experience}"
    options = [{"type": "html", "content": content, "eventToken": f"token {content}"}]
    rule["meta"] = {**rule["meta"], "experience.id": experience, "experience.name": f"Experience {experience}"}
    return {**rule, "consequence": {"options": options, "metrics": [{"type": "click", "eventToken": f"c{activity}"}]}}


def shown(rules: Rules, name: str = "hero", **request: Any) -> list[str]:
    decision = run(rules.artifact, execute=ask(name), **request)
    return [option["content"] for option in decision.response["execute"]["mboxes"][0].get("options", [])]


def test_rules_are_read_and_named() -> None:
    data = build_artifact(build_rule())
    for given_ in (data, json.dumps(data), json.dumps(data).encode()):
        rules = parse_rules(given_, "shop.json")
        assert (rules.data, json.loads(rules.text), rules.client, rules.source) == (data, data, "acme", "shop.json")
        assert rules.problems == ()
    assert parse_rules(data).etag == parse_rules(data).etag != parse_rules(build_artifact(build_rule(False))).etag
    assert parse_rules({**data, "meta": None}).client is None


@pytest.mark.parametrize(
    ("given_", "said"),
    [
        ("[1]", "shop.json: must be a JSON object, not list"),
        ("{", "shop.json: line 1, column 2"),
        ("", "shop.json: line 1, column 1"),
        ('{"version": NaN}', "is not"),
        ("{}", "shop.json: /version: is missing"),
        ('{"version": "1.0.0"}', "shop.json: /rules: must be an object"),
        ('{"version": "1.0.0", "rules": {"mboxes": []}}', "shop.json: /rules/mboxes: must be an object"),
        ('{"version": "2.0.0", "rules": {}}', "(2.0.0) is not supported"),
        (b"\xff\xfe", "it is not complete JSON"),
        ("[" * 100_000, "shop.json: it is not complete JSON"),
        ({"version": object()}, "shop.json: is no JSON"),
    ],
)
def test_what_is_no_artifact_is_refused_with_file_and_place(given_: Any, said: str) -> None:
    with pytest.raises(RulesError) as refused:
        parse_rules(given_, "shop.json")
    assert said in str(refused.value)
    assert str(refused.value).startswith("shop.json: ")


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(RulesError, match=r"none\.json: cannot be read"):
        load_rules(tmp_path / "none.json")
    path = tmp_path / "rules.json"
    path.write_text(json.dumps(build_artifact(build_rule())))
    assert load_rules(path).source == str(path)


def test_rules_that_cannot_be_decided_are_told_by_json_pointer() -> None:
    rules = {"mboxes": {"a/b~c": [build_rule(), UNDECIDABLE]}, "views": {"home": {"no": "list"}}}
    first, second = parse_rules(build_artifact(rules=rules)).problems
    assert first.startswith("/rules/mboxes/a~1b~0c/1: the operator 'unheard_of'")
    assert second == "/rules/views/home: its rules are not a list"


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(), lambda one: st.lists(one) | st.dictionaries(st.text(), one)
    )
)
def test_no_json_makes_reading_fail_otherwise(value: Any) -> None:
    for candidate in (value, build_artifact(rules={"mboxes": {"hero": value}}), build_artifact(value, meta=value)):
        try:
            rules = parse_rules(candidate) if isinstance(candidate, dict) else parse_rules(json.dumps(candidate))
        except RulesError:
            continue
        assert with_forced(rules, [(Standing("10", "0"), None)]).artifact.version == rules.artifact.version
        assert only_forced(rules, [(Standing("10", "0"), None)]).artifact.version == rules.artifact.version


def test_offers_alone_are_rules_that_leave_everything_to_the_server() -> None:
    offers = parse_offers({"client": "shop", "mboxes": {"home": []}, "views": {"cart": []}, "pageLoad": []})
    rules = rules_of(offers)
    decision = run(rules.artifact, execute={"pageLoad": {}, **ask("home")}, prefetch={"views": [{}]})
    assert rules.client == "shop"
    assert (decision.remote_mboxes, decision.remote_views) == (["target-global-mbox", "home"], ["cart"])
    assert not decision.is_complete


def test_a_forced_experience_is_shown_whatever_its_audience() -> None:
    nobody = {"==": ["x", {"var": "mbox.never"}]}
    first, second = build_experience(True, 1, 0), build_experience(nobody, 1, 1, propertyTokens=["p"])
    other = build_experience(True, 2, 0)
    rules = parse_rules(build_artifact(rules={"mboxes": {"hero": [other, first, second], "side": [first, second]}}))
    forced = with_forced(rules, [(Standing("1", "1"), "hero")])
    assert (shown(rules), shown(forced)) == (["2/0"], ["1/1"])
    assert (shown(rules, "side"), shown(forced, "side")) == (["1/0"], ["1/0"])
    assert shown(with_forced(rules, [(Standing("1", "1"), None)]), "side") == ["1/1"]
    assert shown(with_forced(rules, [(Standing("7", "0"), None)])) == ["2/0"]
    assert forced.etag != rules.etag
    assert shown(rules) == ["2/0"]


def test_of_several_forced_at_one_place_each_activity_has_its_own() -> None:
    never = {"==": ["x", {"var": "mbox.never"}]}
    placed = [build_experience(never, activity, experience) for activity in (1, 2) for experience in (0, 1)]
    rules = parse_rules(build_artifact(rules={"mboxes": {"target-global-mbox": placed}}))
    forced = with_forced(rules, [(Standing("1", "1"), None), (Standing("2", "0"), None)])
    answer = run(forced.artifact, execute={"pageLoad": {}}).response["execute"]["pageLoad"]
    assert sorted(option["content"] for option in answer["options"]) == ["1/1", "2/0"]


def test_listed_activities_alone_leave_nothing_else() -> None:
    rules = parse_rules(
        build_artifact(
            rules={
                "mboxes": {"hero": [build_experience(True, 2, 0), UNDECIDABLE], "side": [build_experience(True, 2, 0)]},
                "views": {"home": [build_experience(False, 1, 0)]},
            }
        )
    )
    alone = only_forced(rules, [(Standing("1", "0"), None)])
    assert shown(alone) == shown(alone, "side") == []
    [view] = run(alone.artifact, prefetch={"views": [{}]}).response["prefetch"]["views"]
    assert view["options"][0]["content"] == "1/0"
