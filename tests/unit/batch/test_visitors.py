"""A visitor as a row of a table, and as a request."""

from __future__ import annotations

from typing import Any

import pytest

from target.batch.errors import BatchError
from target.batch.visitors import Asked, ask_all, build_body, id_maker, read_row
from target.decisioning.artifact import parse_artifact
from tests.kit.rules import build_artifact, build_rule

NEW_ID = "made-up"


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"tntId": "a.38_0"}, {"id": {"tntId": "a.38_0"}}),
        ({"visitor": "a"}, {"id": {"tntId": "a"}}),
        ({"visitor_id": "a", "colour": "red"}, {"id": {"tntId": "a"}, "parameters": {"colour": "red"}}),
        ({"ecid": "1", "third_party_id": 2}, {"id": {"marketingCloudVisitorId": "1", "thirdPartyId": "2"}}),
        ({"colour": ""}, {"id": {"tntId": NEW_ID}}),
        ({"id": None, "n": 1.0, "is": True}, {"id": {"tntId": NEW_ID}, "parameters": {"n": "1", "is": "true"}}),
        (
            {"id": "a", "country": "US", "region": "CA", "geo.city": "Berne", "latitude": "1.5"},
            {
                "id": {"tntId": "a"},
                "context": {"geo": {"countryCode": "US", "stateCode": "CA", "city": "Berne", "latitude": 1.5}},
            },
        ),
        (
            {"id": "a", "parameters.country": "x", "mbox.id": "y"},
            {"id": {"tntId": "a"}, "parameters": {"country": "x", "id": "y"}},
        ),
        (
            {"id": "a", "url": "https://a/", "referring_url": "https://b/", "userAgent": "curl"},
            {
                "id": {"tntId": "a"},
                "context": {"userAgent": "curl", "address": {"url": "https://a/", "referringUrl": "https://b/"}},
            },
        ),
        (
            {"id": {"thirdPartyId": "7"}, "parameters": {"a": 1, "b": None}, "context": {"geo": {"city": "x"}}},
            {"id": {"thirdPartyId": "7"}, "parameters": {"a": "1"}, "context": {"geo": {"city": "x"}}},
        ),
        ({"id": "a", "property": "p"}, {"id": {"tntId": "a"}, "property": {"token": "p"}}),
    ],
)
def test_columns_become_parts_of_a_request(row: dict[str, Any], expected: dict[str, Any]) -> None:
    assert read_row(row, NEW_ID) == {"parameters": {}, **expected}


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ({"colour": ["red"]}, "colour is a list, not a plain value"),
        ({"url": {"a": 1}}, "url is an object, not a plain value"),
        ({"parameters": {"a": [1]}}, "parameters.a is a list"),
        ({"latitude": "north"}, "latitude is no number"),
    ],
)
def test_what_no_column_can_hold_is_named(row: dict[str, Any], why: str) -> None:
    with pytest.raises(BatchError, match=why):
        read_row(row, NEW_ID)


def test_a_body_asks_for_every_place_with_the_parameters() -> None:
    visitor = read_row({"id": "a", "colour": "red"}, NEW_ID)
    parameters = {"parameters": {"colour": "red"}}
    assert build_body(visitor, Asked(("one",), ("home",), page_load=True)) == {
        "id": {"tntId": "a"},
        "prefetch": {
            "mboxes": [{"index": 0, "name": "one", **parameters}],
            "views": [{"name": "home", **parameters}],
            "pageLoad": parameters,
        },
    }


def test_all_that_has_rules_is_asked_for() -> None:
    rules = {"mboxes": {"hero": [build_rule()], "target-global-mbox": []}, "views": {"home": []}}
    artifact = parse_artifact(build_artifact(rules=rules))
    other = parse_artifact(build_artifact(rules={"mboxes": {"side": []}}))
    assert ask_all(artifact, other) == Asked(("hero", "side"), ("home",), page_load=True)
    assert ask_all(artifact, only=("home", "hero")) == Asked(("hero",), ("home",), page_load=False)
    assert ask_all(artifact, only=("target-global-mbox",)) == Asked((), (), page_load=True)
    with pytest.raises(
        BatchError, match=r"no rules for an mbox or view 'nose'\. It has: hero, target-global-mbox, home"
    ):
        ask_all(artifact, only=("nose",))


def test_ids_made_up_are_the_same_for_the_same_seed() -> None:
    assert id_maker(1)(5) == id_maker(1)(5) != id_maker(2)(5)
    assert len({id_maker(0)(number) for number in range(1000)}) == 1000
