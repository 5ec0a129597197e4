"""What a simulation comes to."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from target.batch.ratio import RatioTest, compare_ratios
from target.batch.tally import Tally
from target.batch.visitors import Asked
from target.decisioning.artifact import Artifact
from target.decisioning.catalogue import MBOX, PAGE_LOAD, VIEW, list_activities


@dataclass(frozen=True, slots=True, kw_only=True)
class ExperienceResult:
    """How many visitors got an experience, and how many of its activity's were expected to (None: not by chance)."""

    id: str
    name: str | None
    audience: str
    visitors: int
    expected: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivityResult:
    """How many visitors got any experience of an activity; ``ratio`` is None where it gives no shares."""

    id: str
    name: str | None
    type: str | None
    visitors: int
    experiences: tuple[ExperienceResult, ...]
    ratio: RatioTest | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulation:
    """What a simulation comes to.

    Attributes:
        visitors: How many were decided for.
        with_nothing: How many of them got no experience at all.
        partial: Whether it was stopped before all visitors were decided for.
        failure: What stopped it, such as a row that makes no sense; None after Ctrl-C, and where nothing did.
        activities: Those that have rules in what was asked for, in the order of the artifact.
        places: By kind, name, activity and experience: how many visitors got it there.
        settings: What it depends on: the client code, the time in epoch seconds, the seed of visitors made up.
        processes: On how many processes.
        out: The file that decisions were written to.
    """

    visitors: int
    with_nothing: int
    partial: bool
    failure: str | None
    activities: tuple[ActivityResult, ...]
    places: tuple[tuple[str, str, str, str, int], ...]
    settings: Mapping[str, Any]
    processes: int
    out: str | None

    @property
    def mismatches(self) -> list[ActivityResult]:
        """Activities whose visitors are spread otherwise than their shares say."""
        return [each for each in self.activities if each.ratio is not None and each.ratio.is_mismatch]

    def to_dict(self) -> dict[str, Any]:
        """All of it as JSON."""
        at = datetime.datetime.fromtimestamp(self.settings["at"], datetime.UTC).isoformat()
        return {
            "visitors": self.visitors,
            "withNothing": self.with_nothing,
            "partial": self.partial,
            "failure": self.failure,
            "settings": {**self.settings, "at": at},
            "activities": [_activity_to_dict(each) for each in self.activities],
            "places": [
                {"kind": kind, "name": name, "activityId": activity, "experienceId": experience, "visitors": visitors}
                for kind, name, activity, experience, visitors in self.places
            ],
            "processes": self.processes,
            "out": self.out,
        }


def _activity_to_dict(activity: ActivityResult) -> dict[str, Any]:
    return {
        "id": activity.id,
        "name": activity.name,
        "type": activity.type,
        "visitors": activity.visitors,
        "experiences": [
            {
                "id": each.id,
                "name": each.name,
                "audience": each.audience,
                "visitors": each.visitors,
                "expected": None if each.expected is None else round(each.expected, 2),
            }
            for each in activity.experiences
        ],
        "sampleRatioTest": None if activity.ratio is None else activity.ratio.to_dict(),
    }


def build_simulation(
    artifact: Artifact,
    asked: Asked,
    tally: Tally,
    untested: Mapping[str, str],
    *,
    settings_told: Mapping[str, Any],
    partial: bool,
    failure: str | None,
    processes: int,
    out: str | None,
) -> Simulation:
    """What ``tally`` says of what was ``asked``, by activity; ``untested`` are those of which nothing is expected."""
    activities = []
    places = {*((MBOX, name) for name in asked.mboxes), *((VIEW, name) for name in asked.views)}
    if asked.page_load:
        places.add((PAGE_LOAD, artifact.global_mbox))
    for activity in list_activities(artifact):
        if not any(places.intersection(each.places) for each in activity.experiences):
            continue
        ratio = compare_ratios(tally.strata[activity.id]) if activity.id in tally.strata else None
        if activity.id in untested:
            ratio = RatioTest(expected={}, why_not=untested[activity.id])
        if ratio is not None and tally.unstratified[activity.id]:
            why_not = f"{tally.unstratified[activity.id]:,} visitors had chances of too many kinds"
            ratio = RatioTest(expected={}, why_not=why_not)
        experiences = tuple(
            ExperienceResult(
                id=each.id,
                name=each.name,
                audience=each.audience,
                visitors=tally.experiences[activity.id, each.id],
                expected=None if ratio is None else ratio.expected.get(each.id),
            )
            for each in activity.experiences
        )
        activities.append(
            ActivityResult(
                id=activity.id,
                name=activity.name,
                type=activity.type,
                visitors=tally.activities[activity.id],
                experiences=experiences,
                ratio=ratio,
            )
        )
    return Simulation(
        visitors=tally.visitors,
        with_nothing=tally.with_nothing,
        partial=partial,
        failure=failure,
        activities=tuple(activities),
        places=tuple((*shown, count) for shown, count in sorted(tally.places.items())),
        settings=settings_told,
        processes=processes,
        out=out,
    )
