"""Why a request is decided as it is: every rule of everything that is asked for, and what became of it.

It asks the very tests that ``decide`` asks, in the same order, and the same clauses one by one. It counts nothing,
keeps nothing and tells nobody.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from target.decisioning.allocation import visitor_of
from target.decisioning.artifact import Artifact
from target.decisioning.consequence import EXECUTE, PREFETCH
from target.decisioning.context import Scope, Visit
from target.decisioning.decide import DECIDED, PARTLY_DECIDED, open_visit
from target.decisioning.explanation import ExplainedPart, ExplainedRule, Explanation, Verdict
from target.decisioning.grounds import Grounds, explain_condition
from target.decisioning.labels import describe_ranges, describe_value
from target.decisioning.outcomes import as_id, reason_of
from target.decisioning.parts import MBOX, PAGE_LOAD, VIEW
from target.decisioning.places import Place
from target.decisioning.remote import find_remote, objects, property_token_of, section, why_remote_mbox, why_remote_view
from target.decisioning.rules import Gap, Rule
from target.decisioning.words import describe
from target.reasons import RuleReason

_MOST_TOKENS = 5
_NO_GROUNDS = Grounds((), None, (), None)


def explain(
    body: Mapping[str, Any],
    artifact: Artifact,
    *,
    client: str,
    now_s: float,
    new_id: Callable[[], str],
    session_id: str | None = None,  # noqa: ARG001 - so that whoever calls decide can call this
    location_hint: str | None = None,
    geo: Mapping[str, Any] | None = None,
    allocations: Mapping[str, float] | None = None,
) -> Explanation:
    """Why ``decide`` answers a request as it does. Takes what that takes; no JSON makes it fail.

    Args:
        body: The request.
        artifact: What to decide from.
        client: The client code; part of what allocates visitors.
        now_s: Epoch seconds.
        new_id: Makes the id of a visitor that has none.
        session_id: Nothing hangs on it.
        location_hint: Nothing hangs on it.
        geo: Where the visitor is, under the keys of a request, if it was looked up; else what the request says.
        allocations: Places of the visitor by activity id, 0 up to 100, which win over those that the ids give.
    """
    ids, visit = open_visit(body, client, now_s, new_id, location_hint, geo, allocations)
    remote = find_remote(body, artifact)
    token = property_token_of(body)
    status = PARTLY_DECIDED if any(remote) else DECIDED
    why = "The rules decide all of it" if status == DECIDED else "Some of it only the server can decide"
    return Explanation(
        parts=tuple(_explain_parts(body, artifact, visit, token, remote.views)),
        status=status,
        decided_by="on-device",
        why=why,
        visitor=_kind_of_visitor(body, ids),
        property_token=token,
        remote_mboxes=tuple(remote.mboxes),
        remote_views=tuple(remote.views),
        now_ms=int(now_s * 1000),
    )


class _Asked(NamedTuple):
    """A part of a request: what it is, the rules of it, and what they ask."""

    mode: str
    kind: str
    name: str
    number: int | None
    place: Place
    scope: Scope
    why_remote: str | None


def _explain_parts(
    body: Mapping[str, Any], artifact: Artifact, visit: Visit, token: str | None, remote_views: Collection[str]
) -> Iterator[ExplainedPart]:
    for mode in (EXECUTE, PREFETCH):
        asked = section(body, mode)
        page_load = asked.get("pageLoad")
        if page_load is not None:
            given = page_load if isinstance(page_load, Mapping) else {}
            part = {**given, "name": artifact.global_mbox}
            yield _explain_mbox(mode, PAGE_LOAD, part, artifact, visit, token)
        for mbox in objects(asked, "mboxes"):
            yield _explain_mbox(mode, MBOX, mbox, artifact, visit, token)
        if mode == PREFETCH:
            yield from _explain_views(objects(asked, "views"), artifact, visit, token, remote_views)


def _explain_mbox(
    mode: str, kind: str, part: Mapping[str, Any], artifact: Artifact, visit: Visit, token: str | None
) -> ExplainedPart:
    name, index = str(part.get("name")), part.get("index")
    index = index if isinstance(index, int) else None
    why_remote = why_remote_mbox(name, artifact, token)
    place = artifact.mboxes[name]
    return _explain_part(_Asked(mode, kind, name, index, place, Scope(visit, part), why_remote), token)


def _explain_views(
    asked: Iterable[Mapping[str, Any]],
    artifact: Artifact,
    visit: Visit,
    token: str | None,
    remote_views: Collection[str],
) -> Iterator[ExplainedPart]:
    """Views that are asked for by name first, since those are decided by what is said there, as by ``decide``."""
    answered: set[str] = set()
    for view in sorted(asked, key=lambda view: view.get("name") is None):
        wanted = view.get("name")
        names = dict.fromkeys([*artifact.views, *artifact.remote_views]) if wanted is None else [str(wanted)]
        for name in names:
            if name in answered:
                continue
            place = artifact.views[name] if wanted is None or isinstance(wanted, str) else Place()
            why_remote = why_remote_view(name, artifact, token) if name in remote_views else None
            part = _explain_part(_Asked(PREFETCH, VIEW, name, None, place, Scope(visit, view), why_remote), token)
            if part.won:
                answered.add(name)
            yield part


def _explain_part(asked: _Asked, token: str | None) -> ExplainedPart:
    rules = tuple(_explain_rules(asked, token))
    reason, why = _reason(asked, rules)
    return ExplainedPart(
        kind=asked.kind,
        name=asked.name,
        mode=asked.mode,
        index=asked.number,
        reason=reason,
        why=why,
        is_remote=asked.why_remote is not None,
        why_remote=asked.why_remote,
        rules=rules,
    )


def _reason(asked: _Asked, explained: tuple[ExplainedRule, ...]) -> tuple[RuleReason, str]:
    rules = asked.place.rules
    won = [rule for rule in explained if rule.has_won]
    if won:
        reasons = {reason_of(rule) for each in won if isinstance(rule := rules[each.position], Rule)}
        shown = ", ".join(f"rule {rule.position}" for rule in won[:10])
        return "split" if "split" in reasons else "targeting", f"{shown}{' and more' if len(won) > 10 else ''} matches"
    if asked.why_remote is not None:
        return "remote", f"Only the server can decide it: {asked.why_remote}"
    return "default", "No rule of it matches" if explained else "There are no rules for it"


def _explain_rules(asked: _Asked, token: str | None) -> Iterator[ExplainedRule]:
    """Each rule, in order. Of an mbox only the first that matches is shown, else of those with one key."""
    taken: dict[str | None, int] = {}
    blocked: int | None = None
    for position, rule in enumerate(asked.place.rules):
        key = rule.key if asked.kind != MBOX else None
        ahead = taken.get(key)
        is_for = rule.property_tokens is None or token in rule.property_tokens
        verdict: Verdict = "won"
        behind = None
        if not is_for:
            verdict = "property"
        elif isinstance(rule, Gap):
            verdict = "undecidable"
            if ahead is None and blocked is None:
                blocked = position
        elif not rule.test(asked.scope):
            verdict = "audience"
        elif ahead is not None:
            verdict, behind = "lost", ahead
        elif blocked is not None:
            verdict, behind = "below undecidable", blocked
        else:
            taken[key] = position
        yield _explain_rule(rule, position, verdict, behind, asked.scope, token)


def _explain_rule(
    rule: Rule | Gap, position: int, verdict: Verdict, behind: int | None, scope: Scope, token: str | None
) -> ExplainedRule:
    consequence, meta, condition = rule.look_up()
    activity_id = rule.activity_id if isinstance(rule, Rule) else as_id(meta.get("activity.id"))
    grounds = explain_condition(condition, activity_id, scope) if activity_id is not None else _NO_GROUNDS
    if verdict == "audience" and grounds.fits_audience:
        verdict = "share"
    tokens = rule.property_tokens
    return ExplainedRule(
        position=position,
        verdict=verdict,
        why=_why(rule, verdict, behind, grounds, token) + _aside(verdict, consequence.has_content),
        activity_id=activity_id,
        activity_name=as_id(meta.get("activity.name")),
        activity_type=as_id(meta.get("activity.type")),
        experience_id=as_id(meta.get("experience.id")),
        experience_name=as_id(meta.get("experience.name")),
        rule_key=rule.key,
        audience=describe(condition) if activity_id is not None else "",
        clauses=grounds.clauses,
        place=grounds.place,
        ranges=grounds.ranges,
        behind=behind,
        property_tokens=None if tokens is None else tuple(sorted(tokens)),
        has_content=consequence.has_content,
    )


def _why(rule: Rule | Gap, verdict: Verdict, behind: int | None, grounds: Grounds, token: str | None) -> str:
    if verdict == "lost":
        return f"It matches, and so does rule {behind}, which is ahead of it"
    if verdict == "below undecidable":
        return f"It matches, but rule {behind}, which cannot be decided here, might have been shown in its place"
    if verdict == "property":
        wanted = _listed(rule.property_tokens or ())
        return f"It is for the property {wanted}, and the request names {'none' if token is None else _listed([token])}"
    if isinstance(rule, Gap):
        return f"It cannot be decided here: {rule.why}"
    if verdict == "share":
        place, wanted = describe_value(grounds.place), describe_ranges(grounds.ranges)
        return f"The visitor's place in the activity is {place} %, not in {wanted}"
    if verdict == "audience":
        missed = next((clause.words for clause in grounds.clauses if clause.holds is False), "its audience")
        return f"The visitor is not in its audience: {missed}"
    return "It is the first that matches"


def _listed(tokens: Iterable[str]) -> str:
    shown = [describe_value(token) for token in sorted(tokens)]
    more = [f"{len(shown) - _MOST_TOKENS} more"] if len(shown) > _MOST_TOKENS else []
    return " or ".join([*shown[:_MOST_TOKENS], *more])


def _aside(verdict: Verdict, has_content: bool) -> str:
    return "; it has no content, so that the page keeps its own" if verdict == "won" and not has_content else ""


def _kind_of_visitor(body: Mapping[str, Any], ids: Mapping[str, Any]) -> str:
    given = body.get("id")
    if not isinstance(given, Mapping) or visitor_of(given) is None:
        return "new"
    return next(key for key in ("marketingCloudVisitorId", "tntId", "thirdPartyId") if visitor_of({key: ids.get(key)}))
