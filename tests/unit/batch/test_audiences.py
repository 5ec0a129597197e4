"""What rules ask for, taken apart."""

from __future__ import annotations

from typing import Any

import pytest

from target.batch.audiences import Asks, take_apart
from target.batch.sources import name_sources
from target.decisioning.artifact import parse_artifact
from target.decisioning.rules import Rule
from tests.kit.explained import var
from tests.kit.rules import build_artifact, build_rule

PARAMETERS = ("level", "level_lc", "favourite", "favourite.colour", "total")
SOURCES, _ = name_sources(
    id_columns={"tnt_id": "id"},
    parameters={name: name for name in PARAMETERS},
    address={"url": "url", "referring_url": "from"},
    user_agent="browser",
    geo={"country": "country", "city": "city"},
    at="seen",
)


def taken(condition: Any) -> Asks | None:
    (rule,) = parse_artifact(build_artifact(build_rule(condition))).mboxes["hero"].rules
    assert isinstance(rule, Rule)
    return take_apart(rule, SOURCES)


def reads(condition: Any) -> set[str]:
    asks = taken(condition)
    assert asks is not None
    return {SOURCES[number].column for number in asks.audience.reads}


@pytest.mark.parametrize(
    ("variable", "columns"),
    [
        ("mbox.level", {"level"}),
        ("mbox.level_lc", {"level", "level_lc"}),
        ("mbox.favourite", {"favourite", "favourite.colour"}),
        ("mbox.favourite.colour", {"favourite", "favourite.colour"}),
        ("mbox.favourite.colour_lc", {"favourite", "favourite.colour"}),
        ("mbox.favourite_lc", {"favourite", "favourite.colour"}),
        ("mbox", set(PARAMETERS)),
        ("page.url", {"url"}),
        ("page.{parameter=a.b}", {"url"}),
        ("referring.domain", {"from"}),
        ("user.browserType", {"browser"}),
        ("geo.country", {"country", "city"}),
        ("current_day", {"seen"}),
        ("", {*PARAMETERS, "url", "from", "browser", "country", "city", "seen"}),
    ],
)
def test_what_a_variable_reads(variable: str, columns: set[str]) -> None:
    assert reads({"==": [var(variable), 1]}) == columns
    assert reads({"!": {"or": [False, {"in": ["a", {"substr": [{"var": [variable, "x"]}, 0, 1]}]}]}}) == columns


@pytest.mark.parametrize(
    ("condition", "places"),
    [
        ({"<=": [var("allocation"), 49.99]}, (0, 5000)),
        ({"<": [var("allocation"), 50]}, (0, 5000)),
        ({"and": [{"<=": [50, var("allocation")]}, {">": [100, var("allocation")]}]}, (5000, 10000)),
        ({"and": [{"and": [{"<": [0, var("allocation")]}]}, {"<=": [var("allocation"), 0.02]}]}, (1, 3)),
        (True, None),
    ],
)
def test_shares(condition: Any, places: tuple[int, int] | None) -> None:
    for audience in (None, {"==": [var("mbox.level"), "gold"]}):
        asks = taken(condition if audience is None else {"and": [condition, audience]})
        assert asks is not None
        assert asks.places == places
        assert asks.audience.activity_id is None


def test_a_share_of_nobody() -> None:
    assert taken({"and": [{"<": [60, var("allocation")]}, {"<": [var("allocation"), 40]}]}) is None
    assert taken({"<": [100, var("allocation")]}) is None


def test_a_place_that_is_asked_for_in_another_way_is_one_more_value() -> None:
    for condition in ({"or": [{"<": [60, var("allocation")]}, False]}, {"!": {"<": [60, var("allocation")]}}):
        asks = taken({"and": [condition, {"<": [var("allocation"), 90]}, {"==": [var("mbox.total"), 1]}]})
        assert asks is not None
        assert (asks.places, asks.audience.activity_id) == (None, "10")
        assert {SOURCES[number].column for number in asks.audience.reads} == {"total"}


def test_audiences_that_are_the_same_are_told_by_their_keys() -> None:
    gold = {"==": [var("mbox.level"), "gold"]}
    with_share, without = taken({"and": [{"<": [var("allocation"), 50]}, gold]}), taken(gold)
    assert with_share is not None
    assert without is not None
    assert with_share.audience.key == without.audience.key
