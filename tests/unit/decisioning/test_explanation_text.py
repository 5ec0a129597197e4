"""Explanations for terminals."""

from __future__ import annotations

from target.decisioning.artifact import parse_artifact
from target.decisioning.explanation_text import MOST_RULES
from tests.kit.explained import both, var
from tests.kit.rules import VISITOR, ask, build_artifact, build_rule

FIRST_HALF = {"and": [{"<=": [0, var("allocation")]}, {">=": [50, var("allocation")]}]}
GOLD = {"==": ["gold", var("mbox.level")]}


def test_the_whole() -> None:
    rules = [
        build_rule({"and": [FIRST_HALF, GOLD]}, 1, meta={"activity.name": "Sale", "experience.id": 1}),
        build_rule({"or": [GOLD, {"in": ["/sale", var("page.url_lc")]}]}, 2),
        build_rule({"regex": []}, 3),
        build_rule(True, 4),
    ]
    address = {"url": "https://example.com/Sale"}
    body = {"id": VISITOR, "execute": ask("hero", "odd", "quiet", address=address, parameters={"level": "gold"})}
    text = str(both(body, parse_artifact(build_artifact(*rules)))[1])
    assert (
        text
        == """\
Decided on-device with status 206: Some of it only the server can decide

mbox hero (execute): shown by audience
  rule 1 matches
  Only the server can decide all of it: one of its rules cannot be decided here
  rule 0: activity 1 "Sale", experience 1: not in the share
    The visitor's place in the activity is 76.07 %, not in 0 to 50 %
    yes parameter level is "gold" (seen: "gold")
    share: place in the activity is in 0 to 50 % (it is 76.07 %)
  rule 1: activity 2, experience 0: shown
    yes parameter level is "gold" or page URL contains "/sale" (ignoring case)
        yes parameter level is "gold" (seen: "gold")
        yes page URL contains "/sale" (ignoring case) (seen: "https://example.com/sale")
  rule 2: activity 3, experience 0: cannot be decided here
    It cannot be decided here: the operator 'regex' is not known
    ?   {"regex": []}
        the operator 'regex' is not known
  rule 3: activity 4, experience 0: lost
    It matches, and so does rule 1, which is ahead of it
    audience: everybody

mbox odd (execute): default content, since the server has to decide
  Only the server can decide it: the rules do not know it

mbox quiet (execute): default content
  There are no rules for it"""
    )


def test_an_experience_without_content_is_told_of() -> None:
    rule = build_rule(True, consequence={"options": []})
    text = str(both({"execute": ask("hero")}, parse_artifact(build_artifact(rule)))[1])
    assert "experience 0: shown\n    It is the first that matches; it has no content, so that the page" in text


def test_a_visitor_without_an_id_is_told_of() -> None:
    text = str(both({"execute": ask("hero")}, parse_artifact(build_artifact(build_rule(FIRST_HALF))))[1])
    assert "The visitor has no id yet: its places are drawn by lot, and differ with each call" in text


def test_many_rules_are_only_begun() -> None:
    rules = [build_rule(GOLD, number) for number in range(1, MOST_RULES + 8)]
    text = str(both({"execute": ask("hero")}, parse_artifact(build_artifact(*rules)))[1])
    assert text.count("not in the audience\n") == MOST_RULES
    assert text.endswith("  and 7 more rules")


def test_nothing_in_it_is_obeyed_by_a_terminal() -> None:
    evil = "\x1b[2J\u202e\n\u2028 rule 9: shown"
    rule = build_rule({"==": [evil, var("mbox.a")]}, meta={"activity.name": evil, "experience.name": evil})
    body = {"execute": ask("hero", evil, parameters={"a": evil})}
    text = str(both(body, parse_artifact(build_artifact(rule)))[1])
    assert all(line.isprintable() for line in text.split("\n"))
    assert not any(line.startswith(" rule 9") for line in text.split("\n"))
