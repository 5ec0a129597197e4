"""Which experience a name stands for, in rules: by the id or the name that its author gave it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from target.decisioning.catalogue import experience_id_of
from target.decisioning.rules import Rule

_MOST_NAMED = 10


class Standing(NamedTuple):
    """An experience, by its activity's id and its own."""

    activity: str
    experience: str


def standing_of(rule: Rule) -> Standing:
    """The experience that a rule belongs to."""
    return Standing(rule.activity_id, experience_id_of(rule.look_up().meta))


def find_experience(rules: Iterable[Rule], experience: str, activity: str | None, where: str = "") -> Standing:
    """The experience of ``rules`` that is meant.

    Args:
        rules: Those of one place, or of many.
        experience: Its id or, where no id is the same, its name.
        activity: The id or name of its activity; None where that goes without saying.
        where: Which rules these are, for the message: empty, or a text that begins with a space.

    Raises:
        ValueError: There is no such experience, or several; the message says which there are.
    """
    found: dict[Standing, tuple[object, object]] = {}
    for rule in rules:
        meta = rule.look_up().meta
        standing = Standing(rule.activity_id, experience_id_of(meta))
        found[standing] = (meta.get("activity.name"), meta.get("experience.name"))
    if activity is not None:
        found = {each: names for each, names in found.items() if activity in (each.activity, names[0])}
        where += f" in the activity {activity!r}"
    if not found:
        raise ValueError(f"the rules have no experience{where}")
    exact = [each for each in found if each.experience == experience]
    matching = exact or [each for each, names in found.items() if names[1] == experience]
    if len(matching) == 1:
        return matching[0]
    if matching:
        several = _listed(f"{each.activity} ({found[each][0]})" for each in matching)
        raise ValueError(f"the experience {experience!r}{where} is in several activities, name one of them: {several}")
    known = _listed(f"{each.experience} ({names[1]})" for each, names in found.items())
    raise ValueError(f"the rules have no experience {experience!r}{where}; they have {known}")


def _listed(items: Iterable[str]) -> str:
    items = list(dict.fromkeys(items))
    more = f" and {len(items) - _MOST_NAMED} more" if len(items) > _MOST_NAMED else ""
    return ", ".join(items[:_MOST_NAMED]) + more
