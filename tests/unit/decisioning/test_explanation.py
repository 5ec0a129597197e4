"""What explanations say as data, and what they keep to themselves."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import pytest

from target.decisioning.artifact import parse_artifact
from target.decisioning.explanation import ExplainedClause, Explanation
from tests.kit.explained import both, var
from tests.kit.rules import VISITOR, ask, build_artifact, build_rule

SECRET = {"==": ["x", var("mbox.token")]}


def explained(**parameters: Any) -> Explanation:
    body = {"id": VISITOR, "execute": ask("hero", parameters=parameters)}
    return both(body, parse_artifact(build_artifact(build_rule(SECRET, meta={"activity.name": "Sale"}))))[1]


def test_the_whole_as_plain_json() -> None:
    told = explained(token="secret").to_dict()
    assert json.loads(json.dumps(told)) == told
    (part,) = told.pop("parts")
    assert told == {
        "status": 200,
        "decidedBy": "on-device",
        "why": "The rules decide all of it",
        "visitor": "tntId",
        "property": None,
        "remoteMboxes": [],
        "remoteViews": [],
        "now": 1_700_000_000_500,
    }
    (rule,) = part.pop("rules")
    assert part == {
        "kind": "mbox",
        "name": "hero",
        "mode": "execute",
        "index": 0,
        "reason": "default",
        "why": "No rule of it matches",
        "isRemote": False,
        "whyRemote": None,
    }
    clause = {"words": 'parameter token is "x"', "holds": False, "wanted": ["x"], "seen": {"mbox.token": "secret"}}
    assert rule == {
        "position": 0,
        "verdict": "audience",
        "why": 'The visitor is not in its audience: parameter token is "x"',
        "activity": {"id": "10", "name": "Sale", "type": None},
        "experience": {"id": None, "name": None},
        "ruleKey": "10",
        "audience": 'parameter token is "x"',
        "clauses": [clause],
        "place": None,
        "ranges": [],
        "behind": None,
        "propertyTokens": None,
        "hasContent": True,
    }


def test_no_repr_shows_what_the_visitor_sent() -> None:
    whole = explained(token="secret")
    (part,) = whole.parts
    (rule,) = part.rules
    for each in (whole, part, rule, rule.clauses[0]):
        assert "secret" not in repr(each)
        assert type(each).__name__ in repr(each)
    assert "secret" in str(whole)


@pytest.mark.parametrize(
    ("seen", "plain"),
    [(math.nan, "NaN"), (math.inf, "Infinity"), ({"a": [1, {"b": None}]}, {"a": [1, {"b": None}]}), ({1}, "…")],
)
def test_what_is_seen_becomes_json(seen: Any, plain: Any) -> None:
    clause = ExplainedClause(words="", holds=None, seen={"mbox.a": seen}, why="so")
    assert clause.to_dict() == {"words": "", "holds": None, "wanted": [], "seen": {"mbox.a": plain}, "why": "so"}


def test_what_is_seen_is_bounded() -> None:
    deep: Any = "end"
    for _ in range(10_000):
        deep = [deep]
    clause = ExplainedClause(words="", holds=None, seen={"mbox.a": deep})
    assert len(json.dumps(clause.to_dict())) < 300
    while isinstance(deep, list):
        deep = deep.pop()  # or the interpreter recurses to free it


def test_they_are_values() -> None:
    assert explained(token="a") == explained(token="a")
    assert explained(token="a") != explained(token="b")
    assert replace(explained(), status=206).status == 206


def test_what_an_override_shows_is_no_rule() -> None:
    (part,) = explained(token="x").parts
    (rule,) = part.rules
    assert (part.reason, rule.verdict) == ("targeting", "won")
    changed = replace(part, is_remote=True, why_remote="so").overridden()
    assert changed == replace(
        part,
        reason="override",
        why="An override is shown, whatever the rules say",
        is_remote=False,
        why_remote=None,
        rules=(
            replace(
                rule,
                verdict="overridden",
                why="It is the first that matches, but an override is shown in its place",
            ),
        ),
    )
    assert changed.won == ()
    (part,) = explained(token="other").parts
    assert part.overridden().rules == part.rules
