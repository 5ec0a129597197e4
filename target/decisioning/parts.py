"""Decides the parts of a request: an mbox, the page load, the views."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from target.decisioning.artifact import Artifact
from target.decisioning.consequence import EXECUTE, PREFETCH, Consequence, of_one_activity, once_per_token
from target.decisioning.context import Scope, Visit
from target.decisioning.notifications import Notifications
from target.decisioning.places import Place
from target.decisioning.remote import find_remote_views, has_gap, is_local_mbox, objects
from target.decisioning.rules import Gap, Rule
from target.decisioning.trace import Retrieval, Trace, build_trace_request

# What a part of a request is called.
PAGE_LOAD = "pageLoad"
MBOX = "mbox"
VIEW = "view"


class Situation(NamedTuple):
    """All that the parts of one request have in common, and what deciding them adds up to.

    Attributes:
        artifact: What to decide from.
        property_token: The property that the request is for.
        visit: What holds for the whole call.
        geo_tokens: Response tokens about the visitor's place.
        notifications: What Target is to be told of.
        shown: As of a Decision.
        parts: As of a Decision.
        remote_mboxes: Mboxes that only the server can decide, as often as they are asked for.
        remote_views: Views that only the server can decide.
        tracing: What a trace tells besides; None where none is asked for.
    """

    artifact: Artifact
    property_token: str | None
    visit: Visit
    geo_tokens: Mapping[str, Any]
    notifications: Notifications
    shown: list[tuple[str, str, str, Rule]]
    parts: list[tuple[str, str, str, int]]
    remote_mboxes: list[str]
    remote_views: list[str]
    tracing: Tracing | None


class Tracing(NamedTuple):
    """What only a trace tells of a request."""

    client: str
    ids: Mapping[str, Any]
    session_id: str | None
    retrieval: Retrieval | None


def decide_mbox(situation: Situation, mode: str, mbox: Mapping[str, Any]) -> dict[str, Any]:
    """The answer to one mbox: name and index, and the offers of the first rule that matches."""
    given, index = mbox.get("name"), mbox.get("index")
    name = given if given.__class__ is str else str(given)
    scope = Scope(situation.visit, mbox)
    trace = Trace() if situation.tracing else None
    answer: dict[str, Any] = {}
    if index is not None:
        answer["index"] = index
    if given is not None:
        answer["name"] = given
    rule = _first(_place_of_mbox(situation, name), scope, situation.property_token, trace)
    if rule is not None:
        consequence = rule.consequence
        _deliver(situation, mode, MBOX, rule, consequence, name, trace)
        answer["options"] = consequence.options(mode, mbox, situation.geo_tokens)
        answer["metrics"] = once_per_token(consequence.metrics)
    situation.parts.append((mode, MBOX, name, len(situation.shown)))
    if trace is not None:
        answer["trace"] = _build_trace(situation, trace, scope, {"mbox": mbox}, mode)
    return answer


def decide_page_load(situation: Situation, mode: str, page_load: Mapping[str, Any]) -> dict[str, Any]:
    """The answer to the page load: the offers of all that matches in the global mbox, one rule for each rule key."""
    name = situation.artifact.global_mbox
    part = {**page_load, "name": name}
    scope = Scope(situation.visit, part)
    trace = Trace() if situation.tracing else None
    options: list[dict[str, Any]] = []
    metrics: list[dict[str, Any]] = []
    for rule in _all(_place_of_mbox(situation, name), scope, situation.property_token, trace):
        consequence = rule.consequence
        _deliver(situation, mode, PAGE_LOAD, rule, consequence, name, trace)
        options += consequence.options(mode, part, situation.geo_tokens)
        metrics += consequence.metrics
    situation.parts.append((mode, PAGE_LOAD, name, len(situation.shown)))
    answer: dict[str, Any] = {"options": options, "metrics": once_per_token(metrics)}
    if trace is not None:
        answer["trace"] = _build_trace(situation, trace, scope, {"mbox": part}, mode)
    return answer


def decide_views(situation: Situation, prefetch: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The answers to all views that ``prefetch`` asks for, one for each view that any rule matches.

    A view without a name is all of them; one that is also asked for by name is decided with the parameters given there.
    """
    artifact = situation.artifact
    situation.remote_views.extend(find_remote_views(prefetch, artifact, situation.property_token))
    answers: dict[str, dict[str, Any]] = {}
    for view in sorted(objects(prefetch, "views"), key=lambda view: view.get("name") is None):
        wanted = view.get("name")
        names = list(artifact.views) if wanted is None else [wanted] if isinstance(wanted, str) else []
        scope = Scope(situation.visit, view)
        for name in names:
            if name in answers:
                continue
            answer = _decide_view(situation, name, scope)
            if answer is not None:
                answers[name] = answer
            if answer is not None or wanted is not None:
                situation.parts.append((PREFETCH, VIEW, name, len(situation.shown)))
    return list(answers.values())


def _decide_view(situation: Situation, name: str, scope: Scope) -> dict[str, Any] | None:
    trace = Trace() if situation.tracing else None
    part = {**scope.part, "name": name}
    options: list[dict[str, Any]] = []
    metrics: list[tuple[str, dict[str, Any]]] = []
    is_found = False
    for rule in _all(situation.artifact.views[name], scope, situation.property_token, trace):
        is_found = True
        consequence = rule.consequence
        _deliver(situation, PREFETCH, VIEW, rule, consequence, name, trace)
        options += consequence.options(PREFETCH, part, situation.geo_tokens)
        metrics += [(rule.activity_id, metric) for metric in consequence.metrics]
    answer: dict[str, Any] = {"name": name, "options": options, "metrics": of_one_activity(metrics)}
    if trace is not None:
        answer["trace"] = _build_trace(situation, trace, scope, {"view": part}, PREFETCH)
    return answer if is_found else None


def matching(
    rules: Iterable[Rule | Gap], scope: Scope, token: str | None, trace: Trace | None = None
) -> Iterator[Rule]:
    """The rules that match, for this property, in order; of those with one key only the first.

    None below a rule that cannot be decided and might have matched: what it would have shown comes first, and an
    impression of what stands below would be a false one.
    """
    taken: set[str] = set()
    for rule in rules:
        if rule.key in taken or (rule.property_tokens is not None and token not in rule.property_tokens):
            continue
        if rule.test(scope):
            if isinstance(rule, Gap):
                return
            if trace is not None:
                trace.add_evaluation(rule, scope, True)
            taken.add(rule.key)
            yield rule
        elif trace is not None and isinstance(rule, Rule):
            trace.add_evaluation(rule, scope, False)


def _place_of_mbox(situation: Situation, name: str) -> Place:
    """What there is for an mbox that is asked for; noted where that does not suffice."""
    artifact = situation.artifact
    place = artifact.mboxes[name]
    if (place.gaps and has_gap(place, situation.property_token)) or not is_local_mbox(name, artifact):
        situation.remote_mboxes.append(name)
    return place


def _all(place: Place, scope: Scope, token: str | None, trace: Trace | None) -> Iterator[Rule]:
    """The rules that match. A trace tells of all that were looked at."""
    return matching(place.rules_for(scope) if trace is None else place.rules, scope, token, trace)


def _first(place: Place, scope: Scope, token: str | None, trace: Trace | None) -> Rule | None:
    """The first rule that matches, as of ``matching``."""
    if trace is not None:
        return next(matching(place.rules, scope, token, trace), None)
    for rule in place.rules if place.shortlist is None else place.shortlist(scope):
        tokens = rule.property_tokens
        if (tokens is None or token in tokens) and rule.test(scope):
            return rule if isinstance(rule, Rule) else None
    return None


def _deliver(
    situation: Situation, mode: str, kind: str, rule: Rule, consequence: Consequence, name: str, trace: Trace | None
) -> None:
    """Count what ``rule`` shows, in execute, and tell the trace."""
    situation.shown.append((mode, kind, name, rule))
    added = situation.notifications.add(name, consequence.event_tokens) if mode == EXECUTE else None
    if trace is not None:
        trace.add_match(rule, situation.artifact.meta.get("environment"), added)


def _build_trace(
    situation: Situation, trace: Trace, scope: Scope, asked: Mapping[str, Mapping[str, Any]], mode: str
) -> dict[str, Any]:
    assert situation.tracing is not None  # else there is no trace
    client, ids, session_id, retrieval = situation.tracing
    request = build_trace_request(session_id, scope, asked, mode)
    return trace.to_dict(client, situation.artifact, retrieval, ids, request)
