"""Owns experiences that are forced, by hand or by a preview link: which one a name means, and rules that show it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from target.decisioning.artifact import Artifact
from target.decisioning.catalogue import VIEW, Activity, list_rules
from target.decisioning.experiences import Standing, find_experience, standing_of
from target.emulator.answers import without_cluster
from target.emulator.rules import Rules, with_forced

_MOST_KEPT = 64

#: Experiences with the mbox that each is forced at; None for wherever its activity is.
Wanted = tuple[tuple[Standing, str | None], ...]


@dataclass(frozen=True, slots=True)
class Forced:
    """An experience that is forced.

    Attributes:
        standing: The experience.
        mbox: Where alone; None for wherever its activity is.
        visitor: For whom alone: a tntId without its cluster, a thirdPartyId or an ECID; None for everybody.
    """

    standing: Standing
    mbox: str | None
    visitor: str | None

    @property
    def place(self) -> tuple[str, str | None, str | None]:
        """Its activity, mbox and visitor: of what is forced with the same, one counts."""
        return self.standing.activity, self.mbox, self.visitor

    def is_for(self, names: frozenset[str]) -> bool:
        """Whether it is for the visitor who goes by these ids."""
        return self.visitor is None or self.visitor in names


class Forcing:
    """What is forced of some rules, and the rules that show it; those that were asked for lately are kept."""

    def __init__(self, rules: Rules, forced: Iterable[Forced] = ()) -> None:
        known = {standing_of(placed.rule) for placed in list_rules(rules.artifact)}
        self._rules = rules
        self._kept: dict[Wanted, Rules] = {}
        #: What is forced, what counts first ahead; not to be changed.
        self.forced = [each for each in forced if each.standing in known]

    def force(self, forced: Forced) -> None:
        """Force it, in place of what was forced of the same activity, at the same place, for the same visitor."""
        self.forced = [forced, *(each for each in self.forced if each.place != forced.place)]

    def release(self, *, mbox: str | None = None, activity: str | None = None, visitor: str | None = None) -> None:
        """Let go of what is forced at this mbox, of this activity and for this visitor; None: whichever."""
        visitor = None if visitor is None else without_cluster(visitor)
        wanted = (activity, mbox, visitor)
        self.forced = [
            each
            for each in self.forced
            if any(named not in (None, own) for named, own in zip(wanted, each.place, strict=True))
        ]

    def for_everybody(self) -> Rules:
        """The rules with what is forced for everybody."""
        return self._with(each for each in self.forced if each.visitor is None)

    def for_visitor(self, names: frozenset[str], previewed: Iterable[Forced]) -> Rules:
        """The rules for the visitor who goes by these ids, with what a preview link shows ahead of what is forced."""
        return self._with([*previewed, *(each for each in self.forced if each.is_for(names))])

    def _with(self, forced: Iterable[Forced]) -> Rules:
        wanted = wanted_of(forced)
        if not wanted:
            return self._rules
        found = self._kept.pop(wanted, None) or with_forced(self._rules, wanted)
        self._kept[wanted] = found
        if len(self._kept) > _MOST_KEPT:
            del self._kept[next(iter(self._kept))]
        return found


def wanted_of(forced: Iterable[Forced]) -> Wanted:
    """What is forced, whoever it is for."""
    return tuple(dict.fromkeys((each.standing, each.mbox) for each in forced))


def previewed_by(link: Mapping[str, Any] | None, activities: Sequence[Activity]) -> list[Forced]:
    """What ``qaMode`` of a request shows: by the positions of activities and experiences in the rules, from 1."""
    found = []
    for index in (link or {}).get("previewIndexes") or []:
        for activity in activities[(index.get("activityIndex") or 1) - 1 :][:1]:
            experiences = activity.experiences[(index.get("experienceIndex") or 1) - 1 :][:1]
            found += [Forced(Standing(activity.id, each.id), None, None) for each in experiences]
    return found


def names_of(ids: Mapping[str, Any], tnt_id: str) -> frozenset[str]:
    """Every id that a visitor goes by, tntIds without their cluster."""
    return frozenset({tnt_id, *(ids[key] for key in ("thirdPartyId", "marketingCloudVisitorId") if ids.get(key))})


def parse_forced(
    artifact: Artifact, experience: str, mbox: str | None, activity: str | None, visitor: str | None
) -> Forced:
    """What to force. ``experience`` and ``activity`` are ids or names.

    Raises:
        ValueError: The rules have no such experience there, or several; the message says which there are.
    """
    where = "" if mbox is None else f" at the mbox {mbox!r}"
    rules = (rule for kind, name, rule in list_rules(artifact) if mbox is None or (name == mbox and kind != VIEW))
    standing = find_experience(rules, experience, activity, where)
    return Forced(standing, mbox, None if visitor is None else without_cluster(visitor))
