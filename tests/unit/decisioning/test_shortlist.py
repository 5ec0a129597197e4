"""Which rules of a place are not even asked: those that would not match, of which no other has to be asked instead."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from target.decisioning.allocation import Allocations
from target.decisioning.artifact import Artifact, parse_artifact, parse_artifact_text
from target.decisioning.context import Scope, Visit
from target.decisioning.places import Place
from target.decisioning.rules import Rule
from target.decisioning.shortlist import FEWEST, Demand, read_demand
from tests.kit.properties import examples
from tests.kit.rules import build_artifact, build_rule
from tests.unit.decisioning.test_short_ways import NAMES, PARAMETERS, VALUES, rules

SHARE = {"and": [{"<=": [20, {"var": "allocation"}]}, {">": [30, {"var": "allocation"}]}]}


def equal(text: Any, name: str = "a") -> dict[str, Any]:
    return {"==": [text, {"var": f"mbox.{name}"}]}


def place_of(*conditions: Any) -> Place:
    """A place with a rule for each condition, of an activity of its own."""
    made = [build_rule(condition, number) for number, condition in enumerate(conditions)]
    return parse_artifact(build_artifact(*made)).mboxes["hero"]


def scope_of(parameters: Any, visitor: str = "v", places: dict[str, float] | None = None) -> Scope:
    visit = Visit({}, {}, Allocations("acme", visitor, given=places), 0.0)
    return Scope(visit, {"name": "hero", "parameters": parameters})


def listed(place: Place, scope: Scope) -> list[int]:
    return [place.rules.index(rule) for rule in place.rules_for(scope)]


@pytest.mark.parametrize(
    ("condition", "texts"),
    [
        (equal("x"), {"mbox.a": {"x"}}),
        ({"==": [{"var": ["mbox.a"]}, "x"]}, {"mbox.a": {"x"}}),
        ({"and": [SHARE, equal("x"), equal("y", "b.c")]}, {"mbox.a": {"x"}, "mbox.b.c": {"y"}}),
        ({"and": [equal("x"), equal("y")]}, {"mbox.a": {"x"}}),
        ({"or": [equal("x"), equal("y")]}, {"mbox.a": {"x", "y"}}),
        ({"or": [equal("x"), {"and": [equal("y"), equal("z", "b")]}]}, {"mbox.a": {"x", "y"}}),
        ({"==": ["/", {"var": "page.path"}]}, {"page.path": {"/"}}),
        ({"or": [equal("x"), equal("y", "b")]}, {}),
        ({"or": [equal("x"), True]}, {}),
        ({"!": [equal("x")]}, {}),
        ({"!=": ["x", {"var": "mbox.a"}]}, {}),
        ({"==": [1, {"var": "mbox.a"}]}, {}),
        ({"==": ["x", "x"]}, {}),
        ({"==": ["x", {"var": ["mbox.a", "x"]}]}, {}),
        ({"==": ["x", {"var": "page.domain"}]}, {}),
        ({"==": ["X", {"var": "geo.city"}]}, {}),
        ({"==": ["x", {"var": ""}]}, {}),
        ({"==": ["1", {"var": "allocation"}]}, {}),
        ({"==": ["x", {"substr": [{"var": "mbox.a"}, 0, 1]}]}, {}),
        ({"in": ["x", {"var": "mbox.a"}]}, {}),
        (True, {}),
    ],
)
def test_what_a_condition_demands(condition: Any, texts: dict[str, set[str]]) -> None:
    assert read_demand(condition) == Demand({name: frozenset(each) for name, each in texts.items()}, None)


@pytest.mark.parametrize(
    ("condition", "places"),
    [
        (SHARE, (2000, 3000)),
        ({"<=": [20, {"var": "allocation"}]}, (2000, 10_000)),
        ({"and": [SHARE, {"<": [{"var": "allocation"}, 25.5]}]}, (2000, 2550)),
        ({"and": [SHARE, {"<": [{"var": "allocation"}, 5]}]}, (0, 0)),
        ({"and": [SHARE, True]}, None),
        ({"or": [SHARE, SHARE]}, None),
        ({"!": [SHARE]}, None),
        ({"==": [5, {"var": "allocation"}]}, None),
    ],
)
def test_which_places_a_condition_demands_where_it_demands_nothing_else(condition: Any, places: Any) -> None:
    assert read_demand(condition) == Demand({}, places)


def test_only_rules_whose_text_the_visitor_has_are_listed() -> None:
    place = place_of(*(equal(text) for text in "abcdefgha"))
    assert listed(place, scope_of({"a": "a"})) == [0, 8]
    assert listed(place, scope_of({"a": "h"})) == [7]
    for parameters in ({"a": "A"}, {"a": "z"}, {"a": " a"}, {"b": "a"}, {"a": None}, {}, None, 5):
        assert listed(place, scope_of(parameters)) == []


def test_texts_are_compared_as_they_are_written() -> None:
    place = place_of(*(equal(text) for text in ("A", "a", "A ", "\u00e4", "a\u0308", "", "1", "1.0")))
    for position, text in enumerate(("A", "a", "A ", "\u00e4", "a\u0308", "", "1", "1.0")):
        assert listed(place, scope_of({"a": text})) == [position]


@pytest.mark.parametrize("value", [1, 1.0, True, ["a"], [], {"a": "a"}, float("nan")])
def test_of_a_value_that_is_no_text_each_rule_says_itself_what_it_equals(value: Any) -> None:
    place = place_of(*(equal(text) for text in "abcdefgh"))
    assert listed(place, scope_of({"a": value})) == list(range(8))


def test_rules_that_ask_for_different_parameters_keep_their_order() -> None:
    place = place_of(*(equal("x", name) for name in "abcabcab"))
    assert listed(place, scope_of({"c": "x", "a": "x"})) == [0, 2, 3, 5, 6]


def test_the_parameter_that_tells_more_rules_apart_counts() -> None:
    place = place_of(*({"and": [equal("same", "b"), equal(text)]} for text in "abcdefgh"))
    assert listed(place, scope_of({"a": "c", "b": "same"})) == [2]


def test_what_demands_nothing_is_always_listed_and_order_is_kept() -> None:
    place = place_of(equal("x"), True, equal("y"), {"unheard_of": 1}, SHARE, equal("x"), {"!": [equal("x")]}, SHARE)
    known = {str(number): 50.0 for number in range(8)}
    assert listed(place, scope_of({"a": "x"}, places=known)) == [0, 1, 3, 4, 5, 6, 7]
    outside = next(name for name in map(str, range(99)) if not 20 <= Allocations("acme", name)["4"] < 30)
    found = listed(place, scope_of({"a": "x"}, outside))
    assert found[:4] == [0, 1, 3, 5]
    assert 4 not in found


def test_only_rules_in_whose_share_the_visitor_is_are_listed_whoever_the_client_is() -> None:
    place = place_of(*[SHARE] * 40)
    for client in ("acme", "other", "acme", ""):
        for visitor in ("v", "w", "\ud83d", "ä"):
            allocations = Allocations(client, visitor)
            scope = Scope(Visit({}, {}, allocations, 0.0), {})
            assert listed(place, scope) == [number for number in range(40) if 20 <= allocations[str(number)] < 30]


def test_a_share_begins_and_ends_where_its_rule_says() -> None:
    at = Allocations("acme", "v")["0"]
    place, variable = {"var": "allocation"}, {"var": "allocation"}
    conditions: list[Any] = [
        {"and": [{"<=": [at, place]}, {">=": [at, variable]}]},
        {"<": [at, variable]},
        {"<=": [at, variable]},
        {">": [at, variable]},
        {">=": [at, variable]},
        {"<=": [round(at + 0.01, 2), variable]},
        {">=": [round(at - 0.01, 2), variable]},
        {"<": [round(at - 0.01, 2), variable]},
    ]
    made = [build_rule(condition, 0, ruleKey=str(number)) for number, condition in enumerate(conditions)]
    for number, rule in enumerate(made):  # each alone, among others of its kind
        others = [build_rule({"<": [variable, -1]}, 1, ruleKey=f"other-{each}") for each in range(FEWEST)]
        found = parse_artifact(build_artifact(*others, rule)).mboxes["hero"]
        assert listed(found, scope_of({})) == ([FEWEST] if number in (0, 2, 4, 7) else [])
    together = parse_artifact(build_artifact(*made)).mboxes["hero"]
    assert listed(together, scope_of({})) == list(range(8))  # one activity, which is hashed once


def test_a_place_that_was_given_wins_over_the_one_that_is_computed() -> None:
    place = place_of(*[SHARE] * 8)
    given_places = {"3": 25.0, **{str(number): 1.0 for number in (0, 1, 2, 4, 5, 6, 7)}}
    scope = scope_of({}, places=given_places)
    assert [rule.key for rule in place.rules_for(scope) if rule.test(scope)] == ["3"]


def test_few_rules_and_such_as_nothing_tells_apart_have_no_shortlist() -> None:
    assert place_of(*[equal("x")] * (FEWEST - 1)).shortlist is None
    assert place_of(*[equal("x")] * FEWEST).shortlist is not None
    assert place_of(*[True] * FEWEST, {"unheard_of": 1}).shortlist is None


@pytest.mark.waits
@given(
    made=rules(),
    parameters=st.one_of(PARAMETERS, st.dictionaries(st.sampled_from(NAMES), VALUES, min_size=2)),
    visitor=st.one_of(st.just("v"), st.text(max_size=3)),
    property_token=st.sampled_from([None, "p"]),
)
@settings(max_examples=examples(1000))
def test_all_that_match_are_listed_in_their_order(
    made: list[Any], parameters: Any, visitor: str, property_token: str | None
) -> None:
    data = build_artifact(*made, *made)
    artifacts: list[Artifact] = [parse_artifact(data), parse_artifact_text(json.dumps(data).encode())]
    for artifact in artifacts:
        place = artifact.mboxes["hero"]
        scope = scope_of(parameters, visitor)
        positions = {id(rule): position for position, rule in enumerate(place.rules)}
        found = [positions[id(rule)] for rule in place.rules_for(scope)]
        assert found == sorted(set(found))
        missing = set(positions.values()) - set(found)
        fresh = scope_of(parameters, visitor)
        assert not any(place.rules[position].test(fresh) for position in missing)
        assert all(isinstance(place.rules[position], Rule) for position in missing)
