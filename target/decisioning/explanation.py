"""What an explanation says: of a request, of each part of it, of each rule, of each clause of an audience.

Read-only. ``to_dict()`` gives plain JSON, ``str()`` text for a terminal, and notebooks show ``_repr_html_()``. It holds
what the request said of its visitor (parameters, addresses, the place), so show it where that may be seen.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from target.decisioning.coercion import to_text
from target.reasons import RuleReason

_MAX_DEPTH = 64

#: What became of a rule.
Verdict = Literal["won", "lost", "audience", "share", "property", "undecidable", "below undecidable", "overridden"]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ExplainedClause:
    """One clause of an audience, or several of which all (``and``) or any (``or``) have to hold.

    Attributes:
        words: What it asks for: ``country is "US"``.
        holds: Whether that is so; None where it cannot be decided here.
        seen: What is seen where it looks, by the names of the variables; None: not given.
        wanted: The values that it compares with.
        joint: ``"and"`` or ``"or"`` where it is several, which ``parts`` has; else None.
        parts: The clauses inside.
        why: Why it cannot be decided.
    """

    words: str
    holds: bool | None
    seen: Mapping[str, Any]
    wanted: tuple[Any, ...] = ()
    joint: str | None = None
    parts: tuple[ExplainedClause, ...] = ()
    why: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """The same as plain JSON."""
        told: dict[str, Any] = {"words": self.words, "holds": self.holds}
        if self.joint is None:
            told |= {"wanted": _plain(self.wanted), "seen": _plain(self.seen)}
        else:
            told |= {"joint": self.joint, "parts": [part.to_dict() for part in self.parts]}
        return told if self.why is None else {**told, "why": self.why}

    def __repr__(self) -> str:
        return f"ExplainedClause(words={self.words!r}, holds={self.holds})"


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ExplainedRule:
    """One rule: an experience of an activity.

    Attributes:
        position: Which it is at its place, from 0 on: the first that matches is shown.
        verdict: What became of it: ``won``; ``lost`` (it matches, but the rule ``behind`` is ahead of it); its
            ``audience`` is not the visitor; the visitor is not in its ``share``; it is of another ``property``;
            ``undecidable`` here; ``below undecidable``: it matches, but the rule ``behind``, which cannot be decided
            here, might have been shown in its place; ``overridden``: it would be shown, but an override is.
        why: That in a sentence.
        activity_id: None only where the rule cannot be read; so for all that follow.
        activity_name: As the artifact gives it.
        activity_type: As the artifact gives it: ``ab``, ``landing``.
        experience_id: Of an activity, experiences count from 0.
        experience_name: As the artifact gives it.
        rule_key: Of the rules of a page load or view that have one key, only the first that matches is shown.
        audience: Whom it is for, in words; empty: everybody.
        clauses: The same clause by clause; all have to hold.
        place: The visitor's place in the activity, in percent; None where the rule does not ask for it.
        ranges: Where that has to be, in percent; empty where the rule does not ask for it.
        behind: The ``position`` of the rule that kept it from being shown.
        property_tokens: The properties that it is for; None: for every one.
        has_content: Whether it has any content; where one without wins, the page keeps its default content.
    """

    position: int
    verdict: Verdict
    why: str
    activity_id: str | None
    activity_name: str | None
    activity_type: str | None
    experience_id: str | None
    experience_name: str | None
    rule_key: str | None
    audience: str
    clauses: tuple[ExplainedClause, ...]
    place: float | None
    ranges: tuple[tuple[float, float], ...]
    behind: int | None
    property_tokens: tuple[str, ...] | None
    has_content: bool

    @property
    def has_won(self) -> bool:
        """Whether its offers are shown."""
        return self.verdict == "won"

    def to_dict(self) -> dict[str, Any]:
        """The same as plain JSON."""
        tokens = self.property_tokens
        return {
            "position": self.position,
            "verdict": self.verdict,
            "why": self.why,
            "activity": {"id": self.activity_id, "name": self.activity_name, "type": self.activity_type},
            "experience": {"id": self.experience_id, "name": self.experience_name},
            "ruleKey": self.rule_key,
            "audience": self.audience,
            "clauses": [clause.to_dict() for clause in self.clauses],
            "place": self.place,
            "ranges": [list(each) for each in self.ranges],
            "behind": self.behind,
            "propertyTokens": None if tokens is None else list(tokens),
            "hasContent": self.has_content,
        }

    def __repr__(self) -> str:
        return f"ExplainedRule(activity_id={self.activity_id!r}, verdict={self.verdict!r})"


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ExplainedPart:
    """One mbox, view or page load that was asked for.

    Attributes:
        kind: ``"mbox"``, ``"view"`` or ``"pageLoad"``.
        name: Of the mbox or view; the page load's is the global mbox.
        mode: ``"execute"`` or ``"prefetch"``.
        index: Which the request says the mbox is.
        reason: Why it is answered as it is: ``split`` (by the visitor's share), ``targeting`` (by an audience alone),
            ``default`` (nothing is shown), ``remote`` (nothing is shown, and the server would have to say),
            ``override`` (an override is shown, whatever the rules say).
        why: That in a sentence.
        is_remote: Whether only the server can decide it, or all of it.
        why_remote: Why; None where it is not remote.
        rules: Every rule of it, in order of priority.
    """

    kind: str
    name: str
    mode: str
    index: int | None
    reason: RuleReason | Literal["override"]
    why: str
    is_remote: bool
    why_remote: str | None
    rules: tuple[ExplainedRule, ...]

    @property
    def won(self) -> tuple[ExplainedRule, ...]:
        """The rules whose offers are shown; of an mbox one at most."""
        return tuple(rule for rule in self.rules if rule.has_won)

    def overridden(self) -> ExplainedPart:
        """The same where an override is shown."""
        held_back = "It is the first that matches, but an override is shown in its place"
        return replace(
            self,
            reason="override",
            why="An override is shown, whatever the rules say",
            is_remote=False,
            why_remote=None,
            rules=tuple(
                replace(rule, verdict="overridden", why=held_back) if rule.has_won else rule for rule in self.rules
            ),
        )

    def to_dict(self) -> dict[str, Any]:
        """The same as plain JSON."""
        told = {name: getattr(self, name) for name in ("kind", "name", "mode", "index", "reason", "why")}
        told |= {"isRemote": self.is_remote, "whyRemote": self.why_remote}
        return {**told, "rules": [rule.to_dict() for rule in self.rules]}

    def __repr__(self) -> str:
        return f"ExplainedPart(kind={self.kind!r}, name={self.name!r}, reason={self.reason!r})"


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Explanation:
    """Why a request is answered as it is.

    Attributes:
        parts: All that was asked for: of execute, then of prefetch; the page load, mboxes, views.
        status: 200, or 206 where a part is remote.
        decided_by: ``"on-device"``, or ``"server-side"`` where a hybrid client asks the server instead.
        why: That in a sentence.
        visitor: What the shares of visitors hang on: ``"marketingCloudVisitorId"``, ``"tntId"``, ``"thirdPartyId"``, or
            ``"new"`` for a visitor without any id, whose places are drawn by lot and differ with each call.
        property_token: The property that the request is for; None: none.
        remote_mboxes: Mboxes that only the server can decide.
        remote_views: Views that only the server can decide.
        now_ms: The time that was decided for, in epoch milliseconds.
    """

    parts: tuple[ExplainedPart, ...]
    status: int
    decided_by: str
    why: str
    visitor: str
    property_token: str | None
    remote_mboxes: tuple[str, ...]
    remote_views: tuple[str, ...]
    now_ms: int

    def to_dict(self) -> dict[str, Any]:
        """The same as plain JSON."""
        return {
            "status": self.status,
            "decidedBy": self.decided_by,
            "why": self.why,
            "visitor": self.visitor,
            "property": self.property_token,
            "remoteMboxes": list(self.remote_mboxes),
            "remoteViews": list(self.remote_views),
            "now": self.now_ms,
            "parts": [part.to_dict() for part in self.parts],
        }

    def __repr__(self) -> str:
        return f"Explanation(status={self.status}, parts=[{len(self.parts)}])"

    def __str__(self) -> str:
        from target.decisioning.explanation_text import write_text

        return write_text(self)

    def _repr_html_(self) -> str:
        from target.decisioning.explanation_html import write_html

        return write_html(self)


def _plain(value: Any, depth: int = 0) -> Any:
    """``value`` as JSON of its own, whatever it is."""
    if value is None or isinstance(value, str | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else to_text(value)
    if isinstance(value, Mapping | list | tuple) and depth < _MAX_DEPTH:
        if isinstance(value, Mapping):
            return {str(key): _plain(item, depth + 1) for key, item in value.items()}
        return [_plain(item, depth + 1) for item in value]
    return "…"
