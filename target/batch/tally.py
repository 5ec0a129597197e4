"""What visitors got, counted. Tallies of parts add up to that of the whole."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from target.batch.engine import Shown
from target.batch.expected import Expectations, Stratum

MAX_STRATA = 200


@dataclass(slots=True)
class Tally:
    """Counts of visitors.

    Attributes:
        visitors: How many were decided for.
        with_nothing: How many of them got no experience at all.
        activities: By activity: who got any of its experiences.
        experiences: By activity and experience, wherever a visitor got it.
        places: By what is shown in which place.
        strata: By activity and what was expected of a visitor: who got which experience.
        unstratified: By activity: visitors beyond the strata that are kept.
    """

    visitors: int = 0
    with_nothing: int = 0
    activities: Counter[str] = field(default_factory=Counter)
    experiences: Counter[tuple[str, str]] = field(default_factory=Counter)
    places: Counter[Shown] = field(default_factory=Counter)
    strata: dict[str, dict[Stratum, Counter[str]]] = field(default_factory=dict)
    unstratified: Counter[str] = field(default_factory=Counter)

    def count(self, shown: list[Shown], visitor: Mapping[str, Any], expectations: Expectations) -> None:
        """Count one visitor, and what it got."""
        self.visitors += 1
        if not shown:
            self.with_nothing += 1
            return
        pairs = set()
        firsts: dict[str, str] = {}
        for each in shown:
            self.places[each] += 1
            pairs.add((each.activity_id, each.experience_id))
            firsts.setdefault(each.activity_id, each.experience_id)
        for pair in pairs:
            self.experiences[pair] += 1
        for activity_id, experience_id in firsts.items():
            self.activities[activity_id] += 1
            if stratum := expectations.stratum_of(activity_id, visitor):
                self._add(activity_id, stratum, experience_id, 1)

    def add(self, other: Tally) -> None:
        """Count all that another has counted."""
        self.visitors += other.visitors
        self.with_nothing += other.with_nothing
        self.activities += other.activities
        self.experiences += other.experiences
        self.places += other.places
        self.unstratified += other.unstratified
        for activity_id, strata in other.strata.items():
            for stratum, counts in strata.items():
                for experience_id, count in counts.items():
                    self._add(activity_id, stratum, experience_id, count)

    def _add(self, activity_id: str, stratum: Stratum, experience_id: str, count: int) -> None:
        strata = self.strata.setdefault(activity_id, {})
        counts = strata.get(stratum)
        if counts is None:
            if len(strata) >= MAX_STRATA:
                self.unstratified[activity_id] += count
                return
            counts = strata[stratum] = Counter()
        counts[experience_id] += count
