"""Owns what the emulator counts: visitors, impressions and conversions of each experience, each of them once.

An impression or a click that is sent again, which its impressionId tells, counts no second time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from target.decisioning.experiences import Standing
from target.emulator.visitors import Visitor

#: As many impressionIds are remembered.
MOST_IMPRESSIONS = 100_000


@dataclass(frozen=True, slots=True)
class ExperienceCount:
    """What was counted of one experience.

    Attributes:
        id: The experience's.
        name: Likewise; None where the rules have none.
        audience: Its audience in words; empty for everybody.
        share: The share of the activity's visitors that is to see it, from 0 to 1; None where no share says.
        visitors: Visitors who have seen it.
        impressions: How often it was shown.
        conversions: How often its visitors have clicked what counts.
        converted: How many of its visitors have.
    """

    id: str
    name: str | None
    audience: str
    share: float | None
    visitors: int
    impressions: int
    conversions: int
    converted: int


@dataclass(frozen=True, slots=True)
class ActivityCount:
    """What was counted of one activity. ``type`` is ``ab``, ``xt`` or what else the rules say; None where nothing."""

    id: str
    name: str | None
    type: str | None
    experiences: tuple[ExperienceCount, ...]


class Tally:
    """The counts. Not safe to share between threads by itself."""

    def __init__(self) -> None:
        self.visitors: Counter[Standing] = Counter()
        self.impressions: Counter[Standing] = Counter()
        self.conversions: Counter[Standing] = Counter()
        self.converted: Counter[Standing] = Counter()
        self._told: dict[str, None] = {}  # a set in order of arrival

    def show(self, visitor: Visitor, standing: Standing, impression_id: str | None) -> bool:
        """Count that an experience was shown; False where this impression was counted before."""
        if not self._is_new("display", impression_id, standing):
            return False
        self.impressions[standing] += 1
        if standing not in visitor.shown:
            visitor.shown.add(standing)
            self.visitors[standing] += 1
            if standing in visitor.converted:  # told before what was shown, as happens where both are on their way
                self.converted[standing] += 1
        return True

    def convert(self, visitor: Visitor, standing: Standing, impression_id: str | None, token: str) -> bool:
        """Count a click on what ``token`` names; False where it was counted before."""
        if not self._is_new(f"click {token}", impression_id, standing):
            return False
        self.conversions[standing] += 1
        if standing not in visitor.converted:
            visitor.converted.add(standing)
            self.converted[standing] += standing in visitor.shown
        return True

    def clear(self) -> None:
        """Begin at 0."""
        for counter in (self.visitors, self.impressions, self.conversions, self.converted):
            counter.clear()
        self._told.clear()

    def to_dict(self) -> dict[str, Any]:
        """All of it as JSON."""
        counted = sorted({*self.visitors, *self.impressions, *self.conversions})
        rows = [
            [*each, self.visitors[each], self.impressions[each], self.conversions[each], self.converted[each]]
            for each in counted
        ]
        return {"experiences": rows, "told": list(self._told)}

    def restore(self, data: Mapping[str, Any]) -> None:
        """Take over what ``to_dict`` gave. Raises KeyError, TypeError or ValueError for anything else."""
        restored = Tally()
        for activity, experience, *numbers in data["experiences"]:
            standing = Standing(str(activity), str(experience))
            counters = (restored.visitors, restored.impressions, restored.conversions, restored.converted)
            for counter, number in zip(counters, numbers, strict=True):
                counter[standing] = int(number)
        restored._told = dict.fromkeys(map(str, data["told"]))
        self.__dict__.update(restored.__dict__)

    def _is_new(self, what: str, impression_id: str | None, standing: Standing) -> bool:
        if impression_id is None:
            return True
        key = f"{what} {impression_id} {standing.activity} {standing.experience}"
        if key in self._told:
            return False
        self._told[key] = None
        if len(self._told) > MOST_IMPRESSIONS:
            del self._told[next(iter(self._told))]
        return True
