"""Whatever way the engine takes through a place's rules, it comes to what asking each of them in turn comes to."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from target.decisioning.allocation import allocation_of
from target.decisioning.artifact import parse_artifact, parse_artifact_text
from target.decisioning.decide import Decision, decide
from tests.kit.plain_engine import PlainEngine
from tests.kit.properties import examples
from tests.kit.rules import FIREFOX, build_artifact, build_offer
from tests.unit.decisioning.test_artifact import JSON, REQUEST, WHOLE, places, put

NAMES = ("a", "a_lc", "b", "b.c", "b.c.d", "c", ".c", "d.")
TEXTS = ("x", "X", "", "0", "1", "1.0", "true", "null", "NaN", "x,y", "[object Object]", "ä")
VALUES = st.one_of(
    st.sampled_from(TEXTS),
    st.sampled_from((None, True, False, 0, 1, 1.0, -0.0, float("nan"), [], ["x"], ["x", "y"], {}, {"c": "x"})),
    JSON,
)
VARIABLES = st.one_of(
    st.sampled_from([f"mbox.{name}" for name in NAMES]),
    st.sampled_from(["mbox.a", "mbox.b"]),
    st.sampled_from(["mbox", "", "page.path", "page.domain", "page.path_lc", "page", "geo.city", "allocation"]),
    st.sampled_from(["user.browserType", "user.platform", "current_day", "page.{parameter=a}", "referring.url"]),
)


VISITOR = "v"
EDGES = [
    allocation_of("acme", str(activity), VISITOR) + aside for activity in (1, 2, 3, 4) for aside in (-0.01, 0, 0.01)
]
LIMITS = st.one_of(st.sampled_from((0, 25, 50.5, 75, 100)), st.sampled_from(EDGES))


def share(limits: tuple[float, float]) -> dict[str, Any]:
    low, high = sorted(limits)
    return {"and": [{"<=": [low, {"var": "allocation"}]}, {">=": [high, {"var": "allocation"}]}]}


def equality(names: tuple[str, ...], texts: tuple[str, ...]) -> st.SearchStrategy[Any]:
    """That a text is equal to a parameter."""
    variables = st.sampled_from(names).map(lambda name: {"var": f"mbox.{name}"})
    return st.tuples(st.sampled_from(texts), variables).map(lambda both: {"==": list(both)})


def typical() -> st.SearchStrategy[Any]:
    """What most rules are: a few parameters and texts, which nearly any visitor has one of, and shares."""
    texts, shares = equality(("a", "b", "b.c"), ("x", "X", "1", "")), st.tuples(LIMITS, LIMITS).map(share)
    return st.one_of(
        texts,
        shares,
        st.tuples(texts, shares).map(lambda both: {"and": list(both)}),
        st.tuples(texts, texts).map(lambda both: {"or": list(both)}),
        st.tuples(texts, texts).map(lambda both: {"and": list(both)}),
    )


def clauses() -> st.SearchStrategy[Any]:
    """Single comparisons of any kind."""
    variable = st.one_of(
        VARIABLES.map(lambda name: {"var": name}),
        VARIABLES.map(lambda name: {"var": [name]}),
        st.tuples(VARIABLES, st.sampled_from(["x", None, 1])).map(lambda both: {"var": list(both)}),
    )
    limits = st.one_of(LIMITS, st.floats(), st.integers())
    shares = st.tuples(limits, limits).map(
        lambda both: {"and": [{"<": [both[0], {"var": "allocation"}]}, {">": [both[1], {"var": "allocation"}]}]}
    )
    operand = st.one_of(variable, st.sampled_from([*TEXTS, 1, True, None, ["x", "1"]]))
    odd = st.tuples(st.sampled_from(["==", "!=", "in", "<", "<=", ">", "substr", "unheard"]), operand, operand)
    return st.one_of(
        equality(NAMES, TEXTS), shares, st.booleans(), odd.map(lambda parts: {parts[0]: list(parts[1:])}), variable
    )


CONDITIONS = st.recursive(
    clauses(),
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map(lambda items: {"and": items}),
        st.lists(inner, min_size=1, max_size=3).map(lambda items: {"or": items}),
        inner.map(lambda item: {"!": [item]}),
    ),
    max_leaves=4,
)


@st.composite
def rules(draw: st.DrawFn) -> list[Any]:
    """Rules of a place, many of few activities, in any order."""
    made = []
    kinds = draw(st.sampled_from([typical(), typical(), st.one_of(typical(), typical(), CONDITIONS), CONDITIONS]))
    for condition in draw(st.lists(kinds, min_size=draw(st.sampled_from([0, 8])), max_size=20)):
        activity = draw(st.integers(1, 4))
        content = draw(st.sampled_from(["text", "${mbox.a}", None]))
        metrics = draw(st.sampled_from([[], [], [{"type": "click", "eventToken": f"click-{activity % 2}"}]]))
        option = {"type": "html", "content": content, "eventToken": f"token-{activity}-{len(made) % 2}"}
        tokens = draw(st.sampled_from([None, None, None, [], ["p"], ["q"], "broken"]))
        key = f"{activity}-{draw(st.integers(0, 1))}"
        made.append(build_offer(condition, activity, option, metrics=metrics) | {"ruleKey": key})
        if tokens is not None:
            made[-1]["propertyTokens"] = tokens
    return made


PARAMETERS = st.one_of(
    st.fixed_dictionaries({name: st.sampled_from(("x", "X", "1", "", 1)) for name in ("a", "b")}),
    st.fixed_dictionaries({name: st.sampled_from(("x", "X", "1", "", 1)) for name in ("a", "b.c")}),
    st.dictionaries(st.sampled_from(NAMES), VALUES),
    st.dictionaries(st.text(), VALUES),
    VALUES,
)
PARTS = st.fixed_dictionaries(
    {"parameters": PARAMETERS}, optional={"name": st.one_of(st.sampled_from(["hero", "quiet", "home"]), VALUES)}
)
SECTIONS = st.fixed_dictionaries(
    {"mboxes": st.lists(PARTS.map(lambda part: {"name": "hero", "index": 1, **part}), min_size=1, max_size=3)},
    optional={
        "pageLoad": st.one_of(PARTS, VALUES),
        "views": st.one_of(st.lists(st.one_of(PARTS, st.just({"name": "home"}), VALUES), max_size=3), VALUES),
    },
)
REQUESTS = st.fixed_dictionaries(
    {"execute": st.one_of(SECTIONS, VALUES), "prefetch": SECTIONS},
    optional={
        "id": st.one_of(
            st.just({"tntId": f"{VISITOR}.38_0"}),
            st.text().map(lambda text: {"tntId": text}),
            st.just({"thirdPartyId": "x"}),
            VALUES,
        ),
        "property": st.one_of(st.sampled_from([{"token": "p"}, {"token": "q"}, {"token": ""}]), VALUES),
        "requestId": VALUES,
        "context": st.one_of(
            st.just({"userAgent": FIREFOX, "geo": {"city": "x"}, "address": {"url": "http://x.example/x?a=x"}}),
            st.fixed_dictionaries({}, optional={"geo": VALUES, "address": VALUES, "userAgent": VALUES}),
            VALUES,
        ),
    },
)


def both_ways(artifact: Any, body: Any, given_places: Any = None) -> tuple[Decision, Decision]:
    """What the engine says, and what the plain one says."""
    at = 1_700_000_000.5
    found = decide(body, artifact, client="acme", now_s=at, new_id=lambda: "new", allocations=given_places)
    return found, PlainEngine(body, artifact, given_places).decide()


def check(artifact: Any, body: Any, given_places: Any = None) -> None:
    found, plain = both_ways(artifact, body, given_places)
    assert repr(found) == repr(plain)
    assert [rule for *_, rule in found.shown] == [rule for *_, rule in plain.shown]
    if isinstance(body, dict):
        traced, _ = both_ways(artifact, {**body, "trace": {}}, given_places)
        assert repr(without_traces(traced)) == repr(plain)


def without_traces(decision: Decision) -> Decision:
    for mode in ("execute", "prefetch"):
        section = decision.response.get(mode, {})
        for part in [section.get("pageLoad", {}), *section.get("mboxes", ()), *section.get("views", ())]:
            part.pop("trace", None)
    return decision


@pytest.mark.waits
@given(
    hero=rules(),
    page=rules(),
    home=rules(),
    body=REQUESTS,
    given_places=st.one_of(st.none(), st.dictionaries(st.sampled_from("1234"), st.floats(0, 100))),
)
@settings(max_examples=examples(600))
def test_any_rules_decide_any_request_as_if_each_were_asked(
    hero: Any, page: Any, home: Any, body: Any, given_places: Any
) -> None:
    data = build_artifact(
        rules={"mboxes": {"hero": hero, "target-global-mbox": page}, "views": {"home": home, "cart": page}},
        responseTokens=["geo.city", "activity.id"],
        localMboxes=["hero", "target-global-mbox", 5],
        remoteViews=["far"],
    )
    check(parse_artifact(data), body, given_places)
    check(parse_artifact_text(json.dumps(data).encode()), body, given_places)


UNTRACED = {key: item for key, item in REQUEST.items() if key != "trace"}


@given(path=st.sampled_from(places(UNTRACED)), value=JSON)
@example(path=("prefetch", "views", 0, "name"), value=5)
@settings(max_examples=examples(300))
def test_any_change_of_a_request_is_decided_as_if_each_rule_were_asked(path: tuple[Any, ...], value: Any) -> None:
    check(parse_artifact(WHOLE), put(UNTRACED, path, value) if path else {})
