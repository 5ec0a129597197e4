"""Decides for one visitor after the other, by the engine that clients decide by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from target.batch.visitors import Asked, build_body
from target.decisioning.allocation import visitor_of
from target.decisioning.artifact import Artifact
from target.decisioning.catalogue import MBOX, PAGE_LOAD, VIEW, experience_id_of
from target.decisioning.decide import decide
from target.decisioning.places import Rule


class Shown(NamedTuple):
    """An experience that a visitor gets in one place."""

    kind: str
    name: str
    activity_id: str
    experience_id: str


class Engine:
    """Decides all that is asked, for any visitor.

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
        self._property = {"token": property_token} if property_token else None
        self._shown: dict[tuple[str, str, Rule], Shown] = {}

    def narrowed(self, asked: Asked) -> Engine:
        """An engine like this one, which asks for less."""
        token = self._property["token"] if self._property else None
        return Engine(self.artifact, client=self._client, now_s=self._now_s, asked=asked, property_token=token)

    def decide(self, visitor: Mapping[str, Any], allocations: Mapping[str, float] | None = None) -> list[Shown]:
        """What a visitor gets, place by place. ``allocations`` win over the places that its ids give."""
        body = build_body(visitor, self.asked)
        if self._property is not None and "property" not in body:
            body["property"] = self._property
        decision = decide(
            body,
            self.artifact,
            client=self._client,
            now_s=self._now_s,
            new_id=_no_id,
            allocations=allocations,
        )
        return [self._tell(kind, name, rule) for _, kind, name, rule in decision.shown]

    def _tell(self, kind: str, name: str, rule: Rule) -> Shown:
        key = (kind, name, rule)
        shown = self._shown.get(key)
        if shown is None:
            where = VIEW if kind == VIEW else PAGE_LOAD if name == self.artifact.global_mbox else MBOX
            shown = self._shown[key] = Shown(where, name, rule.activity_id, experience_id_of(rule.meta))
        return shown


def name_visitor(visitor: Mapping[str, Any]) -> str:
    """The id that decides what a visitor gets."""
    return visitor_of(visitor["id"]) or ""


def _no_id() -> str:
    return ""
