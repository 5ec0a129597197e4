"""Visitors that are made up: by what the conditions of an artifact ask for."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given

from target.batch.engine import Engine
from target.batch.generated import Population
from target.batch.visitors import ask_all
from target.decisioning.artifact import parse_artifact
from target.errors import ArtifactError
from tests.kit.rules import NOW_S, build_artifact, build_rule
from tests.unit.decisioning.test_lint import random_artifacts

TEXT = {"var": "mbox.colour"}


def var(name: str) -> dict[str, str]:
    return {"var": name}


@pytest.mark.parametrize(
    "condition",
    [
        {"==": ["red", TEXT]},
        {"==": [var("mbox.colour_lc"), "red"]},
        {"and": [{"==": ["red", TEXT]}, {"==": ["10", var("mbox.a.b")]}]},
        {"or": [{"==": ["red", TEXT]}, {"==": ["blue", TEXT]}]},
        {"in": [TEXT, ["red", "blue"]]},
        {"in": ["re", TEXT]},
        {"and": [{">": [var("mbox.price"), 10]}, {"<": [var("mbox.price"), 20]}]},
        {"<=": [var("mbox.price"), -5]},
        {"==": [{"substr": [TEXT, 0, 2]}, "re"]},
        *({"==": [var("user.browserType"), name]} for name in ("chrome", "edge", "firefox", "ie", "opera", "safari")),
        {"==": [var("user.browserType"), "ipad"]},
        *({"==": [var("user.platform"), name]} for name in ("windows", "mac", "linux", "android", "ios")),
        {
            "and": [
                {"==": ["US", var("geo.country")]},
                {"==": ["CALIFORNIA", var("geo.region")]},
                {"==": ["X", var("geo.city")]},
            ]
        },
        {"and": [{"<=": [-122.5, var("geo.longitude")]}, {">=": [-122.3, var("geo.longitude")]}]},
        {"==": [var("page.url"), "https://shop.example/a?b=c"]},
        {"in": ["checkout", var("page.url_lc")]},
        {"and": [{"==": [var("page.domain"), "shop.example"]}, {"==": [var("page.path"), "/cart"]}]},
        {"==": [var("page.query"), "a=b"]},
        {"==": [var("page.fragment"), "top"]},
        {"==": [var("page.{parameter=ref}"), "mail"]},
        {"==": [var("referring.domain"), "search.example"]},
    ],
)
def test_every_audience_is_met_by_some_and_missed_by_some(condition: Any) -> None:
    artifact = parse_artifact(build_artifact(build_rule(condition)))
    engine = Engine(artifact, client="acme", now_s=NOW_S, asked=ask_all(artifact))
    met = [bool(engine.decide(visitor)) for visitor in Population(artifact).visitors(1, 200)]
    assert 0 < sum(met) < 200


def test_visitors_have_the_properties_that_rules_are_kept_to() -> None:
    artifact = parse_artifact(build_artifact(build_rule(propertyTokens=["a", "b"])))
    tokens = {visitor.get("property", {}).get("token") for visitor in Population(artifact).visitors(1, 200)}
    assert tokens == {None, "a", "b"}
    without = Population(artifact, with_properties=False)
    assert not any("property" in visitor for visitor in without.visitors(1, 200))


def test_the_same_seed_gives_the_same_visitors_wherever_one_begins() -> None:
    artifact = parse_artifact(build_artifact(build_rule({"==": ["red", TEXT]})))
    once = list(Population(artifact, seed=3).visitors(1, 20))
    assert list(Population(artifact, seed=3).visitors(11, 10)) == once[10:]
    assert list(Population(artifact, seed=4).visitors(1, 20)) != once


@given(data=random_artifacts)
def test_no_artifact_makes_it_fail(data: Any) -> None:
    try:
        artifact = parse_artifact(data)
    except ArtifactError:
        return
    engine = Engine(artifact, client="acme", now_s=NOW_S, asked=ask_all(artifact))
    for visitor in Population(artifact).visitors(1, 5):
        engine.decide(visitor)
