"""Which experience a name stands for, in rules: by the id or the name that its author gave it; and what it shows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from target.decisioning.artifact import Artifact
from target.decisioning.catalogue import experience_id_of
from target.decisioning.consequence import EXECUTE, Consequence
from target.decisioning.outcomes import as_id
from target.decisioning.rules import Rule

_MOST_NAMED = 10
_NAMING = ("activity.name", "experience.id", "experience.name")
_TOKENS = ("eventToken", "metrics")  # by which Target would hear of it


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


class Exhibit(NamedTuple):
    """An experience at an mbox, for whoever is to see it without being in it.

    Attributes:
        consequence: What its rule gives.
        which: The id and name of its activity, and its own; None where the rules give none.
    """

    consequence: Consequence
    which: tuple[str | None, str | None, str | None, str | None]

    def options(self, mbox: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The options for the mbox as it was asked for, in wire form, without tokens: so nobody counts them."""
        options = self.consequence.options(EXECUTE, mbox, {})
        return [{key: value for key, value in option.items() if key not in _TOKENS} for option in options]


def exhibit(
    artifact: Artifact, mbox: str, experience: str, activity: str | None, property_token: str | None
) -> Exhibit:
    """What the rules have at ``mbox`` for an experience, whoever its audience is.

    Args:
        artifact: The rules.
        mbox: The name of the mbox.
        experience: As for ``find_experience``.
        activity: As for ``find_experience``.
        property_token: The property that the request is for: of several rules, one for it comes first.

    Raises:
        ValueError: As ``find_experience``.
    """
    rules = [rule for rule in artifact.mboxes[mbox].rules if isinstance(rule, Rule)]
    standing = find_experience(rules, experience, activity, f" at the mbox {mbox!r}")
    own = [rule for rule in rules if standing_of(rule) == standing]
    fitting = [rule for rule in own if rule.property_tokens is None or property_token in rule.property_tokens]
    consequence, meta, _ = (fitting or own)[0].look_up()
    activity_name, experience_id, name = map(as_id, map(meta.get, _NAMING))
    return Exhibit(consequence, (standing.activity, activity_name, experience_id, name))


def _listed(items: Iterable[str]) -> str:
    items = list(dict.fromkeys(items))
    more = f" and {len(items) - _MOST_NAMED} more" if len(items) > _MOST_NAMED else ""
    return ", ".join(items[:_MOST_NAMED]) + more
