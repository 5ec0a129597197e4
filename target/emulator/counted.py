"""Owns what event tokens of rules stand for, and the counts beside what the rules say of each experience."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from target.decisioning.artifact import Artifact
from target.decisioning.catalogue import Activity, Experience, list_rules
from target.decisioning.experiences import Standing, standing_of
from target.emulator.tally import ActivityCount, ExperienceCount, Tally


@dataclass(frozen=True, slots=True)
class TokenIndex:
    """What event tokens stand for.

    Attributes:
        shown: The experience of an option, by its token.
        clicked: The experiences that a click metric is of: an activity's have one token for all of them.
    """

    shown: dict[str, Standing]
    clicked: dict[str, tuple[Standing, ...]]


def index_tokens(artifact: Artifact) -> TokenIndex:
    """The tokens of all rules."""
    shown: dict[str, Standing] = {}
    clicked: dict[str, dict[Standing, None]] = {}
    for placed in list_rules(artifact):
        standing = standing_of(placed.rule)
        shown |= dict.fromkeys(placed.rule.consequence.event_tokens, standing)
        for metric in placed.rule.consequence.metrics:
            if isinstance(token := metric.get("eventToken"), str):
                clicked.setdefault(token, {})[standing] = None
    return TokenIndex(shown, {token: tuple(standings) for token, standings in clicked.items()})


def count_activities(activities: Iterable[Activity], tally: Tally) -> list[ActivityCount]:
    """What was counted of each activity, those that nobody has seen included."""
    return [
        ActivityCount(
            activity.id,
            activity.name,
            activity.type,
            tuple(_count(Standing(activity.id, each.id), each, tally) for each in activity.experiences),
        )
        for activity in activities
    ]


def _count(standing: Standing, experience: Experience, tally: Tally) -> ExperienceCount:
    ranges = experience.shares
    return ExperienceCount(
        id=experience.id,
        name=experience.name,
        audience=experience.audience,
        share=round(sum(most - least for least, most in ranges) / 100, 6) if ranges else None,
        visitors=tally.visitors[standing],
        impressions=tally.impressions[standing],
        conversions=tally.conversions[standing],
        converted=tally.converted[standing],
    )
