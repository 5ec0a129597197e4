"""Which rules of a place stand in each other's way: what one takes, those below it that ask for the same do not get.

A condition is taken apart into what it says of the visitor's place in the activity and its other clauses, as texts.
A rule takes from one below it when all of its clauses are among those of the other. That finds what is sure, and calls
nothing unreachable that some visitor may reach.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from target.decisioning.ranges import (
    EVERYWHERE,
    NOWHERE,
    Ranges,
    covers_places,
    intersect,
    operation_of,
    places_in,
    reach_of,
    unite,
)
from target.decisioning.rules import Gap, PropertyTokens, Rule

ALLOCATION = "allocation"
# Variables that differ from activity to activity; the one without a name holds them all.
_OF_THE_ACTIVITY = re.compile(r'"allocation|"var": \[?""')


@dataclass(frozen=True, slots=True)
class Claim:
    """What a rule asks for.

    Attributes:
        position: Where it stands in its place, from 0.
        rule: The rule.
        taken: The places in the activity that surely get it, of visitors who meet all ``clauses``.
        wanted: The places that can get it at all.
        clauses: What else has to be true, as texts; none: everybody.
    """

    position: int
    rule: Rule
    taken: Ranges
    wanted: Ranges
    clauses: frozenset[str]

    @property
    def has_share(self) -> bool:
        """Whether it asks for a share of visitors."""
        return self.wanted not in (EVERYWHERE, NOWHERE)

    @property
    def is_plain(self) -> bool:
        """Whether its share is all that depends on the activity."""
        return self.taken == self.wanted and not any(map(_OF_THE_ACTIVITY.search, self.clauses))

    def is_below(self, other: Claim) -> bool:
        """Whether whoever fits this rule fits ``other``, too, but for the place in the activity."""
        return other.clauses <= self.clauses and _is_within(self.rule.property_tokens, other.rule.property_tokens)


@dataclass(slots=True)
class _Taken:
    """What rules with the same clauses take together."""

    claims: list[Claim] = field(default_factory=list)
    ranges: Ranges = NOWHERE

    def add(self, claim: Claim) -> None:
        self.claims.append(claim)
        self.ranges = unite(self.ranges, claim.taken)


def read_claim(position: int, rule: Rule) -> Claim:
    """What ``rule`` asks for."""
    condition = rule.condition
    taken, clauses = EVERYWHERE, set()
    for clause in _clauses(condition):
        reach = reach_of(clause, ALLOCATION)
        if reach.is_exact:
            taken = intersect(taken, reach.surely)
        else:
            clauses.add(json.dumps(clause, sort_keys=True))
    return Claim(position, rule, taken, reach_of(condition, ALLOCATION).perhaps, frozenset(clauses))


def group_claims(rules: Iterable[Rule | Gap], *, by_key: bool) -> list[list[Claim]]:
    """The rules of a place, in order, in groups of which one rule at most is shown.

    That is all of an mbox. Of the page load and of a view one rule is shown for each key.
    """
    groups: dict[str, list[Claim]] = {}
    for position, rule in enumerate(rules):
        if isinstance(rule, Rule):
            groups.setdefault(rule.key if by_key else "", []).append(read_claim(position, rule))
    return list(groups.values())


def find_unreachable(group: list[Claim]) -> Iterator[tuple[Claim, list[Claim]]]:
    """Rules that nobody can reach though somebody could fit them, each with those above it that take all."""
    taken: dict[tuple[str | None, frozenset[str], PropertyTokens], _Taken] = {}
    for claim in group:
        above = [
            each
            for (activity_id, clauses, tokens), each in taken.items()
            if activity_id in (None, claim.rule.activity_id)
            and clauses <= claim.clauses
            and _is_within(claim.rule.property_tokens, tokens)
        ]
        if covers_places(unite(*(each.ranges for each in above)), claim.wanted):
            claims = sorted((each for part in above for each in part.claims), key=lambda each: each.position)
            yield claim, _enough(claims, claim.wanted)
        # Whoever fits a rule without a share gets it, so that it is in the way of other activities, too.
        is_whole = covers_places(claim.taken, EVERYWHERE) and not any(map(_OF_THE_ACTIVITY.search, claim.clauses))
        key = (None if is_whole else claim.rule.activity_id, claim.clauses, claim.rule.property_tokens)
        taken.setdefault(key, _Taken()).add(claim)


def find_overlaps(group: list[Claim]) -> Iterator[tuple[Claim, Claim, Ranges]]:
    """Pairs of rules of one activity and audience, but of two experiences, that ask for the same places."""
    by_audience: dict[tuple[str, frozenset[str]], _Taken] = {}
    for claim in group:
        if not claim.has_share:
            continue
        others = by_audience.setdefault((claim.rule.activity_id, claim.clauses), _Taken())
        for other in others.claims if intersect(claim.taken, others.ranges) else ():
            common = intersect(claim.taken, other.taken)
            if places_in(common) and claim.rule.meta.get("experience.id") != other.rule.meta.get("experience.id"):
                yield other, claim, common
        others.add(claim)


def find_sums(group: list[Claim]) -> Iterator[tuple[list[Claim], Ranges]]:
    """The rules of each activity that visitors of one audience have, and which places these give to any of them.

    For the activities in which any of them asks for a share.
    """
    by_activity: dict[str, list[Claim]] = {}
    for claim in group:
        by_activity.setdefault(claim.rule.activity_id, []).append(claim)
    for claims in by_activity.values():
        if not any(claim.has_share for claim in claims):
            continue
        seen: set[frozenset[int]] = set()
        for one in {(claim.clauses, claim.rule.property_tokens): claim for claim in claims}.values():
            together = [other for other in claims if one.is_below(other)]
            members = frozenset(other.position for other in together)
            if members not in seen and any(other.has_share for other in together):
                seen.add(members)
                yield together, unite(*(other.taken for other in together))


def _clauses(condition: Any) -> Iterator[Any]:
    """The operands of an ``and``, of those in it as well; else the condition alone. Takes any JSON."""
    waiting = [condition]
    while waiting:
        item = waiting.pop()
        operator, arguments = operation_of(item)
        if operator == "and" and arguments:
            waiting += reversed(arguments)
        else:
            yield item


def _enough(claims: list[Claim], wanted: Ranges) -> list[Claim]:
    """The first of ``claims`` that together take all of ``wanted``."""
    taken, needed = NOWHERE, []
    for claim in claims:
        more = intersect(claim.taken, wanted)
        if not covers_places(taken, more):
            needed.append(claim)
            taken = unite(taken, more)
    return needed


def _is_within(tokens: PropertyTokens, wider: PropertyTokens) -> bool:
    return wider is None or (tokens is not None and tokens <= wider)
