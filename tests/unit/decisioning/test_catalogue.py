"""What an artifact holds, for people."""

from __future__ import annotations

from typing import Any

from target.decisioning.artifact import parse_artifact
from target.decisioning.catalogue import Activity, Experience, list_activities, list_rules
from tests.kit.rules import build_artifact, build_rule

ALLOCATION = {"var": "allocation"}
FIRST_HALF = {"and": [{"<=": [0, ALLOCATION]}, {">=": [50, ALLOCATION]}]}
SECOND_HALF = {"and": [{"<": [50, ALLOCATION]}, {">=": [100, ALLOCATION]}]}
MONDAY = {"==": [{"var": "current_day"}, 1]}


def of_experience(number: Any, condition: Any = True, **changes: Any) -> dict[str, Any]:
    meta = {
        "activity.id": 10,
        "activity.name": "Hero test",
        "activity.type": "ab",
        "experience.id": number,
        "experience.name": f"Experience {number}",
        "offer.name": f"/offer-{number}",
    }
    return build_rule(condition, meta=meta, **changes)


def only(*rules: Any, **changes: Any) -> Activity:
    (activity,) = list_activities(parse_artifact(build_artifact(*rules, **changes)))
    return activity


def test_an_activity_has_its_experiences_in_the_order_of_the_artifact() -> None:
    assert only(of_experience(1, FIRST_HALF), of_experience(0, SECOND_HALF)) == Activity(
        id="10",
        name="Hero test",
        type="ab",
        experiences=(
            Experience(
                id="1",
                name="Experience 1",
                shares=((0, 50),),
                audience="",
                places=(("mbox", "hero"),),
                rule_keys=("10",),
                offers=("/offer-1",),
                starts_s=None,
                ends_s=None,
            ),
            Experience(
                id="0",
                name="Experience 0",
                shares=((50, 100),),
                audience="",
                places=(("mbox", "hero"),),
                rule_keys=("10",),
                offers=("/offer-0",),
                starts_s=None,
                ends_s=None,
            ),
        ),
        property_tokens=(),
    )


def test_rules_of_one_experience_are_one_wherever_they_stand() -> None:
    rules = {
        "mboxes": {
            "hero": [of_experience(0, FIRST_HALF)],
            "target-global-mbox": [of_experience(0, FIRST_HALF, ruleKey="10-0")],
        },
        "views": {"cart": [of_experience(0, FIRST_HALF, ruleKey="10-1"), of_experience(1, SECOND_HALF)]},
    }
    first, second = only(rules=rules).experiences
    assert first.places == (("mbox", "hero"), ("page load", "target-global-mbox"), ("view", "cart"))
    assert first.rule_keys == ("10", "10-0", "10-1")
    assert (first.shares, second.shares, second.places) == (((0, 50),), ((50, 100),), (("view", "cart"),))


def test_an_audience_is_what_fits_any_of_the_rules() -> None:
    tuesday = {"==": [{"var": "current_day"}, 2]}
    one = only(of_experience(0, MONDAY)).experiences[0].audience
    other = only(of_experience(0, tuesday)).experiences[0].audience
    assert one
    assert only(of_experience(0, MONDAY), of_experience(0, tuesday)).experiences[0].audience == f"({one}) or ({other})"
    assert only(of_experience(0, MONDAY), of_experience(0)).experiences[0].audience == ""


def test_shares_are_none_without_a_place_and_nobodys_where_no_place_fits() -> None:
    assert only(of_experience(0, MONDAY)).experiences[0].shares == ()
    nobody = {"and": [{">": [ALLOCATION, 50]}, {"<": [ALLOCATION, 20]}]}
    assert only(of_experience(0, nobody)).experiences[0].shares == ((0, 0),)


def test_dates_are_the_first_and_the_last_of_all_rules() -> None:
    first = {"<=": [1_613_034_000_000, {"var": "current_timestamp"}, 1_613_239_200_000]}
    second = {"<=": [1_613_389_200_000, {"var": "current_timestamp"}, 1_613_734_800_000]}
    both = only(of_experience(0, first), of_experience(0, second)).experiences[0]
    assert (both.starts_s, both.ends_s) == (1_613_034_000, 1_613_734_800)
    assert only(of_experience(0, {"and": [MONDAY, second]})).experiences[0].ends_s == 1_613_734_800


def test_properties_are_those_of_all_rules_unless_one_is_for_all() -> None:
    both = only(of_experience(0, propertyTokens=["b", "a"]), of_experience(1, propertyTokens=["c"]))
    assert both.property_tokens == ("a", "b", "c")
    assert only(of_experience(0, propertyTokens=["b"]), of_experience(1)).property_tokens == ()


def test_what_is_not_named_has_no_name() -> None:
    activity = only(build_rule(meta={}))
    assert (activity.name, activity.type) == (None, None)
    assert (activity.experiences[0].id, activity.experiences[0].name, activity.experiences[0].offers) == ("", None, ())


def test_names_that_are_no_texts_are_left_out() -> None:
    odd = {
        "activity.name": ["x"],
        "experience.id": True,
        "experience.name": {"a": 1},
        "offer.name": None,
        "offer.id": 7,
    }
    activity = only(build_rule(meta=odd))
    assert (activity.name, activity.experiences[0].id, activity.experiences[0].offers) == (None, "", ("7",))


def test_rules_that_cannot_be_decided_are_left_out() -> None:
    parsed = parse_artifact(build_artifact(build_rule({"near": [1]}, 11), build_rule(True, 12), build_rule(True, 13)))
    assert [placed.rule.activity_id for placed in list_rules(parsed)] == ["12", "13"]
    assert [activity.id for activity in list_activities(parsed)] == ["12", "13"]
