"""What each part of a decision comes to."""

from __future__ import annotations

import gc
import json
from types import ModuleType
from typing import Any

from target.decisioning.artifact import Artifact, parse_artifact_text
from target.decisioning.artifact_text import Passage
from target.decisioning.decide import Decision
from target.decisioning.rules import Rule
from target.reasons import PartDecision
from tests.kit.rules import ask, build_artifact, build_rule, run

SHARE: dict[str, Any] = {"and": [{"<": [50, {"var": "allocation"}]}, {">=": [100, {"var": "allocation"}]}]}
GOLD = {"==": ["gold", {"var": "mbox.level"}]}
META = {"activity.name": "Sale", "experience.id": 1, "experience.name": "Red"}


def outcomes(decision: Decision) -> list[PartDecision]:
    return list(decision.outcomes()())


def test_of_each_mbox_in_the_order_asked() -> None:
    artifact = build_artifact(build_rule(GOLD, 1), build_rule(SHARE, 1, meta=META))
    hero = {"name": "hero", "parameters": {"level": "gold"}}
    decision = run(artifact, execute={"mboxes": [hero, {"name": "quiet"}, {"name": "hero"}, {"name": "odd"}]})
    assert outcomes(decision) == [
        PartDecision("mbox", "hero", "execute", "targeting", "1", None, "0"),
        PartDecision("mbox", "quiet", "execute", "default"),
        PartDecision("mbox", "hero", "execute", "split", "1", "Sale", "1", "Red"),
        PartDecision("mbox", "odd", "execute", "remote"),
    ]


def test_of_a_page_load_each_activity() -> None:
    rules = [build_rule(True, 1), build_rule(SHARE, 2), build_rule(GOLD, 3)]
    artifact = build_artifact(rules={"mboxes": {"target-global-mbox": rules}})
    decision = run(artifact, execute={"pageLoad": {}}, prefetch={"pageLoad": {}, **ask("target-global-mbox")})
    assert [(each.kind, each.mode, each.reason, each.activity_id) for each in outcomes(decision)] == [
        ("pageLoad", "execute", "targeting", "1"),
        ("pageLoad", "execute", "split", "2"),
        ("pageLoad", "prefetch", "targeting", "1"),
        ("pageLoad", "prefetch", "split", "2"),
        ("mbox", "prefetch", "targeting", "1"),
    ]


def test_of_all_views_those_that_show_something_or_are_remote() -> None:
    views = {"home": [build_rule(GOLD)], "cart": [build_rule(True, 2)]}
    artifact = build_artifact(rules={"views": views}, remoteViews=["far"])
    assert outcomes(run(artifact, prefetch={"views": [{}]})) == [
        PartDecision("view", "cart", "prefetch", "targeting", "2", None, "0"),
        PartDecision("view", "far", "prefetch", "remote"),
    ]
    named = outcomes(run(artifact, prefetch={"views": [{}, {"name": "home"}, {"name": "odd"}]}))
    assert [(each.name, each.reason) for each in named] == [
        ("home", "default"),
        ("odd", "remote"),
        ("cart", "targeting"),
        ("far", "remote"),
    ]


def test_what_is_ahead_of_a_gap_is_said_though_its_mbox_is_remote() -> None:
    artifact = build_artifact(build_rule(True, 1), build_rule({"odd": []}, 2))
    decision = run(artifact, execute=ask("hero"))
    assert decision.remote_mboxes == ["hero"]
    assert [each.reason for each in outcomes(decision)] == ["targeting"]


def test_names_that_are_none_are_left_out() -> None:
    meta = {"activity.name": ["Sale"], "experience.id": True, "experience.name": ""}
    (outcome,) = outcomes(run(build_artifact(build_rule(True, 1, meta=meta)), execute=ask("hero")))
    assert (outcome.activity_name, outcome.experience_id, outcome.experience_name) == (None, None, None)


def test_who_keeps_it_keeps_no_rule_and_no_text_of_the_artifact() -> None:
    """A result may be kept for long, in a cache of pages: an artifact may have 64 MiB."""
    artifact = parse_artifact_text(json.dumps(build_artifact(build_rule())).encode())
    kept = run(artifact, execute=ask("hero")).outcomes()
    seen: dict[int, Any] = {}
    waiting: list[Any] = [kept.args, kept.keywords]  # type: ignore[attr-defined]
    while waiting:
        each = waiting.pop()
        if id(each) not in seen and not isinstance(each, type | ModuleType):
            seen[id(each)] = each
            waiting += gc.get_referents(each)
    assert any(each == "10" for each in seen.values())
    assert not [each for each in seen.values() if isinstance(each, Rule | Passage | Artifact)]
