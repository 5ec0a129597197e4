"""What differs between two artifacts, in words: activities, experiences, audiences, shares, places, priorities."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from target.decisioning.artifact import Artifact
from target.decisioning.catalogue import Activity, Experience, PlacedRule, list_activities, list_rules
from target.decisioning.findings import say_date

ADDED = "added"
REMOVED = "removed"
CHANGED = "changed"

_RulesOf = dict[tuple[str, str], list[PlacedRule]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One thing that is not in both artifacts alike.

    Attributes:
        change: ``added``, ``removed`` or ``changed``.
        what: ``activity``, ``experience``, ``audience``, ``share``, ``content``, ``place``, ``dates``, ``name``,
            ``type``, ``properties``, ``priority``, ``remote`` or ``setting``.
        activity_id: Of which activity; None for what is of none.
        experience_id: Of which experience; None for what is of none.
        message: In words.
        before, after: What was and what is, as text; None for what there was or is none of.
    """

    change: str
    what: str
    activity_id: str | None = None
    experience_id: str | None = None
    message: str
    before: str | None = None
    after: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """The attributes as JSON."""
        return {name: getattr(self, name) for name in self.__slots__}


def compare(before: Artifact, after: Artifact) -> list[Difference]:
    """What differs from ``before`` to ``after``: settings first, then activities in the order of ``after``."""
    old = {activity.id: activity for activity in list_activities(before)}
    new = {activity.id: activity for activity in list_activities(after)}
    rules = _rules_of(before), _rules_of(after)
    differences = [*_compare_settings(before, after)]
    for activity_id, activity in new.items():
        if activity_id not in old:
            differences += _tell_whole(ADDED, activity)
        else:
            differences += _compare_activities(old[activity_id], activity, *rules)
    for activity_id, activity in old.items():
        if activity_id not in new:
            differences += _tell_whole(REMOVED, activity)
    return [*differences, *_compare_priorities(before, after)]


def _compare_settings(before: Artifact, after: Artifact) -> Iterator[Difference]:
    for what, old, new in (
        ("the version", before.version, after.version),
        ("the environment", before.meta.get("environment"), after.meta.get("environment")),
        ("the global mbox", before.global_mbox, after.global_mbox),
        ("looking up where a visitor is", before.geo_targeting_enabled, after.geo_targeting_enabled),
    ):
        if old != new:
            yield _changed("setting", what, _say(old), _say(new))
    for noun, was, now in (
        ("mbox", before.remote_mboxes, after.remote_mboxes),
        ("view", frozenset(before.remote_views), frozenset(after.remote_views)),
    ):
        for name in sorted(now - was):
            yield Difference(change=ADDED, what="remote", message=f'{noun} "{name}" now needs the server', after=name)
        for name in sorted(was - now):
            message = f'{noun} "{name}" no longer needs the server'
            yield Difference(change=REMOVED, what="remote", message=message, before=name)


def _tell_whole(change: str, activity: Activity) -> Iterator[Difference]:
    told = "; ".join(f"{_name_experience(each)}: {_say_who(each)}" for each in activity.experiences)
    message = f"{_name_activity(activity)} was {change} ({told})"
    yield Difference(change=change, what="activity", activity_id=activity.id, message=message)


def _compare_activities(old: Activity, new: Activity, old_rules: _RulesOf, new_rules: _RulesOf) -> Iterator[Difference]:
    name = _name_activity(new)
    for what, was, now in (
        ("name", old.name, new.name),
        ("type", old.type, new.type),
        ("properties", _say_all(old.property_tokens), _say_all(new.property_tokens)),
    ):
        if was != now:
            yield _changed(what, f"{name}: {what}", _say(was), _say(now), new.id)
    was_there = {each.id: each for each in old.experiences}
    is_there = {each.id: each for each in new.experiences}
    for experience_id, experience in is_there.items():
        if experience_id not in was_there:
            yield _experience(ADDED, name, new.id, experience)
            continue
        before = was_there[experience_id]
        yield from _compare_experiences(name, new.id, before, experience)
        yield from _compare_rules(name, new.id, before, experience, old_rules, new_rules)
    for experience_id, experience in was_there.items():
        if experience_id not in is_there:
            yield _experience(REMOVED, name, new.id, experience)


def _experience(change: str, name: str, activity_id: str, experience: Experience) -> Difference:
    message = f"{name}: {_name_experience(experience)} was {change} ({_say_who(experience)})"
    return _of_experience(change, "experience", message, activity_id, experience.id)


def _compare_experiences(name: str, activity_id: str, old: Experience, new: Experience) -> Iterator[Difference]:
    title = f"{name}, {_name_experience(new)}"
    for what, noun, was, now in (
        ("name", "name", old.name, new.name),
        ("share", "share", _say_share(old), _say_share(new)),
        ("dates", "dates", _say_dates(old), _say_dates(new)),
    ):
        # Where words tell the audience, they tell its dates.
        if was != now and (what != "dates" or old.audience == new.audience):
            yield _changed(what, f"{title}: {noun}", _say(was), _say(now), activity_id, new.id)
    if old.audience != new.audience:
        change = CHANGED if old.audience and new.audience else ADDED if new.audience else REMOVED
        message = f"{title}: its audience was {old.audience or 'everybody'}, and is {new.audience or 'everybody'}"
        before, after = old.audience or None, new.audience or None
        yield _of_experience(change, "audience", message, activity_id, new.id, before, after)
    for kind, place in sorted(set(new.places) ^ set(old.places)):
        change, before, after = REMOVED, f"{kind} {place}", None
        if (kind, place) in new.places:
            change, before, after = ADDED, None, before
        yield _of_experience(
            change, "place", f'{title}: {kind} "{place}" was {change}', activity_id, new.id, before, after
        )


def _compare_rules(
    name: str, activity_id: str, old: Experience, new: Experience, old_rules: _RulesOf, new_rules: _RulesOf
) -> Iterator[Difference]:
    """What the catalogue does not tell of an experience that both have: its content, how its condition is written."""
    title = f"{name}, {_name_experience(new)}"
    was, now = old_rules[activity_id, old.id], new_rules[activity_id, new.id]
    before, after = _shown(was), _shown(now)
    if any(before[place] != after[place] for place in before.keys() & after.keys()):
        offers = ", ".join(old.offers) or None, ", ".join(new.offers) or None
        message = f"{title}: what it shows changed"
        yield _of_experience(CHANGED, "content", message, activity_id, new.id, *offers)
    says = (old.audience, old.shares, old.starts_s, old.ends_s), (new.audience, new.shares, new.starts_s, new.ends_s)
    conditions = [{repr(placed.rule.condition) for placed in rules} for rules in (was, now)]
    if says[0] == says[1] and old.places == new.places and conditions[0] != conditions[1]:
        message = f"{title}: its condition is written otherwise"
        yield _of_experience(CHANGED, "audience", message, activity_id, new.id, old.audience, new.audience)


def _compare_priorities(before: Artifact, after: Artifact) -> Iterator[Difference]:
    """Activities that both artifacts have in one place, in another order there."""
    old, new = _orders(before), _orders(after)
    for (kind, place), order in new.items():
        was = old.get((kind, place), [])
        common = [activity_id for activity_id in order if activity_id in set(was)]
        was = [activity_id for activity_id in was if activity_id in set(order)]
        if common != was:
            title = f'the order of priority in {kind} "{place}"'
            yield _changed("priority", title, ", ".join(was), ", ".join(common))


def _orders(artifact: Artifact) -> dict[tuple[str, str], list[str]]:
    orders: dict[tuple[str, str], dict[str, None]] = {}
    for placed in list_rules(artifact):
        orders.setdefault((placed.kind, placed.name), {})[placed.rule.activity_id] = None
    return {place: list(order) for place, order in orders.items()}


def _rules_of(artifact: Artifact) -> _RulesOf:
    """The rules of each experience, by activity and experience."""
    rules: _RulesOf = {}
    for placed in list_rules(artifact):
        rules.setdefault((placed.rule.activity_id, placed.experience_id), []).append(placed)
    return rules


def _shown(rules: list[PlacedRule]) -> dict[tuple[str, str], list[Any]]:
    """What is shown by place, but for the tokens that count it."""
    shown: dict[tuple[str, str], list[Any]] = {}
    for kind, name, rule in rules:
        offers = [(offer.wire.get("type"), offer.wire.get("content")) for offer in rule.consequence.offers]
        shown.setdefault((kind, name), []).append(offers)
    return shown


def _changed(
    what: str, title: str, was: str, now: str, activity_id: str | None = None, experience_id: str | None = None
) -> Difference:
    return Difference(
        change=CHANGED,
        what=what,
        activity_id=activity_id,
        experience_id=experience_id,
        message=f"{title} was {was}, and is {now}",
        before=was,
        after=now,
    )


def _of_experience(
    change: str,
    what: str,
    message: str,
    activity_id: str,
    experience_id: str,
    before: str | None = None,
    after: str | None = None,
) -> Difference:
    return Difference(
        change=change,
        what=what,
        activity_id=activity_id,
        experience_id=experience_id,
        message=message,
        before=before,
        after=after,
    )


def _name_activity(activity: Activity) -> str:
    return f'activity {activity.id} "{activity.name}"' if activity.name else f"activity {activity.id}"


def _name_experience(experience: Experience) -> str:
    return f'experience {experience.id} "{experience.name}"' if experience.name else f"experience {experience.id}"


def _say_who(experience: Experience) -> str:
    return f"{_say_share(experience)} of {experience.audience or 'everybody'}"


def _say_share(experience: Experience) -> str:
    return " and ".join(f"{least:g}-{most:g} %" for least, most in experience.shares) or "all"


def _say_dates(experience: Experience) -> str:
    first = "any time" if experience.starts_s is None else say_date(experience.starts_s)
    return first if experience.ends_s is None else f"{first} until {say_date(experience.ends_s)}"


def _say_all(tokens: Iterable[str]) -> str:
    return ", ".join(tokens) or "all"


def _say(value: object) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return "nothing" if value is None else str(value)
