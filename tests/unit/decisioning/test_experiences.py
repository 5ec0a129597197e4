from __future__ import annotations

import json
from typing import Any

import pytest

from target.decisioning.artifact import Artifact, parse_artifact, parse_artifact_text
from target.decisioning.experiences import Standing, exhibit, find_experience, standing_of
from target.decisioning.rules import Rule
from tests.kit.rules import build_artifact, build_rule


def build_experience(activity: int, experience: int, name: str | None, activity_name: str | None) -> dict[str, Any]:
    meta: dict[str, Any] = {"activity.id": activity, "experience.id": experience}
    meta |= {"experience.name": name, "activity.name": activity_name}
    return build_rule(True, activity, meta={key: value for key, value in meta.items() if value is not None})


def rules_of(artifact: Artifact) -> list[Rule]:
    return [rule for rule in artifact.mboxes["hero"].rules if isinstance(rule, Rule)]


ARTIFACT = build_artifact(
    build_experience(10, 0, "A", "Summer"),
    build_experience(10, 1, "B", "Summer"),
    build_experience(11, 0, "A", "Winter"),
    build_experience(11, 2, "1", "Winter"),
    build_experience(12, 3, None, None),
)
RULES = rules_of(parse_artifact(ARTIFACT))


@pytest.mark.parametrize(
    ("experience", "activity", "found"),
    [
        ("B", None, Standing("10", "1")),
        ("B", "Summer", Standing("10", "1")),
        ("A", "10", Standing("10", "0")),
        ("A", "Winter", Standing("11", "0")),
        ("1", None, Standing("10", "1")),  # an id, though another one has it for its name
        ("1", "Winter", Standing("11", "2")),
        ("3", None, Standing("12", "3")),
    ],
)
def test_an_experience_is_found_by_id_or_name(experience: str, activity: str | None, found: Standing) -> None:
    assert find_experience(RULES, experience, activity) == found


@pytest.mark.parametrize(
    ("experience", "activity", "problem"),
    [
        ("A", None, "the experience 'A' at the mbox 'hero' is in several activities, name one of them: "
                    "10 (Summer), 11 (Winter)"),
        ("Z", "Summer", "the rules have no experience 'Z' at the mbox 'hero' in the activity 'Summer'; "
                        "they have 0 (A), 1 (B)"),
        ("A", "Autumn", "the rules have no experience at the mbox 'hero' in the activity 'Autumn'"),
        ("b", None, "the rules have no experience 'b' at the mbox 'hero'; they have 0 (A), 1 (B), 2 (1), 3 (None)"),
    ],
)  # fmt: skip
def test_what_is_not_found_is_told_with_what_there_is(experience: str, activity: str | None, problem: str) -> None:
    with pytest.raises(ValueError, match=r"^the ") as caught:
        find_experience(RULES, experience, activity, " at the mbox 'hero'")
    assert str(caught.value) == problem


def test_a_message_lists_ten_at_most() -> None:
    rules = rules_of(parse_artifact(build_artifact(*(build_experience(10, at, f"E{at}", None) for at in range(12)))))
    with pytest.raises(ValueError, match=r"8 \(E8\), 9 \(E9\) and 2 more$"):
        find_experience(rules, "Z", None)
    with pytest.raises(ValueError, match=r"^the rules have no experience 'Z'; they have 0 .* 9 \(E9\)$"):
        find_experience(rules[:10], "Z", None)


def test_looking_for_an_experience_keeps_nothing_of_the_rules() -> None:
    rules = rules_of(parse_artifact_text(json.dumps(ARTIFACT).encode()))
    assert find_experience(rules, "B", None) == standing_of(rules[1])
    assert [rule._details for rule in rules] == [None] * 5


# What it shows

OFFERS = {
    "name": "hero",
    "options": [
        {"type": "html", "content": "<b>${mbox.name}</b>", "eventToken": "t", "metrics": [{"eventToken": "c"}]},
        {"type": "json", "content": {"a": 1}, "responseTokens": {"offer": 1}},
        {"eventToken": "of the default content"},
    ],
    "metrics": [{"type": "click", "eventToken": "m"}],
}


def test_an_exhibit_has_the_offers_of_its_rule_without_tokens() -> None:
    rule = {**build_experience(10, 1, "B", "Summer"), "condition": False, "consequence": OFFERS}
    artifact = parse_artifact(
        build_artifact(build_experience(10, 0, "A", "Summer"), rule, responseTokens=["experience.id"])
    )
    found = exhibit(artifact, "hero", "B", None, None)
    assert found.which == ("10", "Summer", "1", "B")
    own = {"experience.id": 1, "activity.decisioningMethod": "on-device"}
    assert found.options({"name": "hero"}) == [
        {"type": "html", "content": "<b>hero</b>", "responseTokens": own},
        {"type": "json", "content": {"a": 1}, "responseTokens": {"offer": 1, **own}},
    ]
    twice = parse_artifact(build_artifact(build_experience(11, 1, "B", "Winter"), rule))
    assert exhibit(twice, "hero", "B", "Summer", None).which == ("10", "Summer", "1", "B")
    assert exhibit(artifact, "hero", "0", "10", None).which == ("10", "Summer", "0", "A")


def test_an_exhibit_names_what_the_rules_name() -> None:
    artifact = parse_artifact(build_artifact(build_experience(12, 3, None, None)))
    assert exhibit(artifact, "hero", "3", None, None).which == ("12", None, "3", None)


@pytest.mark.parametrize(("token", "shown"), [("one", "one"), ("two", "two"), ("three", "all"), (None, "all")])
def test_of_several_rules_one_for_the_property_is_shown(token: str | None, shown: str) -> None:
    rules = [
        {
            **build_experience(10, 1, "B", "Summer"),
            "propertyTokens": tokens,
            "consequence": {"options": [{"type": "html", "content": name}], "metrics": []},
        }
        for name, tokens in (("two", ["two"]), ("one", ["one"]), ("all", None))
    ]
    artifact = parse_artifact(build_artifact(*rules))
    found = exhibit(artifact, "hero", "B", None, token).options({"name": "hero"})
    assert [option["content"] for option in found] == [shown]
    only_others = parse_artifact(build_artifact(*rules[:2]))
    ((first, *_),) = [exhibit(only_others, "hero", "B", None, "three").options({"name": "hero"})]
    assert first["content"] == "two"


def test_a_rule_that_cannot_be_decided_is_none_that_could_be_shown() -> None:
    undecidable = {**build_experience(10, 1, "B", "Summer"), "condition": {"unheard_of": [1]}}
    artifact = parse_artifact(build_artifact(undecidable, build_experience(10, 0, "A", "Summer")))
    with pytest.raises(ValueError, match=r"no experience 'B' at the mbox 'hero'; they have 0 \(A\)$"):
        exhibit(artifact, "hero", "B", None, None)
    with pytest.raises(ValueError, match=r"the rules have no experience at the mbox 'quiet'$"):
        exhibit(artifact, "quiet", "B", None, None)
