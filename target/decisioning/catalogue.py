"""What an artifact holds, for people: its activities, their experiences, who gets them, and where.

Read from the rules that the engine decides by. A rule that it cannot decide is no part of it (see ``lint``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from target.decisioning.artifact import Artifact
from target.decisioning.coercion import to_text
from target.decisioning.ranges import EVERYWHERE, Ranges, in_percent, reach_of, unite
from target.decisioning.rules import Rule
from target.decisioning.words import describe

#: The kinds of places, as people are told of them.
MBOX = "mbox"
VIEW = "view"
PAGE_LOAD = "page load"

_ALLOCATION = "allocation"
_TIME = "current_timestamp"


@dataclass(frozen=True, slots=True, kw_only=True)
class Experience:
    """One experience of an activity.

    Attributes:
        id: As the artifact gives it, e.g. ``0``; empty where it gives none.
        name: As the author called it; None where the artifact does not say.
        shares: The ranges of places, in percent from ``least`` up to ``most``, that get it; none where its rules ask
            for no place, so that everybody of the audience gets it. ``(0, 0)`` where nobody does.
        audience: Who gets it, in words; empty for everybody.
        places: Where it is shown: ``mbox``, ``view`` or ``page load``, and the name.
        rule_keys: The keys of its rules.
        offers: Names (else ids) of the offers that it shows.
        starts_s: When it can be shown for the first time, in epoch seconds; None where its rules set no date.
        ends_s: Likewise the last time.
    """

    id: str
    name: str | None
    shares: tuple[tuple[float, float], ...]
    audience: str
    places: tuple[tuple[str, str], ...]
    rule_keys: tuple[str, ...]
    offers: tuple[str, ...]
    starts_s: float | None
    ends_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    """One activity.

    Attributes:
        id: As the artifact gives it, e.g. ``125877``.
        name: As the author called it; None where the artifact does not say.
        type: As the artifact writes it: ``ab`` for A/B tests, ``landing`` for experience targeting; None where it
            does not say.
        experiences: In the order of the artifact.
        property_tokens: The properties that it is kept to; none where it is for all.
    """

    id: str
    name: str | None
    type: str | None
    experiences: tuple[Experience, ...]
    property_tokens: tuple[str, ...]


class PlacedRule(NamedTuple):
    """A rule, and where it stands."""

    kind: str
    name: str
    rule: Rule

    @property
    def experience_id(self) -> str:
        """The id of its experience; empty where the artifact gives none."""
        return experience_id_of(self.rule.meta)


def list_activities(artifact: Artifact) -> tuple[Activity, ...]:
    """The activities of ``artifact``, in the order in which it first names them. Compiles all its rules."""
    by_activity: dict[str, list[PlacedRule]] = {}
    for placed in list_rules(artifact):
        by_activity.setdefault(placed.rule.activity_id, []).append(placed)
    return tuple(_build_activity(activity_id, rules) for activity_id, rules in by_activity.items())


def list_rules(artifact: Artifact) -> Iterator[PlacedRule]:
    """All rules that can be decided, each place in its order of priority."""
    for name in artifact.mboxes:
        kind = PAGE_LOAD if name == artifact.global_mbox else MBOX
        yield from (PlacedRule(kind, name, rule) for rule in artifact.mboxes[name].rules if isinstance(rule, Rule))
    for name in artifact.views:
        yield from (PlacedRule(VIEW, name, rule) for rule in artifact.views[name].rules if isinstance(rule, Rule))


def experience_id_of(meta: Mapping[str, Any]) -> str:
    """The id of the experience that a rule's ``meta`` names; empty where it names none."""
    return _text(meta.get("experience.id")) or ""


def _build_activity(activity_id: str, rules: list[PlacedRule]) -> Activity:
    by_experience: dict[str, list[PlacedRule]] = {}
    for placed in rules:
        by_experience.setdefault(placed.experience_id, []).append(placed)
    return Activity(
        id=activity_id,
        name=_first(rules, "activity.name"),
        type=_first(rules, "activity.type"),
        experiences=tuple(_build_experience(each, its_rules) for each, its_rules in by_experience.items()),
        property_tokens=_property_tokens(rules),
    )


def _build_experience(experience_id: str, rules: list[PlacedRule]) -> Experience:
    conditions = [placed.rule.condition for placed in rules]
    times = unite(*(reach_of(condition, _TIME).perhaps for condition in conditions))
    bounds = (times[0][0], times[-1][1]) if times else (None, None)
    return Experience(
        id=experience_id,
        name=_first(rules, "experience.name"),
        shares=_shares(conditions),
        audience=_any_of(dict.fromkeys(map(describe, conditions))),
        places=tuple(dict.fromkeys((placed.kind, placed.name) for placed in rules)),
        rule_keys=tuple(dict.fromkeys(placed.rule.key for placed in rules)),
        offers=tuple(dict.fromkeys(offer for placed in rules if (offer := _offer(placed.rule.meta)))),
        starts_s=_seconds(bounds[0]),
        ends_s=_seconds(bounds[1]),
    )


def _shares(conditions: Iterable[Any]) -> Ranges:
    ranges = unite(*(reach_of(condition, _ALLOCATION).perhaps for condition in conditions))
    return () if ranges == EVERYWHERE else in_percent(ranges) or ((0.0, 0.0),)


def _any_of(audiences: Iterable[str]) -> str:
    """What fits any of the audiences, in words."""
    texts = list(audiences)
    if len(texts) == 1:
        return texts[0]
    return "" if "" in texts else " or ".join(f"({text})" for text in texts)


def _property_tokens(rules: Iterable[PlacedRule]) -> tuple[str, ...]:
    tokens: dict[str, None] = {}
    for placed in rules:
        if placed.rule.property_tokens is None:
            return ()
        tokens |= dict.fromkeys(sorted(placed.rule.property_tokens))
    return tuple(tokens)


def _first(rules: Iterable[PlacedRule], key: str) -> str | None:
    return next((text for placed in rules if (text := _text(placed.rule.meta.get(key)))), None)


def _offer(meta: Mapping[str, Any]) -> str | None:
    return next((text for key in ("offer.name", "offer.id", "option.name") if (text := _text(meta.get(key)))), None)


def _text(value: Any) -> str | None:
    """A name or id as text; None where it is neither."""
    return to_text(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else None


def _seconds(bound_ms: float | None) -> float | None:
    return None if bound_ms is None or abs(bound_ms) == float("inf") else bound_ms / 1000
