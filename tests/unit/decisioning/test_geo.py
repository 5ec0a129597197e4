from __future__ import annotations

from typing import Any

import pytest

from target.decisioning.artifact import parse_artifact
from target.decisioning.decide import needs_geo
from target.decisioning.geo import build_geo_tokens, build_geo_variables, normalize_place, parse_geo
from tests.kit.rules import build_artifact

PLACE = {"city": "BERN", "countryCode": "CH", "stateCode": "BE", "latitude": 46.95, "longitude": 7.45}
ANSWER = {
    "x-geo-city": "BERN",
    "X-Geo-Country-Code": "CH",
    "x-geo-region-code": "BE",
    "x-geo-latitude": 46.95,
    "x-geo-longitude": 7.45,
}


def asks(geo: Any, enabled: Any = True) -> str | None:
    artifact = parse_artifact(build_artifact(geoTargetingEnabled=enabled))
    return needs_geo({"context": {"geo": geo}}, artifact)


def test_address_alone_is_looked_up() -> None:
    assert asks({"ipAddress": "203.0.113.9"}) == "203.0.113.9"
    assert asks({"ipAddress": "203.0.113.9", "city": None, "zip": ""}) == "203.0.113.9"


@pytest.mark.parametrize(
    "geo", [None, {}, {"ipAddress": ""}, {"ipAddress": 5}, {"ipAddress": "203.0.113.9", "city": "BERN"}, PLACE, "x"]
)
def test_nothing_to_look_up(geo: Any) -> None:
    assert asks(geo) is None


def test_no_lookup_where_the_artifact_does_not_ask() -> None:
    assert asks({"ipAddress": "203.0.113.9"}, enabled=False) is None
    assert asks({"ipAddress": "203.0.113.9"}, enabled="true") is None


def test_answer_of_a_lookup() -> None:
    assert parse_geo(ANSWER) == PLACE
    assert parse_geo({"x-geo-latitude": 1, "x-geo-city": "", "x-geo-region-code": ["BE"]}) == {"latitude": 1}
    assert parse_geo({"x-geo-latitude": 0, "x-geo-city": " ", "x-geo-longitude": True}) == {"latitude": 0}
    for nothing in (None, [], "x", 5):
        assert parse_geo(nothing) == {}


def test_variables_and_tokens_leave_out_what_is_not_known() -> None:
    assert build_geo_variables(PLACE) == {
        "country": "CH",
        "region": "BE",
        "city": "BERN",
        "latitude": 46.95,
        "longitude": 7.45,
    }
    assert build_geo_variables({"city": None}) == {}
    tokens = ("geo.city", "geo.country", "geo.state")
    assert build_geo_tokens({"stateCode": "BE", "city": None}, tokens) == {"geo.state": "BE"}


@pytest.mark.parametrize(
    ("written", "published"),
    [
        ("San Francisco", "SANFRANCISCO"),
        (" new\tyork\u00a0city ", "NEWYORKCITY"),
        ("Zürich", "ZURICH"),
        ("Gro\u00dfenhain", "GROSSENHAIN"),
        ("S\u0061\u0303o Paulo", "SAOPAULO"),
        ("\u0130stanbul", "ISTANBUL"),
        ("Bern" * 200, "BERN" * 200),
        ("東京", "東京"),
        ("", ""),
        (["San Francisco", 7, None], ["SANFRANCISCO", 7, None]),
        (7, 7),
        (None, None),
    ],
)
def test_places_have_one_spelling(written: Any, published: Any) -> None:
    assert normalize_place(written) == published
    assert normalize_place(published) == published
