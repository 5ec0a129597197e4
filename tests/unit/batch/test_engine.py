"""One visitor after the other: held against what decides a request."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from target.batch.engine import Engine, Shown, name_visitor
from target.batch.generated import Population
from target.batch.visitors import ask_all, build_body, read_row
from target.decisioning.artifact import parse_artifact
from target.decisioning.catalogue import MBOX, PAGE_LOAD, VIEW, experience_id_of
from target.decisioning.decide import decide
from target.errors import ArtifactError
from tests.kit.processes import ROOT
from tests.kit.rules import NOW_S, build_artifact
from tests.unit.decisioning.test_lint import random_artifacts, rule, share

ARTIFACTS = sorted((ROOT / "tests/conformance/scenarios/artifacts").glob("*.json"))


def asked_one_by_one(data: Any, visitor: Any, token: str | None, places: Any) -> list[Shown]:
    """What ``decide`` says of the visitor's request."""
    artifact = parse_artifact(data)
    body = build_body(visitor, ask_all(artifact))
    if token is not None:
        body.setdefault("property", {"token": token})
    decision = decide(body, artifact, client="acme", now_s=NOW_S, new_id=lambda: "", allocations=places)
    kinds = {"pageLoad": PAGE_LOAD, "mbox": MBOX, "view": VIEW}
    return [
        Shown(kinds[kind], name, each.activity_id, experience_id_of(each.meta))
        for _, kind, name, each in decision.shown
    ]


def engine_of(data: Any, token: str | None = None) -> Engine:
    artifact = parse_artifact(data)
    return Engine(artifact, client="acme", now_s=NOW_S, asked=ask_all(artifact), property_token=token)


def test_published_kinds_of_rules_are_decided_alike() -> None:
    assert len(ARTIFACTS) > 10
    for path in (*ARTIFACTS, ROOT / "target/emulator/shop/rules.json"):
        data = json.loads(path.read_text())
        engine = engine_of(data)
        for visitor in Population(engine.artifact).visitors(1, 10):
            assert engine.decide(visitor) == asked_one_by_one(data, visitor, None, None), (path, visitor)


rows = st.fixed_dictionaries(
    {"id": st.sampled_from(["a", "b", "c"])},
    optional={
        "property": st.sampled_from(["p", "allocation", ""]),
        "url": st.sampled_from(["https://shop.example/a?x=1", "no"]),
        "country": st.sampled_from(["US", "a"]),
        "userAgent": st.just("curl/8"),
        "parameters.a": st.sampled_from(["a", "100", ""]),
    },
)


@given(
    data=random_artifacts,
    row=rows,
    token=st.none() | st.sampled_from(["a", "p"]),
    places=st.none() | st.dictionaries(st.sampled_from(["1", "2"]), st.floats(0, 99.99)),
)
def test_any_artifact_is_decided_alike(data: Any, row: Any, token: Any, places: Any) -> None:
    try:
        engine = engine_of(data, token)
    except ArtifactError:
        return
    visitor = read_row(row, "new")
    assert engine.decide(visitor, places) == asked_one_by_one(data, visitor, token, places)


def test_a_narrowed_engine_asks_for_less() -> None:
    rules = {"mboxes": {"one": [rule()], "two": [rule(activity=11)]}, "views": {}}
    engine = engine_of(build_artifact(rules=rules))
    visitor = read_row({"id": "a"}, "new")
    narrowed = engine.narrowed(ask_all(engine.artifact, only=("two",)))
    assert [each.name for each in engine.decide(visitor)] == ["one", "two"]
    assert [each.name for each in narrowed.decide(visitor)] == ["two"]


def test_places_that_are_given_win() -> None:
    engine = engine_of(build_artifact(rule(share(0, 50)), rule(share(50, 100), experience=1)))
    visitor = read_row({"id": "a"}, "new")
    assert [engine.decide(visitor, {"10": place})[0].experience_id for place in (0.0, 99.99)] == ["0", "1"]


def test_a_visitor_is_named_by_the_id_that_decides() -> None:
    assert name_visitor(read_row({"id": "a.38_0", "thirdPartyId": "b"}, "new")) == "a"
    assert name_visitor(read_row({"id": "a", "ecid": "c"}, "new")) == "c"
    assert name_visitor(read_row({}, "new")) == "new"
