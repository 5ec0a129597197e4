"""Which experience a visitor of an activity should have got how often: what a count is held against.

A visitor counts once it got any experience of the activity, so that audiences and activities of higher priority, which
decide who comes before the activity at all, are no matter. What is left to chance is the visitor's place in the
activity, and the question is how many of the 10,000 places give which experience.

- Where all rules of an activity ask for the same but for their shares, and stand side by side, that is the shares.
- Elsewhere it depends on the visitor: on which of the audiences it is in, and what stands in between. Then the visitor
  is decided for once more at each place that makes a difference, with all else as it is.

Visitors for whom the answer is the same are a stratum.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from target.batch.engine import Engine, Shown
from target.batch.visitors import Asked
from target.decisioning.artifact import Artifact
from target.decisioning.catalogue import experience_id_of
from target.decisioning.ranges import PLACES, Ranges, intersect, invert, operation_of, places_in, reach_of, unite
from target.decisioning.rivals import ALLOCATION, Claim, group_claims
from target.decisioning.rules import Gap

#: Experiences by id, with how many of the 10,000 places give each.
Stratum = tuple[tuple[str, int], ...]

MAX_PROBES = 64
_MAX_DEPTH = 64


class Expectations:
    """What is expected of each activity that gives shares.

    Args:
        engine: By which visitors are decided for.
    """

    def __init__(self, engine: Engine) -> None:
        self._known: dict[str, Stratum] = {}
        self._probed: dict[str, tuple[Engine, list[tuple[float, int]]]] = {}
        self.untested: dict[str, str] = {}
        for activity_id, groups in _groups_of(engine.artifact, engine.asked).items():
            rules = [claim.rule for claims, _, _ in groups for claim in claims]
            if not any(_holds_allocation(rule.condition) for rule in rules):
                continue
            stratum = _same_for_all(groups)
            if stratum is not None:
                self._known[activity_id] = stratum
                continue
            probes = _probes([rule.condition for rule in rules])
            if len(probes) > MAX_PROBES:
                self.untested[activity_id] = f"its rules tell {len(probes):,} shares apart"
                continue
            self._probed[activity_id] = (engine.narrowed(_places_of(groups, engine)), probes)

    def stratum_of(self, activity_id: str, visitor: Mapping[str, Any]) -> Stratum | None:
        """Which places give which experience to a visitor who got one; None where the activity has no shares."""
        known = self._known.get(activity_id)
        if known is not None or activity_id not in self._probed:
            return known
        engine, probes = self._probed[activity_id]
        weights: Counter[str] = Counter()
        for place, count in probes:
            got = first_of(activity_id, engine.decide(visitor, {activity_id: place}))
            if got is not None:
                weights[got] += count
        return tuple(sorted(weights.items()))


def first_of(activity_id: str, shown: list[Shown]) -> str | None:
    """The experience of an activity that a visitor got; the first, where it got several."""
    return next((each.experience_id for each in shown if each.activity_id == activity_id), None)


_Group = tuple[list[Claim], bool, tuple[str, str]]  # its rules, whether nothing stands in between, and the place


def _groups_of(artifact: Artifact, asked: Asked) -> dict[str, list[_Group]]:
    """By activity, its rules in each place, and for each key where a place shows one rule for each key."""
    found: dict[str, list[_Group]] = {}
    mboxes = [*asked.mboxes, *([artifact.global_mbox] if asked.page_load else [])]
    for kind, places, names in (("mboxes", artifact.mboxes, mboxes), ("views", artifact.views, asked.views)):
        for name in names:
            rules = places[name].rules
            for group in group_claims(rules, by_key=kind == "views" or name == artifact.global_mbox):
                by_activity: dict[str, list[Claim]] = {}
                for claim in group:
                    by_activity.setdefault(claim.rule.activity_id, []).append(claim)
                for activity_id, claims in by_activity.items():
                    first, last = claims[0].position, claims[-1].position
                    inside = [claim for claim in group if first <= claim.position <= last]
                    gaps = any(isinstance(rule, Gap) for rule in rules[first:last])
                    row = (claims, len(inside) == len(claims) and not gaps, (kind, name))
                    found.setdefault(activity_id, []).append(row)
    return found


def _same_for_all(groups: list[_Group]) -> Stratum | None:
    """The stratum of every visitor of an activity; None where visitors differ."""
    divisions = set()
    for claims, is_together, _ in groups:
        asks = {(claim.clauses, claim.rule.property_tokens) for claim in claims}
        if not is_together or len(asks) > 1 or not all(claim.is_plain for claim in claims):
            return None
        divisions.add(_divide(claims))
    if len(divisions) > 1:
        return None
    weights: Counter[str] = Counter()
    for experience_id, runs in divisions.pop():
        weights[experience_id] += sum(stop - start for start, stop in runs)
    return tuple(sorted((each, count) for each, count in weights.items() if count))


def _divide(claims: list[Claim]) -> tuple[tuple[str, tuple[tuple[int, int], ...]], ...]:
    """Which places each experience gets, from rules of which the first that fits is shown."""
    given: dict[str, Ranges] = {}
    taken: Ranges = ()
    for claim in claims:
        experience_id = experience_id_of(claim.rule.meta)
        more = intersect(claim.taken, invert(taken))
        given[experience_id] = unite(given.get(experience_id, ()), more)
        taken = unite(taken, claim.taken)
    return tuple(sorted((each, tuple(places_in(ranges))) for each, ranges in given.items()))


def _probes(conditions: list[Any]) -> list[tuple[float, int]]:
    """A place of each kind that the conditions tell apart, and how many places are of that kind."""
    bounds = {0, PLACES}
    for condition in conditions:
        for part in _parts(condition):
            for start, stop in places_in(reach_of(part, ALLOCATION).perhaps):
                bounds |= {start, stop}
    edges = sorted(bounds)
    return [(start / 100, stop - start) for start, stop in itertools.pairwise(edges)]


def _parts(logic: Any, depth: int = 0) -> Iterator[Any]:
    yield logic
    if depth < _MAX_DEPTH:
        for item in operation_of(logic)[1]:
            if isinstance(item, Mapping):
                yield from _parts(item, depth + 1)


def _holds_allocation(condition: Any) -> bool:
    return any(
        operation_of(part) == ("var", [ALLOCATION]) or operation_of(part) == ("var", [""]) for part in _parts(condition)
    )


def _places_of(groups: list[_Group], engine: Engine) -> Asked:
    """What has to be asked for to see what an activity gives."""
    places = dict.fromkeys(place for _, _, place in groups)
    mboxes = [name for kind, name in places if kind == "mboxes"]
    page_load = engine.artifact.global_mbox in mboxes
    return Asked(
        mboxes=tuple(name for name in mboxes if name != engine.artifact.global_mbox),
        views=tuple(name for kind, name in places if kind == "views"),
        page_load=page_load,
    )
