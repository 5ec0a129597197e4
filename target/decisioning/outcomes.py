"""What each part of a decision comes to, and why, in a word: read off what was noted while deciding."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

from target.decisioning.coercion import to_text
from target.decisioning.consequence import PREFETCH
from target.decisioning.parts import VIEW
from target.decisioning.rules import Rule, Sign, is_id
from target.reasons import PartDecision, RuleReason


def list_outcomes(
    parts: Iterable[tuple[str, str, str, int]],
    shown: Sequence[Sign],
    remote_mboxes: Collection[str],
    remote_views: Collection[str],
) -> Iterator[PartDecision]:
    """What each part of a decision comes to, in the order decided; the arguments are those of a Decision, of the rules
    that were shown their signs.

    Views that were asked for as "all" and neither show anything nor are remote are left out.
    """
    before = 0
    views = set()
    for mode, kind, name, end in parts:
        for sign in shown[before:end]:
            yield _shown(mode, kind, name, sign)
        if before == end:
            is_remote = name in (remote_views if kind == VIEW else remote_mboxes)
            yield PartDecision(kind, name, mode, "remote" if is_remote else "default")
        before = end
        if kind == VIEW:
            views.add(name)
    for name in remote_views:
        if name not in views:
            yield PartDecision(VIEW, name, PREFETCH, "remote")


def reason_of(rule: Rule | Sign) -> RuleReason:
    """Why ``rule`` is shown, where it is."""
    return "split" if rule.has_share else "targeting"


def as_id(value: Any) -> str | None:
    """The id or name ``value`` as text; None for what is none."""
    return to_text(value) if is_id(value) else None


def _shown(mode: str, kind: str, name: str, sign: Sign) -> PartDecision:
    meta = sign.meta
    return PartDecision(
        kind,
        name,
        mode,
        reason_of(sign),
        sign.activity_id,
        as_id(meta.get("activity.name")),
        as_id(meta.get("experience.id")),
        as_id(meta.get("experience.name")),
    )
