"""Decides for one visitor after the other, by the engine that clients decide by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from target.batch.visitors import Asked
from target.decisioning.allocation import Allocations, visitor_of
from target.decisioning.artifact import Artifact
from target.decisioning.catalogue import MBOX, PAGE_LOAD, VIEW, experience_id_of
from target.decisioning.context import Scope, Visit
from target.decisioning.geo import geo_of
from target.decisioning.parts import matching
from target.decisioning.remote import property_token_of
from target.decisioning.rules import Gap, Rule


class Shown(NamedTuple):
    """An experience that a visitor gets in one place."""

    kind: str
    name: str
    activity_id: str
    experience_id: str


class _Place(NamedTuple):
    """What is asked for in one place: its rules, and what each of them shows there."""

    rules: tuple[Rule | Gap, ...]
    shown: Mapping[Rule | Gap, Shown]
    is_mbox: bool  # of which one rule is shown


class Engine:
    """Decides all that is asked, for any visitor.

    As ``decide`` does, but without building an answer, and with what rules read of a visitor read once for all places:
    all have the same parameters and address.

    Args:
        artifact: What to decide from.
        client: The client code; part of what allocates visitors.
        now_s: When visitors come, in epoch seconds.
        asked: What each of them asks for.
        property_token: The property of visitors who name none.
    """

    def __init__(
        self, artifact: Artifact, *, client: str, now_s: float, asked: Asked, property_token: str | None = None
    ) -> None:
        self.artifact = artifact
        self.asked = asked
        self._client = client
        self._now_s = now_s
        self._property_token = property_token
        page_load = [(PAGE_LOAD, artifact.global_mbox, artifact.mboxes)] if asked.page_load else []
        mboxes = [(MBOX, name, artifact.mboxes) for name in asked.mboxes]
        views = [(VIEW, name, artifact.views) for name in asked.views]
        self._places = [
            _Place(places[name].rules, _shown_by(kind, name, places[name].rules), kind == MBOX)
            for kind, name, places in (*page_load, *mboxes, *views)
        ]

    def narrowed(self, asked: Asked) -> Engine:
        """An engine like this one, which asks for less."""
        return Engine(
            self.artifact,
            client=self._client,
            now_s=self._now_s,
            asked=asked,
            property_token=self._property_token,
        )

    def decide(self, visitor: Mapping[str, Any], given: Mapping[str, float] | None = None) -> list[Shown]:
        """What a visitor gets, place by place: the page load, mboxes, views.

        Args:
            visitor: As ``visitors.read_row`` gives it.
            given: Places in activities that win over those that its ids give.
        """
        allocations = Allocations(self._client, name_visitor(visitor))
        if given:
            allocations.update(given)
        context = visitor.get("context")
        visit = Visit(context if isinstance(context, Mapping) else {}, geo_of(visitor), allocations, self._now_s)
        scope = Scope(visit, visitor)
        token = property_token_of(visitor) or self._property_token
        shown: list[Shown] = []
        for place in self._places:
            for rule in matching(place.rules, scope, token):
                shown.append(place.shown[rule])
                if place.is_mbox:
                    break
        return shown


def _shown_by(kind: str, name: str, rules: tuple[Rule | Gap, ...]) -> dict[Rule | Gap, Shown]:
    """What each rule shows that can be decided. A gap shows nothing."""
    return {
        rule: Shown(kind, name, rule.activity_id, experience_id_of(rule.meta))
        for rule in rules
        if isinstance(rule, Rule)
    }


def name_visitor(visitor: Mapping[str, Any]) -> str:
    """The id that decides what a visitor gets."""
    return visitor_of(visitor["id"]) or ""
