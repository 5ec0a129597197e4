"""Explanations say what is decided, and why."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from target.decisioning.artifact import parse_artifact, parse_artifact_text
from target.decisioning.explain import explain
from target.decisioning.explanation import ExplainedPart, Explanation
from target.decisioning.rules import Rule
from target.errors import ArtifactError
from tests.kit.explained import ARTIFACTS, REQUESTS, both, differences, var
from tests.kit.properties import examples
from tests.kit.rules import NOW_S, VISITOR, ask, build_artifact, build_rule
from tests.unit.decisioning.test_artifact import JSON, REQUEST, WHOLE, places, put

FIRST_HALF = {"and": [{"<=": [0, var("allocation")]}, {">=": [50, var("allocation")]}]}
SECOND_HALF = {"and": [{"<": [50, var("allocation")]}, {">=": [100, var("allocation")]}]}
GOLD = {"==": ["gold", var("mbox.level")]}
GAP = build_rule({"regex": ["a", var("page.url")]}, 90)


def told(artifact: dict[str, Any], /, **request: Any) -> Explanation:
    """The explanation of a request of the sample visitor, which agrees with the decision."""
    parsed = parse_artifact(artifact)
    decision, explanation = both({"id": VISITOR, **request}, parsed)
    assert list(differences(decision, explanation, parsed)) == []
    return explanation


def part(*rules: Any, token: str | None = None, **mbox: Any) -> ExplainedPart:
    """The explanation of one mbox that has these rules."""
    asked = {"execute": ask("hero", **mbox), **({} if token is None else {"property": {"token": token}})}
    (explained,) = told(build_artifact(*rules), **asked).parts
    return explained


def verdicts(explained: ExplainedPart) -> list[str]:
    return [rule.verdict for rule in explained.rules]


def test_a_share_is_said_in_percent_with_its_range() -> None:
    explained = part(build_rule(FIRST_HALF, 1), build_rule(SECOND_HALF, 1), build_rule(True, 2))
    missed, won, lost = explained.rules
    assert (explained.reason, verdicts(explained)) == ("split", ["share", "won", "lost"])
    assert (missed.place, missed.ranges) == (76.07, ((0, 50),))
    assert (won.place, won.ranges) == (76.07, ((50, 100),))
    assert missed.why == "The visitor's place in the activity is 76.07 %, not in 0 to 50 %"
    assert (lost.place, lost.ranges, lost.behind) == (None, (), 1)
    assert lost.why == "It matches, and so does rule 1, which is ahead of it"


def test_a_clause_says_what_is_wanted_what_is_seen_and_whether_it_holds() -> None:
    condition = {"and": [GOLD, {"or": [{"==": ["US", var("geo.country")]}, {">": [var("mbox.total"), 10]}]}]}
    (rule,) = part(build_rule(condition), parameters={"level": "gold", "total": "5"}).rules
    gold, either = rule.clauses
    assert (rule.verdict, rule.why) == (
        "audience",
        'The visitor is not in its audience: country is "US" or parameter total is above 10',
    )
    assert gold.to_dict() == {
        "words": 'parameter level is "gold"',
        "holds": True,
        "wanted": ["gold"],
        "seen": {"mbox.level": "gold"},
    }
    assert (either.holds, either.joint) == (False, "or")
    assert [(each.words, each.holds, each.seen) for each in either.parts] == [
        ('country is "US"', False, {"geo.country": None}),
        ("parameter total is above 10", False, {"mbox.total": "5"}),
    ]


def test_what_is_denied_is_said_so() -> None:
    (rule,) = part(
        build_rule({"!": {"or": [GOLD, {"in": ["x", var("mbox.level")]}]}}), parameters={"level": "gold"}
    ).rules
    assert [(each.words, each.holds) for each in rule.clauses] == [
        ('parameter level is not "gold"', False),
        ('parameter level does not contain "x"', True),
    ]


def test_a_variable_of_two_readings_shows_both() -> None:
    address = {"url": "https://stage.example.com/"}
    (rule,) = part(build_rule({"==": ["example.com", var("page.domain")]}), address=address).rules
    assert rule.clauses[0].seen == {"page.domain": "example.com", "host of page": "stage.example.com"}


@pytest.mark.parametrize(
    ("tokens", "token", "why"),
    [
        (["p"], None, 'It is for the property "p", and the request names none'),
        (["q", "p"], "r", 'It is for the property "p" or "q", and the request names "r"'),
        (
            list("abcdefg"),
            "r",
            'It is for the property "a" or "b" or "c" or "d" or "e" or 2 more, and the request names "r"',
        ),
    ],
)
def test_another_property(tokens: list[str], token: str | None, why: str) -> None:
    rule = build_rule(True, propertyTokens=tokens)
    explained = part(rule, token=token).rules[0]
    assert (explained.verdict, explained.why) == ("property", why)
    assert explained.property_tokens == tuple(sorted(tokens))
    assert verdicts(part(rule, token=tokens[0])) == ["won"]


def test_what_cannot_be_decided_says_why_and_holds_back_what_is_below() -> None:
    explained = part(build_rule(GOLD, 1), GAP, build_rule(True, 2))
    assert (explained.reason, verdicts(explained)) == ("remote", ["audience", "undecidable", "below undecidable"])
    _, gap, below = explained.rules
    assert gap.why == "It cannot be decided here: the operator 'regex' is not known"
    assert (gap.activity_id, gap.experience_id) == ("90", "0")
    assert (gap.clauses[0].holds, gap.clauses[0].why) == (None, "the operator 'regex' is not known")
    assert (below.behind, below.why) == (
        1,
        "It matches, but rule 1, which cannot be decided here, might have been shown in its place",
    )


def test_what_is_ahead_of_what_cannot_be_decided_is_shown() -> None:
    explained = part(build_rule(True, 1), GAP)
    assert (explained.reason, explained.is_remote, verdicts(explained)) == ("targeting", True, ["won", "undecidable"])


@pytest.mark.parametrize(
    "source", [None, {}, "x", [None], [[]], [{"meta": 5}], [{"activityId": "7", "condition": {1}}]]
)
def test_rules_that_cannot_be_read_are_explained_as_far_as_they_go(source: Any) -> None:
    artifact = parse_artifact(build_artifact(rules={"mboxes": {"hero": source}}))
    (explained,) = both({"execute": ask("hero")}, artifact)[1].parts
    assert [rule.verdict for rule in explained.rules] == ["undecidable"]


def test_a_rule_of_an_artifact_given_as_text_is_read_and_not_kept() -> None:
    artifact = parse_artifact_text(json.dumps(build_artifact(build_rule(GOLD), GAP)).encode())
    (explained,) = both({"execute": ask("hero")}, artifact)[1].parts
    assert [rule.audience for rule in explained.rules] == [
        'parameter level is "gold"',
        '{"regex": ["a", {"var": "page.url"}]}',
    ]
    (rule, _) = artifact.mboxes["hero"].rules
    assert isinstance(rule, Rule)
    assert rule._details is None


def test_why_only_the_server_can_decide() -> None:
    artifact = build_artifact(build_rule(), remoteMboxes=["hero"])
    hero, unknown = told(artifact, execute=ask("hero", "odd")).parts
    assert (hero.reason, hero.is_remote) == ("targeting", True)
    assert hero.why_remote == "the rules leave it to the server, since it shares an activity that only that can decide"
    assert (unknown.reason, unknown.why) == ("remote", "Only the server can decide it: the rules do not know it")


def test_default_content_says_why() -> None:
    quiet, hero = told(build_artifact(build_rule(GOLD)), execute=ask("quiet", "hero")).parts
    assert (quiet.reason, quiet.why) == ("default", "There are no rules for it")
    assert (hero.reason, hero.why) == ("default", "No rule of it matches")


def test_an_experience_without_content_is_said_so() -> None:
    options = [{"eventToken": "t"}]
    (rule,) = part(build_rule(True, 1, consequence={"options": options})).rules
    assert (rule.verdict, rule.has_content) == ("won", False)
    assert rule.why == "It is the first that matches; it has no content, so that the page keeps its own"
    assert part(build_rule()).rules[0].has_content


def test_of_a_page_load_each_key_has_its_winner() -> None:
    rules = [build_rule(GOLD, 1), build_rule(True, 2), build_rule(True, 3, ruleKey="2"), build_rule(FIRST_HALF, 4)]
    artifact = build_artifact(rules={"mboxes": {"target-global-mbox": rules}})
    (explained,) = told(artifact, execute={"pageLoad": {"parameters": {"level": "gold"}}}).parts
    assert (explained.kind, explained.name) == ("pageLoad", "target-global-mbox")
    assert verdicts(explained) == ["won", "won", "lost", "share"]
    assert explained.rules[2].behind == 1


def test_what_cannot_be_decided_holds_nothing_back_where_its_key_is_taken() -> None:
    rules = [build_rule(True, 1), build_rule({"odd": []}, 2, ruleKey="1"), build_rule(True, 3)]
    artifact = build_artifact(rules={"mboxes": {"target-global-mbox": rules}})
    (explained,) = told(artifact, execute={"pageLoad": {}}).parts
    assert verdicts(explained) == ["won", "undecidable", "won"]


def test_a_view_that_showed_nothing_when_named_is_decided_again_with_all() -> None:
    artifact = build_artifact(rules={"views": {"home": [build_rule(GOLD)]}})
    asked = [{"name": "home"}, {"parameters": {"level": "gold"}}]
    named, of_all = told(artifact, prefetch={"views": asked}).parts
    assert (named.reason, of_all.reason) == ("default", "targeting")


def test_all_views_may_be_asked_for_twice() -> None:
    views = {"home": [build_rule({"!": GOLD}, 1), build_rule({"odd": []}, 2, ruleKey="1")]}
    asked = [{"parameters": {"level": "gold"}}, {}]
    first, second = told(build_artifact(rules={"views": views}), prefetch={"views": asked}).parts
    assert (first.reason, second.reason) == ("remote", "targeting")


def test_views_are_explained_by_the_parameters_they_are_asked_with() -> None:
    views = {"home": [build_rule(GOLD)], "cart": [build_rule(True)]}
    artifact = build_artifact(rules={"views": views}, remoteViews=["far"])
    asked = [{}, {"name": "home", "parameters": {"level": "gold"}}]
    parts = told(artifact, prefetch={"views": asked}).parts
    assert [(each.name, each.reason) for each in parts] == [
        ("home", "targeting"),
        ("cart", "targeting"),
        ("far", "remote"),
    ]


@pytest.mark.parametrize(
    ("ids", "kind"),
    [
        ({"tntId": "a.38_0", "marketingCloudVisitorId": "1"}, "marketingCloudVisitorId"),
        ({"thirdPartyId": "c", "tntId": "a.38_0"}, "tntId"),
        ({"thirdPartyId": "c"}, "thirdPartyId"),
        ({}, "new"),
        (5, "new"),
    ],
)
def test_it_says_what_the_shares_hang_on_and_no_id(ids: Any, kind: str) -> None:
    explanation = told(build_artifact(build_rule(FIRST_HALF)), id=ids, execute=ask("hero"))
    assert explanation.visitor == kind
    assert "lot" in str(explanation) if kind == "new" else "lot" not in str(explanation)
    assert "38_0" not in repr(explanation.to_dict())


def test_places_that_are_given_win() -> None:
    artifact = parse_artifact(build_artifact(build_rule(FIRST_HALF)))
    body = {"id": VISITOR, "execute": ask("hero")}
    decision, explanation = both(body, artifact, allocations={"10": 12.5})
    assert list(differences(decision, explanation, artifact)) == []
    assert explanation.parts[0].won[0].place == 12.5


def test_it_changes_nothing_and_asks_for_no_id() -> None:
    def refuse() -> str:
        raise AssertionError

    body = {"id": VISITOR, "execute": ask("hero")}
    before = repr(body)
    explanation = explain(body, parse_artifact(build_artifact(build_rule())), client="a", now_s=NOW_S, new_id=refuse)
    assert explanation.parts[0].won
    assert repr(body) == before


def agree(data: Any, body: Any) -> None:
    """The request and, since those are had for little, the same of three other visitors."""
    artifact = parse_artifact(data)
    for visitor in (body["id"], {"tntId": "one"}, {"thirdPartyId": "two"}, {"marketingCloudVisitorId": "three"}):
        decision, explanation = both({**body, "id": visitor}, artifact)
        assert list(differences(decision, explanation, artifact)) == []


@given(path=st.sampled_from(places(WHOLE)), value=JSON)
@settings(max_examples=examples(150))
def test_an_artifact_with_any_json_in_any_place_is_explained_or_refused(path: tuple[Any, ...], value: Any) -> None:
    try:
        artifact = parse_artifact(put(WHOLE, path, value))
    except ArtifactError:
        return
    decision, explanation = both(REQUEST, artifact)
    assert list(differences(decision, explanation, artifact)) == []
    assert all(line.isprintable() for line in str(explanation).split("\n"))
    assert explanation._repr_html_()


@given(path=st.sampled_from([path for path in places(REQUEST) if path]), value=JSON)
@settings(max_examples=examples(150))
def test_a_request_with_any_json_in_any_place_is_explained(path: tuple[Any, ...], value: Any) -> None:
    artifact = parse_artifact(WHOLE)
    decision, explanation = both(put(REQUEST, path, value), artifact)
    assert list(differences(decision, explanation, artifact)) == []
    assert all(line.isprintable() for line in str(explanation).split("\n"))
    assert explanation._repr_html_()


@given(data=ARTIFACTS, body=REQUESTS)
@settings(max_examples=examples(500))
def test_explanations_agree_with_decisions(data: Any, body: Any) -> None:
    agree(data, body)


@pytest.mark.slow
@pytest.mark.timeout(600)
@given(data=ARTIFACTS, body=REQUESTS)
@settings(max_examples=examples(10_000))
def test_ten_thousand_explanations_agree_with_decisions(data: Any, body: Any) -> None:
    agree(data, body)
