"""An explanation as text, for a terminal."""

from __future__ import annotations

from collections.abc import Iterator

from target.decisioning.explanation import ExplainedClause, ExplainedPart, ExplainedRule, Explanation
from target.decisioning.labels import describe_ranges, describe_value, finished, name_of
from target.decisioning.words import EVERYBODY

#: Of one part, and of one clause; ``to_dict`` has them all.
MOST_RULES = 100
MOST_CLAUSES = 50

KINDS = {"mbox": "mbox", "view": "view", "pageLoad": "page load"}
VERDICTS = {
    "won": "shown",
    "lost": "lost",
    "audience": "not in the audience",
    "share": "not in the share",
    "property": "another property",
    "undecidable": "cannot be decided here",
    "below undecidable": "held back",
    "overridden": "overridden",
}
_HOLDS = {True: "yes", False: "no", None: "?"}
_WORDS = {
    "split": "shown by the visitor's share",
    "targeting": "shown by audience",
    "default": "default content",
    "remote": "default content, since the server has to decide",
    "override": "shown by an override",
}


def write_text(explanation: Explanation) -> str:
    """``explanation`` in lines, of which none holds anything that a terminal would obey."""
    lines = [f"Decided {explanation.decided_by} with status {explanation.status}: {explanation.why}"]
    if explanation.visitor == "new":
        lines.append("The visitor has no id yet: its places are drawn by lot, and differ with each call")
    for part in explanation.parts:
        lines += ["", *_part(part)]
    return "\n".join(map(_line, lines))


def title_of(part: ExplainedPart) -> str:
    """What ``part`` is, and what became of it."""
    return f"{KINDS[part.kind]} {part.name} ({part.mode}): {_WORDS[part.reason]}"


def rule_title(rule: ExplainedRule) -> str:
    """Which rule ``rule`` is."""
    activity = f"activity {_named(rule.activity_id, rule.activity_name)}"
    return f"{activity}, experience {_named(rule.experience_id, rule.experience_name)}"


def seen_in(clause: ExplainedClause) -> str:
    """What is seen where ``clause`` looks, in words."""
    seen = list(clause.seen.items())
    if len(seen) == 1:
        return describe_value(seen[0][1], seen[0][0])
    return ", ".join(f"{name_of(name)} {describe_value(value, name)}" for name, value in seen)


def share_of_rule(rule: ExplainedRule) -> str:
    """Where the visitor's place has to be, and is; empty where the rule does not ask for it."""
    if rule.place is None:
        return ""
    return f"place in the activity is in {describe_ranges(rule.ranges)} (it is {describe_value(rule.place)} %)"


def _part(part: ExplainedPart) -> Iterator[str]:
    yield title_of(part)
    yield f"  {part.why}"
    if part.why_remote is not None and part.reason != "remote":
        yield f"  Only the server can decide all of it: {part.why_remote}"
    for rule in part.rules[:MOST_RULES]:
        yield f"  rule {rule.position}: {rule_title(rule)}: {VERDICTS[rule.verdict]}"
        if not rule.has_won or not rule.has_content:
            yield f"    {rule.why}"
        for clause in rule.clauses[:MOST_CLAUSES]:
            yield from _clause(clause, "    ")
        if not rule.clauses and rule.verdict != "undecidable":
            yield f"    audience: {EVERYBODY}"
        if share := share_of_rule(rule):
            yield f"    share: {share}"
    if len(part.rules) > MOST_RULES:
        yield f"  and {len(part.rules) - MOST_RULES} more rules"


def _clause(clause: ExplainedClause, indent: str) -> Iterator[str]:
    yield f"{indent}{_HOLDS[clause.holds]:3} {_with_seen(clause)}"
    for part in clause.parts[:MOST_CLAUSES]:
        yield from _clause(part, f"{indent}    ")
    if clause.why is not None and not clause.parts:
        yield f"{indent}    {clause.why}"


def _with_seen(clause: ExplainedClause) -> str:
    return f"{clause.words} (seen: {seen_in(clause)})" if clause.seen else clause.words


def _named(given_id: str | None, name: str | None) -> str:
    known = "?" if given_id is None else given_id
    return known if name is None else f"{known} {describe_value(name)}"


def _line(text: str) -> str:
    stripped = text.lstrip(" ")
    return f"{' ' * (len(text) - len(stripped))}{finished(stripped)}"
