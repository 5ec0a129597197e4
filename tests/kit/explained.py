"""Explanations held against the decisions that they are about."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping
from typing import Any

from hypothesis import strategies as st

from target.decisioning.artifact import Artifact
from target.decisioning.decide import Decision, decide
from target.decisioning.explain import explain
from target.decisioning.explanation import ExplainedClause, Explanation
from target.reasons import PartDecision
from tests.kit.rules import FIREFOX, NOW_S, build_artifact, build_rule


def both(body: Mapping[str, Any], artifact: Artifact, **arguments: Any) -> tuple[Decision, Explanation]:
    """What is decided, and why; each with ids of its own that are the same."""
    wanted = {"client": "acme", "now_s": NOW_S, **arguments}
    made = [itertools.count(1) for _ in range(2)]
    ids = [(lambda count=count: f"id-{next(count)}") for count in made]
    return decide(body, artifact, **wanted, new_id=ids[0]), explain(body, artifact, **wanted, new_id=ids[1])


def differences(decision: Decision, told: Explanation, artifact: Artifact) -> Iterator[str]:
    """Where an explanation and its decision do not agree, and where it contradicts itself."""
    if told.status != decision.response["status"]:
        yield f"status {told.status}"
    if (list(told.remote_mboxes), list(told.remote_views)) != (decision.remote_mboxes, decision.remote_views):
        yield f"remote: {told.remote_mboxes} and {told.remote_views}"
    won = []
    for part in told.parts:
        if part.is_remote is not (part.name in (told.remote_views if part.kind == "view" else told.remote_mboxes)):
            yield f"{part.name} is remote: {part.is_remote}"
        places = artifact.views if part.kind == "view" else artifact.mboxes
        rules = places[part.name].rules
        if len(rules) != len(part.rules):
            yield f"{part.name} has {len(rules)} rules, not {len(part.rules)}"
        won += [(part.mode, part.kind, part.name, rules[rule.position]) for rule in part.won]
        yield from _contradictions(part)
    if won != decision.shown:
        yield f"{won} are said to be shown, but {decision.shown} are"
    yield from _other_outcomes(decision, told)
    for mode in ("execute", "prefetch"):
        answers = decision.response.get(mode, {}).get("mboxes", [])
        explained = [part for part in told.parts if (part.mode, part.kind) == (mode, "mbox")]
        if ["options" in answer for answer in answers] != [bool(part.won) for part in explained]:
            yield f"mboxes of {mode}"
    json.dumps(told.to_dict(), allow_nan=False)


def _other_outcomes(decision: Decision, told: Explanation) -> Iterator[str]:
    """What ``result.meta`` says otherwise."""
    outcomes = list(decision.outcomes()())
    won = [
        PartDecision(
            part.kind,
            part.name,
            part.mode,
            outcome.reason,
            rule.activity_id,
            rule.activity_name,
            rule.experience_id,
            rule.experience_name,
        )
        for (part, rule), outcome in zip(
            [(part, rule) for part in told.parts for rule in part.won],
            [each for each in outcomes if each.activity_id is not None],
            strict=True,
        )
    ]
    if won != [each for each in outcomes if each.activity_id is not None]:
        yield f"{outcomes}, but {won} won"
    said = [((each.kind, each.name, each.mode), each.reason) for each in outcomes if each.activity_id is None]
    others = [((part.kind, part.name, part.mode), part.reason) for part in told.parts if not part.won]
    if [each for each in said if each[0][0] != "view"] != [each for each in others if each[0][0] != "view"]:
        yield f"{said}, but {others}"
    if not set(said) <= set(others):
        yield f"{said} of {others}"
    remote = {part for part, reason in others if part[0] == "view" and reason == "remote"}
    if not remote <= {part for part, _ in said} | {(each.kind, each.name, each.mode) for each in won}:
        yield f"{said}, but {remote} are remote"


def _contradictions(part: Any) -> Iterator[str]:
    if (part.reason in ("split", "targeting")) is not bool(part.won):
        yield f"{part.name}: {part.reason} with {part.won}"
    if part.reason == "remote" and not part.is_remote:
        yield f"{part.name} is remote and is not"
    for rule in part.rules:
        where = f"{part.name}, rule {rule.position}, {rule.verdict}"
        verdicts = list(_verdicts(rule.clauses))
        if rule.verdict in ("won", "lost", "below undecidable"):
            if not all(clause.holds for clause in rule.clauses) or None in verdicts:
                yield f"{where}: {rule.clauses}"
            if rule.place is not None and not any(least <= rule.place <= most for least, most in rule.ranges):
                yield f"{where}: {rule.place} is not in {rule.ranges}"
        if rule.verdict == "audience" and all(clause.holds for clause in rule.clauses):
            yield f"{where}: all of {rule.clauses} hold"
        if (rule.behind is None) is (rule.verdict in ("lost", "below undecidable")):
            yield f"{where}: behind {rule.behind}"
        if rule.behind is not None and rule.behind >= rule.position:
            yield f"{where}: behind {rule.behind}"


def _verdicts(clauses: tuple[ExplainedClause, ...]) -> Iterator[bool | None]:
    for clause in clauses:
        yield clause.holds
        yield from _verdicts(clause.parts)


def var(name: str) -> dict[str, Any]:
    """What reads a variable."""
    return {"var": name}


_SHARES = st.tuples(st.integers(0, 100), st.integers(0, 100)).map(
    lambda ends: {"and": [{"<=": [min(ends), var("allocation")]}, {">=": [max(ends), var("allocation")]}]}
)
_CLAUSES = st.sampled_from(
    [
        True,
        False,
        {"==": ["US", var("geo.country")]},
        {"in": [var("geo.city"), ["San Francisco", "BERN"]]},
        {"==": ["firefox", var("user.browserType")]},
        {"==": ["iphone", var("user.browserType")]},
        {"<": [var("user.browserVersion"), 79]},
        {"==": ["gold", var("mbox.level_lc")]},
        {"!=": [var("mbox.level"), "gold"]},
        {">=": [var("mbox.total"), 100]},
        {"==": ["stage.example.com", var("page.domain")]},
        {"in": ["/sale", var("page.url_lc")]},
        {"==": ["https://s", {"substr": [var("page.url"), 0, 9]}]},
        {"==": ["a", var("page.{parameter=campaign}")]},
        {"<=": [0, var("current_timestamp"), 4_000_000_000_000]},
        {"==": ["2", var("current_day")]},
        {"<": [30, var("allocation")]},
        {"regex": ["a", var("page.url")]},
        {"==": ["x", var("profile.visits")]},
        var("mbox.level"),
        {"==": [var("page.domain"), var("referring.domain")]},
    ]
)
_CONDITIONS = st.recursive(
    st.one_of(_CLAUSES, _SHARES),
    lambda inner: st.one_of(
        st.tuples(st.sampled_from(["and", "or"]), st.lists(inner, min_size=1, max_size=3)).map(lambda t: dict([t])),
        inner.map(lambda item: {"!": item}),
    ),
    max_leaves=5,
)
_RULES = st.lists(
    st.builds(
        lambda condition, activity, key, tokens: build_rule(
            condition, activity, ruleKey=key, **({} if tokens is None else {"propertyTokens": tokens})
        ),
        _CONDITIONS,
        st.integers(1, 3),
        st.sampled_from(["a", "b", "c", None]),
        st.sampled_from([None, None, [], ["p"], ["q"]]),
    ),
    max_size=5,
)
_MBOXES, _VIEWS = ("hero", "quiet", "target-global-mbox", "unknown"), ("home", "cart", "unknown")


def _some(names: tuple[str, ...]) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(names), max_size=3)


#: Artifacts with rules of all kinds, some of which cannot be decided.
ARTIFACTS = st.builds(
    lambda mboxes, views, **changes: build_artifact(
        rules={"mboxes": mboxes, "views": views}, **{key: value for key, value in changes.items() if value is not None}
    ),
    st.dictionaries(st.sampled_from(_MBOXES[:3]), _RULES),
    st.dictionaries(st.sampled_from(_VIEWS[:2]), _RULES),
    localMboxes=st.one_of(st.none(), _some(_MBOXES)),
    localViews=st.one_of(st.none(), _some(_VIEWS)),
    remoteMboxes=st.one_of(st.none(), _some(_MBOXES)),
    remoteViews=st.one_of(st.none(), _some(_VIEWS)),
)
_PART: dict[Any, st.SearchStrategy[Any]] = {
    "parameters": st.sampled_from([None, {"level": "gold"}, {"level": "Gold", "total": "120"}, {"level": 7}]),
    "address": st.sampled_from([None, {"url": "https://stage.example.com/Sale?campaign=a"}]),
}
_SECTIONS = st.fixed_dictionaries(
    {},
    optional={
        "pageLoad": st.fixed_dictionaries(_PART),
        "mboxes": st.lists(st.fixed_dictionaries({"name": st.sampled_from(_MBOXES), **_PART}), max_size=3),
        "views": st.lists(st.fixed_dictionaries({"name": st.sampled_from([*_VIEWS, None]), **_PART}), max_size=3),
    },
)
#: Requests to decide from these.
REQUESTS = st.fixed_dictionaries(
    {
        "id": st.sampled_from([{"tntId": f"visitor-{number}.38_0"} for number in range(8)] + [{}, None]),
        "context": st.fixed_dictionaries(
            {
                "userAgent": st.sampled_from([None, FIREFOX, "Mozilla/5.0 (iPhone; CPU iPhone OS 16_0 like Mac OS X)"]),
                "geo": st.sampled_from([None, {"countryCode": "us", "city": "SANFRANCISCO"}, {"city": "Bern"}]),
                "address": st.sampled_from([None, {"url": "http://stage.example.com/", "referringUrl": "http://a.b"}]),
            }
        ),
        "property": st.sampled_from([None, {"token": "p"}, {"token": "q"}]),
    },
    optional={"execute": _SECTIONS, "prefetch": _SECTIONS},
)
